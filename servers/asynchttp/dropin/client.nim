## A connection, and the request that it is about.
##
## Everything that a connection needs is made once, when it is accepted, and used again for each of
## its requests. std/asynchttpserver allocates its lines, strings, tables and futures anew.

import std/[asyncdispatch, uri]
import std/httpcore except HttpHeaders, newHttpHeaders
import headers

type
  Stage* = enum
    ## What is read next: a part of a request, or nothing since it is `whole`, or nothing any more.
    head, fixed, chunkSize, chunkData, chunkEnd, trailer, whole, over

  Request* = object
    ## What handlers get; the fields are those of std/asynchttpserver.
    client*: Client
    reqMethod*: HttpMethod
    headers*: HttpHeaders
    protocol*: tuple[orig: string, major, minor: int]
    url*: Uri
    hostname*: string ## the client's address
    body*: string

  Handler* = proc (request: Request): Future[void] {.closure, gcsafe.}

  Client* {.acyclic.} = ref object
    ## A connection. Handlers may `send` to it, `close` it, and ask whether it `isClosed`.
    fd*: AsyncFD
    handler*: Handler
    maxBody*: int
    request*: Request
    waiting*: bool         ## for a handler or for room to send, hence not for input
    watched*: bool         ## whether the dispatcher tells of input
    lingers*: bool         ## whether all is answered and only the client's FIN is waited for
    # Reading
    input*: string
    start*, filled*: int   ## Unread input lies between them.
    emptied*: bool         ## whether the last read took all that there was
    stage*: Stage
    left*: int             ## bytes until the end of the body or of the chunk
    expectsContinue*: bool
    closes*: bool          ## whether this request is the last one
    refusal*: HttpCode     ## why the request cannot be served
    # Sending
    output*: string
    sent*: int             ## bytes of it that the kernel has taken
    drained*: Future[void] ## finishes when it has taken all; nil unless it has refused some
    corked*: bool          ## whether answers are collected, to be sent together

const
  InputSize = 8 * 1024 # The longest head of a request.
  Closed = AsyncFD(-1)

proc newClient*(fd: AsyncFD; address: string; handler: Handler; maxBody: int): Client =
  ## A client whose socket the dispatcher knows.
  result = Client(fd: fd, handler: handler, maxBody: maxBody, input: newString(InputSize))
  result.request.headers = newHttpHeaders()
  result.request.hostname = address

proc isClosed*(client: Client): bool =
  ## Whether there is no connection any more.
  client.fd == Closed

proc room*(client: Client): int =
  ## How many bytes can be read.
  client.input.len - client.filled

proc place*(client: Client): pointer =
  ## Where the next bytes are read to.
  addr client.input[client.filled]

proc received*(client: Client; count: int) =
  ## Takes note of what was read.
  client.emptied = count < client.room
  client.filled += count

proc close*(client: Client) =
  ## Ends the connection.
  if client.isClosed: return
  let fd = client.fd
  client.fd = Closed # First: what waits for the socket is called once more, and has to see it.
  closeSocket(fd)
