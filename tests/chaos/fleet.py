"""Kills a run that is loaded from several hosts, and the workers on them."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Sequence

from benchmarks.hosts import Host, hosts, reason_without
from runners.loads.fleet.wire.seal import make_token
from tests.chaos.attack import TRACEBACK, Attack
from tests.chaos.kills import ENDS_S, end
from tests.chaos.phases import BETWEEN, FLEET_LOAD, GATHERING, WRITING
from tests.chaos.session import Session
from tests.support import ROOT

CLIENTS = 1
SERVER = f"""
[server.hello]
dir = {json.dumps(str(ROOT / "servers/python_epoll"))}
run = [{json.dumps(sys.executable)}, "{{dir}}/server.py", "--host={{host}}", "--port={{port}}"]
env = {{ PYTHONDONTWRITEBYTECODE = "1" }}
"""
VALIDITY = """start_skew_fail = "1s"
window_fail = "100%"
requests_per_connection_fail = 1
lost_segments_least = 0
"""
PHASES = (GATHERING, FLEET_LOAD, WRITING, FLEET_LOAD, BETWEEN, FLEET_LOAD)
KILLS = 2
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LOADS = ((), (), ("--load", "locust"))


def fleet(attack: Attack) -> None:
    """Kill the master's run in each phase, and a worker under load; workers outlive it and join the next one."""
    if why := _why_not(attack):
        attack.cannot("kills of a fleet", why)
        return
    make_token(attack.ground.cache / "http-speedup/fleet.token")
    attack.ground.write(blocks=3, nonce=0, servers=SERVER, validity=VALIDITY, duration="1s")
    with hosts(CLIENTS) as made:
        bound = ("--expect-workers", str(CLIENTS), "--bind", made.server.address, "--workers-wait", "60s")
        more = ("--skip-gates", *bound, *attack.chance.choice(LOADS))
        attack.ground.before = made.server.argv(())
        attack.helpers = [_worker(attack, client, made.server.address) for client in made.clients]
        session = attack.ground.start(attack.ground.words(*more))
        _kill_worker(attack, session, made.clients, made.server.address)
        for phase in attack.chance.sample(PHASES, KILLS):
            if session.code is not None:
                session = attack.ground.start(attack.ground.words(*more))
            if phase.reach(attack.ground, session, attack.chance):
                end(attack, session, attack.chance.choice(SIGNALS), "a fleet's run", phase)
            elif session.code not in {0, 1}:
                said = f"ended with {session.code}: {session.said[-500:]}"
                attack.judge("undisturbed", phase.name, [said])
        attack.finish()
        _end_workers(attack)


def _why_not(attack: Attack) -> str | None:
    """Return why there can be no fleet here; None if there can."""
    lacks = None if shutil.which("locust", path=attack.ground.env["PATH"]) else "Locust is not installed"
    return reason_without() or lacks


def _worker(attack: Attack, client: Host, master: str) -> Session:
    """Start a worker on a client host, with temporary files of its own: it goes on when a run ends."""
    temporary = attack.ground.folder / f"tmp-{client.name}"
    temporary.mkdir(exist_ok=True)
    token = attack.ground.cache / "http-speedup/fleet.token"
    words = ("worker", "--master", master, "--token-file", str(token), "--name", client.name)
    return attack.ground.start(words, before=client.argv(()), env={"TMPDIR": str(temporary)})


def _kill_worker(attack: Attack, session: Session, clients: Sequence[Host], master: str) -> None:
    """Kill a worker under load and start it again: that trial does not count, and the run goes on."""
    if not FLEET_LOAD.reach(attack.ground, session, attack.chance):
        return
    at = attack.chance.randrange(len(clients))
    victim = attack.helpers.pop(at)
    victim.send(signal.SIGKILL)
    victim.wait(ENDS_S)
    attack.judge("SIGKILL to a worker", FLEET_LOAD.name, [], spared=[session])
    attack.helpers.insert(at, _worker(attack, clients[at], master))


def _end_workers(attack: Attack) -> None:
    """Let the workers end, as when all runs are over: well, and with nothing behind, not even of a killed one."""
    workers, attack.helpers = attack.helpers, []
    for worker in workers:
        number = attack.chance.choice((signal.SIGTERM, signal.SIGINT))
        worker.send(number)
        worker.wait(ENDS_S)
    left = [f"file {file}" for file in attack.ground.folder.glob("tmp-*/*")]
    wrong = [f"a worker ended with {each.code}: {each.said[-800:]}" for each in workers if _is_wrong(each)] + left
    attack.judge("SIGTERM or SIGINT to workers", "waiting for orders", wrong)


def _is_wrong(worker: Session) -> bool:
    return worker.code != 0 or TRACEBACK in worker.said
