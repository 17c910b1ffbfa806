# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dying at every single write, once and twice: something can always serve, and the next run puts it right."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine, Killed, options, task

MOST_WRITES = 11  # that one of the tasks makes, from a clean beginning
SETTLED = ("webapi", "webapi.previous")


def run_until(engine, monkeypatch, write, done, **wanted):
    """Run the task, dying at its `write`th write. True if it died, False if it came to its end before."""
    engine.writes.clear()
    engine.die_at, engine.done = write, done
    try:
        task(engine, monkeypatch, **wanted)
    except Killed:
        return True
    finally:
        engine.die_at = 0
        engine.writes.clear()
    return False


def prepared(monkeypatch, *versions):
    engine = FakeEngine()
    for version in versions:
        assert "msg" not in task(engine, monkeypatch, **options(version))
    return engine


def assert_servable(engine, good):
    """One of the proven versions runs, or is there to be started."""
    versions = {version for version, _status in engine.named().values()}
    assert versions & set(good), engine.named()


def assert_settled(engine, version):
    """`version` serves under the plain name, armed; beside it at most one kept container, stopped and disarmed."""
    named = engine.named()
    assert named["webapi"] == (version, "running")
    assert set(named) <= set(SETTLED)
    assert engine.policies()["webapi"] == "unless-stopped"
    assert named.get("webapi.previous", ("", "exited"))[1] == "exited"
    assert engine.policies().get("webapi.previous", "no") == "no"


DEATHS = [(write, done) for write in range(1, MOST_WRITES + 1) for done in (False, True)]
LATER = [(write, done) for write in range(1, 15) for done in (False, True)]


def test_every_write_is_died_at(monkeypatch):
    for wanted in (options("2"), options("bad"), {"state": "rolled_back", "gate": {"soak": "0s"}}):
        engine = prepared(monkeypatch, "0", "1")
        assert not run_until(engine, monkeypatch, MOST_WRITES, True, **wanted)
        assert run_until(prepared(monkeypatch, "0", "1"), monkeypatch, 6, True, **wanted)


@pytest.mark.parametrize("then", ["2", "1", "3"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_replacing(monkeypatch, write, done, then):
    engine = prepared(monkeypatch, "0", "1")
    run_until(engine, monkeypatch, write, done, **options("2"))
    assert_servable(engine, ["1", "2"])
    committed = engine.named().get("webapi", ("", ""))[0] == "2"

    result = task(engine, monkeypatch, **options(then))

    assert "msg" not in result, result["msg"]
    assert_settled(engine, then)
    if then == "1" and not committed:
        assert engine.named()["webapi.previous"] == ("0", "exited")  # as if nothing had been tried
    assert task(engine, monkeypatch, **options(then))["action"] == "none"


@pytest.mark.parametrize("then", ["2", "1"])
@pytest.mark.parametrize(("write", "done"), DEATHS[:20])
def test_dying_twice(monkeypatch, write, done, then):
    """The run that puts an interrupted swap right is interrupted itself."""
    for second in LATER:
        engine = prepared(monkeypatch, "0", "1")
        run_until(engine, monkeypatch, write, done, **options("2"))
        committed = engine.named().get("webapi", ("", ""))[0] == "2"
        run_until(engine, monkeypatch, *second, **options(then))
        assert_servable(engine, ["1", "2"])
        result = task(engine, monkeypatch, **options(then))
        assert "msg" not in result, result["msg"]
        assert_settled(engine, then)
        assert engine.named()["webapi.previous"][0] == ("1" if then == "2" else "2" if committed else "0")


@pytest.mark.parametrize("then", ["bad", "1"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_going_back(monkeypatch, write, done, then):
    engine = prepared(monkeypatch, "0", "1")
    run_until(engine, monkeypatch, write, done, **options("bad"))
    assert_servable(engine, ["1"])

    result = task(engine, monkeypatch, **options(then))

    assert ("msg" in result) == (then == "bad")
    assert_settled(engine, "1")
    assert engine.named()["webapi.previous"] == ("0", "exited")  # no rollback stock is lost


@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_the_first_container(monkeypatch, write, done):
    engine = FakeEngine()
    run_until(engine, monkeypatch, write, done, **options("1"))
    assert "msg" not in task(engine, monkeypatch, **options("1"))
    assert_settled(engine, "1")


@pytest.mark.parametrize("then", ["rollback", "1", "0", "2"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_rolling_back(monkeypatch, write, done, then):
    back = {"state": "rolled_back", "gate": {"soak": "0s"}}
    engine = prepared(monkeypatch, "0", "1")
    run_until(engine, monkeypatch, write, done, **back)
    assert {version for version, _status in engine.named().values()} == {"0", "1"}

    result = task(engine, monkeypatch, **(back if then == "rollback" else options(then)))

    assert "msg" not in result, result["msg"]
    assert_settled(engine, "0" if then == "rollback" else then)
    assert task(engine, monkeypatch, **back)["action"] in ("none", "rolled_back")


@pytest.mark.parametrize("then", ["2", "1"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_side_by_side(monkeypatch, write, done, then):
    beside = {"strategy": "start_first", "ports": ["8080"]}
    engine = FakeEngine()
    task(engine, monkeypatch, **options("1", **beside))
    run_until(engine, monkeypatch, write, done, **options("2", **beside))
    running = [version for version, status in engine.named().values() if status == "running"]
    assert running  # never an outage

    assert "msg" not in task(engine, monkeypatch, **options(then, **beside))
    assert_settled(engine, then)


@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_keeping_none(monkeypatch, write, done):
    engine = prepared(monkeypatch, "1")
    run_until(engine, monkeypatch, write, done, **options("2", keep_previous=False))
    assert "msg" not in task(engine, monkeypatch, **options("2", keep_previous=False))
    assert_settled(engine, "2")
    assert set(engine.named()) == {"webapi"}


@pytest.mark.parametrize("then", ["2", "1"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_adopting(monkeypatch, write, done, then):
    """A foreign container has no label to be found by; it must not be lost all the same."""
    engine = prepared(monkeypatch, "1")
    foreign = next(iter(engine.attrs.values()))
    foreign["Config"]["Labels"] = {}
    foreign["HostConfig"]["RestartPolicy"] = {"Name": "always", "MaximumRetryCount": 0}
    run_until(engine, monkeypatch, write, done, **options("2", adopt=True))
    assert foreign["Id"] in engine.attrs

    assert "msg" not in task(engine, monkeypatch, **options(then, adopt=True))
    assert_settled(engine, then)


@pytest.mark.parametrize("state", ["stopped", "restarted", "absent", "rolled_back"])
@pytest.mark.parametrize(("write", "done"), DEATHS)
def test_other_states_on_what_is_left(monkeypatch, write, done, state):
    engine = prepared(monkeypatch, "0", "1")
    run_until(engine, monkeypatch, write, done, **options("2"))

    result = task(engine, monkeypatch, state=state, gate={"soak": "0s"})

    named = engine.named()
    assert "msg" not in result, result["msg"]
    assert set(named) <= {*SETTLED, "webapi.older"}
    if "webapi.older" in named:  # died at the very end of its swap: the next one that is wanted takes it away
        assert (named["webapi"][0], named["webapi.previous"][0], named["webapi.older"]) == ("2", "1", ("0", "exited"))
        assert task(engine, monkeypatch, **options("2"))["changed"]
        assert_settled(engine, "2")
        return
    assert ("webapi" in named) == (state != "absent")
    if state != "absent":
        assert named["webapi"][1] == ("exited" if state == "stopped" else "running")


# With an image and its release as the run that finds it has them; `anew` when it may have read other settings.
LEFT_RUNNING = [
    ({"config_revision": "r2", "release": 5}, {}, False),
    ({"config_revision": "r2", "release": 5}, {"config_changed": True}, True),
    ({"config_revision": "r2", "release": 6}, {}, True),
    ({"release": 6}, {"config_changed": True}, False),
]


@pytest.mark.parametrize(("made_for", "more", "anew"), LEFT_RUNNING)
def test_what_was_left_running_may_have_read_other_settings(monkeypatch, made_for, more, anew):
    engine = prepared(monkeypatch, "0", "1")
    assert run_until(engine, monkeypatch, 4, True, **options("2", **{**made_for, "release": 5}))
    assert engine.named()["webapi.next"] == ("2", "running")
    wanted = options("2", **made_for, **more)

    foretold = task(engine, monkeypatch, check_mode=True, **wanted)
    result = task(engine, monkeypatch, **wanted)

    assert (foretold["action"], result["action"]) == ("replaced", "replaced")
    assert any("is started anew" in warning for warning in foretold["warned"]) == anew
    assert engine.writes[:2] == (["stop", "start"] if anew else ["start", "rename"])
    assert_settled(engine, "2")


def test_what_was_left_stopped_reads_them_when_it_starts(monkeypatch):
    engine = prepared(monkeypatch, "0", "1")
    assert run_until(engine, monkeypatch, 3, True, **options("2", config_revision="r2"))
    result = task(engine, monkeypatch, **options("2", config_revision="r2", config_changed=True))
    assert not any("is started anew" in warning for warning in result["warned"])
    assert_settled(engine, "2")
