"""The document's own form."""

from __future__ import annotations

from pathlib import Path

from reports.tables import build_tables
from reports.text import text_measured, text_published
from reports.view import RunView, view_run
from runners.records import RunFolder
from tests.unit.example_run import example_run, of_the_document

ROWS_OF_THE_DOCUMENT = """\
    wrk -c 400 -d 10 -t 12 http://localhost:8080
                                       rqs/s
    initial state                      13746
    first optimizations (2bf8e42)      18326
    some more optimizations (27ba61a)  25524
    (671afcd)                          31498
    with --gc:markandsweep             35986
    with --gc:boehm (single threaded)  40361
    2 threads                          65866
    3 threads                          75175
    4 threads                          72615
    2 threads --gc:markandsweep        76713
    3 threads --gc:markandsweep        87040
    4 threads --gc:markandsweep        78510
                    rqs/s
    jester           6597
    asynchttp       13746
    asyncnet        50806
    selectors       84021
    epoll           86843 (with edge-triggering)
    epoll_parallel 124396 (4 threads)
    epoll_parallel 145422 (8 threads)
    python epoll     9303
    h2o (http 1.1)  39293
    go (1 thread)   23941
    go (4 threads)  58552
    cppsp (1 thr.)  26728
    cppsp (4 thr.) 107227
    wrk -c 800 -d 10 -t 24 http://127.0.0.1:8080/
    epoll            177345
    epoll (2 thr.)   339530
    epoll (4 thr.)   627846
    epoll (8 thr.)  1048415
    epoll (16 thr.) 1532484
    sync in nim:
    rawsockets      14259
    async in nim:
    jester           5661
    asynchttp       13746
    asyncnet        16255
    selectors       26442
    epoll           31499 (without accept4)
    epoll           32765 (with accept4)
    epoll           36066 (with edge-triggering on first socket)
    epoll           37061 (with edge-triggering on all sockets)
"""


def example_view(blocks: int = 6) -> RunView:
    """Return the view of the synthetic run."""
    run, trials, _ = example_run(blocks)
    return view_run(RunFolder(Path("nowhere"), run, trials))


def test_the_published_numbers_come_out_as_the_document_has_them() -> None:
    """Line for line, spaces and all, in its order; only the first command line stands earlier."""
    run, trials, _ = example_run()
    view = view_run(RunFolder(Path("nowhere"), of_the_document(run), trials))
    lines = iter(text_published(view, build_tables(view)).splitlines())

    missing = [line for line in ROWS_OF_THE_DOCUMENT.splitlines() if line not in lines]

    assert missing == []


def test_the_measured_numbers_take_the_same_form() -> None:
    """A row without a number shows a dash and its status; what limits a number stands in brackets."""
    view = example_view()
    text = text_measured(view, build_tables(view))

    assert text.startswith("# Nim HTTP Speedup\n\nI'm experimenting")
    assert "\n    wrk -c 64 -d 1 -t 1 --timeout 3s http://127.0.0.1:8080/\n" in text
    assert "\n    jester              - (unavailable)\n" in text
    assert "\n    epoll           88981 (with edge-triggering)\n" in text
    assert "\n    2 threads                          16327 (shared CPUs)\n" in text
    assert "\n    h2o (http 1.1)   89357 (at least: limited by the load)\n" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_command_line_stands_once_until_it_changes() -> None:
    """As in the document: tables measured alike share it."""
    view = example_view()

    assert text_measured(view, build_tables(view)).count("wrk -c 64") == 1
