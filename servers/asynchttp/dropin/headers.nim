## Headers with the interface of std/httpcore's HttpHeaders, without its table.
##
## A message has a handful of headers. So few are found faster in a list than by a hash, and a list
## can be emptied and filled again without an allocation. A value that is itself a list ("a, b") is
## split as httpcore does it, but only when somebody asks for it.

import std/strutils
from std/httpcore import HttpHeaderValues
import strings

type
  Field = object
    name, value: string
    received: bool ## from a client: the value may be a list

  HttpHeaders* = ref object
    fields: seq[Field]
    used: int ## Fields from here on only wait to be used again.
    isTitleCase: bool

proc newHttpHeaders*(titleCase = false): HttpHeaders =
  ## Empty headers. Their names are written in lower case, or in title case ("Content-Length").
  HttpHeaders(isTitleCase: titleCase)

proc clear*(headers: HttpHeaders) =
  ## Removes all.
  headers.used = 0

proc normal(headers: HttpHeaders; name: string): string =
  result = name.toLowerAscii
  if headers.isTitleCase:
    for i in 0 ..< result.len:
      if i == 0 or result[i - 1] == '-': result[i] = result[i].toUpperAscii

proc grow(headers: HttpHeaders): var Field =
  if headers.used == headers.fields.len: headers.fields.setLen(headers.used + 1)
  inc headers.used
  headers.fields[headers.used - 1]

proc add*(headers: HttpHeaders; key, value: string) =
  ## Adds a value to those that the key has.
  headers.grow() = Field(name: headers.normal(key), value: value)

proc receive*(headers: HttpHeaders; name, value: openArray[char]) =
  ## Adds what a client has sent.
  let field = addr headers.grow()
  field.name.assign(name)
  for letter in field.name.mitems: letter = letter.toLowerAscii
  field.value.assign(value)
  field.received = true

proc find(headers: HttpHeaders; key: string): int =
  for i in 0 ..< headers.used:
    if cmpIgnoreCase(headers.fields[i].name, key) == 0: return i
  -1

proc hasKey*(headers: HttpHeaders; key: string): bool =
  ## Whether the key has a value.
  headers.find(key) >= 0

proc del*(headers: HttpHeaders; key: string) =
  ## Removes all values of the key.
  while (let i = headers.find(key); i >= 0):
    headers.fields.delete(i)
    dec headers.used

proc `[]=`*(headers: HttpHeaders; key: string; values: seq[string]) =
  ## Replaces all values of the key.
  headers.del(key)
  for value in values: headers.add(key, value)

proc `[]=`*(headers: HttpHeaders; key, value: string) =
  ## Replaces all values of the key by one.
  headers[key] = @[value]

iterator pairs*(headers: HttpHeaders): tuple[key, value: string] =
  ## All keys and values, a key with several values several times.
  for i in 0 ..< headers.used:
    template field: untyped = headers.fields[i]
    if field.received and field.name != "cookie":
      for value in field.value.split(','): yield (field.name, value.strip())
    else:
      yield (field.name, field.value)

proc getOrDefault*(headers: HttpHeaders; key: string;
                   default = @[""].HttpHeaderValues): HttpHeaderValues =
  ## All values of the key, or the default if there is none.
  if not headers.hasKey(key): return default
  var found: seq[string]
  for name, value in headers:
    if cmpIgnoreCase(name, key) == 0: found.add value
  found.HttpHeaderValues

proc `[]`*(headers: HttpHeaders; key: string): HttpHeaderValues =
  ## All values of the key, of which there must be one.
  if not headers.hasKey(key): raise newException(KeyError, "no header " & key)
  headers.getOrDefault(key)

proc `$`*(headers: HttpHeaders): string =
  ## All of them, a line for each.
  for key, value in headers: result.add key & ": " & value & "\n"

proc addTo*(headers: HttpHeaders; message: var string) =
  ## Writes them as they go over the wire.
  for i in 0 ..< headers.used:
    message.add headers.fields[i].name
    message.add ": "
    message.add headers.fields[i].value
    message.add "\r\n"

proc newHttpHeaders*(keyValuePairs: openArray[tuple[key, val: string]];
                     titleCase = false): HttpHeaders =
  ## Headers with these keys and values.
  result = newHttpHeaders(titleCase)
  for (key, value) in keyValuePairs: result.add(key, value)
