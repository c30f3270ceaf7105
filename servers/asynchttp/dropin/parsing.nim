## Reads the head of a request in place: out of the buffer that it was received into, straight into
## the Request that the handler gets.
##
## Bytes arrive in pieces of any size. So parsers tell how many bytes are used up, or that they have
## to be asked again when there are more, or, as the negated status, why the request is refused.

import std/[sequtils, strutils, uri]
import std/httpcore except HttpHeaders, newHttpHeaders, parseHeader
import client, headers, strings

type
  Head = object
    ## What only matters until the head is complete.
    hosts, lengths, codings: int
    close, keepAlive: bool

const
  Incomplete* = 0
  BadRequest* = -400
  NotImplemented = -501

  TokenChars = {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'} +
    Letters + Digits
  TargetChars = {'!' .. '~', '\x80' .. '\xFF'}
  ValueChars* = {'\t', ' ' .. '~', '\x80' .. '\xFF'}
  Blank* = {' ', '\t'}
  MethodNames = toSeq(HttpMethod).mapIt($it)

template cut(buffer: openArray[char]; first, past: int): untyped =
  buffer.toOpenArray(first, past - 1)

proc skip*(buffer: openArray[char]; at: int; chars: set[char]): int {.inline.} =
  ## The first place from `at` on where none of these is.
  result = at
  while result < buffer.len and buffer[result] in chars: inc result

proc trimmed(buffer: openArray[char]; first, past: int): int {.inline.} =
  ## Where a part of the buffer ends without the blanks at its end.
  result = past
  while result > first and buffer[result - 1] in Blank: dec result

proc lineEnd*(buffer: openArray[char]; at: int): int {.inline.} =
  ## The place after the CRLF at `at`. Anything else is refused, also a lone CR or LF: that two
  ## programs do not agree where a line ends is how requests get smuggled.
  if at < buffer.len and buffer[at] != '\r': BadRequest
  elif at + 1 < buffer.len and buffer[at + 1] != '\n': BadRequest
  elif at + 1 >= buffer.len: Incomplete
  else: at + 2

proc equals(bytes: openArray[char]; text: string): bool {.inline.} =
  ## Compares without regard to case; `text` is in lower case.
  if bytes.len != text.len: return false
  for i, letter in text:
    if toLowerAscii(bytes[i]) != letter: return false
  true

proc hasToken(list: openArray[char]; token: string): bool =
  ## Whether a comma-separated list holds the token.
  var past = -1
  while not result and past < list.len:
    let first = list.skip(past + 1, Blank)
    past = list.skip(first, ValueChars - {','})
    result = list.cut(first, list.trimmed(first, past)).equals(token)

proc parseLength(digits: openArray[char]): int =
  ## The number, or -1 if it is none.
  if digits.len == 0: return -1
  for digit in digits:
    if digit notin Digits or result > 1 shl 40: return -1 # Far above any limit.
    result = result * 10 + (ord(digit) - ord('0'))

proc parseMethod(request: var Request; name: openArray[char]): bool =
  for candidate in HttpMethod:
    if name == MethodNames[ord(candidate)]:
      request.reqMethod = candidate
      return true

proc parseTarget(request: var Request; target: openArray[char]): bool =
  ## Nearly all targets are a path with perhaps a query. The other forms are left to std/uri.
  template url: untyped = request.url
  if url.scheme.len > 0 or url.hostname.len > 0: url = initUri()
  if target[0] == '/':
    let pathEnd = target.skip(0, TargetChars - {'?'})
    url.path.assign(target.cut(0, pathEnd))
    url.query.assign(target.cut(min(pathEnd + 1, target.len), target.len))
  else:
    var text = ""
    text.assign(target)
    try: parseUri(text, url)
    except ValueError: return false
    if url.path == "": url.path = "/"
  true

proc parseVersion(request: var Request; version: openArray[char]): bool =
  ## Anything but HTTP/1.0, HTTP/1.1 and what may follow is refused.
  if version.len != 8 or version.cut(0, 7) != "HTTP/1.": return false
  if version[7] notin Digits: return false
  let minor = ord(version[7]) - ord('0')
  if request.protocol.major == 0 or request.protocol.minor != minor:
    request.protocol = ("HTTP/1." & version[7], 1, minor)
  true

proc parseRequestLine(request: var Request; buffer: openArray[char]; start: int): int {.inline.} =
  let methodEnd = buffer.skip(start, TokenChars)
  if methodEnd == buffer.len: return Incomplete
  if methodEnd == start or buffer[methodEnd] != ' ': return BadRequest
  let targetEnd = buffer.skip(methodEnd + 1, TargetChars)
  if targetEnd == buffer.len: return Incomplete
  if targetEnd == methodEnd + 1 or buffer[targetEnd] != ' ': return BadRequest
  let versionEnd = buffer.skip(targetEnd + 1, TargetChars)
  result = buffer.lineEnd(versionEnd)
  if result <= 0: return
  if not request.parseVersion(buffer.cut(targetEnd + 1, versionEnd)): return BadRequest
  if not request.parseTarget(buffer.cut(methodEnd + 1, targetEnd)): return BadRequest
  if not request.parseMethod(buffer.cut(start, methodEnd)): return NotImplemented

proc note(client: Client; head: var Head; name, value: openArray[char]): int =
  ## Takes from one header what matters to the server itself. The status to refuse it with, or 0.
  if name.equals("host"): inc head.hosts
  elif name.equals("expect"): client.expectsContinue = value.equals("100-continue")
  elif name.equals("connection"): # An upgrade ends it, as with the standard library's server.
    head.close = head.close or value.hasToken("close") or value.hasToken("upgrade")
    head.keepAlive = head.keepAlive or value.hasToken("keep-alive")
  elif name.equals("content-length"):
    inc head.lengths
    client.left = parseLength(value)
    if client.left < 0: return BadRequest
  elif name.equals("transfer-encoding"):
    inc head.codings
    if not value.equals("chunked"): return NotImplemented

proc parseHeader(client: Client; head: var Head; buffer: openArray[char]; start: int): int =
  let nameEnd = buffer.skip(start, TokenChars)
  if nameEnd == buffer.len: return Incomplete
  # Blanks before the name (the folded lines of old) or before the colon are refused here.
  if nameEnd == start or buffer[nameEnd] != ':': return BadRequest
  let first = buffer.skip(nameEnd + 1, Blank)
  let past = buffer.skip(first, ValueChars)
  result = buffer.lineEnd(past)
  if result <= 0: return
  template name: untyped = buffer.cut(start, nameEnd)
  template value: untyped = buffer.cut(first, buffer.trimmed(first, past))
  let refusal = client.note(head, name, value)
  if refusal < 0: return refusal
  client.request.headers.receive(name, value)

proc conclude(client: Client; head: Head): bool =
  ## Draws the conclusions once all headers are known; false if they contradict each other.
  let http11 = client.request.protocol.minor != 0
  if head.hosts > 1 or (http11 and head.hosts == 0): return false
  if head.lengths + head.codings > 1 or (head.codings == 1 and not http11): return false
  client.closes = head.close or not (http11 or head.keepAlive)
  client.expectsContinue = client.expectsContinue and http11
  client.stage =
    if head.codings == 1: chunkSize
    elif client.left > 0: fixed
    else: whole
  true

proc parseHead*(client: Client; buffer: openArray[char]): int =
  ## Reads a request up to the empty line.
  var head: Head
  client.left = 0
  client.expectsContinue = false
  client.request.headers.clear()
  if buffer.len > 0 and buffer[0] == '\r': # One empty line before a request is to be forgiven.
    result = buffer.lineEnd(0)
    if result <= 0: return
  result = client.request.parseRequestLine(buffer, result)
  while result > 0:
    if result == buffer.len: return Incomplete
    if buffer[result] == '\r':
      result = buffer.lineEnd(result)
      if result > 0 and not client.conclude(head): result = BadRequest
      return
    result = client.parseHeader(head, buffer, result)
