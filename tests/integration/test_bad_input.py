# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to the playbooks: one clear error, and nothing changed."""

from __future__ import annotations

import docker
import pytest
import yaml
from lab_command import NETWORK
from site_helper import HOSTS, REGISTRY, Site

pytestmark = [pytest.mark.lab]


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab, lab_confd):
    found = Site(tmp_path_factory.mktemp("bad"), "badinput", 18082, {"test": ["h2"], "prod": ["h3"]}, lab_confd)
    found.play("build", app=found.name, version="1.0.0")
    found.play("deploy", env="test", app=found.name)
    yield found
    found.clean()


@pytest.fixture(autouse=True)
def nothing_changes(site):
    before = site.ids("test"), site.tags("test"), site.tags("prod"), site.containers("prod", running_only=False)
    yield
    assert (
        site.ids("test"),
        site.tags("test"),
        site.tags("prod"),
        site.containers("prod", running_only=False),
    ) == before


@pytest.mark.parametrize(
    ("playbook", "variables", "said"),
    [
        ("deploy", {}, "No environment was named: say -e env=<prod | test>."),
        ("deploy", {"env": "prd"}, "There is no environment 'prd': say -e env=<prod | test>."),
        ("status", {}, "No environment was named: say -e env=<prod | test>."),
        ("configure", {"env": "x"}, "There is no environment 'x': say -e env=<prod | test>."),
        ("rollback", {"env": "test"}, "say -e app=<badinput>."),
        ("deploy", {"env": "test", "app": ""}, "No app was named"),  # a CI variable that is not set: not every app
        ("operate", {"env": "test", "app": "wepapi"}, "There is no app 'wepapi'"),
        (
            "operate",
            {"env": "test", "app": "badinput", "action": "explode"},
            "There is no action 'explode': say -e action=<stop | start | restart | remove | logs | verify>.",
        ),
        ("operate", {"env": "test", "app": "badinput"}, "No action was named: say -e action=<stop | start"),
        ("operate", {"app": "badinput", "action": "stop"}, "No environment was named: say -e env=<prod | test>."),
        ("rollback", {"app": "badinput"}, "No environment was named: say -e env=<prod | test>."),
        ("rollback", {"env": "test", "app": "badinput", "to": "9"}, "possible are"),
        ("promote", {"app": "badinput", "to": "prod"}, "No environment was named: say -e from=<prod | test>."),
        ("prune", {}, "No environment was named: say -e env=<prod | test>."),
        ("build", {"app": "nothing"}, "say -e app=<badinput>."),
        (
            "promote",
            {"app": "badinput", "from": "test", "to": "moon"},
            "There is no environment 'moon': say -e to=<prod | test>.",
        ),
        ("promote", {"app": "badinput", "from": "test", "to": "prod", "version": "7.7.7"}, "Healthy there: 1.0.0."),
        ("deploy", {"env": "test", "app": "badinput", "version": "7.7.7"}, "1.0.0"),
        ("deploy", {"env": "prod", "app": "badinput"}, "Nothing of badinput has come to 'prod' yet."),
        ("rollback", {"env": "test", "app": "badinput"}, "there is no healthy release before it to go back to"),
    ],
)
def test_a_wrong_name_stops_at_once_with_the_right_ones(site, playbook, variables, said):
    run = site.play(playbook, ok=False, **variables)
    assert said in run.flat
    assert "Traceback" not in run.output


def test_a_protected_environment_asks_for_the_very_version(site):
    site.write_environment("test", ["h2"], protected=True)
    try:
        for said in ([], ["-e", "approve=1.0"], ["--check", "-e", "approve=yes"]):
            run = site.play("deploy", *said, ok=False, env="test", app=site.name)
            assert "'test' is protected: say -e approve=1.0.0 to bring badinput 1.0.0 there (sha256:" in run.flat
        site.play("deploy", "-e", "approve='0.9.1, 1.0.0'", env="test", app=site.name)
    finally:
        site.write_environment("test", ["h2"])


def test_an_app_file_is_checked_whole(site):
    path = site.folder / "apps" / f"{site.name}.yml"
    good = path.read_text()
    app = yaml.safe_load(good)
    del app["app"]["repository"]
    app["app"]["contaner"] = {}
    app["app"]["config"]["keys"] = 5
    path.write_text(yaml.safe_dump(app))
    run = site.play("deploy", env="test", app=site.name, ok=False)
    path.write_text(good)
    for finding in ("repository", "contaner", "keys"):
        assert finding in run.flat
    assert f"apps/{site.name}.yml" in run.output


def test_a_file_that_cannot_be_read_is_named_with_the_reason(site):
    path = site.folder / "apps" / f"{site.name}.yml"
    keys = site.folder / "apps" / "config" / "test.yml"
    good, away = path.read_text(), keys.with_suffix(".away")
    keys.rename(away)
    try:
        run = site.play("configure", env="test", app=site.name, ok=False)
        assert f"{keys}: Could not find or access" in run.flat
        assert "Unknown error" not in run.flat, "one error, and that one clear"
        path.write_text(good + "broken: [\n")
        run = site.play("configure", env="test", app=site.name, ok=False)
        assert f"{path}: not YAML, line " in run.flat
    finally:
        path.write_text(good)
        away.rename(keys)


def test_an_unknown_container_option_is_named(site):
    site.write_app(container={**site.app()["container"], "prots": ["80:80"]})
    run = site.play("deploy", env="test", app=site.name, ok=False)
    site.write_app()
    assert "prots" in run.flat
    assert "Unsupported parameters" in run.flat


def test_a_container_option_of_the_wrong_type(site):
    site.write_app(container={**site.app()["container"], "memory": "much"})
    run = site.play("deploy", env="test", app=site.name, ok=False)
    site.write_app()
    assert "memory" in run.flat
    assert "much" in run.flat


def test_a_key_that_the_template_reads_and_the_environment_lacks(site):
    site.write_keys("test", {})
    run = site.play("deploy", env="test", app=site.name, ok=False)
    site.write_keys("test", {"greeting": "hello from test"})
    assert "/greeting" in run.flat
    assert "app.tmpl" in run.flat


def test_a_host_that_does_not_answer(site):
    inventory = site.folder / "inventory" / "test.yml"
    good = inventory.read_text()
    inventory.write_text(good.replace(HOSTS["h2"], f"{NETWORK}.99"))
    site.write_app(container={**site.app()["container"], "timeout": 3})
    run = site.play("deploy", env="test", app=site.name, ok=False)
    inventory.write_text(good)
    site.write_app()
    assert f"{NETWORK}.99" in run.flat
    assert "Traceback" not in run.output


def test_a_port_that_is_taken(site):
    client = docker.DockerClient(base_url=f"tcp://{HOSTS['h2']}:2375")
    other = client.containers.run(
        f"{REGISTRY}/base/busybox:1", ["sleep", "60"], name="it-bad-port", ports={"8080/tcp": 18083}, detach=True
    )
    try:
        site.write_app(container={**site.app()["container"], "ports": ["18083:8080"]})
        run = site.play("deploy", env="test", app=site.name, ok=False)
    finally:
        site.write_app()
        other.remove(force=True)
        client.close()
    assert "18083" in run.flat
    assert "it-bad-port" in run.flat
