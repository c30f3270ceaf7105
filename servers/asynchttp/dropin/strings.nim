## Strings that are filled again and again, in the memory that they have already.

const Kept = 64 * 1024 # More is given back.

proc empty*(text: var string) =
  ## Removes the contents.
  if text.len > Kept: text = "" else: text.setLen(0)

proc append*(text: var string; bytes: openArray[char]) =
  ## Adds the bytes.
  if bytes.len == 0: return
  let length = text.len
  text.setLen(length + bytes.len)
  copyMem(addr text[length], unsafeAddr bytes[0], bytes.len)

proc assign*(text: var string; bytes: openArray[char]) =
  ## Replaces the contents by the bytes.
  text.empty()
  text.append(bytes)
