# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container and its engine killed with SIGKILL: at random times, and the engine at every step and in every request.

test_app_container_crash.py kills the deployer at every step.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import steps, swap
from engine_helper import App
from faults_helper import Prober, Relay, eventually, kill_now, lab

pytestmark = pytest.mark.lab

SECTION = "One swap on one host"
KILLS = 50
GATE = {"interval": "20ms", "successes": 2, "soak": "40ms", "deadline": "6s", "timeout": "2s"}
REPLACE = tuple(step for step in steps.SWAP if step != "pulled")  # with the image at hand
WRITES = {
    "create": r"POST \S+/containers/create",
    "disarm": r"POST \S+/update",
    "stop": r"POST \S+/stop",
    "start": r"POST \S+/start",
    "rename": r"POST \S+/rename",
}


class Line:
    """An app with a line of versions, each serving its own number."""

    def __init__(self, facts, port):
        self.app = App(facts, port=port)
        self.version = 0

    def deploy(self, version, **more):
        gate = {**GATE, **more.pop("gate", {}), "http": {"port": 8080, "body": f"v{version}."}}
        return self.app.deploy(f"v{version}.", gate=gate, stop_timeout="1s", **more)

    def good(self):
        """The version that serves; the first two are deployed, so that one is kept."""
        while self.app.ours() != {"": "running", ".previous": "exited"}:
            self.finishes(self.next())
        return env_version(self.app, "")

    def next(self):
        self.version += 1
        return self.version

    def finishes(self, version):
        """One more run makes it serve: nothing is left over, the one before it is kept, and doing it again does nothing."""
        result = self.deploy(version)
        assert not result.get("failed"), result
        self.settled(version)
        return result

    def settled(self, version):
        app = self.app
        assert app.answer() == f"v{version}."
        there = app.ours()
        assert there.pop("") == "running"
        assert there in ({}, {".previous": "exited"})
        policies = {part: app.inspect(part)["HostConfig"]["RestartPolicy"]["Name"] for part in ("", *there)}
        assert policies.pop("") == "unless-stopped"
        assert set(policies.values()) <= {"no"}

    def prober(self):
        return Prober(self.app.address, self.app.port)


@pytest.fixture(scope="module")
def line(lab):
    made = Line(lab, 18093)
    yield made
    made.app.clean()


@pytest.fixture
def engine_up():
    """Whatever the test did to h4's engine, it runs afterwards."""
    yield
    lab("start", "h4")


def killed_after(seconds, work):
    """Do `work()` in a process that is killed with SIGKILL after so many seconds. True if it was at work until then."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_the_deployer_killed_at_random_times(line, noted):
    """Swaps, swaps that fail their gate and rollbacks; afterwards the same again, or the old release."""
    seed = int(os.environ.get("SLIPWAY_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"SLIPWAY_SEED={seed}")
    dice = random.Random(seed)
    line.good()
    started = time.monotonic()
    good = line.next()
    line.finishes(good)
    tried = time.monotonic() - started  # how long a swap takes on this machine
    struck = 0
    with line.prober() as prober:
        while struck < KILLS:
            story = f"SLIPWAY_SEED={seed}, after {struck} kills"
            kind = dice.choices(["swap", "bad swap", "rollback"], [6, 2, 2])[0]
            kept = version_kept(line)
            wanted = line.next() if kind != "rollback" else kept
            work = {
                "swap": lambda wanted=wanted: line.deploy(wanted),
                "bad swap": lambda wanted=wanted: line.deploy(wanted, command=["sh", "-c", "exit 3"]),
                "rollback": line.app.back,
            }[kind]
            proven = {good, kept}
            struck += killed_after(dice.uniform(0.0, 1.1 * tried), work)
            versions = set(seen(line).values())
            assert versions & proven, f"{story}: nothing that can serve is left"
            again = dice.random() < 0.5 and kind != "bad swap"
            good = wanted if again else good
            result = line.deploy(good)
            assert not result.get("failed"), (story, result)
            line.settled(good)
            assert version_kept(line) is not None, story
    line.finishes(line.next())
    noted(
        SECTION,
        "The deployer is killed by `SIGKILL` at a random time in a swap, a failing swap or a rollback; the next run asks for "
        "the same again, or for the old release",
        "served after one more run each time, nothing left over, the release before still kept",
        prober.outage,
        struck,
    )


def env_version(app, part):
    """The number that the container of that part serves."""
    env = app.inspect(part)["Config"]["Env"]
    return int(next(value for value in env if value.startswith("V="))[3:-1])


def seen(line):
    """{part: version}; asked again while the engine is still at what the killed deployer had asked of it."""
    for _try in range(50):
        with contextlib.suppress(docker.errors.NotFound):
            return {part: env_version(line.app, part) for part in line.app.ours()}
        time.sleep(0.1)
    raise AssertionError(f"the containers keep changing: {line.app.ours()}")


def version_kept(line):
    return seen(line).get(".previous")


@pytest.mark.parametrize("step", REPLACE)
def test_dockerd_killed_after_a_step(line, step, monkeypatch, engine_up, noted):
    """It stays away for longer than a revert waits; its restart ends containers that were not armed."""
    monkeypatch.setattr(swap, "REVERT_PATIENCE", 0.2)
    good = line.good()
    wanted = line.next()
    with line.prober() as prober:
        result = struck_at(monkeypatch, step, lambda: kill_now("h4"), lambda: line.deploy(wanted))
        lab("start", "h4")
        assert {"", ".next", ".previous", ".older"} >= set(line.app.ours())
        again = line.finishes(wanted)
    assert version_kept(line) == good
    if step != "discarded":
        assert result["failed"]
        assert result["reachable"] is False
    noted(
        SECTION,
        "dockerd is killed by `SIGKILL` after each step of a swap, and is away for a second",
        {
            "none": "the swap was complete",
            "cleaned": "the swap was complete",
            "updated": "the next run finished it",
            "replaced": "the next run finished it",
        }[again["action"] if again["action"] != "started" else "updated"],
        prober.outage,
    )


@pytest.mark.parametrize("step", ["created", "stopped", "started", "retired"])
def test_dockerd_killed_and_back_while_the_deployer_waits(line, step, monkeypatch, engine_up, noted):
    good = line.good()
    wanted = line.next()

    def strike():
        kill_now("h4")
        helper.start()

    helper = threading.Thread(target=lab, args=("start", "h4"))
    with line.prober() as prober:
        result = struck_at(monkeypatch, step, strike, lambda: line.deploy(wanted))
        helper.join()
        if result.get("action") == "reverted":
            eventually(lambda: line.app.answer() == f"v{good}.")
        line.finishes(wanted)
    noted(
        SECTION,
        "dockerd is killed by `SIGKILL` in a swap, and is back while the deployer still waits for it",
        {"reverted": "the same run went back to the old release", "none": "nothing was touched"}.get(
            result.get("action"), "the next run finished it"
        ),
        prober.outage,
    )


def struck_at(monkeypatch, step, strike, work):
    """The result of `work()`, in which `strike()` is done when the step is reached, once."""
    left = [1]

    def reached(name):
        if name == step and left.pop() if left else False:
            strike()

    with monkeypatch.context() as patched:
        patched.setattr(steps, "step", reached)
        result = work()
    assert not left, f"step {step} was not reached"
    return result


def test_dockerd_killed_in_the_gate(line, monkeypatch, engine_up, noted):
    monkeypatch.setattr(swap, "REVERT_PATIENCE", 0.2)
    line.good()
    wanted = line.next()
    timer = threading.Timer(0.4, kill_now, ["h4"])
    with line.prober() as prober:
        result = struck_at(
            monkeypatch,
            "started",
            timer.start,
            lambda: line.deploy(wanted, gate={"successes": 100, "interval": "50ms", "deadline": "20s"}),
        )
        timer.join()
        lab("start", "h4")
        line.finishes(wanted)
    assert (result["action"], result["reachable"]) == ("interrupted", False)
    noted(SECTION, "dockerd is killed in the middle of the gate", "the next run finished it", prober.outage)


@pytest.mark.parametrize("write", WRITES)
def test_dockerd_killed_in_a_request(line, write, monkeypatch, engine_up, noted):
    """The request went out, and its answer never came: nobody knows whether it was carried out."""
    monkeypatch.setattr(swap, "REVERT_PATIENCE", 0.2)
    good = line.good()
    wanted = line.next()
    with Relay(line.app.host.split("//")[1], 0, "127.0.0.1", request=WRITES[write]) as relay, line.prober() as prober:
        relay.then = lambda: kill_now("h4")
        gate = {"address": line.app.address}
        result = line.deploy(wanted, docker_host=f"tcp://{relay.address}", gate=gate)
        assert relay.fired.is_set()
        assert result["failed"]
        lab("start", "h4")
        stories = []
        for _run in range(3):
            again = line.deploy(wanted)
            if not again.get("failed"):
                break
            # An engine that was killed at the wrong instant keeps the port, or a container's process, for itself.
            assert "Restart its dockerd" in again["msg"] or "already exists" in again["msg"], again
            stories.append(again["msg"])
            lab("stop", "h4")
            lab("start", "h4")
        line.settled(wanted)
    assert version_kept(line) == good
    noted(
        SECTION,
        "dockerd is killed while it creates, updates, stops, starts or renames a container (what it did is anybody's guess)",
        "the next run said that dockerd holds the port or the container's process; after its restart a run finished it"
        if stories
        else "the next run finished it",
        prober.outage,
    )


@pytest.mark.parametrize("lose", ["request", "answer"])
@pytest.mark.parametrize("write", WRITES)
def test_a_request_or_its_answer_lost_on_the_way(line, write, lose, noted):
    """The engine is well; the connection broke."""
    good = line.good()
    wanted = line.next()
    target = line.app.host.split("//")[1]
    with Relay(target, 0, "127.0.0.1", request=WRITES[write], lose=lose, heard=True) as relay, line.prober() as prober:
        gate = {"address": line.app.address}
        result = line.deploy(wanted, docker_host=f"tcp://{relay.address}", gate=gate)
        assert relay.fired.is_set()
        if result.get("action") in ("reverted", "none"):
            assert line.app.answer() == f"v{good}."
        line.finishes(wanted)
    assert result["failed"]
    noted(
        SECTION,
        "A request to the engine, or its answer, is lost on the way",
        {"reverted": "the same run went back", "none": "nothing was touched"}.get(
            result["action"], "the next run finished it"
        ),
        prober.outage,
    )
