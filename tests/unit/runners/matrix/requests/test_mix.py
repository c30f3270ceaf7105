"""Mixes: several requests that are sent in turn, as the matrix or a file describes them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix.cells import Cell, expand
from runners.matrix.reading import parse_matrix, read_requests
from runners.matrix.requests.described import described, request_from
from runners.matrix.requests.mix import Mix
from runners.matrix.requests.request import Expect, Request
from tests.unit.runners.matrix.test_reading import TEXT, errors

REQUESTS = """
[request.home]
weight = 3
[request.search]
path = "/search"
[request.gone]
path = "/gone"
expect = { status = 404 }
"""
SHOP = '[mix.shop]\nrequests = ["home", "search"]\n'


def cells(more: str) -> tuple[Cell, ...]:
    """Return the cells of a matrix with one server, with these requests, of one mode and number of threads."""
    matrix = parse_matrix(TEXT + more)
    found = expand(matrix, "local", matrix.preset["quick"], "wrk")
    return tuple(p.cell for p in found if p.cell.slug.startswith("epoll/t1/c64/persistent"))


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=10))
def test_a_cycle_has_every_request_exactly_as_often_as_its_weight_says(weights: list[int]) -> None:
    """So that no server gets more of the heavy ones than another, however short the trial; always in one order."""
    mix = Mix("m", tuple(Request(f"/{number}") for number in range(len(weights))), tuple(weights))
    counts = Counter(mix.order)
    rounds = {counts[number] / weight for number, weight in enumerate(weights)}
    assert len(rounds) == 1
    assert len(mix.order) >= 1000
    assert mix.order == mix.order


def test_a_mix_is_one_cell_and_asks_for_all_its_requests() -> None:
    """Where there are mixes, they are what is measured, unless the suite says something else."""
    (cell,) = cells(REQUESTS + SHOP)
    assert cell.slug == "epoll/t1/c64/persistent"
    assert cell.mix is not None
    assert [request.path for request in cell.requests] == ["/", "/search"]
    assert cell.mix.weights == (3, 1)


def test_requests_and_mixes_can_stand_side_by_side() -> None:
    """Each in cells of its own, under its name."""
    matrix = parse_matrix(TEXT.replace('"T"', '"T"\nrequests = ["gone", "shop"]') + REQUESTS + SHOP)
    planned = expand(matrix, "local", matrix.preset["quick"], "wrk")
    names = {p.cell.slug.rpartition("/")[2]: p.cell for p in planned}
    assert names.keys() == {"gone", "shop"}
    assert (names["gone"].mix, names["gone"].error_share) == (None, 1.0)


def test_the_share_of_expected_errors_follows_from_the_weights() -> None:
    """wrk counts them as errors, so that many are none."""
    (cell,) = cells(REQUESTS + '[mix.m]\nrequests = ["home", "gone"]\n')
    assert cell.error_share == 0.25


def test_another_weight_is_another_cell() -> None:
    """Its number may be another."""
    one, other = cells(REQUESTS + SHOP), cells(REQUESTS.replace("weight = 3", "weight = 2") + SHOP)
    assert one[0].slug == other[0].slug
    assert one[0].id != other[0].id


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ('requests = ["hom"]', "unknown request 'hom' - did you mean 'home'?"),
        ("requests = []", 'give exactly one of "requests", "har", "urls" and "targets"'),
        ('requests = ["home"]\nurls = "u"', 'give exactly one of "requests", "har", "urls" and "targets"'),
    ],
)
def test_a_mix_that_cannot_be_is_an_error(mix: str, said: str) -> None:
    """Found with everything else in the matrix."""
    assert said in errors(TEXT + REQUESTS + f"[mix.shop]\n{mix}\n")


def test_a_mix_has_a_name_of_its_own_and_weights_that_fit_into_a_cycle() -> None:
    """A cycle holds the weights exactly, so they cannot be arbitrarily large."""
    assert "'home' is the name of a request already" in errors(TEXT + REQUESTS + SHOP.replace("shop", "home"))
    heavy = REQUESTS.replace("weight = 3", "weight = 1000003")
    assert "its weights need a cycle of 1000004 requests, more than 10000" in errors(TEXT + heavy + SHOP)


def test_a_list_of_urls_becomes_a_mix_in_which_equal_ones_weigh_more(tmp_path: Path) -> None:
    """Comments and empty lines are left out."""
    (tmp_path / "urls.txt").write_text("# mine\nhttp://x:1/a?b=1#c\n\nhttp://x:1/\nhttp://x:1/a?b=1\n")
    (mix,) = read_requests(parse_matrix(TEXT + '[mix.all]\nurls = "urls.txt"\n'), tmp_path)
    assert isinstance(mix, Mix)
    assert [(r.path, w) for r, w in zip(mix.requests, mix.weights, strict=True)] == [("/a?b=1", 2), ("/", 1)]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("urls", "/a\nftp://x/\n", "list:2: 'ftp://x/' is neither a URL nor a path that begins with /"),
        ("urls", "http://a/\nhttp://b/\n", "list:2: names the host 'b', the lines above 'a'"),
        ("urls", "/a b\n", "list:1: ' ' cannot stand in a request line - did you mean '/a%20b'?"),
        ("urls", "# nothing\n", "list: it contains no request"),
        ("targets", "BREW /pot\n", "list:1: the method 'BREW' is not one of GET, POST"),
        ("targets", "GET http://a/\nX: y\nnonsense\n", "list:3: the method 'nonsense'"),
        ("targets", "GET http://a/\nX y: z\n", "list:2: the method 'X' is not one of"),
        ("targets", "GET http://a/\nX(): z\n", "list:1: the header 'X()' cannot be sent"),
        ("targets", '{"method": "GET"}\n', "list:1: it is no target: Field required"),
        ("har", "{}", "list: it is no HAR file: log: Field required"),
        ("har", "<html>", "list: it is no HAR file"),
        ("har", '{"log": {"entries": []}}', "list: it contains no request"),
    ],
)
def test_a_list_that_cannot_be_sent_is_refused_with_its_place(tmp_path: Path, kind: str, text: str, said: str) -> None:
    """Before anything runs."""
    (tmp_path / "list").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_requests(parse_matrix(TEXT + f'[mix.all]\n{kind} = "list"\n'), tmp_path)
    assert said in str(caught.value)


def test_a_list_that_is_missing_is_named(tmp_path: Path) -> None:
    """With what it should contain."""
    with pytest.raises(BadInput, match="nowhere: No such file or directory; it should contain requests"):
        read_requests(parse_matrix(TEXT + '[mix.all]\nurls = "nowhere"\n'), tmp_path)


def test_targets_of_vegeta_are_read_with_headers_and_bodies(tmp_path: Path) -> None:
    """In the format that it calls http; bodies are found beside the file."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "body").write_bytes(b"\x00q=1")
    (tmp_path / "sub" / "list").write_text(
        "GET http://a:1/x\nGET http://a:1/y\n\n# posted\nPOST http://a:1/z\nX-Kind: nim\nConnection: close\n@body\n"
    )
    (mix,) = read_requests(parse_matrix(TEXT + '[mix.all]\ntargets = "sub/list"\n'), tmp_path)
    assert isinstance(mix, Mix)
    assert [(r.method, r.path) for r in mix.requests] == [("GET", "/x"), ("GET", "/y"), ("POST", "/z")]
    assert (mix.requests[2].headers, mix.requests[2].body) == ((("X-Kind", "nim"),), b"\x00q=1")


def test_targets_of_vegeta_are_read_as_json(tmp_path: Path) -> None:
    """One in a line, the body in base64."""
    line = '{"method": "POST", "url": "http://a/z", "body": "cT0x", "header": {"X-Kind": ["a", "b"]}}\n'
    (tmp_path / "list").write_text(line + line + '{"method": "GET", "url": "/"}\n')
    (mix,) = read_requests(parse_matrix(TEXT + '[mix.all]\ntargets = "list"\n'), tmp_path)
    assert isinstance(mix, Mix)
    assert mix.weights == (2, 1)
    assert (mix.requests[0].headers, mix.requests[0].body) == ((("X-Kind", "a"), ("X-Kind", "b")), b"q=1")


HAR = """{"log": {"version": "1.2", "entries": [
 {"request": {"method": "GET", "url": "https://shop.example/?q=1",
              "headers": [{"name": ":authority", "value": "shop.example"}, {"name": "Accept", "value": "text/html"},
                          {"name": "If-None-Match", "value": "x"}, {"name": "Host", "value": "shop.example"}]},
  "response": {"status": 304}},
 {"request": {"method": "GET", "url": "https://ads.example/x.js"}, "response": {"status": 200}},
 {"request": {"method": "POST", "url": "https://shop.example/buy", "postData": {"mimeType": "x", "text": "a=1"}},
  "response": {"status": 201}},
 {"request": {"method": "GET", "url": "https://shop.example/logo.png"}, "response": {"status": 200},
  "_fromCache": "disk"},
 {"request": {"method": "GET", "url": "https://shop.example/aborted"}, "response": {"status": 0}}
]}}"""


def test_a_har_file_gives_what_the_page_s_host_was_really_asked(tmp_path: Path) -> None:
    """Nothing that other hosts or the browser's cache answered, and nothing about a cache that wrk does not have."""
    (tmp_path / "list").write_text(HAR)
    (mix,) = read_requests(parse_matrix(TEXT + '[mix.all]\nhar = "list"\n'), tmp_path)
    assert isinstance(mix, Mix)
    page, bought = mix.requests
    assert (page.path, page.headers, page.expect) == ("/?q=1", (("Accept", "text/html"),), Expect(200))
    assert (bought.method, bought.body, bought.expect) == ("POST", b"a=1", Expect(201))


@given(body=st.binary(max_size=20), length=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_a_request_passes_through_json_unchanged(body: bytes, length: tuple[int, int] | None) -> None:
    """Whatever bytes it holds: other processes send it."""
    request = Request("/x", "n", "POST", (("A", "b"),), body, Expect(201, length=length))
    assert request_from(described(request)) == request
