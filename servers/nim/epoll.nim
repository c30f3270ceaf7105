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
##
## `-d:accepting=accept|accept4|edgeFirst|edge` goes back in steps to what the document tried: one
## accept and fcntl per event, one accept4, all that wait by an edge-triggered first socket, and as
## above. With `-d:shared` all threads wait on one epoll with one listening socket, as the document's
## epoll_parallel did. A connection must then be reported to one thread at a time (EPOLLONESHOT),
## which costs an epoll_ctl per request to switch it on again.

import std/[epoll, posix, strutils]
when defined(shared): import std/locks
import answer, dialogue, listener

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
    held: pointer  ## answers that the kernel did not take, from heldFrom to heldTo
    heldFrom, heldTo: int
    deadline: int64
    discarded: int
    previous, next: ptr Connection ## among those that linger
    dialogue: Dialogue

  Strategy = enum
    byAccept = "accept"
    byAccept4 = "accept4"
    byEdgeFirst = "edgeFirst"
    byEdge = "edge"

  Accepting = enum onEvent, atOnce, later

  Worker = object
    epoll, listener: cint
    accepting: Accepting
    calendar: Calendar
    output: Output

const
  accepting {.strdefine.} = "edge"
  shared {.booldefine.} = false
  Steps = parseEnum[Strategy](accepting)
  Events = 256
  AcceptBatch = if Steps < byEdgeFirst: 1 else: 64 # Then those who wait for answers get a turn.
  LingerSeconds = 2
  LingerBytes = 1 shl 20
  # RDHUP tells that the client's FIN has arrived, perhaps together with its last request, when
  # there will be no further edge to tell of it.
  Reading = EPOLLIN.uint32 or EPOLLRDHUP.uint32
  Writing = EPOLLOUT.uint32
  Gone = EPOLLRDHUP.uint32 or EPOLLHUP.uint32 or EPOLLERR.uint32
  FirstTrigger = if Steps < byEdgeFirst: 0'u32 else: EPOLLET.uint32
  Trigger = (if Steps < byEdge: 0'u32 else: EPOLLET.uint32) or
    (if shared: EPOLLONESHOT.uint32 else: 0'u32)

when shared:
  # Memory may be freed by another thread than the one that took it.
  template take(size: int): pointer = allocShared(size)
  template free(memory: pointer) = deallocShared(memory)
  var
    lock: Lock
    firstLingering, lastLingering: ptr Connection
  initLock(lock)
  template guarded(body: untyped) =
    withLock(lock): body
else:
  template take(size: int): pointer = alloc(size)
  template free(memory: pointer) = dealloc(memory)
  var firstLingering, lastLingering {.threadvar.}: ptr Connection ## in the order of their deadlines
  template guarded(body: untyped) = body

proc remember(connection: ptr Connection) =
  guarded:
    connection.previous = lastLingering
    if lastLingering == nil: firstLingering = connection
    else: lastLingering.next = connection
    lastLingering = connection

proc forget(connection: ptr Connection) =
  guarded:
    if connection.previous == nil: firstLingering = connection.next
    else: connection.previous.next = connection.next
    if connection.next == nil: lastLingering = connection.previous
    else: connection.next.previous = connection.previous

proc hurry(now: int64) =
  ## Ends the patience with those that linger: epoll then reports them, and they are closed.
  guarded:
    var connection = firstLingering
    while connection != nil and connection.deadline < now:
      discard shutdown(connection.fd.SocketHandle, SHUT_RDWR)
      connection = connection.next

proc close(worker: var Worker; connection: ptr Connection) =
  if connection.state == lingering: connection.forget()
  discard posix.close(connection.fd) # This also removes it from the epoll.
  if connection.held != nil: free(connection.held)
  free(connection)
  if worker.accepting == later: worker.accepting = atOnce # A descriptor has become free.

proc watch(worker: Worker; connection: ptr Connection; events: uint32) =
  ## (Re-)registers. epoll then reports what is ready already as well, so no edge gets lost.
  ## With `shared` another thread may have the connection at once: nothing may follow this.
  var event = EpollEvent(events: events or Trigger)
  event.data.u64 = cast[uint64](connection)
  let operation = if connection.watched: EPOLL_CTL_MOD else: EPOLL_CTL_ADD
  connection.watched = true
  discard epoll_ctl(worker.epoll, operation.cint, connection.fd, addr event)

# In what follows a bool result tells whether the connection is still open for reading requests.
# After false it may be gone and must not be touched.

proc discardInput(worker: var Worker; connection: ptr Connection) =
  template input: untyped = connection.dialogue.input
  while true:
    let got = recv(connection.fd.SocketHandle, addr input, input.len, 0)
    if got > 0: connection.discarded += got
    elif got < 0 and errno == EINTR: continue
    elif got < 0 and errno == EAGAIN:
      worker.watch(connection, Reading)
      return
    else: break
    if connection.discarded > LingerBytes: break
  worker.close(connection)

proc finish(worker: var Worker; connection: ptr Connection) =
  ## Closes after the last answer. To close a socket that holds unread input sends a reset, which
  ## can destroy the answer on its way, so in that case only our side is closed at first.
  if connection.drained and connection.dialogue.filled == 0:
    worker.close(connection)
    return
  discard shutdown(connection.fd.SocketHandle, SHUT_WR)
  connection.state = lingering
  connection.deadline = worker.calendar.second + LingerSeconds
  connection.remember()
  worker.discardInput(connection)

proc hold(worker: var Worker; connection: ptr Connection; sent: int) =
  ## Keeps what the kernel did not take until it has room again.
  let rest = worker.output.used - sent
  connection.held = take(rest)
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
    if sent < 0: worker.close(connection)
    elif sent < used: worker.hold(connection, sent)
    worker.output.used = 0
    if sent < used: return false
  if connection.dialogue.final:
    worker.finish(connection)
    return false
  true

proc reply(worker: var Worker; connection: ptr Connection): bool =
  ## Answers all complete requests in the input.
  while true:
    let more = connection.dialogue.reply(worker.output, worker.calendar)
    if not worker.flush(connection): return false
    if not more: return true

proc converse(worker: var Worker; connection: ptr Connection; toTheEnd: bool): bool =
  ## Reads and answers until the socket is empty. A read that gets less than it has room for has
  ## emptied it, which saves asking again, except `toTheEnd`, when a FIN may stand behind.
  while true:
    let room = connection.dialogue.room
    let got = recv(connection.fd.SocketHandle, connection.dialogue.place, room, 0)
    if got > 0:
      connection.dialogue.filled += got
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
  if sent < waiting:
    when shared: worker.watch(connection, Writing)
    return
  free(connection.held)
  connection.held = nil
  connection.state = open
  if worker.reply(connection) and worker.converse(connection, toTheEnd = true):
    worker.watch(connection, Reading)

proc react(worker: var Worker; connection: ptr Connection; events: uint32) =
  case connection.state
  of open:
    let stays = worker.converse(connection, toTheEnd = (events and Gone) != 0)
    when shared:
      if stays: worker.watch(connection, Reading)
  of blocked: worker.resume(connection)
  of lingering: worker.discardInput(connection)

proc welcome(worker: var Worker; fd: cint) =
  ## The request has often come by the time its connection is accepted, and with one request per
  ## connection epoll then never needs to know.
  let connection = cast[ptr Connection](take(sizeof(Connection)))
  zeroMem(connection, offsetOf(Connection, dialogue) + offsetOf(Dialogue, input))
  connection.fd = fd
  if Steps < byEdge or worker.converse(connection, toTheEnd = false):
    worker.watch(connection, Reading)

proc acceptOne(worker: Worker): cint =
  when Steps == byAccept:
    result = posix.accept(worker.listener.SocketHandle, nil, nil).cint
    if result >= 0: discard fcntl(result, F_SETFL, O_NONBLOCK)
  else:
    result = accept4(worker.listener.SocketHandle, nil, nil, NonBlocking or SOCK_CLOEXEC).cint

proc heed(worker: Worker; events: uint32) =
  ## Says what is wanted to know of the listening socket.
  var event = EpollEvent(events: events)
  discard epoll_ctl(worker.epoll, EPOLL_CTL_MOD, worker.listener, addr event)

proc acceptAll(worker: var Worker) =
  ## An edge is reported once for all that wait, so accepts until nobody is left; or else notes
  ## that somebody is. Level-triggered, one at a time: epoll goes on telling of the others.
  if FirstTrigger == 0 and worker.accepting != onEvent: worker.heed(EPOLLIN.uint32)
  worker.accepting = onEvent
  for _ in 1 .. AcceptBatch:
    let fd = worker.acceptOne()
    if fd >= 0:
      worker.welcome(fd)
    elif errno == EAGAIN:
      return
    elif errno in [EMFILE, ENFILE, ENOBUFS, ENOMEM]:
      worker.accepting = later # Trying again at once would only burn the processor.
      if FirstTrigger == 0: worker.heed(0)
      return
  if FirstTrigger != 0: worker.accepting = atOnce

proc timeout(worker: Worker): cint =
  ## How long epoll may wait, in milliseconds.
  case worker.accepting
  of atOnce: 0
  of later: 100
  of onEvent: (if firstLingering != nil: 1000 else: -1)

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
  if firstLingering != nil: hurry(worker.calendar.second)

proc serve(worker: Worker) {.thread.} =
  var worker = worker
  var events: array[Events, EpollEvent]
  worker.calendar.tick()
  while true:
    worker.turn(events)

proc newWorker(listener: cint): Worker =
  result = Worker(epoll: epoll_create1(O_CLOEXEC), listener: listener)
  var event = EpollEvent(events: EPOLLIN.uint32 or FirstTrigger)
  if epoll_ctl(result.epoll, EPOLL_CTL_ADD, listener, addr event) != 0:
    fail("cannot watch the listening socket")

proc workers(options: Options): seq[Worker] =
  ## One for each thread: with an epoll and a listening socket of its own, or sharing both.
  when shared:
    let listeners = openListeners((options.host, options.port, 1))
    let worker = newWorker(listeners[0])
    for _ in 1 .. options.threads: result.add worker
  else:
    for listener in openListeners(options): result.add newWorker(listener)

proc main() =
  let options = parseOptions()
  signal(SIGINT, SIG_DFL) # Nim's own handler would print a message and run in any thread.
  raiseDescriptorLimit()
  let workers = workers(options)
  if workers.len == 1:
    serve(workers[0])
  else:
    var threads = newSeq[Thread[Worker]](workers.len)
    for i, worker in workers:
      createThread(threads[i], serve, worker)
    joinThreads(threads)

main()
