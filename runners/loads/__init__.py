"""Load generators: each is a module with the same small interface, registered here by name."""

from __future__ import annotations

from runners.loads.base import Load, LoadFailed, LoadInvalid, LoadJob, LoadResult, Phase
from runners.loads.fleet.load import Fleet
from runners.loads.h2load import H2load
from runners.loads.locust import Locust
from runners.loads.wrk import Wrk

PACED_LOAD = "h2load"  # offers a rate instead of a closed loop
LOADS: dict[str, Load] = {load.kind: load for load in (Wrk(), Locust(), H2load(), Fleet())}

__all__ = ["LOADS", "PACED_LOAD", "Load", "LoadFailed", "LoadInvalid", "LoadJob", "LoadResult", "Phase"]
