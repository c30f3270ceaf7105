"""Matrix files and lists of requests, mutated: every mistake is a sentence."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import example, given

from runners.errors import BadInput
from runners.matrix.cells import expand
from runners.matrix.reading import parse_matrix
from runners.matrix.requests.lists.har import read_har
from runners.matrix.requests.lists.listed import Unreadable, mix_of
from runners.matrix.requests.lists.targets import read_targets
from runners.matrix.requests.lists.urls import read_urls
from tests.support import ROOT
from tests.support.example_run import MATRIX_FILE
from tests.support.mutation import fuzzed, mutations, without_hang

SMALL = b"""[suite]
title = "x"
body = "Hello"
[preset.quick]
warmup = "1ms"
duration = "1s"
blocks = { min = 1, max = 2 }
[machine.local]
threads = [1, 2]
connections = [64]
[request.a]
path = "/a"
expect = { status = 200, body = "x" }
[mix.m]
requests = { a = 1 }
[server.s]
run = ["s", "{port}"]
env = { A = "b" }
[server.s.variant.v]
flags = ["-x"]
[server.t]
like = "s"
[[exclude]]
cells = "*/t2/*"
[[client]]
ssh = "u@h"
[[table]]
title = "T"
mode = "persistent"
rows = ["s", "s.v@2"]
"""
MATRICES = (SMALL, SMALL, MATRIX_FILE.read_bytes(), (ROOT / "matrix.toml").read_bytes())
ASKED = {
    "method": "POST",
    "url": "http://a:80/b?c#d",
    "headers": [{"name": "X", "value": "1"}],
    "postData": {"text": "aGk=", "encoding": "base64"},
}
HAR = json.dumps({"log": {"entries": [{"request": ASKED, "response": {"status": 200}}] * 2}}).encode()
URLS = b"# list\nhttp://a/b\nhttp://a/c?d=%20\n/e\n"
TARGETS = b"GET http://a/b\nX: 1\n@body\n\nPOST http://a/c\n"
JSON_TARGETS = b'{"method": "GET", "url": "http://a/", "header": {"A": ["b"]}, "body": "aGk="}\n'


@fuzzed
@given(mutations(MATRICES))
@example(b"a = " + b"[" * 20_000)
@example(b"a." * 20_000 + b"b = 1")
@example(SMALL.replace(b"[1, 2]", b"[" + b"9" * 5000 + b"]"))
def test_any_matrix_is_read_or_refused_in_sentences(data: bytes) -> None:
    """Whatever stands in it; what is read can be multiplied out."""
    with without_hang(), suppress(BadInput):
        matrix = parse_matrix(data.decode("utf-8", "replace"), "matrix.toml")
        machine = next(iter(matrix.machine))
        expand(matrix, machine, next(iter(matrix.preset.values())), "wrk")


@fuzzed
@given(mutations((HAR, URLS, TARGETS, JSON_TARGETS)))
@example(b"[" * 100_000)
@example(b'{"log": {"entries": ' + b"[" * 100_000)
@example(b"http://[::1/\n")
@example("http://a:²/\n".encode())
def test_any_list_of_requests_is_read_or_refused_in_sentences(data: bytes) -> None:
    """By each of the readers."""
    with without_hang():
        for read in (read_har, read_urls, lambda text: read_targets(text, lambda _name: b"body")):
            with suppress(Unreadable):
                mix_of("m", read(data))
