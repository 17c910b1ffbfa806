# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container on a real engine: what it makes, changes, gates, takes back and refuses."""

from __future__ import annotations

import json
import time

import pytest
from engine_helper import GATE, SERVE, App

pytestmark = pytest.mark.lab

SECRET = "hunter2-9f8e7d"  # in plain text in no output


@pytest.fixture
def app(lab):
    made = App(lab, port=18093)
    yield made
    made.clean()


def foretold(app, version, **more):
    """The real result, after check mode said the same and wrote nothing."""
    before = app.ours()
    check = app.deploy(version, check_mode=True, **more)
    assert app.ours() == before
    real = app.deploy(version, **more)
    assert (check["action"], check["diff"], check["previous"]) == (real["action"], real["diff"], real["previous"])
    if real["action"] in ("created", "replaced"):
        same = ("name", "image", "digest", "status", "restart_count", "ports", "release", "config_revision", "app")
        assert {key: check["container"][key] for key in same} == {key: real["container"][key] for key in same}
    return real


def test_created_left_alone_replaced(app):
    first = foretold(app, "1", release=41, config_revision="r1", environment_name="test")
    assert first["action"] == "created"
    assert app.answer() == "1"
    attrs = app.inspect()
    assert first["container"]["id"] == attrs["Id"]
    assert first["container"]["started_at"] == attrs["State"]["StartedAt"]
    assert first["container"]["ip"] == attrs["NetworkSettings"]["IPAddress"]
    assert (first["container"]["release"], first["container"]["environment_name"]) == (41, "test")
    digests = app.docker.inspect_image(app.image)["RepoDigests"]
    assert f"{app.registry}/base/busybox@{first['container']['digest']}" in digests

    again = foretold(app, "1", release=42, config_revision="r1", environment_name="test")
    assert (again["action"], again["changed"], again["container"]["id"]) == ("none", False, attrs["Id"])
    assert app.inspect()["State"]["StartedAt"] == attrs["State"]["StartedAt"]

    second = foretold(app, "2", release=42, config_revision="r2", environment_name="test")
    assert second["action"] == "replaced"
    assert second["diff"]["before"]["config_revision"] == "r1"
    assert app.answer() == "2"
    assert second["previous"] == {**second["previous"], "id": attrs["Id"], "release": 41, "kept": True}
    timings = second["timings"]
    assert timings["stop"] > 0
    assert timings["start"] > 0
    assert 0 < timings["outage"] <= timings["stop"] + timings["start"] + timings["gate"] + 0.5
    assert app.ours() == {"": "running", ".previous": "exited"}


def test_what_is_asked_for_is_what_runs(app):
    app.deploy(
        "1",
        user="0:0",
        working_dir="/www",
        hostname="shop",
        labels={"team": "shop"},
        ports=[f"{app.port}:8080", "127.0.0.1::9000"],
        volumes=["/tmp/eng-data:/data:ro", "/scratch"],
        tmpfs=["/run:size=1m"],
        extra_hosts={"configCenter": "10.0.0.5"},
        dns=["10.0.0.1"],
        memory="64m",
        cpus=0.5,
        pids_limit=50,
        ulimits=["nofile=1024:2048"],
        shm_size="8m",
        cap_drop=["NET_RAW"],
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        log_options={"max-size": "1m"},
        restart_policy="on-failure",
        restart_retries=3,
        healthcheck={"test": ["true"], "interval": "1s"},
    )
    again = foretold(
        app,
        "1",
        user="0:0",
        working_dir="/www",
        hostname="shop",
        labels={"team": "shop"},
        ports=["127.0.0.1::9000", f"0.0.0.0:{app.port}:8080/tcp"],
        volumes=["/scratch/", "/tmp/eng-data:/data:ro"],
        tmpfs=["/run:size=1m"],
        extra_hosts={"configCenter": "10.0.0.5"},
        dns=["10.0.0.1"],
        memory="65536k",
        cpus=0.5,
        pids_limit=50,
        ulimits=["nofile:1024:2048"],
        shm_size=8 << 20,
        cap_drop=["cap_net_raw"],
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        log_options={"max-size": "1m"},
        restart_policy="on-failure",
        restart_retries=3,
        healthcheck={"test": ["CMD", "true"], "interval": "1000ms"},
    )
    assert again["action"] == "none"
    inside = app.docker.exec_create(
        app.name, ["sh", "-c", "hostname; pwd; grep configCenter /etc/hosts; ulimit -n; mount"]
    )
    said = app.docker.exec_start(inside["Id"]).decode()
    for expected in ("shop\n", "/www\n", "10.0.0.5\tconfigCenter", "1024\n", " on /data ", " on /run type tmpfs"):
        assert expected in said
    assert app.inspect()["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}


# --- gates ------------------------------------------------------------------------------------------------------------


def test_a_container_that_ends_goes_back(app):
    app.deploy("1", release=1)
    old = app.inspect()["Id"]
    result = app.deploy("2", release=2, command=["sh", "-c", f"echo no database; echo {SECRET}; exit 7"])
    assert (result["failed"], result["changed"], result["action"]) == (True, True, "reverted")
    why = result["why"]
    assert (why["probe"], why["exit_code"], why["oom_killed"]) == ("state", 7, False)
    assert "no database" in why["logs"]
    assert "(release 1, " in result["msg"]
    assert "runs again" in result["msg"]
    assert app.answer() == "1"
    assert app.inspect()["Id"] == old
    assert app.ours() == {"": "running"}
    assert app.deploy("1", release=3)["action"] == "none"


def test_another_answer_goes_back(app):
    app.deploy("1")
    gate = {**GATE, "deadline": "1s", "http": {"port": 8080, "path": "/nothing", "status": [200]}}
    result = app.deploy("2", gate=gate)
    assert result["action"] == "reverted"
    assert result["why"]["probe"] == f"http GET http://{app.address}:{app.port}/nothing"
    assert (result["why"]["status"], result["why"]["exit_code"]) == (404, None)
    assert "404" in result["why"]["body"]
    assert "answered 404, wanted 200" in result["msg"]
    assert app.answer() == "1"


def test_the_wrong_version_goes_back(app):
    app.deploy("1")
    result = app.deploy("2", env={"V": "not it"}, gate={**GATE, "deadline": "1s", "http": {"port": 8080, "body": "2"}})
    assert "without '2' in the body" in result["why"]["said"]
    assert app.answer() == "1"


def test_an_end_in_the_soak_goes_back(app):
    app.deploy("1")
    ends = ["sh", "-c", SERVE.replace("exec httpd -f", "httpd") + "; sleep 2; exit 4"]
    began = time.monotonic()
    result = app.deploy("2", command=ends, gate={**GATE, "soak": "20s", "http": {"port": 8080, "body": "2"}})
    assert time.monotonic() - began < 15
    assert (result["action"], result["why"]["exit_code"]) == ("reverted", 4)
    assert app.answer() == "1"


def test_memory_that_is_not_enough(app):
    app.deploy("1")
    eats = ["sh", "-c", "tail /dev/zero"]
    result = app.deploy(
        "2", command=eats, memory="8m", memory_swap="8m", gate={**GATE, "deadline": "20s", "soak": "10s"}
    )
    assert result["action"] == "reverted"
    assert result["why"]["oom_killed"] is True
    assert "killed for want of memory" in result["msg"]


def test_health_counts(app):
    checks = {"interval": "200ms", "timeout": "1s", "retries": 1}
    gate = {**GATE, "successes": 1, "deadline": "8s"}
    good = app.deploy("1", healthcheck={"test": "wget -q -O- localhost:8080", **checks}, gate=gate)
    assert good["container"]["health"] == "healthy"
    assert "HEALTHCHECK says healthy" in good["gate"]
    bad = app.deploy("2", healthcheck={"test": "echo no database; exit 1", **checks}, gate={**gate, "deadline": "2s"})
    assert bad["why"]["probe"] == "HEALTHCHECK"
    assert bad["why"]["body"] == "no database"
    assert app.answer() == "1"
    none = app.deploy("2", gate={**gate, "docker": True})
    assert "has a HEALTHCHECK" in none["msg"]
    assert app.answer() == "1"


def test_tcp_and_commands_gate_too(app):
    good = app.deploy("1", gate={**GATE, "tcp": {"port": 8080}, "exec": ["wget", "-q", "-O-", "localhost:8080"]})
    assert "tcp :8080 accepts, wget exits with 0" in good["gate"]
    bad = app.deploy("2", gate={**GATE, "deadline": "1s", "exec": ["sh", "-c", "echo not yet; exit 9"]})
    assert (bad["why"]["probe"], bad["why"]["status"], bad["why"]["body"]) == ("exec sh", 9, "not yet")
    hangs = app.deploy("2", gate={**GATE, "deadline": "2s", "timeout": "500ms", "exec": ["sleep", "60"]})
    assert "did not end within" in hangs["why"]["said"]
    assert app.answer() == "1"


def test_without_a_probe_the_result_says_so(app):
    began = time.monotonic()
    result = app.deploy("1", gate={"soak": "1s"})
    assert time.monotonic() - began >= 1
    assert result["gate"] == "running for 1s without a restart (no probe is configured, and no HEALTHCHECK)"


def test_a_port_that_cannot_be_reached_changes_nothing(app):
    app.deploy("1")
    old = app.inspect()["State"]["StartedAt"]
    for check_mode in (True, False):
        result = app.deploy("2", check_mode, ports=["127.0.0.1:18093:8080"])
        assert "gate.http.port: port 8080 of the container cannot be reached from here" in result["msg"]
    assert app.inspect()["State"]["StartedAt"] == old


def test_the_host_s_own_network(app):
    command = ["sh", "-c", SERVE.replace("8080", str(app.port))]
    gate = {**GATE, "http": {"port": app.port, "body": "1"}}
    result = app.deploy("1", command=command, ports=[], network_mode="host", gate=gate)
    assert result["action"] == "created", result
    assert app.answer() == "1"


@pytest.mark.parametrize(("action", "state"), [("keep", "running"), ("stop", "exited")])
def test_left_for_inspection(app, action, state):
    app.deploy("1")
    bad = {"gate": {**GATE, "deadline": "1s", "http": {"port": 8080, "path": "/nothing"}}, "failure_action": action}
    result = app.deploy("2", **bad)
    assert (result["failed"], result["action"]) == (True, {"keep": "kept", "stop": "stopped"}[action])
    assert app.ours() == {"": "exited", ".next": state}
    good = app.deploy("2")
    assert good["action"] == "replaced"
    assert "it is carried on" in good["warned"][0]
    assert app.answer() == "2"


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


# --- refusals -----------------------------------------------------------------------------------------------------------


def foreign(app, **more):
    """A container of our name that somebody started by hand."""
    config = app.docker.create_host_config(restart_policy={"Name": "always"}, port_bindings={8080: app.port}, **more)
    made = app.docker.create_container(
        app.image, ["sh", "-c", SERVE], name=app.name, environment={"V": "theirs"}, host_config=config, ports=[8080]
    )
    app.docker.start(made["Id"])
    return made["Id"]


def test_a_foreign_container(app):
    app.docker.pull(app.image)
    theirs = foreign(app)
    for result in (app.deploy("1"), app.deploy("1", check_mode=True), app.state("absent"), app.state("stopped")):
        assert "was not made by Slipway" in result["msg"]
    assert app.inspect()["State"]["Running"]
    bad = app.deploy("1", adopt=True, command=["false"])
    assert bad["action"] == "reverted"
    assert app.inspect()["Id"] == theirs
    assert app.inspect()["HostConfig"]["RestartPolicy"]["Name"] == "always"
    adopted = foretold(app, "1", adopt=True)
    assert adopted["action"] == "replaced"
    assert app.answer() == "1"
    assert app.back()["action"] == "rolled_back"
    assert app.answer() == "theirs"


def test_a_port_of_another_container(app, lab):
    app.deploy("1")
    other = App(lab, port=app.port)
    try:
        for check_mode in (True, False):
            result = other.deploy("1", check_mode)
            assert f"port {app.port}/tcp is in use by container {app.name}" in result["msg"]
        assert other.ours() == {}
    finally:
        other.clean()


def test_a_port_of_another_process(app, lab):
    """Nobody can see it before the start, which then fails, and the old container serves again."""
    app.deploy("1")
    holder = App(lab, port=0)
    try:
        port = str(app.port + 100)
        holder.deploy("1", network_mode="host", ports=[], command=["httpd", "-f", "-p", port], gate=GATE)
        result = app.deploy("2", ports=[f"{port}:8080"])
        assert (result["failed"], result["action"]) == (True, "reverted")
        assert result["why"]["probe"] == "start"
        assert "in use" in result["msg"]
        assert app.answer() == "1"
    finally:
        holder.clean()


def test_a_bad_spec_fails_with_the_old_one_serving(app):
    app.deploy("1")
    before = app.inspect()["State"]["StartedAt"]
    for bad, said in (
        ({"networks": [{"name": "eng-no-such-network"}]}, "eng-no-such-network"),
        ({"memory": "1m"}, "memory limit"),
        ({"cap_add": ["NO_SUCH"]}, "NO_SUCH"),
        ({"stop_signal": "SIGWHAT"}, "SIGWHAT"),
    ):
        result = app.deploy("2", **bad)
        assert result["failed"]
        assert said.lower() in result["msg"].lower()
    assert app.inspect()["State"]["StartedAt"] == before
    assert app.ours() == {"": "running"}


def test_an_older_deployer(app):
    app.deploy("1", release=42)
    result = app.deploy("2", release=41)
    assert "is of release 42, and this is the deployer of release 41" in result["msg"]
    assert app.answer() == "1"


def test_another_environment_with_the_same_name(app):
    app.deploy("1", environment_name="test")
    result = app.deploy("2", environment_name="prod")
    assert "belongs to environment_name test, not prod" in result["msg"]
    assert app.answer() == "1"
