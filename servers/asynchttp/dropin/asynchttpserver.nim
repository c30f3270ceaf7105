## A drop-in for std/asynchttpserver: the same use, fewer system calls and allocations. Read
## steps.nim first, then serving.nim; each other module is one lesson of its own.

import std/[asyncdispatch, asyncnet, httpcore, nativesockets, net]
import client, headers, sending, serving, steps

export httpcore except parseHeader, HttpHeaders, newHttpHeaders
export headers except receive, addTo
export client.Request, client.Client, client.close, client.isClosed
export sending.send, sending.sendHeaders, sending.respond

type
  AsyncHttpServer* = ref object
    socket: AsyncSocket
    reuseAddr, reusePort: bool
    maxBody: int ## The longest body that is read.
    maxFDs: int
    when step == last:
      handler: Handler
      accepting: Future[void] ## what acceptRequest has promised
      watched: bool           ## whether the dispatcher tells of new connections

proc newAsyncHttpServer*(reuseAddr = true; reusePort = false; maxBody = 8388608): AsyncHttpServer =
  ## Creates a server.
  AsyncHttpServer(reuseAddr: reuseAddr, reusePort: reusePort, maxBody: maxBody)

proc listen*(server: AsyncHttpServer; port: Port; address = ""; domain = AF_INET) =
  ## Listens on the port of the address.
  server.maxFDs = maxDescriptors()
  server.socket = newAsyncSocket(domain)
  server.socket.setSockOpt(OptReuseAddr, server.reuseAddr)
  server.socket.setSockOpt(OptReusePort, server.reusePort)
  # Accepted sockets inherit it. Without, an answer in two parts would wait for an ACK in between.
  server.socket.setSockOpt(OptNoDelay, true, level = IPPROTO_TCP.cint)
  server.socket.bindAddr(port, address)
  server.socket.listen()

proc getPort*(server: AsyncHttpServer): Port =
  ## The port that the server listens on.
  server.socket.getLocalAddr()[1]

proc shouldAcceptRequest*(server: AsyncHttpServer; assumedDescriptorsPerRequest = 5): bool =
  ## Whether enough descriptors are left for another request.
  assumedDescriptorsPerRequest < 0 or
    activeDescriptors() + assumedDescriptorsPerRequest < server.maxFDs

when step == last:
  import std/[os, posix]

  const
    AcceptBatch = 64 # Then those who wait for answers get a turn.
    NonBlocking = O_NONBLOCK # What Linux calls SOCK_NONBLOCK, which std/posix does not know.

  proc acceptAll(server: AsyncHttpServer) =
    ## Accepts all who wait. accept4 makes the socket what it has to be, without further calls.
    for _ in 1 .. AcceptBatch:
      var address: Sockaddr_storage
      var length = sizeof(address).SockLen
      let name = cast[ptr SockAddr](addr address)
      let socket = accept4(server.socket.getFd, name, addr length, NonBlocking or SOCK_CLOEXEC)
      if socket != osInvalidSocket:
        register(socket.AsyncFD)
        newClient(socket.AsyncFD, getAddrString(name), server.handler, server.maxBody).welcome()
      elif errno == EAGAIN: break
      elif errno notin [EINTR, ECONNABORTED]: raiseOSError(osLastError())

  proc react(server: AsyncHttpServer): bool =
    ## Somebody waits to be accepted. Returns whether it matters when the next one does: not if
    ## nobody has asked to accept, nor after a failure, so that it is not tried over and over.
    let accepting = move server.accepting
    if accepting.isNil: return false
    try:
      server.acceptAll()
      accepting.complete()
      result = true
    except CatchableError as error: accepting.fail(error)

  proc acceptRequest*(server: AsyncHttpServer; callback: Handler): Future[void] =
    ## Accepts connections once there are some, and has their requests answered by the callback.
    server.handler = callback
    server.accepting = newFuture[void]("acceptRequest")
    result = server.accepting
    if server.watched: return
    server.watched = true
    server.socket.getFd.AsyncFD.addRead(proc (fd: AsyncFD): bool =
      server.watched = server.react()
      not server.watched)

else:
  proc acceptRequest*(server: AsyncHttpServer; callback: Handler) {.async.} =
    ## Accepts a connection once there is one, and has its requests answered by the callback.
    let (address, fd) = await server.socket.getFd.AsyncFD.acceptAddr()
    fd.SocketHandle.setBlocking(false)
    newClient(fd, address, callback, server.maxBody).serve()

proc serve*(server: AsyncHttpServer; port: Port; callback: Handler; address = "";
            assumedDescriptorsPerRequest = -1; domain = Domain.AF_INET) {.async.} =
  ## Listens, and accepts for ever.
  server.listen(port, address, domain)
  while true:
    while not server.shouldAcceptRequest(assumedDescriptorsPerRequest): await sleepAsync(50)
    await server.acceptRequest(callback)

proc close*(server: AsyncHttpServer) =
  ## Stops listening.
  server.socket.close()
