# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A swap that is held with both containers running, so that traffic can be moved; then confirmed, taken back, or died at."""

from __future__ import annotations

import contextlib

import pytest
from fake_engine import FakeEngine, Killed, current, deployed, no_writes, options, task

BESIDE = {"strategy": "start_first", "ports": ["8080"]}
HOLD = {**BESIDE, "hold": True}
CONFIRM = {"state": "confirmed", "gate": {"soak": "0s"}}
BACK = {"state": "rolled_back", "gate": {"soak": "0s"}}
DEATHS = [(write, done) for write in range(1, 8) for done in (False, True)]


def running(engine):
    return {name: version for name, (version, status) in engine.named().items() if status == "running"}


def test_held_then_confirmed(engine, run):
    deployed(run, "1", **BESIDE)
    held = deployed(run, "2", **HOLD)
    assert (held["action"], held["changed"], held["container"]["name"]) == ("held", True, "webapi.next")
    assert held["container"]["ports"][0]["host_port"]
    assert held["previous"]["id"] == current(engine)["Id"]
    assert running(engine) == {"webapi": "1", "webapi.next": "2"}
    assert held["timings"]["outage"] == 0

    foretold = no_writes(engine, run, check_mode=True, **CONFIRM)
    confirmed = run(**CONFIRM)
    assert (foretold["action"], foretold["diff"]) == (confirmed["action"], confirmed["diff"])
    assert (confirmed["action"], confirmed["container"]["name"]) == ("confirmed", "webapi")
    assert foretold["container"]["id"] == confirmed["container"]["id"] == held["container"]["id"]
    assert engine.named() == {"webapi": ("2", "running"), "webapi.previous": ("1", "exited")}
    assert engine.policies() == {"webapi": "unless-stopped", "webapi.previous": "no"}
    assert no_writes(engine, run, **CONFIRM)["action"] == "none"
    assert no_writes(engine, run, **options("2", **HOLD))["action"] == "none"


def test_check_mode_foretells_a_held_swap(engine, run):
    deployed(run, "1", **BESIDE)
    foretold = no_writes(engine, run, check_mode=True, **options("2", **HOLD))
    held = deployed(run, "2", **HOLD)
    same = ("action", "changed", "diff", "previous")
    assert [foretold[key] for key in same] == [held[key] for key in same]
    assert foretold["container"]["name"] == held["container"]["name"]


def test_held_again_changes_nothing(engine, run):
    deployed(run, "1", **BESIDE)
    held = deployed(run, "2", **HOLD)
    foretold = no_writes(engine, run, check_mode=True, **options("2", **HOLD))
    engine.writes.clear()
    again = deployed(run, "2", **HOLD)
    assert set(engine.writes) <= {"start"}  # of a container that runs: the engine does nothing
    assert (again["action"], again["changed"], again["container"]["id"]) == ("held", False, held["container"]["id"])
    assert (foretold["action"], foretold["changed"]) == ("held", False)
    assert foretold["container"]["id"] == held["container"]["id"]


def test_taken_back_the_old_one_was_never_stopped(engine, run):
    deployed(run, "1", **BESIDE)
    started = current(engine)["State"]["StartedAt"]
    deployed(run, "2", **HOLD)
    assert run(**BACK)["action"] == "rolled_back"
    assert engine.named() == {"webapi": ("1", "running")}
    assert current(engine)["State"]["StartedAt"] == started
    assert engine.policies() == {"webapi": "unless-stopped"}


def test_without_hold_the_next_run_finishes(engine, run):
    deployed(run, "1", **BESIDE)
    deployed(run, "2", **HOLD)
    assert deployed(run, "2", **BESIDE)["action"] == "replaced"
    assert engine.named() == {"webapi": ("2", "running"), "webapi.previous": ("1", "exited")}


def test_another_release_takes_the_held_one_back(engine, run):
    deployed(run, "1", **BESIDE)
    deployed(run, "2", **HOLD)
    assert deployed(run, "3", **HOLD)["action"] == "held"
    assert running(engine) == {"webapi": "1", "webapi.next": "3"}


@pytest.mark.parametrize("before", [None, "stopped"])
def test_nothing_to_move_traffic_from(engine, run, before):
    if before:
        deployed(run, "1", **BESIDE)
        run(state=before)
    result = deployed(run, "2", **HOLD)
    assert result["action"] == ("replaced" if before else "created")
    assert running(engine) == {"webapi": "2"}


def test_a_rollback_is_held_too(engine, run):
    deployed(run, "1", **BESIDE)
    deployed(run, "2", **BESIDE)
    back = {**BACK, "strategy": "start_first", "hold": True}
    foretold = no_writes(engine, run, check_mode=True, **back)
    held = run(**back)
    assert (foretold["action"], foretold["changed"], foretold["diff"]) == ("held", True, held["diff"])
    assert foretold["container"]["name"] == held["container"]["name"] == "webapi.restoring"
    assert running(engine) == {"webapi": "2", "webapi.restoring": "1"}
    assert (run(**back)["action"], run(**back)["changed"]) == ("held", False)
    assert run(**CONFIRM)["action"] == "confirmed"
    assert engine.named() == {"webapi": ("1", "running"), "webapi.previous": ("2", "exited")}
    assert engine.policies() == {"webapi": "unless-stopped", "webapi.previous": "no"}
    assert no_writes(engine, run, **back)["action"] == "none"


def test_a_bad_release_is_not_held(engine, run):
    deployed(run, "1", **BESIDE)
    result = run(**options("bad", **HOLD))
    assert result["action"] == "reverted"
    assert engine.named() == {"webapi": ("1", "running")}


def test_a_held_one_that_died_is_not_confirmed(engine, run):
    deployed(run, "1", **BESIDE)
    held = deployed(run, "2", **HOLD)
    engine.stop(held["container"]["id"], 1)
    result = no_writes(engine, run, **CONFIRM)
    assert result["failed"]
    assert "cannot be confirmed" in result["msg"]
    assert running(engine) == {"webapi": "1"}


def test_a_held_one_that_fails_its_gate_now_is_not_confirmed(engine, run):
    deployed(run, "1", **BESIDE)
    deployed(run, "2", **HOLD)
    result = no_writes(engine, run, state="confirmed", gate={"docker": True, "deadline": "10ms", "interval": "1ms"})
    assert result["failed"]
    assert (result["action"], result["changed"]) == ("none", False)
    assert "rolled_back" in result["msg"]
    assert running(engine) == {"webapi": "1", "webapi.next": "2"}


def test_a_newer_release_is_not_confirmed_by_an_older_deployer(engine, run):
    deployed(run, "1", **BESIDE)
    deployed(run, "2", release=8, **HOLD)
    result = no_writes(engine, run, release=7, **CONFIRM)
    assert "is of release 8" in result["msg"]


def test_hold_needs_both_side_by_side(run):
    result = run(**options("1", hold=True))
    assert result["failed"]
    assert "start_first" in result["msg"]


@pytest.mark.parametrize("then", ["confirm", "2", "1"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_killed_while_it_is_confirmed(monkeypatch, write, done, then):
    engine = FakeEngine()
    for version, more in (("0", BESIDE), ("1", BESIDE), ("2", HOLD)):
        assert "msg" not in task(engine, monkeypatch, **options(version, **more))
    engine.writes.clear()
    engine.die_at, engine.done = write, done
    with contextlib.suppress(Killed):
        task(engine, monkeypatch, **CONFIRM)
    engine.die_at = 0
    assert running(engine)  # never an outage

    result = task(engine, monkeypatch, **(CONFIRM if then == "confirm" else options(then, **BESIDE)))

    assert "msg" not in result, result["msg"]
    named, version = engine.named(), "2" if then == "confirm" else then
    assert named["webapi"] == (version, "running")
    assert engine.policies()["webapi"] == "unless-stopped"
    if "webapi.older" in named:
        assert task(engine, monkeypatch, **options("2", **BESIDE))["action"] == "cleaned"
    assert set(engine.named()) <= {"webapi", "webapi.previous"}
