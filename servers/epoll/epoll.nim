## Hello World on bare epoll, edge-triggered: as few system calls as an honest server can do with.
##
## A request on an open connection costs one recv and one send, and a share of an epoll_wait. A
## connection for one request costs accept4, recv, send and close. What makes that possible:
##
## - A socket is registered once, and only if it outlives its first request. epoll reports an edge
##   (new bytes), so nothing has to be switched on and off around a request.
## - The answer is sent at once. Only if the kernel does not take it all, since the client does not
##   read, is EPOLLOUT asked for; until then no more is read, so a slow client cannot fill memory.
## - All requests that arrived together are answered with one send.
##
## Each thread has its own epoll and its own listening socket (SO_REUSEPORT) and shares nothing.

import std/[epoll, posix]
import answer, listener, request

type
  State = enum
    open      ## reading requests and answering them
    blocked   ## waiting for the client to take answers, reading nothing
    lingering ## answered for the last time, reading until the client has hung up too

  Connection = object
    fd: cint
    state: State
    watched: bool  ## whether epoll knows it
    drained: bool  ## whether the last read emptied the socket
    final: bool    ## whether the last answer has been written
    request: Request
    filled: int    ## bytes in `input`
    held: pointer  ## answers that the kernel did not take, from heldFrom to heldTo
    heldFrom, heldTo: int
    deadline: int64
    discarded: int
    input: array[16 * 1024, char]

  Accepting = enum onEvent, atOnce, later

  Worker = object
    epoll, listener: cint
    accepting: Accepting
    calendar: Calendar
    output: Output
    lingering: seq[ptr Connection] ## by deadline

const
  Events = 256
  AcceptBatch = 64     # Then those who wait for answers get a turn.
  LingerSeconds = 2
  LingerBytes = 1 shl 20
  # RDHUP tells that the client's FIN has arrived, perhaps together with its last request, when
  # there will be no further edge to tell of it.
  Reading = EPOLLIN.uint32 or EPOLLRDHUP.uint32
  Writing = EPOLLOUT.uint32
  Edge = EPOLLET.uint32
  Gone = EPOLLRDHUP.uint32 or EPOLLHUP.uint32 or EPOLLERR.uint32

proc close(worker: var Worker; connection: ptr Connection) =
  if connection.state == lingering:
    worker.lingering.delete(worker.lingering.find(connection))
  discard posix.close(connection.fd) # This also removes it from the epoll.
  if connection.held != nil: dealloc(connection.held)
  dealloc(connection)
  if worker.accepting == later: worker.accepting = atOnce # A descriptor has become free.

proc watch(worker: Worker; connection: ptr Connection; events: uint32) =
  ## (Re-)registers. epoll then reports what is ready already as well, so no edge gets lost.
  var event = EpollEvent(events: events or Edge)
  event.data.u64 = cast[uint64](connection)
  let operation = if connection.watched: EPOLL_CTL_MOD else: EPOLL_CTL_ADD
  discard epoll_ctl(worker.epoll, operation.cint, connection.fd, addr event)
  connection.watched = true

# In what follows a bool result tells whether the connection is still open for reading requests.
# After false it may be gone and must not be touched.

proc discardInput(worker: var Worker; connection: ptr Connection) =
  while true:
    let got = recv(connection.fd.SocketHandle, addr connection.input, connection.input.len, 0)
    if got > 0: connection.discarded += got
    elif got < 0 and errno == EINTR: continue
    elif got < 0 and errno == EAGAIN: return
    else: break
    if connection.discarded > LingerBytes: break
  worker.close(connection)

proc finish(worker: var Worker; connection: ptr Connection) =
  ## Closes after the last answer. To close a socket that holds unread input sends a reset, which
  ## can destroy the answer on its way, so in that case only our side is closed at first.
  if connection.drained and connection.filled == 0:
    worker.close(connection)
    return
  discard shutdown(connection.fd.SocketHandle, SHUT_WR)
  connection.state = lingering
  connection.deadline = worker.calendar.second + LingerSeconds
  worker.lingering.add connection
  worker.watch(connection, Reading)
  worker.discardInput(connection)

proc hold(worker: var Worker; connection: ptr Connection; sent: int) =
  ## Keeps what the kernel did not take until it has room again.
  let rest = worker.output.used - sent
  connection.held = alloc(rest)
  copyMem(connection.held, addr worker.output.bytes[sent], rest)
  connection.heldFrom = 0
  connection.heldTo = rest
  connection.state = blocked
  connection.drained = false # No longer known by the time that it matters again.
  worker.watch(connection, Writing)

proc sendSome(connection: ptr Connection; bytes: pointer; count: int): int =
  ## How many bytes were taken, or -1 if the connection is broken.
  while true:
    result = send(connection.fd.SocketHandle, bytes, count, MSG_NOSIGNAL)
    if result >= 0: return
    if errno == EAGAIN: return 0
    if errno != EINTR: return -1

proc flush(worker: var Worker; connection: ptr Connection): bool =
  ## Sends the answers composed so far.
  let used = worker.output.used
  if used > 0:
    let sent = connection.sendSome(addr worker.output.bytes, used)
    if sent < 0:
      worker.output.used = 0
      worker.close(connection)
      return false
    if sent < used: worker.hold(connection, sent)
    worker.output.used = 0
  if connection.state == blocked: return false
  if connection.final:
    worker.finish(connection)
    return false
  true

proc refuse(worker: var Worker; connection: ptr Connection; status: int) =
  worker.output.refuse(worker.calendar, status)
  connection.final = true

proc advance(worker: var Worker; connection: ptr Connection; start: int): int =
  ## Reads one more head or piece of a body and answers if that completes a request.
  template request: Request = connection.request
  template buffer: untyped = connection.input.toOpenArray(start, connection.filled - 1)
  if request.body.isDone:
    result = parseHead(buffer, request)
    if result > 0 and not request.body.isDone:
      if request.expectsContinue and start + result == connection.filled: worker.output.goOn()
  else:
    result = skipBody(buffer, request.body)
  if result < 0:
    worker.refuse(connection, -result)
  elif result > 0 and request.body.isDone:
    worker.output.answer(worker.calendar, request)
    connection.final = request.fate == closes

proc reply(worker: var Worker; connection: ptr Connection): bool =
  ## Answers all complete requests in the input and keeps the beginning of an incomplete one.
  var start = 0
  while start < connection.filled and not connection.final and worker.output.hasRoom:
    let used = worker.advance(connection, start)
    if used <= 0: break
    start += used
  let more = not worker.output.hasRoom
  connection.filled -= start
  if start > 0 and connection.filled > 0:
    moveMem(addr connection.input, addr connection.input[start], connection.filled)
  if connection.filled == connection.input.len and not more and not connection.final:
    worker.refuse(connection, 431)
  result = worker.flush(connection)
  if result and more: result = worker.reply(connection)

proc converse(worker: var Worker; connection: ptr Connection; toTheEnd: bool): bool =
  ## Reads and answers until the socket is empty. A read that gets less than it has room for has
  ## emptied it, which saves asking again, except `toTheEnd`, when a FIN may stand behind.
  while true:
    let room = connection.input.len - connection.filled
    let got = recv(connection.fd.SocketHandle, addr connection.input[connection.filled], room, 0)
    if got > 0:
      connection.filled += got
      connection.drained = got < room
      if not worker.reply(connection): return false
      if connection.drained and not toTheEnd: return true
    elif got < 0 and errno == EAGAIN: return true
    elif got == 0 or errno != EINTR:
      worker.close(connection)
      return false

proc resume(worker: var Worker; connection: ptr Connection) =
  ## The kernel has room again: sends what was held, then goes on where it stopped.
  let waiting = connection.heldTo - connection.heldFrom
  let place = cast[pointer](cast[int](connection.held) + connection.heldFrom)
  let sent = connection.sendSome(place, waiting)
  if sent < 0:
    worker.close(connection)
    return
  connection.heldFrom += sent
  if sent < waiting: return
  dealloc(connection.held)
  connection.held = nil
  connection.state = open
  if worker.reply(connection) and worker.converse(connection, toTheEnd = true):
    worker.watch(connection, Reading)

proc react(worker: var Worker; connection: ptr Connection; events: uint32) =
  case connection.state
  of open: discard worker.converse(connection, toTheEnd = (events and Gone) != 0)
  of blocked: worker.resume(connection)
  of lingering: worker.discardInput(connection)

proc welcome(worker: var Worker; fd: cint) =
  ## The request has often come by the time its connection is accepted, and with one request per
  ## connection epoll then never needs to know.
  let connection = cast[ptr Connection](alloc(sizeof(Connection)))
  zeroMem(connection, offsetOf(Connection, input))
  connection.fd = fd
  if worker.converse(connection, toTheEnd = false):
    worker.watch(connection, Reading)

proc acceptAll(worker: var Worker) =
  ## An edge is reported once for all that wait, so accepts until nobody is left; or else notes
  ## that somebody is.
  for _ in 1 .. AcceptBatch:
    let fd = accept4(worker.listener.SocketHandle, nil, nil, NonBlocking or SOCK_CLOEXEC).cint
    if fd >= 0:
      worker.welcome(fd)
    elif errno == EAGAIN:
      worker.accepting = onEvent
      return
    elif errno in [EMFILE, ENFILE, ENOBUFS, ENOMEM]:
      worker.accepting = later # Trying again at once would only burn the processor.
      return
  worker.accepting = atOnce

proc timeout(worker: Worker): cint =
  ## How long epoll may wait, in milliseconds.
  case worker.accepting
  of atOnce: 0
  of later: 100
  of onEvent: (if worker.lingering.len > 0: 1000 else: -1)

proc turn(worker: var Worker; events: var array[Events, EpollEvent]) =
  let ready = epoll_wait(worker.epoll, addr events[0], Events, worker.timeout)
  worker.calendar.tick()
  var accept = worker.accepting != onEvent
  for i in 0 ..< ready:
    let connection = cast[ptr Connection](events[i].data.u64)
    if connection == nil: accept = true # The listener.
    else: worker.react(connection, events[i].events)
  # Last, so that no new connection takes the place of one that still has an event to come.
  if accept: worker.acceptAll()
  while worker.lingering.len > 0 and worker.lingering[0].deadline < worker.calendar.second:
    worker.close(worker.lingering[0])

proc serve(listener: cint) {.thread.} =
  var worker = Worker(epoll: epoll_create1(O_CLOEXEC), listener: listener)
  var event = EpollEvent(events: EPOLLIN.uint32 or Edge)
  if epoll_ctl(worker.epoll, EPOLL_CTL_ADD, listener, addr event) != 0:
    fail("cannot watch the listening socket")
  var events: array[Events, EpollEvent]
  worker.calendar.tick()
  while true:
    worker.turn(events)

proc main() =
  let options = parseOptions()
  signal(SIGINT, SIG_DFL) # Nim's own handler would print a message and run in any thread.
  raiseDescriptorLimit()
  let listeners = openListeners(options)
  if listeners.len == 1:
    serve(listeners[0])
  else:
    var threads = newSeq[Thread[cint]](listeners.len)
    for i, listener in listeners:
      createThread(threads[i], serve, listener)
    joinThreads(threads)

main()
