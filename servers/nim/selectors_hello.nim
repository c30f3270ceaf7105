## Hello World on std/selectors, level-triggered: what a portable event loop comes to.
##
## A connection is registered for reading when it is accepted. The answer is sent at once, and only
## if the kernel does not take it all is the registration changed to writing, until it has.
## The server of 2015 sent an answer whenever a socket could take one, asked or not.

import std/[monotimes, nativesockets, posix, selectors, tables, times]
import answer, dialogue, listener

type
  State = enum open, blocked, lingering

  Connection = ref object
    talk: Dialogue
    state: State
    unread: bool
    held: string        ## answers that the kernel did not take
    discarded: int
    deadline: MonoTime

  Server = ref object
    selector: Selector[Connection]
    listener: SocketHandle
    full: bool          ## whether there were no descriptors left to accept with
    lingering: OrderedTable[int, Connection] ## by descriptor, the oldest first

const
  Patience = initDuration(seconds = 2)
  MostDiscarded = 1 shl 20

var
  output: Output
  calendar: Calendar

proc hangUp(server: Server; fd: int) =
  server.lingering.del(fd)
  server.selector.unregister(fd)
  close(fd.SocketHandle)
  if server.full:
    server.full = false
    server.selector.updateHandle(server.listener, {Read})

proc discardInput(server: Server; fd: int; connection: Connection) =
  template input: untyped = connection.talk.input
  while true:
    let got = recv(fd.SocketHandle, addr input, input.len.cint, 0)
    if got > 0: connection.discarded += got
    if got < 0 and errno == EAGAIN: return
    if got <= 0 or connection.discarded > MostDiscarded: break
  server.hangUp(fd)

proc finish(server: Server; fd: int; connection: Connection) =
  ## To close a socket that holds unread input sends a reset, which can destroy the answer on its
  ## way, so in that case only our side is closed at first.
  if not connection.unread:
    server.hangUp(fd)
    return
  discard shutdown(fd.SocketHandle, SHUT_WR)
  connection.state = lingering
  connection.deadline = getMonoTime() + Patience
  server.lingering[fd] = connection
  server.selector.updateHandle(fd.SocketHandle, {Read})
  server.discardInput(fd, connection)

proc sendHeld(server: Server; fd: int; connection: Connection): bool =
  ## Sends what there is; true if the kernel has taken all.
  var sent = 0
  while sent < connection.held.len:
    let count = send(fd.SocketHandle, addr connection.held[sent], connection.held.len - sent, MSG_NOSIGNAL)
    if count >= 0: sent += count
    elif errno == EAGAIN: break
    elif errno != EINTR:
      server.hangUp(fd)
      return false
  connection.held = connection.held.substr(sent)
  result = connection.held.len == 0
  if not result and connection.state == open:
    connection.state = blocked
    server.selector.updateHandle(fd.SocketHandle, {Write})

proc reply(server: Server; fd: int; connection: Connection) =
  ## Answers all complete requests in the input.
  while true:
    let more = connection.talk.reply(output, calendar)
    connection.held = output.take()
    if connection.held.len > 0 and not server.sendHeld(fd, connection): return
    if connection.talk.final:
      server.finish(fd, connection)
      return
    if not more: return

proc read(server: Server; fd: int; connection: Connection) =
  let room = connection.talk.room
  let got = recv(fd.SocketHandle, connection.talk.place, room.cint, 0)
  if got > 0:
    connection.talk.filled += got
    connection.unread = got == room or connection.talk.filled > got
    server.reply(fd, connection)
  elif got == 0 or errno notin [EAGAIN, EINTR]:
    server.hangUp(fd)

proc resume(server: Server; fd: int; connection: Connection) =
  ## The kernel has room again.
  if not server.sendHeld(fd, connection): return
  connection.state = open
  connection.unread = true # No longer known.
  server.selector.updateHandle(fd.SocketHandle, {Read})
  server.reply(fd, connection)

proc accept(server: Server) =
  let fd = accept4(server.listener, nil, nil, NonBlocking or SOCK_CLOEXEC)
  if fd != SocketHandle(-1):
    server.selector.registerHandle(fd, {Read}, Connection())
  elif errno in [EMFILE, ENFILE, ENOBUFS, ENOMEM]:
    server.full = true # Until somebody leaves, asking again would only burn the processor.
    server.selector.updateHandle(server.listener, {})

proc react(server: Server; fd: int) =
  let connection = server.selector.getData(fd)
  case connection.state
  of open: server.read(fd, connection)
  of blocked: server.resume(fd, connection)
  of lingering: server.discardInput(fd, connection)

proc endPatience(server: Server) =
  let now = getMonoTime()
  while server.lingering.len > 0:
    for fd, connection in server.lingering:
      if connection.deadline > now: return
      server.hangUp(fd)
      break

proc serve(server: Server) =
  var events: array[64, ReadyKey]
  while true:
    let count = server.selector.selectInto(if server.lingering.len > 0: 1000 else: -1, events)
    calendar.tick()
    for i in 0 ..< count:
      if events[i].fd == server.listener.int: server.accept()
      elif server.selector.contains(events[i].fd): server.react(events[i].fd)
    server.endPatience()

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  raiseDescriptorLimit()
  let server = Server(selector: newSelector[Connection](), listener: openListeners(options)[0].SocketHandle)
  server.selector.registerHandle(server.listener, {Read}, nil)
  server.serve()

main()
