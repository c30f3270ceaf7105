## From input to requests: whatever a read brings, a part of a request or several, is used from the
## connection's one buffer. std/asynchttpserver waits for each line by itself.

import std/[httpcore, parseutils, strutils]
import client, parsing, strings

type
  Found* = enum
    ## What the input holds.
    nothing    ## to be answered: more has to be read, or the last request has been answered
    invitation ## to be sent, before the client sends the body
    found      ## a whole request
    refused    ## nonsense, or too much: `refusal` says why it cannot be served

const TooLarge = -413

proc parseChunkSize(client: Client; buffer: openArray[char]): int =
  let digitsEnd = buffer.skip(0, HexDigits)
  if digitsEnd > 8: return BadRequest
  let extensionEnd = buffer.skip(digitsEnd, ValueChars) # `;name=value` may follow: ignored.
  if extensionEnd == buffer.len: return Incomplete
  if digitsEnd == 0 or buffer[digitsEnd] notin Blank + {';', '\r'}: return BadRequest
  result = buffer.lineEnd(extensionEnd)
  if result <= 0: return
  discard parseHex(client.input, client.left, client.start, digitsEnd)
  if client.request.body.len + client.left > client.maxBody: return TooLarge
  client.stage = if client.left == 0: trailer else: chunkData

proc parseBody(client: Client; buffer: openArray[char]): int =
  ## Reads a part of the body.
  case client.stage
  of head, whole, over: result = 0
  of fixed, chunkData:
    result = min(client.left, buffer.len)
    client.request.body.append(buffer.toOpenArray(0, result - 1))
    client.left -= result
    if client.left == 0: client.stage = if client.stage == fixed: whole else: chunkEnd
  of chunkSize: result = client.parseChunkSize(buffer)
  of chunkEnd:
    result = buffer.lineEnd(0)
    if result > 0: client.stage = chunkSize
  of trailer:
    let stop = buffer.skip(0, ValueChars)
    result = buffer.lineEnd(stop)
    if result > 0 and stop == 0: client.stage = whole

proc advance(client: Client): int =
  template unread: untyped = client.input.toOpenArray(client.start, client.filled - 1)
  if client.stage != head: return client.parseBody(unread)
  result = client.parseHead(unread)
  if result > 0 and client.stage == fixed and client.left > client.maxBody: result = TooLarge

proc makeRoom(client: Client) =
  ## Moves the beginning of what is not complete yet to the front.
  client.filled -= client.start
  if client.start > 0 and client.filled > 0:
    moveMem(addr client.input[0], addr client.input[client.start], client.filled)
  client.start = 0

proc refuse(client: Client; status: int): Found =
  client.refusal = HttpCode(status)
  client.stage = over
  refused

proc forgetRequest(client: Client) =
  client.request.body.empty()
  client.stage = if client.closes: over else: head

proc next*(client: Client): Found =
  ## Reads on in the input. A request that is found stays as it is until the next call.
  if client.stage == whole: client.forgetRequest()
  if client.stage == over: return nothing
  while client.stage != whole:
    let used = client.advance()
    if used < 0: return client.refuse(-used)
    client.start += used
    if client.expectsContinue and client.stage != head:
      client.expectsContinue = false
      if client.start == client.filled and client.stage != whole: return invitation
    elif used == Incomplete:
      client.makeRoom()
      if client.room > 0: return nothing
      return client.refuse(if client.stage == head: 431 else: 400)
  found
