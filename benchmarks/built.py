"""Servers of the default matrix, built and ready to be measured outside a run, for the studies in this folder."""

from __future__ import annotations

from pathlib import Path

from runners.matrix.cells import Selection
from runners.plan.planning import Options, Plan, layouts, make_plan
from runners.run.preparing import build, programs_of
from runners.server.builds import build_context
from runners.system.network import Kind, enter_user_namespace
from runners.trial.trial import Rig

MOODS = {
    "foreign_fail": 1e9,
    "spread_fail": 1e9,
    "drift_fail": 1e9,
}  # the machine's moods: no reason to drop a trial here


def built_servers(folder: Path, selection: Selection) -> tuple[Plan, Rig]:
    """Build the selected servers, or take them from the cache; logs go into `folder`."""
    plan = make_plan(Options(selection=selection))
    context = build_context(plan.root, plan.host, plan.tools, folder, plan.matrix.limits)
    build(plan, context)
    kind: Kind = "namespace" if enter_user_namespace() else "host"
    limits = plan.matrix.validity.model_copy(update=MOODS)
    return plan, Rig(folder, programs_of(plan, context), layouts(plan), kind, limits)
