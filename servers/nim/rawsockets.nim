## Hello World with blocking sockets, one connection at a time, one request per connection.
##
## The simplest server that can be written, and a fast one as long as every client asks at once:
## accept, recv, send and close are all that a request costs. A client that does not ask makes all
## others wait, so patience ends after two seconds; and no connection is kept, as it would be the
## only one that is served.

import std/posix
import answer, dialogue, listener

const
  Patience = Timeval(tv_sec: 2.Time)
  MostDiscarded = 1 shl 20

var
  output: Output
  calendar: Calendar
  talk: Dialogue

proc receive(client: SocketHandle; place: pointer; room: int): int =
  while true:
    result = recv(client, place, room, 0)
    if result >= 0 or errno != EINTR: return

proc sendAll(client: SocketHandle): bool =
  ## Sends the answers composed so far.
  var sent = 0
  while sent < output.used:
    let count = send(client, addr output.bytes[sent], output.used - sent, MSG_NOSIGNAL)
    if count > 0: sent += count
    elif errno != EINTR: break
  result = sent == output.used
  output.used = 0

proc converse(client: SocketHandle): bool =
  ## Reads a request and answers it; true if it was read to its end, so that nothing is left unread.
  zeroMem(addr talk, offsetOf(Dialogue, input))
  talk.single = true
  while not talk.final:
    let room = talk.room
    let got = client.receive(talk.place, room)
    if got <= 0: return true
    talk.filled += got
    discard talk.reply(output, calendar)
    if not client.sendAll(): return true
    result = got < room and talk.filled == 0

proc linger(client: SocketHandle) =
  ## To close a socket that holds unread input sends a reset, which can destroy the answer on its
  ## way. So the rest is read, as far as the client hangs up soon.
  discard shutdown(client, SHUT_WR)
  var discarded = 0
  while discarded < MostDiscarded:
    let got = client.receive(addr talk.input, talk.input.len)
    if got <= 0: return
    discarded += got

proc main() =
  let options = parseOptions()
  if options.threads != 1: fail("has one thread", 2)
  signal(SIGINT, SIG_DFL)
  let listener = openListeners(options)[0].SocketHandle
  discard fcntl(listener.cint, F_SETFL, 0.cint) # Blocking, unlike the other servers' sockets.
  var patience = Patience # Accepted sockets inherit it, which saves a system call for each.
  discard setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, addr patience, sizeof(patience).SockLen)
  discard setsockopt(listener, SOL_SOCKET, SO_SNDTIMEO, addr patience, sizeof(patience).SockLen)
  while true:
    let client = accept(listener, nil, nil)
    if client == SocketHandle(-1): continue
    calendar.tick()
    if not client.converse(): client.linger()
    discard close(client)

main()
