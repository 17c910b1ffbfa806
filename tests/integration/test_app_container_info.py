# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container_info on a real engine."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container_info import APP_CONTAINER_INFO
from engine_helper import SERVE, App, call

pytestmark = pytest.mark.lab

SECRET = "hunter2-9f8e7d"


@pytest.fixture(scope="module")
def app(lab):
    made = App(lab, port=18097)
    command = ["sh", "-c", f"echo one; echo two; echo password $PW; {SERVE}"]
    options = {"command": command, "app": "shop", "environment_name": "eng-test", "secret_env": {"PW": SECRET}}
    assert made.deploy("0", **options)["action"] == "created"
    made.deployed = made.deploy("1", **options)
    assert made.deployed["action"] == "replaced"
    yield made
    made.clean()


def test_the_same_facts(app):
    (found,) = app.info()
    assert found == {**app.deployed["container"], "part": "current"}


def test_the_kept_one_too(app):
    current, kept = app.info(previous=True)
    assert (current["part"], kept["part"], kept["status"]) == ("current", "previous", "exited")
    assert kept["id"] == app.deployed["previous"]["id"]


def test_by_app_and_environment(app):
    assert app.deployed["container"]["id"] in [c["id"] for c in app.info(name=None, app="shop")]
    assert [c["id"] for c in app.info(name=None, app="shop", environment_name="eng-test")] == [
        app.deployed["container"]["id"]
    ]
    assert app.info(name=None, app="shop", environment_name="eng-prod") == []
    assert app.info(name="eng-nothing") == []


def test_only_ours(app):
    made = app.docker.create_container(app.image, ["true"], name=f"{app.name}-foreign")
    assert made["Id"] not in [c["id"] for c in app.info(name=None)]


def test_logs(app):
    (found,) = app.info(logs={"tail": 0})
    assert found["logs"] == ["one", "two", "password ********"]
    assert app.info(logs={"tail": 2})[0]["logs"] == ["two", "password ********"]
    assert app.info(logs={"since": "1h"})[0]["logs"] == found["logs"]
    assert app.info(logs={"since": "0s"})[0]["logs"] == []


def test_stats(app):
    current, kept = app.info(previous=True, stats=True)
    assert kept["stats"] is None
    assert 0 <= current["stats"]["cpu_percent"] < 100
    assert 0 < current["stats"]["memory"]["usage"] < current["stats"]["memory"]["limit"]
    assert current["stats"]["network"]["received"] > 0
    assert current["stats"]["pids"] >= 1


def test_checksums_of_running_and_stopped(app):
    wanted = [
        {"path": "/www/index.html", "algorithm": "sha256"},
        {"path": "/etc", "algorithm": "md5", "files": True},
        {"path": "/bin/sh"},
        {"path": "/nope"},
    ]
    current, kept = app.info(previous=True, checksums=wanted)
    file, folder, link, absent = current["checksums"]
    assert (file["kind"], file["checksum"]) == ("file", hashlib.sha256(b"1\n").hexdigest())
    assert kept["checksums"][0]["checksum"] == hashlib.sha256(b"0\n").hexdigest()
    made = app.docker.exec_create(
        app.name, ["sh", "-c", "cd /etc && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum | md5sum"]
    )
    assert folder["checksum"] == app.docker.exec_start(made["Id"]).decode().split()[0]
    assert set(folder["files"]) >= {"passwd", "hostname"}
    assert link["kind"] == "file"
    assert (absent["kind"], absent["checksum"]) == ("absent", None)


def test_wrong_options_at_once(app):
    result = call(
        APP_CONTAINER_INFO,
        docker_host=app.host,
        logs={"tail": -1, "since": "yesterday"},
        checksums=[{"path": "etc"}],
    )
    for said in (
        "logs.tail: cannot be negative",
        "logs.since: 'yesterday' is no duration",
        "'etc' is no absolute path",
    ):
        assert said in result["msg"]


def test_an_interrupted_swap_is_shown(lab):
    app = App(lab, port=18098)
    try:
        app.deploy("1")
        app.deploy("2", command=["sleep", "60"], failure_action="keep", gate={"http": {"port": 8080}, "deadline": "1s"})
        assert [(c["part"], c["status"]) for c in app.info()] == [("current", "exited"), ("candidate", "running")]
    finally:
        app.clean()
