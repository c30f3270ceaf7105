## Reading HTTP/1.x requests out of a buffer, without copying or allocating.
##
## Bytes arrive in pieces of any size, so everything here answers one question: how many bytes of
## this buffer are used up? `Incomplete` means: none yet, ask again when there are more.

import std/strutils

type
  Target* = enum root, elsewhere

  Method* = enum get, head, post, unknown

  Fate* = enum
    ## What becomes of the connection, and what the answer has to say about it.
    stays        ## as HTTP/1.1 assumes: nothing to say
    staysAsAsked ## HTTP/1.0 assumes the contrary, so its client wants to be told
    closes

  Request* = object
    ## What the answer depends on. The rest of the request is checked, then forgotten.
    httpMethod*: Method
    target*: Target
    fate*: Fate
    expectsContinue*: bool
    body*: Body

  Stage = enum done, fixed, chunkSize, chunkData, chunkEnd, trailer

  Body* = object
    ## How much of a request's body is still to come.
    stage: Stage
    left: int ## bytes until the end of the body or of the chunk

  Head = object
    ## What only matters until the head is complete.
    minor: char ## the x in HTTP/1.x
    hosts, lengths, codings: int
    close, keepAlive: bool

  Slice = tuple[first, last: int]

const
  Incomplete* = 0
  # Refusals are the negated status, so that one int says "used n bytes", "wait" or "no".
  BadRequest* = -400
  NotImplemented* = -501
  WrongVersion* = -505

  TokenChars = {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'} +
    Letters + Digits
  TargetChars = {'!' .. '~', '\x80' .. '\xFF'}
  ValueChars = {'\t', ' ' .. '~', '\x80' .. '\xFF'}
  Blank = {' ', '\t'}
  MaxBody = 1 shl 40 # No body is kept, so this only has to stay clear of overflow.

proc isDone*(body: Body): bool {.inline.} = body.stage == done

proc skip(buffer: openArray[char]; at: int; chars: set[char]): int {.inline.} =
  result = at
  while result < buffer.len and buffer[result] in chars: inc result

proc lineEnd(buffer: openArray[char]; at: int): int {.inline.} =
  ## The place after the CRLF at `at`. A bare CR or LF, NUL or another control character there is
  ## refused: that two programs do not agree where a line ends is how requests get smuggled.
  if at < buffer.len and buffer[at] != '\r': BadRequest
  elif at + 1 < buffer.len and buffer[at + 1] != '\n': BadRequest
  elif at + 1 >= buffer.len: Incomplete
  else: at + 2

proc equals(buffer: openArray[char]; part: Slice; text: static string): bool {.inline.} =
  ## Compares without regard to case; `text` is in lower case.
  if part.last - part.first != text.len: return false
  for i in 0 ..< text.len:
    if toLowerAscii(buffer[part.first + i]) != text[i]: return false
  true

proc hasToken(buffer: openArray[char]; list: Slice; token: static string): bool =
  ## Whether a comma-separated list holds the token.
  var at = list.first
  while at < list.last:
    var stop = at
    while stop < list.last and buffer[stop] != ',': inc stop
    var part: Slice = (skip(buffer, at, Blank), stop)
    while part.last > part.first and buffer[part.last - 1] in Blank: dec part.last
    if equals(buffer, part, token): return true
    at = stop + 1

proc parseLength(buffer: openArray[char]; digits: Slice): int =
  ## The number, or -1 if it is none.
  if digits.first == digits.last: return -1
  for i in digits.first ..< digits.last:
    if buffer[i] notin Digits or result > MaxBody: return -1
    result = result * 10 + (ord(buffer[i]) - ord('0'))

proc parseMethod(buffer: openArray[char]; name: Slice): Method {.inline.} =
  # Methods are case-sensitive, unlike the names of headers.
  template at(i: int): char = buffer[name.first + i]
  case name.last - name.first
  of 3:
    if at(0) == 'G' and at(1) == 'E' and at(2) == 'T': return get
  of 4:
    if at(0) == 'H' and at(1) == 'E' and at(2) == 'A' and at(3) == 'D': return head
    if at(0) == 'P' and at(1) == 'O' and at(2) == 'S' and at(3) == 'T': return post
  else: discard
  unknown

proc parseTarget(buffer: openArray[char]; target: Slice): Target {.inline.} =
  var path = target.first
  if target.last - path > 7 and equals(buffer, (path, path + 7), "http://"):
    path += 7 # The form that proxies are sent: the path starts after the authority.
    while path < target.last and buffer[path] notin {'/', '?'}: inc path
    if path == target.last or buffer[path] == '?': return root
  if buffer[path] == '/' and (path + 1 == target.last or buffer[path + 1] == '?'): root
  else: elsewhere

proc parseVersion(buffer: openArray[char]; at: int; head: var Head): int {.inline.} =
  const version = "HTTP/1."
  for i in 0 ..< version.len:
    if at + i == buffer.len: return Incomplete
    if buffer[at + i] != version[i]:
      return if i == 5 and buffer[at + i] in Digits: WrongVersion else: BadRequest
  result = at + version.len
  if result == buffer.len: return Incomplete
  if buffer[result] notin Digits: return BadRequest
  head.minor = buffer[result]
  inc result

proc parseRequestLine(buffer: openArray[char]; start: int; request: var Request;
                      head: var Head): int {.inline.} =
  let methodEnd = skip(buffer, start, TokenChars)
  if methodEnd == buffer.len: return Incomplete
  if methodEnd == start or buffer[methodEnd] != ' ': return BadRequest
  let targetEnd = skip(buffer, methodEnd + 1, TargetChars)
  if targetEnd == buffer.len: return Incomplete
  if targetEnd == methodEnd + 1 or buffer[targetEnd] != ' ': return BadRequest
  request.httpMethod = parseMethod(buffer, (start, methodEnd))
  request.target = parseTarget(buffer, (methodEnd + 1, targetEnd))
  result = parseVersion(buffer, targetEnd + 1, head)
  if result > 0: result = lineEnd(buffer, result)

proc note(buffer: openArray[char]; name, value: Slice; request: var Request;
          head: var Head): int {.inline.} =
  ## Takes from one header what matters. Comparing lengths first makes this cheap.
  case name.last - name.first
  of 4:
    if equals(buffer, name, "host"): inc head.hosts
  of 6:
    if equals(buffer, name, "expect"):
      request.expectsContinue = equals(buffer, value, "100-continue")
  of 10:
    if equals(buffer, name, "connection"):
      head.close = head.close or hasToken(buffer, value, "close")
      head.keepAlive = head.keepAlive or hasToken(buffer, value, "keep-alive")
  of 14:
    if equals(buffer, name, "content-length"):
      inc head.lengths
      request.body.left = parseLength(buffer, value)
      if request.body.left < 0: return BadRequest
  of 17:
    if equals(buffer, name, "transfer-encoding"):
      inc head.codings
      if not equals(buffer, value, "chunked"): return NotImplemented
  else: discard
  1

proc parseHeader(buffer: openArray[char]; start: int; request: var Request;
                 head: var Head): int {.inline.} =
  let nameEnd = skip(buffer, start, TokenChars)
  if nameEnd == buffer.len: return Incomplete
  # Blanks before the name (the folded lines of old) or before the colon are refused here.
  if nameEnd == start or buffer[nameEnd] != ':': return BadRequest
  let first = skip(buffer, nameEnd + 1, Blank)
  var last = skip(buffer, first, ValueChars)
  result = lineEnd(buffer, last)
  if result <= 0: return
  while last > first and buffer[last - 1] in Blank: dec last
  let verdict = note(buffer, (start, nameEnd), (first, last), request, head)
  if verdict < 0: result = verdict

proc conclude(request: var Request; head: Head): bool =
  ## Draws the conclusions once all headers are known; false if they contradict each other.
  let http11 = head.minor != '0'
  if head.hosts > 1 or (http11 and head.hosts == 0): return false
  if head.lengths > 1 or head.codings > 1 or head.lengths + head.codings > 1: return false
  if head.codings == 1 and not http11: return false
  request.fate =
    if head.close: closes
    elif http11: stays
    elif head.keepAlive: staysAsAsked
    else: closes
  request.expectsContinue = request.expectsContinue and http11
  request.body.stage =
    if head.codings == 1: chunkSize
    elif request.body.left > 0: fixed
    else: done
  true

proc parseHead*(buffer: openArray[char]; request: var Request): int =
  ## Reads a request up to the empty line: bytes used, `Incomplete`, or a refusal.
  var head: Head
  request = Request()
  result = 0
  if buffer.len > 0 and buffer[0] == '\r': # One empty line before a request is to be forgiven.
    result = lineEnd(buffer, 0)
    if result <= 0: return
  result = parseRequestLine(buffer, result, request, head)
  while result > 0:
    if result == buffer.len: return Incomplete
    if buffer[result] == '\r':
      result = lineEnd(buffer, result)
      if result > 0 and not conclude(request, head): result = BadRequest
      return
    result = parseHeader(buffer, result, request, head)

proc parseChunkSize(buffer: openArray[char]; start: int; body: var Body): int =
  let digitsEnd = skip(buffer, start, HexDigits)
  if digitsEnd - start > 8: return BadRequest
  let extensionEnd = skip(buffer, digitsEnd, ValueChars) # `;name=value` may follow: ignored.
  if extensionEnd == buffer.len: return Incomplete
  if digitsEnd == start: return BadRequest
  if extensionEnd > digitsEnd and buffer[digitsEnd] notin Blank + {';'}: return BadRequest
  result = lineEnd(buffer, extensionEnd)
  if result <= 0: return
  body.left = 0
  for i in start ..< digitsEnd:
    let digit = buffer[i]
    body.left = body.left * 16 +
      (if digit in Digits: ord(digit) - ord('0') else: (ord(digit) or 32) - ord('a') + 10)
  body.stage = if body.left == 0: trailer else: chunkData

proc skipTrailer(buffer: openArray[char]; start: int; body: var Body): int =
  let stop = skip(buffer, start, ValueChars)
  result = lineEnd(buffer, stop)
  if result > 0 and stop == start: body.stage = done

proc skipBody*(buffer: openArray[char]; body: var Body): int =
  ## Passes over a part of a body: bytes used, `Incomplete`, or a refusal.
  case body.stage
  of done: result = 0
  of fixed, chunkData:
    result = min(body.left, buffer.len)
    body.left -= result
    if body.left == 0: body.stage = if body.stage == fixed: done else: chunkEnd
  of chunkSize: result = parseChunkSize(buffer, 0, body)
  of chunkEnd:
    result = lineEnd(buffer, 0)
    if result > 0: body.stage = chunkSize
  of trailer: result = skipTrailer(buffer, 0, body)
