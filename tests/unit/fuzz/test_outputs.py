"""What load generators print, mutated: a result, or an error that says that there is none."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given

from runners.errors import FleetIncomplete
from runners.loads.base import LoadFailed, LoadInvalid
from runners.loads.fleet.load import Fleet
from runners.loads.h2load import H2load
from runners.loads.locust import Locust
from runners.loads.wrk import Wrk
from tests.support.fleet_fakes import order, result
from tests.support.mutation import fuzzed, mutations, without_hang
from tests.unit.runners.loads import test_h2load, test_wrk

WRK = test_wrk.output(12, "80:4 90:5 1000000:3").encode()
H2LOAD = test_h2load.output(3, 1).encode()
LOG = b"1700000000000000\t200\t50\n1700000000001000\t200\t60\n1700000000002000\t500\t60\n1700000000003000\t-1\t70\n"
FACTS = {
    "requests": 3, "duration_us": 1000000, "opened_us": 5, "errors": {"connect": 0, "status": 1}, "latency": {"100": 3},
    "cpu_us": 5.0, "uncounted": 0, "parts": {"a": {"100": 3}}, "late_s": 0.0,
}  # fmt: skip
LOCUST = f"speedup:result {json.dumps(FACTS)}\n".encode()


def fleet_answer() -> bytes:
    """Return what the master's answer looks like."""
    told = result(order()).model_dump(mode="json")
    own = {"name": "a", "facts": {"cpus": 2}, "connections": 4, "clock_offset_us": 1, "clock_uncertainty_us": 1,
           "clock_drift_us": 0, "samples": [[each["at_us"], each["segments"]] for each in told["samples"]]}  # fmt: skip
    return f"speedup:fleet {json.dumps({'failure': None, 'clients': [{**told, **own}]})}\n".encode()


@fuzzed
@given(mutations((WRK,)))
@example(WRK.replace(b"80:4", b"1:" + b"9" * 5000))
@example(WRK.replace(b"duration_us=1100123", b"duration_us=0"))
@example(WRK.replace(b"cpu_us=981234", b"cpu_us=nan"))
def test_any_output_of_wrk_is_a_result_or_none(data: bytes) -> None:
    """Torn, doubled, or with numbers that cannot be."""
    with without_hang(), suppress(LoadFailed):
        Wrk().parse(data.decode("utf-8", "replace"), test_wrk.JOB)


@fuzzed
@given(mutations((LOCUST,)))
@example(b"speedup:result []")
@example(b"speedup:result null")
@example(b"speedup:result " + b"[" * 100_000)
@example(LOCUST.replace(b'"cpu_us": 5.0', b'"cpu_us": 1e999'))
def test_any_output_of_locust_is_a_result_or_none(data: bytes) -> None:
    """Of whatever types."""
    with without_hang(), suppress(LoadFailed):
        Locust().parse(data.decode("utf-8", "replace"), test_wrk.JOB)


@fuzzed
@given(mutations((LOG,)), mutations((H2LOAD,)))
@example(b"1\t200\t5\n" + b"9" * 300 + b"\t200\t5\n", H2LOAD)
@example(b"1\t200\n", H2LOAD)
@example(b"", H2LOAD)
def test_any_log_of_h2load_is_a_result_or_none(log: bytes, output: bytes) -> None:
    """Of a closed loop, and of a paced one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "log")
        for job in (test_h2load.CLOSED, test_h2load.PACED):
            file.write_bytes(log)
            with without_hang(), suppress(LoadFailed):
                H2load().parse(output.decode("utf-8", "replace"), replace(job, request_log=file))


@fuzzed
@given(mutations((fleet_answer(),)))
@example(b"speedup:fleet []")
@example(b"speedup:fleet 1")
@example(b'speedup:fleet {"failure": 7, "clients": []}')
@example(b'speedup:fleet {"failure": null, "clients": []}')
@example(b"speedup:fleet " + b"[" * 100_000)
def test_any_answer_of_a_fleet_is_a_result_or_none(data: bytes) -> None:
    """Its master is ours, but what it passes on comes from other hosts."""
    with without_hang(), suppress(LoadFailed, LoadInvalid, FleetIncomplete):
        Fleet().parse(data.decode("utf-8", "replace"), test_wrk.JOB)
