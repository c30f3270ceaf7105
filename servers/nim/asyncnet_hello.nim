## Hello World on std/asyncnet: an async procedure for each connection, the dispatcher's way.
##
## The server of 2015 never read what it answered. This one reads requests, wherever they are cut,
## and answers each once. All that arrived together is answered with one send.

import std/[asyncdispatch, asyncnet, nativesockets, posix]
import answer, dialogue, listener

const
  Patience = 2_000 # milliseconds that a client may take to hang up after the last answer
  MostDiscarded = 1 shl 20

type Talk = ref Dialogue

var
  output {.threadvar.}: Output # There is one thread, but async procedures must not touch globals.
  calendar {.threadvar.}: Calendar

proc linger(client: AsyncSocket) {.async.} =
  ## To close a socket that holds unread input sends a reset, which can destroy the answer on its
  ## way. So the rest is read, until the client hangs up.
  discard shutdown(client.getFd, SHUT_WR)
  var discarded = 0
  while discarded < MostDiscarded:
    let rest = client.recv(16 * 1024)
    if not await rest.withTimeout(Patience): return
    if rest.read.len == 0: return
    discarded += rest.read.len

proc converse(client: AsyncSocket) {.async.} =
  let talk = Talk()
  var unread = false
  while not talk.final:
    let room = talk[].room
    let data = await client.recv(room)
    if data.len == 0: return
    talk[].add data
    calendar.tick()
    var more = true
    while more:
      more = talk[].reply(output, calendar)
      let answers = output.take()
      if answers.len > 0: await client.send(answers)
    unread = data.len == room or talk.filled > 0
  if unread: await client.linger()

proc serve(client: AsyncSocket) {.async.} =
  try:
    await client.converse()
  except OSError:
    discard # It has gone: no reason to end the others.
  client.close()

proc acceptForever(server: AsyncSocket) {.async.} =
  while true:
    try:
      asyncCheck serve(await server.accept())
    except OSError: # Out of descriptors: wait until some are closed instead of spinning.
      await sleepAsync(50)

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  raiseDescriptorLimit()
  let listener = openListeners(options)[0].AsyncFD
  register(listener)
  let server = newAsyncSocket(listener, buffered = false)
  asyncCheck server.acceptForever()
  runForever()

main()
