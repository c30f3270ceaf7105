"""Kills runs that are installing a tool: nothing is left half installed, and the next start installs it whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.chaos.attack import Attack, wrong_words
from tests.chaos.kills import ENDS_S, SIGNALS
from tests.chaos.phases import INSTALLING
from tests.support import ROOT

KIND = "kills while installing"
TOOL = "granian"
KILLS = 2
LIMIT_S = 240.0
SERVERS = f"""
[server.with_tool]
dir = {json.dumps(str(ROOT / "servers/granian"))}
needs = ["{TOOL}"]
run = [
  "{TOOL}", "app:app", "--host={{host}}", "--port={{port}}", "--workers={{threads}}", "--interface=rsgi", "--http=1",
  "--no-ws", "--log-level=warning",
]
env = {{ PYTHONDONTWRITEBYTECODE = "1" }}

[server.without]
dir = {json.dumps(str(ROOT / "servers/python_epoll"))}
run = ["python3", "{{dir}}/server.py", "--host={{host}}", "--port={{port}}", "--threads={{threads}}"]
env = {{ PYTHONDONTWRITEBYTECODE = "1" }}
"""


def installing(attack: Attack) -> None:
    """Kill a run with `--install` at random instants of the installation; what was downloaded is kept by pip."""
    ground = attack.ground
    ground.forget_tool(TOOL)
    if shutil.which(TOOL, path=ground.env["PATH"]):
        attack.cannot(KIND, f"{TOOL} is installed for all")
        return
    ground.write(blocks=1, nonce=0, servers=SERVERS)
    words, env = ("--skip-gates", "--install"), {"PIP_CACHE_DIR": str(Path.home() / ".cache/pip")}
    for _ in range(KILLS):
        session = ground.start(ground.words(*words), env=env)
        if INSTALLING.reach(ground, session, attack.chance):
            number = attack.chance.choice(SIGNALS)
            session.send(number)
            session.wait(ENDS_S)
            wrong = wrong_words(attack, session, number)
            attack.judge(f"{number.name} to a run", INSTALLING.name, wrong, killed=True)
        session.wait(ENDS_S)
    session = ground.start(ground.words(*words), env=env)
    session.wait(LIMIT_S)
    if not (ground.cache / "http-speedup/bin" / TOOL).exists():
        why = next((line for line in session.said.splitlines() if TOOL in line), "it cannot be installed")
        attack.cannot(KIND, why)
    attack.finish()
