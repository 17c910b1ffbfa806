# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container's decisions, against an engine in memory: actions, guards, diffs, what is asked of the engine."""

from __future__ import annotations

import pytest
from fake_engine import DIGEST, current, deployed, no_writes, options

OTHER = "sha256:" + "e" * 64


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


@pytest.mark.parametrize("aliases", [[], ["other"], ["shop", "webapi", "other"]])
def test_aliases_that_the_engine_adds_by_itself_are_no_difference(engine, run, aliases):
    """On networks that people make it adds the host name, and the short id where there is none."""
    asked = {"hostname": "shop", "networks": [{"name": "app-net", "aliases": aliases}]}
    deployed(run, **asked)
    attrs = current(engine)
    attrs["Config"]["Hostname"] = "shop"
    attrs["NetworkSettings"]["Networks"]["app-net"]["Aliases"] = [*aliases, attrs["Id"][:12], "shop"]
    assert no_writes(engine, run, **options("1", **asked))["action"] == "none"
    asked["networks"] = [{"name": "app-net", "aliases": [*aliases, "further"]}]
    plan = no_writes(engine, run, check_mode=True, **options("1", **asked))
    assert plan["diff"]["after"]["networks.app-net"]["aliases"] == sorted([*aliases, "further"])


def test_a_start_is_foretold_without_what_only_the_start_decides(engine, run):
    deployed(run)
    run(state="stopped")
    started = no_writes(engine, run, check_mode=True, **options("1"))
    assert started["action"] == "started"
    port = {"container": 8080, "protocol": "tcp", "host_ip": "0.0.0.0", "host_port": 8080}
    assert started["container"] == {
        **started["container"],
        "id": current(engine)["Id"],
        "status": "running",
        "ports": [port],
        "ip": None,
        "started_at": None,
    }


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
