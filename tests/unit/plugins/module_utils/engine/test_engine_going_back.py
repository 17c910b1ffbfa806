# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back: from one release and no further, never at the cost of what serves, and known where it cannot be reached."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError, UnreachableError
from ansible_collections.slipway.delivery.plugins.module_utils.engine import swap
from fake_engine import Killed, current, deployed, no_writes, options

BACK = {"state": "rolled_back", "gate": {"soak": "0s"}}
BESIDE = {"strategy": "start_first", "ports": ["8080"]}


def failing(engine, method, error, only=lambda *_arguments: True):
    """Let one of the engine's methods raise from now on, for the arguments that `only` picks."""
    original = getattr(engine, method)

    def broken(*arguments, **options):
        if only(*arguments):
            raise error
        return original(*arguments, **options)

    setattr(engine, method, broken)
    return lambda: setattr(engine, method, original)


# --- from one release, and no further -----------------------------------------------------------------------------------


def test_from_the_release_that_is_named(engine, run):
    deployed(run, "1", release=41)
    deployed(run, "2", release=42)
    assert run(**BACK, release=42)["action"] == "rolled_back"
    assert engine.named() == {"webapi": ("1", "running"), "webapi.previous": ("2", "exited")}
    newer = run(**BACK, release=41)
    assert "is of release 42" in newer["msg"]  # the kept container is newer than this deployer


def test_not_where_that_release_never_came(engine, run):
    deployed(run, "0", release=40)
    deployed(run, "1", release=41)
    for check_mode in (True, False):
        result = no_writes(engine, run, check_mode=check_mode, **BACK, release=42)
        assert (result["action"], result["changed"]) == ("none", False)
        assert (result["container"]["release"], result["previous"]["release"]) == (41, 40)


def test_not_where_there_is_nothing(engine, run):
    result = no_writes(engine, run, **BACK, release=1)
    assert (result["action"], result["container"]) == ("none", None)


@pytest.mark.parametrize("write", range(1, 9))
def test_wherever_the_swap_was_cut_off(engine, run, write):
    """The host goes back to release 41, whether its swap to 42 had begun, was half done, or was finished."""
    deployed(run, "0", release=40)
    deployed(run, "1", release=41)
    engine.writes.clear()
    engine.die_at = write
    with pytest.raises(Killed):
        run(**options("2", release=42))
    engine.die_at = 0

    result = run(**BACK, release=42)

    assert "msg" not in result, result["msg"]
    assert (current(engine)["Config"]["Labels"]["slipway.release"], engine.named()["webapi"][1]) == ("41", "running")
    assert no_writes(engine, run, **BACK, release=42)["action"] == "none"


def test_a_first_release_that_was_cut_off_is_taken_away(engine, run):
    engine.die_at = 2
    with pytest.raises(Killed):
        run(**options("1", release=1))
    engine.die_at = 0
    assert run(**BACK, release=1)["action"] == "recovered"
    assert engine.named() == {}


# --- never at the cost of what serves ------------------------------------------------------------------------------------


def test_an_old_one_that_does_not_stop_costs_the_new_one_nothing(engine, run):
    """With start_first the new one has all the traffic by then."""
    deployed(run, "1", **BESIDE)
    heal = failing(engine, "stop", SlipwayError("stop container: it does not stop (HTTP 500)."))
    result = run(**options("2", **BESIDE))
    assert result["action"] == "interrupted"
    assert engine.named() == {"webapi": ("1", "running"), "webapi.next": ("2", "running")}
    heal()
    engine.writes.clear()
    assert deployed(run, "2", **BESIDE)["action"] == "replaced"
    assert engine.named() == {"webapi": ("2", "running"), "webapi.previous": ("1", "exited")}
    assert engine.writes.count("stop") == 1  # the old one alone


def test_what_has_the_traffic_serves_until_the_other_one_runs(engine, run):
    """Interrupted after the old one was stopped; then a third release is wanted, or the old one again."""
    deployed(run, "1", **BESIDE)
    engine.writes.clear()
    engine.die_at = 4  # create, start, disarm, stop
    with pytest.raises(Killed):
        run(**options("2", **BESIDE))
    engine.die_at = 0
    assert engine.named() == {"webapi": ("1", "exited"), "webapi.next": ("2", "running")}
    serving = []
    write = engine._write

    def watched(name, change):
        result = write(name, change)
        serving.append([version for version, status in engine.named().values() if status == "running"])
        return result

    engine._write = watched
    assert deployed(run, "3", **BESIDE)["action"] == "replaced"
    assert all(serving), serving
    assert engine.named()["webapi"] == ("3", "running")


# --- known where it cannot be reached ------------------------------------------------------------------------------------


def test_an_engine_that_is_away_is_told_from_one_that_is_ill(engine, run, monkeypatch):
    monkeypatch.setattr(swap, "REVERT_PATIENCE", 0.0)
    deployed(run, "1")
    heal = failing(engine, "start", UnreachableError("start container: no route to host."))
    away = run(**options("2"))
    assert (away["action"], away["reachable"]) == ("interrupted", False)
    heal()
    assert deployed(run, "1")["action"] == "recovered"
    heal = failing(engine, "start", SlipwayError("start container: port is already allocated (HTTP 500)."))
    ill = run(**options("2"))
    assert ill["action"] == "interrupted"
    assert "reachable" not in ill
    heal()
    assert deployed(run, "2")["action"] == "replaced"


def test_an_engine_that_is_away_from_the_start(engine, run):
    failing(engine, "containers", UnreachableError("list containers: refused."))
    assert run(**options("1"))["reachable"] is False


def test_an_engine_that_goes_away_between_the_names(engine, run):
    deployed(run, "1")
    heal = failing(engine, "rename", UnreachableError("rename: refused."))
    result = run(**options("2"))
    assert (result["action"], result["reachable"]) == ("interrupted", False)
    heal()
    assert deployed(run, "2")["action"] == "replaced"


TAKEN = "start container: driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated (HTTP 500)."


@pytest.mark.parametrize("said", [TAKEN, "start: listen tcp4 0.0.0.0:8080: bind: address already in use (HTTP 500)."])
def test_a_port_that_no_container_has_is_the_engines_own(engine, run, said):
    deployed(run, "1")
    heal = failing(engine, "start", SlipwayError(said))
    assert "Restart its dockerd" in run(**options("2"))["msg"]
    heal()
    deployed(run, "2")


def test_a_port_that_another_container_has_is_no_reason_to_restart_anything(engine, run):
    deployed(run, "1")

    def taken(*_arguments):
        other = {"Config": {"Labels": {}, "Image": "x"}, "Name": "/other", "Image": "x", "Id": "f" * 64}
        state = {"Running": True, "Status": "running"}
        ports = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
        engine.attrs["f" * 64] = {**other, "State": state, "NetworkSettings": {"Ports": ports}, "HostConfig": {}}
        return True

    failing(engine, "start", SlipwayError(TAKEN), only=taken)
    assert "dockerd" not in run(**options("2"))["msg"]


def test_gone_back_to_one_that_does_not_stay_up(engine, run):
    """What served before needs something that is gone by now: that it was started is not that it serves."""
    deployed(run, "1")
    assert run(**options("bad"), failure_action="stop")["action"] == "stopped"
    current(engine)["Config"]["Env"][0] = "V=bad now"
    result = run(**BACK)
    assert result["action"] == "rolled_back"
    assert "the container is exited, exit code 3. It is left as it is; look at it now." in result["msg"]
    assert list(engine.named()) == ["webapi"]
