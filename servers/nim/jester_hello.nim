## Hello World on jester, as its own documentation begins. It needs `nimble install jester`.
##
## With -d:useStdLib, jester stands on the standard library's server, as it did in 2015; otherwise on
## httpbeast, which sends the headers Server and Date by itself.

import std/[asyncdispatch, net, posix]
import jester
import listener
when defined(useStdLib):
  import std/times
  import answer

const Found = "Hello World"

proc headers(closes: bool): seq[tuple[key, val: string]] =
  result = @[("Content-Type", "text/plain")]
  when defined(useStdLib):
    result.add ("Server", server)
    result.add ("Date", now().utc.format("ddd, dd MMM yyyy HH:mm:ss 'GMT'"))
    if closes: result.add ("Connection", "close")

proc length(): seq[tuple[key, val: string]] =
  ## What HEAD has to say, where the server below counts only what it sends.
  when defined(useStdLib): result.add ("Content-Length", $Found.len)

proc closes(request: Request): bool =
  request.headers.getOrDefault("Connection") == "close"

router hello:
  get "/":
    resp(Http200, headers(request.closes), Found)
  head "/":
    resp(Http200, headers(request.closes) & length(), "")
  post "/":
    resp(Http200, headers(request.closes), Found)

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  raiseDescriptorLimit()
  let settings = newSettings(port = Port(options.port), bindAddr = options.host)
  var server = initJester(hello, settings = settings)
  server.serve()

main()
