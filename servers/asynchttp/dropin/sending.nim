## From answers to the kernel.

import std/asyncdispatch
import std/httpcore except HttpHeaders, newHttpHeaders
import client, headers, steps, strings

var finishedFuture {.threadvar.}: Future[void]

proc finished(): Future[void] =
  ## A future that is nothing to wait for: one for all, since it never changes.
  if finishedFuture.isNil:
    finishedFuture = newFuture[void]("sending.finished")
    finishedFuture.complete()
  finishedFuture

when step == first:
  # As std/asynchttpserver does it: the dispatcher is asked to tell when the socket can take bytes,
  # which it nearly always can, and sends then. Half of the system calls of a request are for this.

  proc flush*(client: Client) =
    ## Nothing is ever held back.
    discard

  proc submit(client: Client): Future[void] =
    result = if client.isClosed: finished() else: client.fd.send(client.output)
    client.output.empty()

else:
  # Sends at once. Only when the kernel has no room, since the client does not read, is the
  # dispatcher asked to tell when there is. Answers to requests that came together leave together.

  import std/[nativesockets, posix]

  const Plenty = 64 * 1024 # Answers that are sent before more are collected.

  proc push(client: Client): bool =
    ## Whether the kernel has taken all, or never will.
    while client.sent < client.output.len and not client.isClosed:
      let count = posix.send(client.fd.SocketHandle, addr client.output[client.sent],
                             client.output.len - client.sent, MSG_NOSIGNAL)
      if count >= 0: client.sent += count
      elif errno == EAGAIN: return false
      elif errno != EINTR: client.close()
    client.output.empty()
    client.sent = 0
    true

  proc flush*(client: Client) =
    ## Sends what has been collected, as soon as possible.
    if client.drained != nil or client.push(): return
    client.drained = newFuture[void]("sending.flush")
    client.fd.addWrite(proc (fd: AsyncFD): bool =
      result = client.push()
      if result: (move client.drained).complete())

  proc submit(client: Client): Future[void] =
    if not client.corked or client.output.len >= Plenty: client.flush()
    if client.drained.isNil: return finished()
    # One for each caller, who may replace the callbacks of what he gets.
    let taken = newFuture[void]("sending.submit")
    client.drained.addCallback(proc () = taken.complete())
    taken

proc send*(client: Client; data: string): Future[void] =
  ## Sends the data.
  client.output.add data
  client.submit()

proc sendHeaders*(request: Request; headers: HttpHeaders): Future[void] =
  ## Sends the headers alone.
  headers.addTo(request.client.output)
  request.client.submit()

proc respond*(request: Request; code: HttpCode; content: string;
              headers: HttpHeaders = nil): Future[void] =
  ## Answers the request. Unless the headers have a Content-Length, that of the content is added.
  template message: untyped = request.client.output
  message.add "HTTP/1.1 "
  message.add $code
  message.add "\r\n"
  if headers != nil: headers.addTo(message)
  if headers.isNil or not headers.hasKey("Content-Length"):
    message.add "Content-Length: "
    message.addInt content.len
    message.add "\r\n"
  message.add "\r\n"
  message.add content
  request.client.submit()
