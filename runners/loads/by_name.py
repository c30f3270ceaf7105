"""All load generators, by name."""

from __future__ import annotations

from runners.loads.base import Load
from runners.loads.fleet.load import Fleet
from runners.loads.h2load import H2load
from runners.loads.locust import Locust
from runners.loads.wrk import Wrk

LOADS: dict[str, Load] = {load.kind: load for load in (Wrk(), Locust(), H2load(), Fleet())}
