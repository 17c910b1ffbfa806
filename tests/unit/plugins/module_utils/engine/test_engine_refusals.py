# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container's decisions, against an engine in memory: what is refused, and before anything is touched."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from fake_engine import DIGEST, IMAGE_ID, current, deployed, no_writes, options

OTHER = "sha256:" + "e" * 64


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
