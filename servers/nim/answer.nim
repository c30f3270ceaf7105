## Writing answers into a buffer: composed for each request, dated, nothing allocated.

import std/times
import request

type
  Output* = object
    ## Answers on their way out. Each thread has one and fills it again and again.
    bytes*: array[64 * 1024, char]
    used*: int

  Calendar* = object
    ## The date as HTTP writes it, formatted once a second.
    second*: int64
    date: string

const
  Longest* = 512 # No answer is longer: room that must be left before composing one.
  Hello = "Hello World"
  server* {.strdefine.} = "epoll" ## How it calls itself.

proc tick*(calendar: var Calendar) =
  let second = getTime().toUnix
  if second != calendar.second:
    calendar.second = second
    calendar.date = fromUnix(second).utc.format("ddd, dd MMM yyyy HH:mm:ss 'GMT'")

proc take*(output: var Output): string =
  ## The answers composed so far, for senders that need a string; the output is empty then.
  result = newString(output.used)
  if output.used > 0: copyMem(addr result[0], addr output.bytes, output.used)
  output.used = 0

proc hasRoom*(output: Output): bool {.inline.} =
  output.used + Longest <= output.bytes.len

proc add(output: var Output; text: string) {.inline.} =
  copyMem(addr output.bytes[output.used], unsafeAddr text[0], text.len)
  output.used += text.len

proc add(output: var Output; number: int) {.inline.} =
  ## Writes a number from 0 to 999.
  var digits: array[3, char]
  var first = digits.len
  var rest = number
  while true:
    dec first
    digits[first] = chr(ord('0') + rest mod 10)
    rest = rest div 10
    if rest == 0 or first == 0: break
  for i in first ..< digits.len:
    output.bytes[output.used] = digits[i]
    inc output.used

proc addHeader(output: var Output; name, value: string) {.inline.} =
  output.add name
  output.add ": "
  output.add value
  output.add "\r\n"

proc compose(output: var Output; calendar: Calendar; status, body: string; fate: Fate;
             withBody = true) {.inline.} =
  output.add "HTTP/1.1 "
  output.add status
  output.add "\r\n"
  output.addHeader("Server", server)
  output.addHeader("Date", calendar.date)
  output.addHeader("Content-Type", "text/plain")
  output.add "Content-Length: "
  output.add body.len
  output.add "\r\n"
  case fate
  of stays: discard
  of staysAsAsked: output.addHeader("Connection", "keep-alive")
  of closes: output.addHeader("Connection", "close")
  output.add "\r\n"
  if withBody: output.add body

proc answer*(output: var Output; calendar: Calendar; request: Request) =
  let withBody = request.httpMethod != head
  if request.httpMethod == unknown:
    output.compose(calendar, "501 Not Implemented", "Not Implemented", request.fate, withBody)
  elif request.target == root:
    output.compose(calendar, "200 OK", Hello, request.fate, withBody)
  else:
    output.compose(calendar, "404 Not Found", "Not Found", request.fate, withBody)

proc goOn*(output: var Output) =
  ## Tells a client that waits for it to send the body.
  output.add "HTTP/1.1 100 Continue\r\n\r\n"

proc refuse*(output: var Output; calendar: Calendar; status: int) =
  let reason = case status
    of 431: "431 Request Header Fields Too Large"
    of 501: "501 Not Implemented"
    of 505: "505 HTTP Version Not Supported"
    else: "400 Bad Request"
  output.compose(calendar, reason, reason, closes)
