# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container on a real engine: what it makes, changes, gates, takes back and refuses."""

from __future__ import annotations

import time

import pytest
from engine_helper import GATE, SERVE, App, foretold

pytestmark = pytest.mark.lab

SECRET = "hunter2-9f8e7d"  # in plain text in no output


@pytest.fixture
def app(lab):
    made = App(lab, port=18093)
    yield made
    made.clean()


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
    # The limits of the container's own process: what is started by exec may get the hard one, by a race in runc
    # (opencontainers/runc issue 4195).
    limits = "grep 'open files' /proc/1/limits | tr -s ' '"
    inside = app.docker.exec_create(
        app.name, ["sh", "-c", f"hostname; pwd; grep configCenter /etc/hosts; {limits}; mount"]
    )
    said = app.docker.exec_start(inside["Id"]).decode()
    nofile = "open files 1024 2048 "
    for expected in ("shop\n", "/www\n", "10.0.0.5\tconfigCenter", nofile, " on /data ", " on /run type tmpfs"):
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
    bad = app.deploy("2", gate={**GATE, "exec": ["sh", "-c", "echo not yet; exit 9"]})
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
