## Hello World on Nim's own std/asynchttpserver, as a user of it would write it.
##
## One thread runs one server. With more threads each has a server, a dispatcher and a listening
## socket of its own, and the kernel spreads the connections over the sockets (SO_REUSEPORT).
## Nothing is shared: references that cross threads are what crashed the parallel server of 2015.
##
## `-d:server=first|more|last` takes a drop-in for std/asynchttpserver instead, in the steps that
## README.md tells of.

import std/[asyncdispatch, nativesockets, net, os, parseopt, posix, strutils, times]

const server {.strdefine.} = "std"
when server == "std": import std/asynchttpserver
else: import dropin/asynchttpserver # The same use: nothing else in this file knows of it.

type
  Options = tuple[host: string, port: Port, threads: int]

  Fate = enum ## of a connection: what its Connection header says
    persists = ""
    keptAlive = "keep-alive"
    ends = "close"

const
  serverName {.strdefine.} = "asynchttp" ## How it calls itself.
  Body = "Hello World"
  NotFound = "Not Found"

var
  # The headers change once a second, so each thread keeps its own ready-made tables until then.
  ready {.threadvar.}: array[Fate, HttpHeaders]
  readySecond {.threadvar.}: int64

proc fail(reason: string, code = 1) {.noreturn.} =
  stderr.writeLine(serverName & ": " & reason)
  quit(code)

proc composeHeaders(fate: Fate): HttpHeaders =
  result = newHttpHeaders(titleCase = true)
  result["Server"] = serverName
  result["Date"] = getTime().utc.format("ddd, dd MMM yyyy HH:mm:ss 'GMT'")
  result["Content-Type"] = "text/plain"
  if fate != persists:
    result["Connection"] = $fate

proc readyHeaders(fate: Fate): HttpHeaders =
  let second = epochTime().int64
  if second != readySecond:
    ready.reset()
    readySecond = second
  if ready[fate].isNil:
    ready[fate] = composeHeaders(fate)
  ready[fate]

proc fate(request: Request): Fate =
  ## What to say about the connection. asynchttpserver decides by this same rule whether to close
  ## it, but leaves it to the handler to tell the client; a client that is not told does not know
  ## that it has to reconnect.
  let asked = $request.headers.getOrDefault("Connection")
  if "upgrade" in request.headers.getOrDefault("Connection"):
    ends
  elif request.protocol == HttpVer11 and cmpIgnoreCase(asked, "close") != 0:
    persists
  elif request.protocol == HttpVer10 and cmpIgnoreCase(asked, "keep-alive") == 0:
    keptAlive
  else:
    ends

proc answer(request: Request): Future[void] {.gcsafe.} =
  let
    fate = fate(request)
    found = request.url.path == "/"
    code = if found: Http200 else: Http404
    body = if found: Body else: NotFound
  if request.reqMethod == HttpHead:
    # The length of the body that GET would get, but no body.
    let headers = composeHeaders(fate)
    headers["Content-Length"] = $body.len
    request.respond(code, "", headers)
  else:
    request.respond(code, body, readyHeaders(fate))

proc acceptForever(server: AsyncHttpServer) {.async.} =
  while true:
    var accepted = server.shouldAcceptRequest()
    if accepted:
      try:
        await server.acceptRequest(answer)
      except OSError:
        accepted = false
    if not accepted: # Out of descriptors: wait until some are closed instead of spinning.
      await sleepAsync(50)

proc serve(options: Options) {.thread.} =
  let server = newAsyncHttpServer(reusePort = options.threads > 1)
  server.listen(options.port, options.host)
  asyncCheck server.acceptForever()
  while true:
    try:
      runForever()
    except CatchableError:
      discard # One connection's failure, which the dispatcher passes on, is not the server's end.

proc reserve(options: Options) =
  ## Fails if the port is taken. Without this look, servers with SO_REUSEPORT would quietly share
  ## a port, and its load, with whatever server was forgotten on it.
  let socket = newSocket()
  try:
    socket.setSockOpt(OptReuseAddr, true)
    socket.bindAddr(options.port, options.host)
  except OSError as error:
    let reason = osErrorMsg(OSErrorCode(error.errorCode))
    fail("cannot listen on $1:$2: $3" % [options.host, $options.port, reason])
  finally:
    socket.close()

proc parseOptions(): Options =
  result = (host: "127.0.0.1", port: Port(8080), threads: 1)
  for kind, key, value in getopt():
    try:
      case key
      of "host": result.host = value
      of "port": result.port = Port(parseInt(value))
      of "threads": result.threads = parseInt(value)
      else: fail("unknown option: " & key, 2)
    except ValueError:
      fail("not a number: --$1=$2" % [key, value], 2)
  if result.threads < 1:
    fail("--threads must be at least 1", 2)

proc raiseDescriptorLimit() =
  var limit: RLimit
  if getrlimit(RLIMIT_NOFILE, limit) == 0:
    limit.rlim_cur = limit.rlim_max
    discard setrlimit(RLIMIT_NOFILE, limit)

proc main() =
  let options = parseOptions()
  signal(SIGINT, SIG_DFL) # Nim's own handler would print a message and run in any thread.
  raiseDescriptorLimit()
  reserve(options)
  if options.threads == 1:
    serve(options)
  else:
    var threads = newSeq[Thread[Options]](options.threads)
    for thread in threads.mitems:
      createThread(thread, serve, options)
    joinThreads(threads)

main()
