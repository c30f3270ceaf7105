## A user of the standard library's server, or of the drop-in for it, whose handler takes its time.

import std/[asyncdispatch, os, strutils]

const server {.strdefine.} = "std"
when server == "std": import std/asynchttpserver
else: import ../../../servers/asynchttp/dropin/asynchttpserver

proc handle(request: Request) {.async.} =
  case request.url.path
  of "/echo":
    let headers = newHttpHeaders({"X-Method": $request.reqMethod, "X-Query": request.url.query,
                                  "X-Asked": $request.headers.getOrDefault("X-Ask")})
    await request.respond(Http200, request.body, headers)
  of "/long":
    await request.respond(Http200, 'x'.repeat(parseInt(request.url.query)))
  of "/fail":
    raise newException(ValueError, "as asked")
  else:
    await sleepAsync(parseInt(request.url.query))
    await request.respond(Http200, request.url.path & " " & request.hostname)

proc main() {.async.} =
  let server = newAsyncHttpServer()
  server.listen(Port(parseInt(paramStr(1))), "127.0.0.1")
  while true:
    await server.acceptRequest(handle)

asyncCheck main()
while true:
  try: runForever()
  except ValueError: discard # The failure that was asked for.
