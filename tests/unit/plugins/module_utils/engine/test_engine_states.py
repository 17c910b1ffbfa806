# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container's decisions, against an engine in memory: actions, guards, diffs, what is asked of the engine."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from fake_engine import DIGEST, IMAGE_ID, FakeEngine, options, task

OTHER = "sha256:" + "e" * 64


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def run(engine, monkeypatch):
    def go(check_mode=False, **wanted):
        return task(engine, monkeypatch, check_mode, **wanted)

    return go


def deployed(run, version="1", **more):
    result = run(**options(version, **more))
    assert "msg" not in result, result["msg"]
    return result


def current(engine):
    return next(attrs for attrs in engine.attrs.values() if attrs["Name"] == "/webapi")


def no_writes(engine, run, **wanted):
    engine.writes.clear()
    result = run(**wanted)
    assert engine.writes == []
    return result


# --- nothing to do ----------------------------------------------------------------------------------------------------


def test_nothing_to_do_asks_three_things(engine, run):
    deployed(run)
    engine.reads.clear()
    result = no_writes(engine, run, **options("1"))
    assert (result["action"], result["changed"], result["diff"]) == ("none", False, {"before": {}, "after": {}})
    assert engine.reads == ["list", "inspect", "image"]


def test_with_a_digest_nothing_to_do_asks_two_things(engine, run):
    deployed(run, "0", digest=DIGEST)
    deployed(run, "1", digest=DIGEST)
    engine.reads.clear()
    assert no_writes(engine, run, **options("1", digest=DIGEST))["action"] == "none"
    assert engine.reads == ["list", "inspect"]


def test_a_new_release_of_the_same_restarts_nothing(engine, run):
    first = deployed(run, release=41, config_revision="r1")
    again = no_writes(engine, run, **options("1", release=42, config_revision="r1"))
    assert again["action"] == "none"
    assert again["container"] == first["container"]
    assert again["container"]["release"] == 41


def test_the_order_of_options_does_not_matter(engine, run):
    deployed(run, ports=["8080:8080", "8081:81"], cap_add=["SYS_TIME", "NET_ADMIN"])
    same = options("1", ports=["8081:81", "8080:8080"], cap_add=["CAP_NET_ADMIN", "sys_time"])
    assert no_writes(engine, run, **same)["action"] == "none"


# --- differences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "key", "before", "after"),
    [
        ({"env": {"V": "2"}}, "env", {"V": "1"}, {"V": "2"}),
        ({"config_revision": "r2"}, "config_revision", "r1", "r2"),
        ({"command": "serve --fast"}, "command", None, ["serve", "--fast"]),
        ({"memory": None, "labels": {"team": "shop"}}, "labels", None, {"team": "shop"}),
        ({"hostname": "web"}, "hostname", None, "web"),
        ({"network_mode": "lan"}, "network_mode", "bridge", "lan"),
    ],
)
def test_what_needs_a_new_container(engine, run, more, key, before, after):
    first = deployed(run, config_revision="r1")
    foretold = no_writes(engine, run, check_mode=True, **options("1", **{"config_revision": "r1", **more}))
    result = deployed(run, **{"config_revision": "r1", **more})
    assert foretold["action"] == result["action"] == "replaced"
    assert foretold["diff"] == result["diff"]
    assert result["diff"]["before"][key] == before
    assert result["diff"]["after"][key] == after
    assert result["container"]["id"] != first["container"]["id"]
    assert result["previous"]["id"] == first["container"]["id"]
    assert foretold["previous"] == result["previous"]


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({"memory": "64m"}, {"Memory": 67108864, "MemorySwap": 134217728}),
        ({"memory": "64m", "memory_swap": "-1"}, {"Memory": 67108864, "MemorySwap": -1}),
        ({"cpus": 1.5}, {"NanoCpus": 1500000000}),
        ({"pids_limit": 100}, {"PidsLimit": 100}),
        ({"cpuset_cpus": "0"}, {"CpusetCpus": "0"}),
        ({"restart_policy": "always"}, {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
    ],
)
def test_what_is_changed_on_the_living_container(engine, run, more, body):
    first = deployed(run)
    foretold = no_writes(engine, run, check_mode=True, **options("1", **more))
    engine.writes.clear()
    result = deployed(run, **more)
    assert (foretold["action"], foretold["diff"]) == (result["action"], result["diff"])
    assert result["action"] == "updated"
    assert engine.writes == ["update"]
    assert result["container"]["id"] == first["container"]["id"]
    config = current(engine)["HostConfig"]
    assert {key: config[key] for key in body} == body
    assert no_writes(engine, run, **options("1", **more))["action"] == "none"


def test_a_limit_changed_behind_our_back(engine, run):
    deployed(run, memory="64m")
    current(engine)["HostConfig"]["Memory"] = 32 << 20
    result = deployed(run, memory="64m")
    assert result["action"] == "updated"
    assert (result["diff"]["before"]["memory"], result["diff"]["after"]["memory"]) == (32 << 20, 64 << 20)


def test_a_limit_that_docker_cannot_take_away_again(engine, run):
    deployed(run)
    current(engine)["HostConfig"]["Memory"] = 32 << 20
    assert deployed(run)["action"] == "replaced"


def test_limits_that_the_kernel_lacks_are_told_and_left(engine, run):
    engine.facts = {"MemoryLimit": False, "SwapLimit": False}
    deployed(run, memory="64m")
    current(engine)["HostConfig"].update(Memory=0)  # what the daemon makes of it, with a warning
    result = no_writes(engine, run, **options("1", memory="64m"))
    assert result["action"] == "none"
    assert "does not support memory" in result["warned"][0]


def test_networks_joined_and_left_behind_our_back(engine, run):
    wanted = {"network_mode": "bridge", "networks": [{"name": "app-net", "aliases": ["web"]}]}
    deployed(run, **wanted)
    networks = current(engine)["NetworkSettings"]["Networks"]
    del networks["app-net"]
    networks["lan"] = {}
    engine.writes.clear()
    result = deployed(run, **wanted)
    assert result["action"] == "updated"
    assert sorted(engine.writes) == ["join", "leave"]
    assert result["diff"]["after"]["networks.app-net"]["aliases"] == ["web"]
    assert set(current(engine)["NetworkSettings"]["Networks"]) == {"bridge", "app-net"}


def test_a_changed_secret_is_seen_and_not_shown(engine, run):
    deployed(run, secret_env={"PW": "hunter2"})
    assert no_writes(engine, run, **options("1", secret_env={"PW": "hunter2"}))["action"] == "none"
    result = deployed(run, secret_env={"PW": "hunter3"})
    assert result["action"] == "replaced"
    assert result["diff"]["after"]["secret_env"] == {"PW": "<secret changed>"}
    assert "hunter" not in str(result)
    assert "hunter" not in str([attrs["Config"]["Labels"] for attrs in engine.attrs.values()])
    assert "PW=hunter3" in current(engine)["Config"]["Env"]


def test_a_secret_more_is_a_difference(engine, run):
    deployed(run, secret_env={"PW": "hunter2"})
    result = deployed(run, secret_env={"PW": "hunter2", "KEY": "k"})
    assert result["action"] == "replaced"
    assert result["diff"]["after"]["secret_env"] == ["KEY", "PW"]


# --- running or not -----------------------------------------------------------------------------------------------------


def test_stopped_and_started_again(engine, run):
    first = deployed(run, restart_policy="always")
    foretold = no_writes(engine, run, check_mode=True, state="stopped")
    stopped = run(state="stopped")
    assert (foretold["action"], foretold["diff"]) == (stopped["action"], stopped["diff"])
    assert stopped["diff"]["after"] == {"state": "exited", "restart_policy": "no:0"}
    assert engine.policies() == {"webapi": "no"}
    assert no_writes(engine, run, state="stopped")["action"] == "none"
    again = deployed(run, restart_policy="always")
    assert again["action"] == "started"
    assert again["container"]["id"] == first["container"]["id"]
    assert engine.policies() == {"webapi": "always"}


def test_a_crash_loop_is_no_running_container(engine, run):
    deployed(run)
    current(engine)["State"].update(Restarting=True, Status="restarting")
    result = deployed(run)
    assert result["action"] == "started"
    assert result["container"]["status"] == "running"


def test_restarted(engine, run):
    deployed(run)
    engine.writes.clear()
    foretold = no_writes(engine, run, check_mode=True, state="restarted", gate={"soak": "0s"})
    result = run(state="restarted", gate={"soak": "0s"})
    assert (foretold["action"], foretold["diff"]) == (result["action"], result["diff"])
    assert result["action"] == "restarted"
    assert result["gate"].startswith("running for 0s")
    assert engine.writes == ["stop", "start"]


@pytest.mark.parametrize(
    ("state", "said"), [("restarted", "there is no container webapi to restart"), ("rolled_back", "no kept container")]
)
def test_where_there_is_none(engine, run, state, said):
    result = no_writes(engine, run, state=state)
    assert result["failed"]
    assert said in result["msg"]


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_where_there_is_none_and_none_is_wanted(engine, run, state):
    assert no_writes(engine, run, state=state)["action"] == "none"


def test_absent_takes_everything_of_ours(engine, run):
    deployed(run, "0")
    deployed(run, "1")
    foretold = no_writes(engine, run, check_mode=True, state="absent")
    result = run(state="absent")
    assert (foretold["action"], foretold["diff"]) == (result["action"], result["diff"])
    assert result["action"] == "removed"
    assert set(result["diff"]["before"]) == {"webapi", "webapi.previous"}
    assert engine.attrs == {}


def test_exactly_one_is_kept(engine, run):
    for version in ("0", "1", "2"):
        deployed(run, version)
    assert engine.named() == {"webapi": ("2", "running"), "webapi.previous": ("1", "exited")}
    assert engine.policies() == {"webapi": "unless-stopped", "webapi.previous": "no"}


def test_none_is_kept_any_more(engine, run):
    deployed(run, "0")
    deployed(run, "1")
    foretold = no_writes(engine, run, check_mode=True, **options("1", keep_previous=False))
    result = deployed(run, "1", keep_previous=False)
    assert foretold["action"] == result["action"] == "cleaned"
    assert set(engine.named()) == {"webapi"}


def test_rolled_back_and_again(engine, run):
    deployed(run, "0", restart_policy="always", release=1)
    deployed(run, "1", release=2)
    gate = {"gate": {"soak": "0s"}}
    foretold = no_writes(engine, run, check_mode=True, state="rolled_back", **gate)
    result = run(state="rolled_back", **gate)
    assert (foretold["action"], foretold["diff"]) == (result["action"], result["diff"])
    assert result["action"] == "rolled_back"
    assert engine.named() == {"webapi": ("0", "running"), "webapi.previous": ("1", "exited")}
    assert engine.policies() == {"webapi": "always", "webapi.previous": "no"}
    assert result["diff"]["after"]["release"] == 1
    assert no_writes(engine, run, state="rolled_back", **gate)["action"] == "none"


# --- failures -----------------------------------------------------------------------------------------------------------


def test_a_bad_release_goes_back(engine, run):
    first = deployed(run, "1", release=1, secret_env={"PW": "hunter2"})
    result = run(**options("bad", release=2, secret_env={"PW": "hunter2"}))
    assert result["failed"]
    assert (result["action"], result["changed"]) == ("reverted", True)
    assert result["why"]["exit_code"] == 3
    assert "PW=********" in result["why"]["logs"]
    assert "exit code 3" in result["msg"]
    assert "(release 1, shop/webapi:1) runs again" in result["msg"]
    assert (result["container"]["id"], result["container"]["status"]) == (first["container"]["id"], "running")
    assert result["timings"]["outage"] >= 0
    assert engine.named() == {"webapi": ("1", "running")}
    assert engine.policies() == {"webapi": "unless-stopped"}
    assert current(engine)["Id"] == first["container"]["id"]
    assert no_writes(engine, run, **options("1", secret_env={"PW": "hunter2"}))["action"] == "none"


def test_a_bad_first_release_leaves_nothing(engine, run):
    result = run(**options("bad"))
    assert (result["failed"], result["action"]) == (True, "reverted")
    assert "nothing runs now" in result["msg"]
    assert engine.named() == {}


def test_a_stopped_app_stays_stopped_when_its_new_release_is_bad(engine, run):
    deployed(run, "1")
    run(state="stopped")
    result = run(**options("bad"))
    assert "stopped as it was before" in result["msg"]
    assert engine.named() == {"webapi": ("1", "exited")}


@pytest.mark.parametrize(
    ("action", "word", "status", "said"),
    [("keep", "kept", "exited", "left as it is"), ("stop", "stopped", "exited", "nothing serves now")],
)
def test_other_failure_actions(engine, run, action, word, status, said):
    deployed(run, "1")
    result = run(**options("bad", failure_action=action))
    assert (result["failed"], result["action"]) == (True, word)
    assert said in result["msg"]
    assert engine.named() == {"webapi": ("1", "exited"), "webapi.next": ("bad", status)}
    back = deployed(run, "1")
    assert back["action"] == "recovered"
    assert "it is taken back" in back["warned"][0]
    assert engine.named() == {"webapi": ("1", "running")}


def test_a_port_in_use_is_found_before_anything_is_stopped(engine, run):
    deployed(run, "1")
    engine.writes.clear()
    other = run(name="other", **options("1"))
    assert other["failed"]
    assert "port 8080/tcp is in use by container webapi" in other["msg"]
    assert engine.writes == []
    assert run(check_mode=True, name="other", **options("1"))["msg"] == other["msg"]


def test_a_port_that_no_container_holds_reverts(engine, run, monkeypatch):
    """Another process has it: only the start shows that."""
    deployed(run, "1", ports=["8080"])
    bind = engine._bind

    def taken(attrs):
        if "8090" in str(attrs["HostConfig"].get("PortBindings")):
            raise SlipwayError("engine: start container: address already in use (HTTP 500).")
        bind(attrs)

    monkeypatch.setattr(engine, "_bind", taken)
    result = run(**options("1", ports=["8090:8080"]))
    assert (result["failed"], result["action"]) == (True, "reverted")
    assert "address already in use" in result["msg"]
    assert result["why"]["probe"] == "start"
    assert engine.named() == {"webapi": ("1", "running")}


# --- guards -------------------------------------------------------------------------------------------------------------


def test_an_older_release_never_replaces_a_newer(engine, run):
    deployed(run, "1", release=42)
    for wanted in (options("2", release=41), {"state": "absent", "release": 41}, {"state": "stopped", "release": 41}):
        result = no_writes(engine, run, **wanted)
        assert result["failed"]
        assert "is of release 42, and this is the deployer of release 41" in result["msg"]
    assert deployed(run, "2", release=42)["action"] == "replaced"


def test_a_newer_deployer_that_came_meanwhile(engine, run, monkeypatch):
    """The last look before the switch sees it, and the old container was not touched."""
    deployed(run, "1", release=41)
    create = engine.create

    def and_another(name, payload):
        made = create(name, payload)
        current(engine)["Config"]["Labels"]["slipway.release"] = "99"
        return made

    monkeypatch.setattr(engine, "create", and_another)
    result = run(**options("2", release=42))
    assert "is of release 99" in result["msg"]
    assert engine.named() == {"webapi": ("1", "running")}
    assert engine.policies() == {"webapi": "unless-stopped"}


def test_a_foreign_container_is_left_alone(engine, run):
    deployed(run, "1")
    current(engine)["Config"]["Labels"] = {}
    for state in ("started", "stopped", "absent", "restarted"):
        result = no_writes(engine, run, **options("2", state=state))
        assert "was not made by Slipway" in result["msg"]
    foretold = no_writes(engine, run, check_mode=True, **options("2", adopt=True))
    result = deployed(run, "2", adopt=True)
    assert foretold["action"] == result["action"] == "replaced"
    assert engine.named() == {"webapi": ("2", "running"), "webapi.previous": ("1", "exited")}
    back = run(state="rolled_back", gate={"soak": "0s"})
    assert back["action"] == "rolled_back"
    assert engine.named()["webapi"] == ("1", "running")
    assert engine.policies()["webapi"] == "unless-stopped"


def test_a_foreign_container_that_would_vanish_is_not_adopted(engine, run):
    deployed(run, "1")
    current(engine)["Config"]["Labels"] = {}
    current(engine)["HostConfig"]["AutoRemove"] = True
    assert "was started with --rm" in no_writes(engine, run, **options("2", adopt=True))["msg"]


@pytest.mark.parametrize("more", [{"environment_name": "prod"}, {"app": "shop", "environment_name": "test"}])
def test_another_environment_s_container_is_left_alone(engine, run, more):
    deployed(run, "1", app="webapi", environment_name="test")
    assert "belongs to" in no_writes(engine, run, **options("2", **{"app": "webapi", **more}))["msg"]


def test_a_renamed_container_is_neither_lost_nor_touched(engine, run):
    deployed(run, "1")
    current(engine)["Name"] = "/webapi-by-hand"
    result = no_writes(engine, run, **options("2"))
    assert "webapi-by-hand" in result["msg"]


# --- images -------------------------------------------------------------------------------------------------------------


def test_an_image_that_is_not_here(engine, run):
    result = no_writes(engine, run, **options("1", image="shop/webapi:9", pull="never"))
    assert "shop/webapi:9 is not here, and pull is never" in result["msg"]
    for check_mode in (True, False):
        result = no_writes(engine, run, check_mode=check_mode, **options("1", image="shop/webapi:9"))
        assert "There is no such image" in result["msg"]


def test_a_tag_that_means_another_digest(engine, run):
    for check_mode in (True, False):
        result = no_writes(engine, run, check_mode=check_mode, **options("1", digest=OTHER))
        assert f"shop/webapi:1 is {DIGEST} in the registry, not {OTHER} as asked" in result["msg"]
    result = no_writes(engine, run, **options("1", digest=OTHER, pull="never"))
    assert f"is here as shop/webapi@{DIGEST}, not as {OTHER}" in result["msg"]


def test_pull_always_asks_the_registry_and_pulls_nothing_that_is_here(engine, run):
    deployed(run, "1")
    engine.reads.clear()
    assert no_writes(engine, run, **options("1", pull="always"))["action"] == "none"
    assert engine.reads.count("distribution") == 1


def test_the_same_image_under_another_name_is_the_same(engine, run):
    deployed(run, "1")
    engine.images["mirror/webapi:1"] = {"Id": IMAGE_ID, "RepoTags": ["mirror/webapi:1"], "RepoDigests": []}
    assert no_writes(engine, run, **options("1", image="mirror/webapi:1"))["action"] == "none"


def test_an_image_built_here_has_no_digest(engine, run):
    engine.images["local/app:1"] = engine.images["sha256:local"] = {"Id": "sha256:local", "RepoTags": ["local/app:1"]}
    assert deployed(run, "1", image="local/app:1")["container"]["digest"] is None
    assert no_writes(engine, run, **options("1", image="local/app:1"))["action"] == "none"


# --- the gate's way to its port -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [{"ports": []}, {"ports": ["127.0.0.1:8080:8080"]}, {"ports": ["8080:8080/udp"]}, {"ports": ["8080:9090"]}],
)
def test_a_port_that_the_gate_cannot_reach(engine, run, more):
    deployed(run, "1")
    result = no_writes(engine, run, **options("2", **more, gate={"http": {"port": 8080}}))
    assert "gate.http.port: port 8080 of the container cannot be reached from here" in result["msg"]
    assert "set gate.address, or use gate.exec" in result["msg"]


@pytest.mark.parametrize(
    "more",
    [
        {"ports": ["8080:8080"]},
        {"ports": [], "network_mode": "host"},
        {"ports": [], "network_mode": "lan"},
        {"ports": [], "gate": {"http": {"port": 8080}, "address": "10.0.0.9"}},
    ],
)
def test_a_port_that_it_can(engine, run, more):
    wanted = {"gate": {"http": {"port": 8080}}, **more}
    assert run(check_mode=True, **options("2", **wanted))["action"] == "created"


def test_a_network_that_is_not_there(engine, run):
    deployed(run, "1")
    for check_mode in (True, False):
        result = no_writes(
            engine, run, check_mode=check_mode, **options("1", networks=[{"name": "lan"}, {"name": "nope"}])
        )
        assert "networks: nope does not exist there" in result["msg"]


def test_health_that_was_asked_for_and_is_not_there(engine, run):
    deployed(run, "1")
    result = run(**options("2", gate={"docker": True, "soak": "0s"}))
    assert "has a HEALTHCHECK" in result["msg"]
    assert "was not touched" in result["msg"]
    assert engine.named() == {"webapi": ("1", "running")}
