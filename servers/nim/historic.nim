## What asyncnet, selectors and epoll did in 2015, as exhibits: `-d:server=asyncnet-2015` and so on.
##
## None of the three is a web server. They send "Hello World" to whoever is connected, asked or not,
## and a load generator counts each as an answered request. This is what the document's numbers were.
## The lines end with LF alone, as they did then.

import std/[asyncdispatch, asyncnet, epoll, nativesockets, posix, selectors, strutils]
import answer, listener

const Text = "HTTP/1.1 200 OK\nContent-Length: 11\n\nHello World"

proc sendText(fd: SocketHandle): int =
  send(fd, Text.cstring, Text.len, MSG_NOSIGNAL)

proc acceptNonBlocking(listener: SocketHandle): SocketHandle =
  accept4(listener, nil, nil, NonBlocking or SOCK_CLOEXEC)

# asyncnet: never read anything. The line that did was commented out.

proc flood(client: AsyncSocket) {.async.} =
  try:
    while true: await client.send(Text, {}) # Without flags a broken connection is an error.
  except OSError:
    client.close()

proc floodAll(listener: SocketHandle) {.async.} =
  register(listener.AsyncFD)
  let server = newAsyncSocket(listener.AsyncFD, buffered = false)
  while true: asyncCheck flood(await server.accept())

# selectors: an answer whenever the socket could take one.

proc answerWhenWritable(listener: SocketHandle) =
  let selector = newSelector[int]()
  selector.registerHandle(listener, {Event.Read}, 0)
  var
    events: array[64, ReadyKey]
    incoming: array[1024, char]
  while true:
    for i in 0 ..< selector.selectInto(-1, events):
      let fd = events[i].fd.SocketHandle
      if fd == listener:
        let client = listener.acceptNonBlocking()
        if client != SocketHandle(-1): selector.registerHandle(client, {Event.Read, Event.Write}, 0)
        continue
      let gone = Event.Read in events[i].events and recv(fd, addr incoming, incoming.len.cint, 0) == 0
      if gone or (Event.Write in events[i].events and fd.sendText() < 0 and errno != EAGAIN):
        selector.unregister(fd)
        fd.close()

# epoll: one recv and one send for each wake-up, whatever had been received; never closed anything.

proc answerOnEveryEdge(listener: SocketHandle) =
  let poll = epoll_create1(O_CLOEXEC)
  var
    events: array[64, EpollEvent]
    incoming: array[1024, char]
  proc watch(fd: SocketHandle; kinds: uint32) =
    var event = EpollEvent(events: kinds or EPOLLET.uint32)
    event.data.u64 = fd.uint64
    discard epoll_ctl(poll, EPOLL_CTL_ADD, fd.cint, addr event)
  watch(listener, EPOLLIN.uint32)
  while true:
    for i in 0 ..< epoll_wait(poll, addr events[0], events.len.cint, -1):
      let fd = events[i].data.u64.SocketHandle
      if fd != listener:
        discard recv(fd, addr incoming, incoming.len.cint, 0)
        discard fd.sendText()
        continue
      while true:
        let client = listener.acceptNonBlocking()
        if client == SocketHandle(-1): break
        watch(client, EPOLLIN.uint32 or EPOLLOUT.uint32)

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  raiseDescriptorLimit()
  let listener = openListeners(options)[0].SocketHandle
  case server.split('-')[0]
  of "asyncnet":
    asyncCheck floodAll(listener)
    runForever()
  of "selectors": answerWhenWritable(listener)
  of "epoll": answerOnEveryEdge(listener)
  else: fail("build it with -d:server=asyncnet-2015, selectors-2015 or epoll-2015", 2)

main()
