"""Gates that need a connection or two: counts, framing, headers, split requests, pipelines, methods, closing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from runners.honesty.gates.talk import Reset, Talk, Visit
from runners.matrix.requests.request import Request
from runners.server.answers import Answer, Broken, shown

REQUESTS = 100
COUNTING_S, SPLITTING_S = 3.0, 5.0
PIPELINED = 16
PIECE_BYTES = 37  # no request's length is a multiple of it
QUIET_S = 0.2
BRIEFLY_S = 0.003
DATE_SLACK_S = 3.0
TEXTS = {"text/plain", "text/plain;charset=utf-8", "text/plain; charset=utf-8"}
OTHER_PATH = "/no-such-page"


def counts(visit: Visit) -> None:
    """Each request gets exactly one right answer, and nothing is sent before the first or after the last."""
    target = visit.target
    requests = [target.asked, *target.others]
    if not target.keeps:
        for asked in requests:
            with visit.talk() as talk:
                talk.silent(QUIET_S)
                target.wanted(talk.ask(target.request(asked=asked)), asked)
                talk.end()
        return
    left = max(target.count(REQUESTS, COUNTING_S), len(requests))
    while left:
        with visit.talk() as talk:
            talk.silent(QUIET_S if left == REQUESTS else BRIEFLY_S)
            left -= _counted(talk, (requests * left)[:left])


def _counted(talk: Talk, requests: Sequence[Request]) -> int:
    """Send requests over one connection; return how many were answered before the server closed it, if it did."""
    for number, asked in enumerate(requests, 1):
        answer = talk.target.wanted(talk.ask(talk.target.request(asked=asked)), asked)
        if answer.closes or (number < len(requests) and talk.is_over):
            talk.end()
            return number
    talk.silent(QUIET_S)
    return len(requests)


def frames(visit: Visit) -> None:
    """Where an answer ends is certain: lines end with CRLF, and it has an exact length or chunks."""
    _get(visit)


def speaks_1_1(visit: Visit) -> None:
    """A request in HTTP/1.1 is answered in HTTP/1.1."""
    if (version := _get(visit).version) != "1.1":
        raise Broken(f"it answers an HTTP/1.1 request with HTTP/{version}")


def waits(visit: Visit) -> None:
    """A request that is not complete gets no answer."""
    request = visit.target.request()
    for cut in (1, request.index(b"\r\n") + 2, len(request) - 2, len(request) - 1):
        with visit.talk() as talk:
            talk.say(request[:cut])
            try:
                talk.silent(QUIET_S)
            except Reset:  # it rejects the request; what it must not do is to answer it
                continue
            except Broken as broken:
                raise Broken(f"{broken} (after {cut} of the request's {len(request)} bytes)") from broken


def _get(visit: Visit) -> Answer:
    """Return the answer to one request; raise Broken if it is wrong, or more than one."""
    with visit.talk() as talk:
        answer = visit.target.wanted(talk.ask(visit.target.request()))
        talk.silent(BRIEFLY_S)
        return answer


def names_itself(visit: Visit) -> None:
    """The answer has the headers Server, Date and Content-Type, which is text/plain unless an application answers."""
    headers = _get(visit).headers
    missing = [name for name in ("server", "date", "content-type") if not headers.get(name)]
    if missing:
        raise Broken(f"its answer lacks {', '.join(missing)}")
    if not visit.target.brief and headers["content-type"].lower() not in TEXTS:
        raise Broken(f"its Content-Type is {headers['content-type']!r}, not text/plain")


def dates(visit: Visit) -> None:
    """The Date is current, in the format that HTTP demands, and advances within 3 s."""
    first = _date(visit)
    if abs(first.timestamp() - time.time()) > DATE_SLACK_S:
        raise Broken(f"its Date is {first:%F %T}, but it is {time.strftime('%F %T', time.gmtime())}")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        time.sleep(0.25)
        if _date(visit) != first:
            return
    raise Broken(f"its Date stays at {first:%F %T}")


def _date(visit: Visit) -> datetime:
    """Return the Date of an answer; raise Broken unless it is an exact IMF-fixdate."""
    text = _get(visit).headers.get("date", "")
    try:
        date = parsedate_to_datetime(text)
        exact = format_datetime(date, usegmt=True) == text
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise Broken(f"its Date is not a date: {text!r}") from error
    if not exact:
        raise Broken(f"its Date is {text!r}, not {format_datetime(date, usegmt=True)!r}")
    return date


def waits_for_the_end(visit: Visit) -> None:
    """A request split at any byte is answered once, and only when it is complete."""
    size = len(visit.target.request())
    cuts = range(1, size, math.ceil(size / visit.target.count(size, SPLITTING_S, 8)))
    for some in [cuts] if visit.target.keeps else [[cut] for cut in cuts]:
        with visit.talk() as talk:
            for cut in some:
                _ask_in_two(talk, cut)
            talk.silent(BRIEFLY_S)


def _ask_in_two(talk: Talk, cut: int) -> None:
    request = talk.target.request()
    talk.say(request[:cut])
    try:
        talk.silent(BRIEFLY_S)
        talk.target.wanted(talk.ask(request[cut:]))
    except Broken as broken:
        raise Broken(f"{broken} (the request was split after {cut} of its {len(request)} bytes)") from broken


def pipelines(visit: Visit) -> None:
    """Sixteen requests at once, for two paths in turn, are answered in order, even if split at odd places."""
    target = visit.target
    with visit.talk() as talk:  # A stripped server does not tell the paths apart.
        wanted = [talk.ask(target.request(path=path)) for path in _PATHS]
    pair = b"".join(target.request(path=path) for path in _PATHS)
    last = target.request("Connection: close", path=OTHER_PATH)
    data = pair * (PIPELINED // 2 - 1) + target.request() + last
    for piece_bytes in (len(data), PIECE_BYTES):
        with visit.talk() as talk:
            for at in range(0, len(data), piece_bytes):
                talk.say(data[at : at + piece_bytes])
                time.sleep(0.001)
            _hear_in_order(talk, wanted * (PIPELINED // 2))
            talk.end()


_PATHS = (None, OTHER_PATH)


def _hear_in_order(talk: Talk, wanted: Sequence[Answer]) -> None:
    exact = talk.target.asked.expect.body is not None  # otherwise two right answers may differ
    for number, before in enumerate(wanted, 1):
        try:
            answer = talk.hear()
        except Broken as broken:
            raise Broken(f"answer {number} of {len(wanted)}: {broken}") from broken
        if answer.status != before.status:
            raise Broken(f"answer {number} of {len(wanted)} is a {answer.status} in place of a {before.status}")
        fault = talk.target.asked.expect.fault(answer.status, answer.body) if number % 2 else None
        if fault or (exact and answer.body != before.body):
            raise Broken(f"answer {number} of {len(wanted)} has the body {shown(answer.body)}")


def knows_paths(visit: Visit) -> None:
    """Another path is answered with 404."""
    with visit.talk() as talk:
        answer = talk.ask(visit.target.request(path=OTHER_PATH))
    if answer.status != 404:
        raise Broken(f"it answers {answer.status} to {OTHER_PATH}, not 404")


def heads(visit: Visit) -> None:
    """HEAD gets the headers of GET and no body."""
    with visit.talk() as talk:
        answer = talk.ask(visit.target.request("Connection: close", method="HEAD"), bodiless=True)
        if answer.status != visit.target.asked.expect.status:
            raise Broken(f"it answers HEAD with {answer.status}")
        length, body = answer.headers.get("content-length"), visit.target.asked.expect.body
        if body is not None and length not in {None, str(len(body.encode()))}:
            raise Broken(f"its Content-Length is {length} for HEAD and {len(body.encode())} for GET")
        talk.end()


def consumes_bodies(visit: Visit) -> None:
    """The body of a POST, of known length or in chunks, is not mistaken for the next request."""
    posted = visit.target.request()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (posted[:5], posted[5:], b""))
    _post(visit, f"Content-Length: {len(posted)}", posted)
    _post(visit, "Transfer-Encoding: chunked", chunks)


def _post(visit: Visit, header: str, body: bytes) -> None:
    """Post a body that looks like a request; any answer will do, but it must be a single one."""
    with visit.talk() as talk:
        answer = talk.ask(visit.target.request(header, method="POST") + body)
        if answer.closes:
            talk.end()
        else:
            visit.target.wanted(talk.ask(visit.target.request()))
            talk.silent(0.05)


def closes(visit: Visit) -> None:
    """`Connection: close` is answered with a FIN, not a reset."""
    with visit.talk() as talk:
        visit.target.wanted(talk.ask(visit.target.request("Connection: close")))
        talk.end()


def announces(visit: Visit) -> None:
    """`Connection: close` is answered with that header."""
    with visit.talk() as talk:
        answer = visit.target.wanted(talk.ask(visit.target.request("Connection: close")))
        if "close" not in answer.headers.get("connection", "").lower():
            raise Broken("it does not send Connection: close, so a client does not know that it must reconnect")


def closes_for_http_1_0(visit: Visit) -> None:
    """After an HTTP/1.0 request, the server closes the connection."""
    with visit.talk() as talk:
        visit.target.wanted(talk.ask(visit.target.request(version="1.0")))
        talk.end()


def keeps(visit: Visit) -> None:
    """The connection stays open for the next request, and no answer says otherwise."""
    with visit.talk() as talk:
        for pause_s in (0, QUIET_S):
            time.sleep(pause_s)
            if visit.target.wanted(talk.ask(visit.target.request())).closes:
                raise Broken("it sends Connection: close although the client did not ask for it")
