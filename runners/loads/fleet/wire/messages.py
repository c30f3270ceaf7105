"""The messages between masters and workers: a fixed schema, checked strictly on both sides.

A worker is told what to load, never how: it builds its own command lines. Times are microseconds on the worker's
monotonic clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runners.matrix.model import Mode

PROTOCOL = 2
MOST_SAID = 300  # characters about a malformed message, since a peer chooses some of them

Kind = TypeVar("Kind")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Nonce = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Moment = Annotated[int, Field(ge=-(2**62), le=2**62)]  # microseconds on any clock
Text = Annotated[str, Field(max_length=12 * 2**20)]
Line = Annotated[str, Field(max_length=2000)]


class Message(BaseModel):
    """A message; unknown fields are errors, and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Facts(Message):
    """A worker's host and its tools; http-speedup, Locust and the generators must have the master's versions."""

    protocol: int
    version: Line
    tools: dict[Name, Line]
    cpus: Annotated[int, Field(ge=1, le=65536)]
    cpu: Line
    kernel: Line
    wall_us: Moment


class Hello(Message):
    """The first message: a worker introduces itself."""

    kind: Literal["hello"] = "hello"
    name: Name
    nonce: Nonce
    facts: Facts


class Welcome(Message):
    """The master admits a worker; sealed outside the session, with the nonce of the hello that it answers."""

    kind: Literal["welcome"] = "welcome"
    to: Nonce
    nonce: Nonce


class Refusal(Message):
    """The master rejects a worker, with the reason."""

    kind: Literal["refusal"] = "refusal"
    to: Nonce
    reason: Line


class Ping(Message):
    """A request to read the clock."""

    kind: Literal["ping"] = "ping"
    number: Count


class Pong(Message):
    """The answer to a ping: what the clock said."""

    kind: Literal["pong"] = "pong"
    number: Count
    read_us: Moment


class Order(Message):
    """What one worker has to do in one phase of a trial; `connections` is its share.

    With `locustfile`, the users come from the worker's own file, which must have this hash.
    """

    kind: Literal["order"] = "order"
    trial: Nonce
    generator: Literal["wrk", "locust"]
    host: Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65535)]
    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=2000)]
    mode: Mode
    connections: Annotated[int, Field(ge=1, le=1_000_000)]
    threads: Annotated[int, Field(ge=1, le=4096)] | None
    warmup_s: Annotated[float, Field(ge=0, le=3600)]
    duration_s: Annotated[float, Field(gt=0, le=3600)]
    start_us: Moment
    measured: bool
    locustfile: Sha256 | None = None


class Ready(Message):
    """A worker has accepted an order and waits for its start."""

    kind: Literal["ready"] = "ready"
    trial: Nonce


class Stop(Message):
    """An order to stop whatever runs."""

    kind: Literal["stop"] = "stop"


class HostSample(Message):
    """The number of segments with data that the client host has sent so far, at a time on its clock."""

    at_us: Moment
    segments: Count


class HostResult(Message):
    """The result of an order: when the generator started and ended, what it printed, and what the host observed."""

    kind: Literal["result"] = "result"
    trial: Nonce
    started_us: Moment
    ended_us: Moment
    failure: Line | None
    output: Text
    threads: Annotated[int, Field(ge=0, le=4096)]
    samples: tuple[HostSample, ...] = Field(max_length=100_000)
    tcp: dict[Name, Count]
    thread_share: Annotated[float, Field(ge=0, le=2)] | None
    wait_share: Annotated[float, Field(ge=0)] | None
    host_share: Annotated[float, Field(ge=0, le=1.1)] | None


FromWorker = Hello | Pong | Ready | HostResult
FromMaster = Welcome | Refusal | Ping | Order | Stop

_from_worker: TypeAdapter[FromWorker] = TypeAdapter(Annotated[FromWorker, Field(discriminator="kind")])
_from_master: TypeAdapter[FromMaster] = TypeAdapter(Annotated[FromMaster, Field(discriminator="kind")])


class Malformed(Exception):
    """A message does not fit the schema; the exception's message says where."""


def name_of(text: str) -> str:
    """Return a text as a valid name of a client: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip("._-")[:64] or "client"


def order_of(parts: Mapping[str, Any]) -> Order:
    """Return an order made of these parts; raise Malformed if no worker would accept it."""
    try:
        return Order(**parts)
    except ValidationError as error:
        raise Malformed(_where(error)) from error


def from_worker(body: str) -> FromWorker:
    """Return a worker's message; raise Malformed if it is none."""
    return _read(_from_worker, body)


def from_master(body: str) -> FromMaster:
    """Return a master's message; raise Malformed if it is none."""
    return _read(_from_master, body)


def _read(adapter: TypeAdapter[Kind], body: str) -> Kind:
    try:
        return adapter.validate_json(body)
    except (ValidationError, RecursionError) as error:
        raise Malformed(_where(error)) from error


def _where(error: ValidationError | RecursionError) -> str:
    first = error.errors()[0] if isinstance(error, ValidationError) else None
    where = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else "nested too deeply"
    return " ".join(where.split())[:MOST_SAID]
