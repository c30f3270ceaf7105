## One connection's conversation, however its bytes come and go: input is added, answers come out.

import answer, request

type Dialogue* = object
  ## What has been read and not yet answered. Plain memory without references, to be zeroed and reused.
  single*: bool  ## whether the first answer is also the last, whatever the client wants
  final*: bool   ## whether the last answer has been written
  filled*: int   ## bytes in `input`
  request: Request
  input*: array[16 * 1024, char]

proc room*(dialogue: Dialogue): int {.inline.} =
  ## How many bytes can be added.
  dialogue.input.len - dialogue.filled

proc place*(dialogue: var Dialogue): pointer {.inline.} =
  ## Where they are to be written.
  addr dialogue.input[dialogue.filled]

proc add*(dialogue: var Dialogue; bytes: string) =
  ## Adds bytes for which there is room.
  if bytes.len > 0: copyMem(dialogue.place, unsafeAddr bytes[0], bytes.len)
  dialogue.filled += bytes.len

proc refuse(dialogue: var Dialogue; output: var Output; calendar: Calendar; status: int) =
  output.refuse(calendar, status)
  dialogue.final = true

proc advance(dialogue: var Dialogue; output: var Output; calendar: Calendar; start: int): int =
  ## Reads one more head or piece of a body and answers if that completes a request.
  template request: Request = dialogue.request
  template buffer: untyped = dialogue.input.toOpenArray(start, dialogue.filled - 1)
  if request.body.isDone:
    result = parseHead(buffer, request)
    if result > 0 and dialogue.single: request.fate = closes
    if result > 0 and not request.body.isDone:
      if request.expectsContinue and start + result == dialogue.filled: output.goOn()
  else:
    result = skipBody(buffer, request.body)
  if result < 0:
    dialogue.refuse(output, calendar, -result)
  elif result > 0 and request.body.isDone:
    output.answer(calendar, request)
    dialogue.final = request.fate == closes

proc reply*(dialogue: var Dialogue; output: var Output; calendar: Calendar): bool =
  ## Answers all complete requests in the input and keeps the beginning of an incomplete one.
  ## True: the output is full, so send it and call again.
  var start = 0
  while start < dialogue.filled and not dialogue.final and output.hasRoom:
    let used = dialogue.advance(output, calendar, start)
    if used <= 0: break
    start += used
  result = not output.hasRoom
  dialogue.filled -= start
  if start > 0 and dialogue.filled > 0:
    moveMem(addr dialogue.input, addr dialogue.input[start], dialogue.filled)
  if dialogue.room == 0 and not result and not dialogue.final:
    dialogue.refuse(output, calendar, 431)
