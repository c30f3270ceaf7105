## Hello World on jester, as its own documentation begins. It needs `nimble install jester`.

import std/[asyncdispatch, net, posix, times]
import jester
import answer, listener

const Found = "Hello World"

proc headers(): seq[tuple[key, val: string]] =
  @[
    ("Server", server),
    ("Date", now().utc.format("ddd, dd MMM yyyy HH:mm:ss 'GMT'")),
    ("Content-Type", "text/plain")
  ]

router hello:
  get "/":
    resp(Http200, headers(), Found)
  post "/":
    resp(Http200, headers(), Found)

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  raiseDescriptorLimit()
  let settings = newSettings(port = Port(options.port), bindAddr = options.host)
  var server = initJester(hello, settings = settings)
  server.serve()

main()
