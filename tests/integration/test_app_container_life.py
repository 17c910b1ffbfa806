# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container on a real engine: its life after it was made: stopped, started, rolled back, drifted."""

from __future__ import annotations

import json

import pytest
from engine_helper import GATE, App, foretold

pytestmark = pytest.mark.lab

SECRET = "hunter2-9f8e7d"  # in plain text in no output


@pytest.fixture
def app(lab):
    made = App(lab, port=18093)
    yield made
    made.clean()


# --- life cycle ---------------------------------------------------------------------------------------------------------


def test_stopped_started_restarted_removed(app):
    app.deploy("1", restart_policy="always")
    container = app.inspect()["Id"]
    stopped = app.state("stopped")
    assert (stopped["action"], stopped["container"]["status"]) == ("stopped", "exited")
    assert app.inspect()["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert app.state("stopped")["action"] == "none"

    started = foretold(app, "1", restart_policy="always")
    assert (started["action"], started["container"]["id"]) == ("started", container)
    assert app.inspect()["HostConfig"]["RestartPolicy"]["Name"] == "always"

    before = app.inspect()["State"]["StartedAt"]
    restarted = app.state("restarted", gate={**GATE, "http": {"port": 8080, "body": "1"}})
    assert restarted["action"] == "restarted"
    assert restarted["timings"]["outage"] > 0
    assert app.inspect()["State"]["StartedAt"] != before
    broken = app.state("restarted", gate={**GATE, "deadline": "1s", "http": {"port": 8080, "body": "2"}})
    assert broken["failed"]
    assert broken["why"]["status"] == 200
    assert app.answer() == "1"

    removed = app.state("absent")
    assert (removed["action"], app.ours()) == ("removed", {})
    assert app.state("absent")["action"] == "none"


def test_a_paused_container_is_started(app):
    app.deploy("1")
    app.docker.pause(app.name)
    assert app.deploy("1")["action"] == "started"
    assert app.answer() == "1"
    app.docker.pause(app.name)
    assert app.deploy("2")["action"] == "replaced"
    assert app.answer() == "2"


def test_rolled_back(app):
    assert "no kept container" in app.back()["msg"]
    app.deploy("1", release=1)
    app.deploy("2", release=2)
    kept, current = app.inspect(".previous")["Id"], app.inspect()["Id"]
    result = app.back()
    assert (result["action"], result["container"]["id"], result["previous"]["id"]) == ("rolled_back", kept, current)
    assert (result["container"]["release"], app.answer()) == (1, "1")
    assert app.back()["action"] == "none"
    app.deploy("3", release=3)
    assert app.ours() == {"": "running", ".previous": "exited"}
    assert app.inspect(".previous")["Id"] == kept


def test_a_rollback_that_fails_its_gate_goes_back_too(app):
    app.deploy("1")
    app.deploy("2")
    both = (app.inspect()["Id"], app.inspect(".previous")["Id"])
    result = app.state("rolled_back", gate={**GATE, "deadline": "1s", "http": {"port": 8080, "body": "2"}})
    assert (result["failed"], result["action"]) == (True, "reverted")
    assert app.answer() == "2"
    assert (app.inspect()["Id"], app.inspect(".previous")["Id"]) == both


def test_side_by_side(app):
    free = {"ports": ["8080"], "strategy": "start_first"}
    first = app.deploy("1", **free)
    second = foretold_start_first(app, "2", free)
    assert second["action"] == "replaced"
    assert second["timings"]["outage"] == 0
    ports = {result["container"]["ports"][0]["host_port"] for result in (first, second)}
    assert len(ports) == 2
    bad = app.deploy("3", **{**free, "command": ["false"]})
    assert bad["action"] == "reverted"
    assert bad["timings"]["outage"] == 0
    assert app.inspect()["Id"] == second["container"]["id"]
    assert app.inspect()["State"]["StartedAt"] == second["container"]["started_at"]  # it never stopped


def foretold_start_first(app, version, options):
    check = app.deploy(version, check_mode=True, **options)
    assert check["container"]["ports"][0]["host_port"] is None
    real = app.deploy(version, **options)
    assert (check["action"], check["diff"]) == (real["action"], real["diff"])
    return real


# --- drift --------------------------------------------------------------------------------------------------------------


def test_limits_live(app):
    app.deploy("1", memory="64m", cpus=1)
    container, started = app.inspect()["Id"], app.inspect()["State"]["StartedAt"]
    app.docker.update_container(app.name, mem_limit="32m", memswap_limit="64m", restart_policy={"Name": "no"})
    fixed = foretold(app, "1", memory="64m", cpus=1)
    assert fixed["action"] == "updated"
    more = foretold(app, "1", memory="128m", cpus=0.5, pids_limit=77, restart_policy="always")
    assert more["action"] == "updated"
    config = app.inspect()["HostConfig"]
    assert (config["Memory"], config["NanoCpus"], config["PidsLimit"]) == (128 << 20, 500_000_000, 77)
    assert config["RestartPolicy"]["Name"] == "always"
    assert foretold(app, "1", memory="128m", cpus=0.5, pids_limit=77, restart_policy="always")["action"] == "none"
    assert (app.inspect()["Id"], app.inspect()["State"]["StartedAt"]) == (container, started)


def test_networks_live(app):
    names = [f"{app.name}-a", f"{app.name}-b"]
    for name in names:
        app.docker.create_network(name, labels={"eng": "test"})
    try:
        networks = [{"name": names[0], "aliases": ["web"]}, {"name": names[1], "aliases": ["shop"]}]
        assert foretold(app, "1", networks=networks)["action"] == "created"
        assert foretold(app, "1", networks=networks)["action"] == "none"
        app.docker.disconnect_container_from_network(app.name, names[1])
        assert foretold(app, "1", networks=networks)["action"] == "updated"
        assert "shop" in app.inspect()["NetworkSettings"]["Networks"][names[1]]["Aliases"]
        app.docker.connect_container_to_network(app.name, "bridge")
        assert foretold(app, "1", networks=networks)["action"] == "updated"
        assert set(app.inspect()["NetworkSettings"]["Networks"]) == set(names)
        assert foretold(app, "2", networks=networks)["action"] == "replaced"
        assert set(app.inspect()["NetworkSettings"]["Networks"]) == set(names)
        assert foretold(app, "2", networks=networks[:1])["action"] == "updated"
        assert foretold(app, "2", networks=networks[1:])["action"] == "replaced"
    finally:
        app.clean()
        app.docker = App.client(app.host)
        for name in names:
            app.docker.remove_network(name)


def test_a_fixed_address(app):
    name = f"{app.name}-net"
    app.docker.create_network(name, ipam={"Driver": "default", "Config": [{"Subnet": "10.213.190.0/24"}]})
    try:
        networks = [{"name": name, "ipv4_address": "10.213.190.77"}]
        assert app.deploy("1", networks=networks)["container"]["ip"] == "10.213.190.77"
        assert app.deploy("2", networks=networks)["container"]["ip"] == "10.213.190.77"
        assert app.deploy("3", networks=networks, command=["false"])["action"] == "reverted"
        assert app.inspect()["NetworkSettings"]["Networks"][name]["IPAddress"] == "10.213.190.77"
    finally:
        app.clean()
        app.docker = App.client(app.host)
        app.docker.remove_network(name)


def test_secrets(app):
    first = app.deploy("1", secret_env={"PW": SECRET})
    assert app.deploy("1", secret_env={"PW": SECRET})["action"] == "none"
    second = foretold(app, "1", secret_env={"PW": SECRET + "x"})
    assert second["diff"]["after"]["secret_env"] == {"PW": "<secret changed>"}
    shows = ["sh", "-c", 'echo "password $PW"; exit 1']
    failed = app.deploy("2", secret_env={"PW": SECRET}, command=shows)
    assert failed["why"]["logs"] == ["password ********"]
    assert SECRET not in json.dumps([first, second, failed])
    assert SECRET not in json.dumps(app.inspect()["Config"]["Labels"])
    assert f"PW={SECRET}x" in app.inspect()["Config"]["Env"]
