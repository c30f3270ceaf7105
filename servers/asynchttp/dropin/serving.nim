## A connection's life: answer what has come, then wait for what is missing.

import std/[asyncdispatch, httpcore, nativesockets, posix]
import client, reading, sending, steps

const
  GoOn = "HTTP/1.1 100 Continue\r\n\r\n"
  NoMore = "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
  LingerMs = 2000

proc serve*(client: Client) {.gcsafe.}

when step == last:
  # The dispatcher is told once that input matters. Since its callback never says that it is done,
  # nothing changes around a request: no epoll_ctl, no future, no closure. Only if input comes while
  # something else is waited for does the watching end, as it would tell of that input for ever.

  proc receive(client: Client): bool =
    ## Whether something has come.
    let count = recv(client.fd.SocketHandle, client.place, client.room, 0)
    result = count > 0
    if result: client.received(count)
    elif count == 0 or errno notin [EAGAIN, EINTR]: client.close()

  proc awaitInput(client: Client) =
    if client.watched: return
    client.watched = true
    client.fd.addRead(proc (fd: AsyncFD): bool =
      if client.waiting: client.watched = false
      if client.waiting or client.isClosed: return true
      if client.receive(): client.serve()
      client.isClosed)

  proc welcome*(client: Client) =
    ## Serves a new connection. Its request has often come by the time that it is accepted, and with
    ## one request per connection the dispatcher then never needs to watch it.
    discard client.receive()
    client.serve()

else:
  # The dispatcher is told each time that input matters, and told each time that it does not any
  # more: two epoll_ctl, a future and two closures for each read.

  proc awaitInput(client: Client) =
    client.fd.recvInto(client.place, client.room).addCallback(proc (reading: Future[int]) =
      if reading.failed or reading.read == 0:
        client.close()
      else:
        client.received(reading.read)
        client.serve())

proc finish(client: Client) =
  ## Closes after the last answer. To close a socket that holds unread input sends a reset, which
  ## can destroy the answer on its way, so in that case only our side is closed at first.
  let nothingUnread = client.emptied and client.start == client.filled
  client.start = 0
  client.filled = 0
  if not client.lingers:
    if nothingUnread:
      client.close()
      return
    client.lingers = true
    discard shutdown(client.fd.SocketHandle, SHUT_WR)
    sleepAsync(LingerMs).addCallback(proc () = client.close())
  client.awaitInput()

proc ask(client: Client): Future[void] =
  ## Lets the handler answer. The request knows its client only for that long: two that keep each
  ## other alive are what --gc:arc would never free.
  let request = addr client.request
  request.client = client
  try:
    result = client.handler(request[])
  except CatchableError as error:
    result = newFuture[void]("serving.ask")
    result.fail(error)
  request.client = nil

proc advance(client: Client): Future[void] =
  ## Answers what comes next in the input; nil if there is nothing to answer.
  case client.next()
  of nothing: discard
  of invitation: result = client.send(GoOn)
  of refused: result = client.send("HTTP/1.1 " & $client.refusal & NoMore)
  of found: result = client.ask()

proc abandon(client: Client; answer: Future[void]) =
  ## After a handler's failure nobody knows what has been sent. The dispatcher passes the error on.
  client.close()
  asyncCheck answer

proc pause(client: Client; answer: Future[void]) =
  ## Goes on once the answer is finished.
  client.waiting = true
  answer.addCallback(proc () =
    client.waiting = false
    if answer.failed: client.abandon(answer)
    else: client.serve())

proc serve*(client: Client) =
  ## Answers all that can be answered at once. No request is looked at before the one before it is
  ## answered, so the answers are in order.
  var answer: Future[void]
  client.corked = true
  while not client.isClosed:
    answer = client.advance()
    if answer.isNil or not answer.finished: break
    if answer.failed: client.abandon(answer)
  client.corked = false
  client.flush()
  if client.isClosed: return
  if answer.isNil: answer = client.drained
  if answer != nil: client.pause(answer)
  elif client.stage == over: client.finish()
  else: client.awaitInput()
