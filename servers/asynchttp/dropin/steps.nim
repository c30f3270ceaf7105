## Which step of the optimization the drop-in is built for: `-d:server=first|more|last`.

import std/strutils

type
  Step* = enum
    first ## reads by itself: one buffer, parsed in place, all memory of a connection used again
    more  ## also sends by itself: at once, out of one string
    last  ## also waits by itself: watches a connection once, accepts all who wait

const
  server {.strdefine.} = "last"
  step* = parseEnum[Step](server)
