## The options and the listening sockets: what happens once, before the first connection.

import std/[os, parseopt, posix, strutils]
import answer

type Options* = tuple[host: string, port, threads: int]

const
  Backlog = 4096 # As many as the kernel's default limit lets wait to be accepted.
  NonBlocking* = O_NONBLOCK # What Linux calls SOCK_NONBLOCK, which std/posix does not know.

proc fail*(reason: string; code = 1) {.noreturn.} =
  stderr.writeLine(server & ": " & reason)
  quit(code)

proc parseOptions*(): Options =
  result = (host: "127.0.0.1", port: 8080, threads: 1)
  for kind, key, value in getopt():
    try:
      case key
      of "host": result.host = value
      of "port": result.port = parseInt(value)
      of "threads": result.threads = parseInt(value)
      else: fail("unknown option: " & key, 2)
    except ValueError:
      fail("not a number: --$1=$2" % [key, value], 2)
  if result.threads < 1 or result.port notin 1 .. 65535:
    fail("--threads must be at least 1 and --port from 1 to 65535", 2)

proc enable(socket: SocketHandle; level, option: cint) =
  var on = 1.cint
  discard setsockopt(socket, level, option, addr on, sizeof(on).SockLen)

proc bound(options: Options; shared: bool): SocketHandle =
  ## A socket bound to the address, or the end of the program.
  var address: Sockaddr_in
  address.sin_family = AF_INET.TSa_Family
  address.sin_port = htons(options.port.uint16)
  if inet_pton(AF_INET, options.host.cstring, addr address.sin_addr) != 1:
    fail("not an IPv4 address: " & options.host, 2)
  result = socket(AF_INET, SOCK_STREAM or NonBlocking or SOCK_CLOEXEC, 0)
  result.enable(SOL_SOCKET, SO_REUSEADDR) # Do not wait for the TIME_WAITs of an earlier run.
  if shared: result.enable(SOL_SOCKET, SO_REUSEPORT)
  if bindSocket(result, cast[ptr SockAddr](addr address), sizeof(address).SockLen) != 0:
    fail("cannot listen on $1:$2: $3" % [options.host, $options.port, osErrorMsg(osLastError())])

proc openListeners*(options: Options): seq[cint] =
  ## One listening socket for each thread. All are open before the first is served, as the kernel
  ## would otherwise give the first threads the connections of the later ones.
  let shared = options.threads > 1
  if shared:
    # With SO_REUSEPORT a forgotten server on this port would quietly take a share of the load.
    # Without it the kernel says that the port is taken, so that is asked first.
    discard close(bound(options, shared = false))
  for _ in 1 .. options.threads:
    let listener = bound(options, shared)
    # Accepted sockets inherit this. Answers that leave in two sends would wait for an ACK without.
    listener.enable(IPPROTO_TCP, TCP_NODELAY)
    if listen(listener, Backlog) != 0:
      fail("cannot listen on $1:$2: $3" % [options.host, $options.port, osErrorMsg(osLastError())])
    result.add listener.cint

proc raiseDescriptorLimit*() =
  ## Each connection is a descriptor, and the usual soft limit of 1024 is soon reached.
  var limit: RLimit
  if getrlimit(RLIMIT_NOFILE, limit) == 0:
    limit.rlim_cur = limit.rlim_max
    discard setrlimit(RLIMIT_NOFILE, limit)
