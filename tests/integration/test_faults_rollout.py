# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole roll-outs broken in the middle: config centre, network, controller, clock, another deploy.

Each ends with all hosts on one release, or with the ones that could not be reached named, and `stands` asks everybody whether
they agree: engines, settings, exit code, recap, ledger.
"""

from __future__ import annotations

import multiprocessing
import time

import docker
import pytest
import requests
from fault_site import LAB_SHELL
from faults_helper import Prober, eventually, lab
from ledger_operation import ledger_task
from site_helper import HOSTS

pytestmark = [pytest.mark.lab, pytest.mark.confd]

SECTION = "A whole roll-out over three hosts"
TOGETHER = 20  # times that deploys are started at once


@pytest.fixture
def site(fault_site):
    if fault_site.environments["prod"] != ["h1", "h2", "h4"]:
        fault_site.write_environment("prod", ["h1", "h2", "h4"])
        fault_site.deploy(fault_site.current(), ok=True)
    fault_site.greet(f"greeting {time.monotonic_ns()}")
    return fault_site


@pytest.fixture
def center(site):
    """The config centre, which runs afterwards."""
    yield site.center
    if not site.center.up():
        site.center.start()


@pytest.fixture
def cable():
    yield
    lab("restore", "h4")
    eventually(lambda: requests.get(f"http://{HOSTS['h4']}:2375/_ping", timeout=2).ok)


def watching(site, host="h1"):
    return Prober(HOSTS[host], site.port, "/app/healthy")


# --- config centre ------------------------------------------------------------------------------------------------------


def test_the_config_center_gone_before_the_deploy(site, center, noted):
    before, current = (site.ids("prod"), site.releases()), site.current()
    center.kill()
    with watching(site) as prober:
        run = site.deploy(site.other(), ok=False)
    assert (site.ids("prod"), site.releases()) == before
    assert "Connection refused" in run.flat
    center.start()
    assert site.stands(run) == current
    assert prober.failed == 0
    noted(SECTION, "The config centre is gone before the deploy", "nothing was done", prober.outage)


def test_the_config_center_gone_just_before_the_settings_are_applied(site, center, noted):
    before, current = site.ids("prod"), site.current()
    with watching(site) as prober:
        run = site.deploy(site.other(), ok=False, acts=[{"task": "Apply the settings", "run": center.kill_shell}])
    center.start()
    assert (site.stands(run), site.ids("prod")) == (current, before)
    assert prober.failed == 0
    noted(
        SECTION, "The config centre is gone when the settings are to be applied", "no host was switched", prober.outage
    )


def test_the_config_center_gone_for_good_after_the_settings_were_applied(site, center, noted):
    """The app cannot start without it, the old release as little as the new one: only its return helps."""
    current = site.current()
    acts = [{"method": "start", "host": HOSTS["h1"], "when": "before", "run": center.kill_shell}]
    with watching(site) as prober:
        run = site.deploy(site.other(), ok=False, acts=acts)
        assert "Settings were not restored" in run.flat
        assert site.current() == current
        center.start()
        wanted = site.other()
        repaired = site.deploy(wanted, lock_wait="30s")
    assert site.stands(repaired) == wanted
    noted(
        SECTION,
        "The config centre is gone after the settings were applied, and stays away",
        "said so, the other hosts were not switched; the next deploy repaired it",
        prober.outage,
    )


# --- network --------------------------------------------------------------------------------------------------------------


def test_the_network_of_a_host_cut_in_its_batch_and_back_for_the_way_back(site, cable, noted):
    before, current = site.ids("prod"), site.current()
    acts = [
        {"method": "start", "host": HOSTS["h4"], "when": "before", "run": f"{LAB_SHELL} cut h4", "patience": 2.0},
        {"task": "Restore the settings", "run": f"{LAB_SHELL} restore h4"},
    ]
    with watching(site, "h4") as prober:
        run = site.deploy(site.other(), ok=False, acts=acts)
        assert site.stands(run) == current
    assert site.ids("prod") == before, "the old containers themselves are back"
    noted(
        SECTION,
        "The network of one host is cut in the middle of its swap, and back when the others go back",
        "every host went back to the release before",
        prober.outage,
    )


def test_a_start_that_a_silent_host_carries_out_late(site, cable, noted):
    """The last host starts its new container when all the others have gone back, with their settings: it reads the old ones."""
    wanted, current, greeting = site.other(), site.current(), site.greets()
    acts = [{"method": "start", "host": HOSTS["h4"], "when": "before", "run": f"{LAB_SHELL} cut h4", "patience": 2.0}]
    with watching(site, "h4") as prober:
        run = site.deploy(wanted, ok=False, acts=acts)
        assert site.stands(run, away=("h4",)) == current
        lab("restore", "h4")
        late = docker.APIClient(base_url=f"tcp://{HOSTS['h4']}:2375", version="1.41", timeout=20)
        eventually(late.ping)  # the way to a host that was away is found a moment after its cable is back
        late.start(f"{site.name}.next")
        late.close()
        eventually(lambda: site.get(HOSTS["h4"], "settings"))
        assert site.get(HOSTS["h4"], "settings").split("/")[0] == greeting, "the new release with the old settings"
        again = site.deploy(wanted, lock_wait="30s")
    assert "is started anew" in again.flat
    assert site.stands(again) == wanted
    noted(
        SECTION,
        "The network of one host is cut in its swap and stays away; it starts the new container late, with the old settings",
        "the host was named, the others went back; the next deploy started it anew, with the new settings",
        prober.outage,
    )


# --- controllers ----------------------------------------------------------------------------------------------------------


def test_the_play_killed_in_the_middle_of_a_switch(site, noted):
    wanted = site.other()
    act, mark = site.reached("kill")
    acts = [{**act, "method": "start", "host": HOSTS["h2"], "when": "after"}]
    first = site.begin("deploy", env="prod", app=site.name, version=wanted, acts=acts)
    with watching(site, "h2") as prober:
        eventually(mark.exists, 60)
        first.kill()
        second = site.deploy(wanted, lock_wait="30s")
    mark.unlink()
    assert "Took over the expired lock of" in second.flat
    assert site.stands(second) == wanted
    noted(
        SECTION,
        "The play and its workers are killed by `SIGKILL` in the middle of a switch",
        "the next deploy waited for the lease to run out, and finished",
        prober.outage,
    )


def at_once(place, start, ledger, answers):
    """One deployer of its own: takes the lock, opens a release, closes it."""
    who = {"ledger": ledger, "app": "webapi", "environment_name": "prod"}
    start.wait()
    locked = ledger_task(state="locked", lock_owner=f"run-{place}", owner=f"o{place}", **who)
    if not locked.get("failed"):
        image = {
            "version": "1.0.0",
            "image": "r/webapi:1.0.0",
            "digest": "sha256:" + "1" * 64,
            "run_spec": {"n": place},
        }
        opened = ledger_task(state="opened", lock_owner=f"run-{place}", **image, **who)
        answers.put((place, locked["fence"], opened["release"]["number"]))
        start.wait()  # hold it until all have asked
        ledger_task(state="closed", release=opened["release"]["number"], outcome="healthy", **who)
        ledger_task(state="unlocked", lock_owner=f"run-{place}", **who)
    else:
        answers.put((place, None, locked["msg"]))
        start.wait()


def test_two_deploys_started_in_the_same_second(tmp_path, noted):
    """Twenty times, two processes and a barrier: one has the lock, the other is told whose it is."""
    context = multiprocessing.get_context("fork")
    ledger = str(tmp_path / "ledger.db")
    fences = []
    for _turn in range(TOGETHER):
        start, answers = context.Barrier(2), context.SimpleQueue()
        runs = [context.Process(target=at_once, args=(place, start, ledger, answers)) for place in (1, 2)]
        for run in runs:
            run.start()
        told = [answers.get(), answers.get()]
        for run in runs:
            run.join(30)
        ((winner, fence, _number),) = [answer for answer in told if answer[1] is not None]
        ((_loser, _none, message),) = [answer for answer in told if answer[1] is None]
        assert f"is locked by o{winner} on " in message
        fences.append(fence)
    assert fences == list(range(1, TOGETHER + 1))
    noted(
        SECTION,
        "Two deploys are started at the same instant",
        "one runs, the other is refused and told by whom",
        None,
        TOGETHER,
    )


def test_two_plays_started_in_the_same_second(site, noted):
    """Whole plays for two versions: the second waits, and is the one that runs afterwards."""
    with watching(site) as prober:
        plays = [
            site.begin("deploy", env="prod", app=site.name, version=version, lock_wait="60s", lock_lease="30s")
            for version in ("1.0.0", "1.1.0")
        ]
        runs = [play.end() for play in plays]
    last = max(site.releases())[1]
    assert [run.code for run in runs].count(0) >= 1
    assert site.stands(next(run for run, version in zip(runs, ("1.0.0", "1.1.0")) if version == last)) == last
    noted(
        SECTION,
        "Two whole deploys of two versions are started in the same second, both ready to wait",
        "one after the other; all hosts run the later one",
        prober.outage,
    )


def test_a_clock_one_hour_off_on_a_controller(site, noted):
    """To it the lock of a deploy that is at work has run out: it takes it over, and the other one does no more."""
    wanted = site.other()
    act, mark = site.reached("clock")
    acts = [{**act, "method": "create", "host": HOSTS["h2"], "when": "before"}]
    with watching(site) as prober:
        first = site.begin("deploy", env="prod", app=site.name, version=wanted, lock_lease="60s", acts=acts)
        eventually(mark.exists, 60)
        site.greet("what the second one brings")
        second = site.deploy(wanted, prefix=["faketime", "-f", "+1h"])
        mark.unlink()
        late = first.end(ok=False)
        assert site.stands(second) == wanted
        behind = site.deploy(site.other(), prefix=["faketime", "-f", "-1h"])
    assert "Took over the expired lock of" in second.flat
    assert "a newer release is never replaced by an older one" in late.flat
    assert "Stopped before the next step, and nothing more was taken back" in late.flat
    assert site.stands(behind) == site.current() != wanted, "releases go by their numbers, not by their times"
    noted(
        SECTION,
        "A controller's clock is one hour off, forward while another one deploys, then back",
        "it took the lock over, and the other one stopped; all hosts ran the later release each time",
        prober.outage,
    )
