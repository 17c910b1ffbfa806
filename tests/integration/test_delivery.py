# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main way, told in order on one site: artifact, image, test, promotion, production, a bad release, and back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import docker
import pytest
import redis
import requests
from lab_command import NETWORK
from site_helper import HOSTS, REGISTRY, ROOT, Site

CORES = sorted(path.parent for path in ROOT.glob(".cache/venvs/core-*/bin/ansible-playbook"))

pytestmark = [pytest.mark.lab, pytest.mark.confd]


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab_confd):
    found = Site(
        tmp_path_factory.mktemp("delivery"), "story", 18081, {"test": ["h1"], "prod": ["h3", "h4", "h5"]}, lab_confd
    )
    yield found
    found.clean()


def snapshot(site: Site, env: str) -> dict:
    """Everything that a command could write: registry, engines, config centre, ledger, files."""
    center = redis.Redis(host=f"{NETWORK}.2{1 + list(site.environments).index(env)}")
    keys = {key: center.get(key) for key in sorted(center.scan_iter("*", _type="string"))}
    engines = {address: engine_facts(address, site.name) for address in HOSTS.values()}
    files = {
        str(path.relative_to(site.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.folder.rglob("*"))
        if path.is_file() and ".ansible" not in path.parts and not path.name.startswith("ledger.db")
    }
    catalog = {env_name: site.tags(env_name) for env_name in site.environments}
    return {"keys": keys, "engines": engines, "files": files, "registry": catalog, "ledger": ledger_rows(site)}


def engine_facts(address: str, app: str) -> dict:
    """The engine's containers and images of the app, and the names of its networks and volumes."""

    def ask(path: str) -> list | dict:
        return requests.get(f"http://{address}:2375/{path}", timeout=5).json()

    containers = ask("containers/json?all=1&filters=" + json.dumps({"label": [f"slipway.app={app}"]}))
    for container in containers:
        container.pop("Status")  # "Up 3 seconds"
    images = [image for image in ask("images/json?all=1") if f"/it-{app}-" in str(image["RepoDigests"])]
    networks = sorted(network["Name"] for network in ask("networks"))
    return {"containers": containers, "images": images, "networks": networks, "volumes": ask("volumes")["Volumes"]}


def ledger_rows(site: Site) -> dict:
    path = site.folder / "ledger.db"
    if not path.exists():
        return {}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
        tables = [row[0] for row in ledger.execute("select name from sqlite_master where type = 'table' order by name")]
        return {table: ledger.execute(f"select * from {table}").fetchall() for table in tables}


def test_a_release_reaches_production_unchanged(site):
    site.arrive("1.0.0", "prod")
    deployed = site.play("deploy", env="prod", app=site.name)
    assert site.versions("test") == ["1.0.0"]
    assert site.versions("prod") == ["1.0.0"] * 3
    assert site.settings("test") == {"hello from test/14"}
    assert site.settings("prod") == {"hello from prod/14"}
    digests = {
        container["Config"]["Labels"]["slipway.digest"]
        for env in ("test", "prod")
        for container in site.containers(env)
    }
    assert len(digests) == 1, "every environment runs the same digest"
    assert all(deployed.recap[host]["changed"] >= 1 for host in ("prod-h3", "prod-h4", "prod-h5"))


def test_the_batches_are_the_environments(site):
    run = site.play("deploy", env="prod", app=site.name)
    assert run.output.count("PLAY [Switch]") == 2, "one host first, then the others"


def test_the_same_release_again_changes_nothing(site):
    before = site.ids("prod"), ledger_rows(site)["slipway_releases"]
    run = site.play("deploy", env="prod", app=site.name)
    assert sum(run.changed.values()) == 0, run.output
    assert "in 'prod': healthy. unchanged: prod-h3, prod-h4, prod-h5." in run.flat.replace("''", "'")
    assert (site.ids("prod"), ledger_rows(site)["slipway_releases"]) == before


def test_what_runs_is_what_was_built(site):
    run = site.play("operate", env="prod", app=site.name, action="verify")
    assert run.flat.count("as story 1.0.0 was built") == 3
    client = docker.DockerClient(base_url=f"tcp://{HOSTS['h4']}:2375")
    container = client.containers.get(site.containers("prod")[1]["Id"])
    container.exec_run("sh -c 'echo changed > /www/app/healthy'")
    run = site.play("operate", env="prod", app=site.name, action="verify", ok=False)
    assert run.recap["prod-h4"]["failed"] == 1
    assert run.recap["prod-h3"]["failed"] == 0
    container.exec_run("sh -c 'echo ok > /www/app/healthy'")
    client.close()


def test_check_mode_writes_nothing_and_foretells_the_real_run(site):
    site.write_keys("prod", {"greeting": "good day from prod"})
    site.arrive("1.1.0", "prod")
    before = snapshot(site, "prod")
    foretold = site.play("deploy", "--check", "--diff", env="prod", app=site.name)
    assert snapshot(site, "prod") == before
    real = site.play("deploy", "--diff", env="prod", app=site.name)
    assert foretold.changed == {**real.changed, "localhost": foretold.changed["localhost"]}
    # Of what goes into the ledger at the end, container ids and seconds are known afterwards.
    assert set(foretold.diffs) == set(real.diffs)
    for task in ("Apply the settings", "Open the release", "Switch behind the gate"):
        shown = {name: diff for name, diff in real.diffs.items() if name.startswith(task)}
        assert shown
        assert {name: foretold.diffs[name] for name in shown} == shown
    assert site.versions("prod") == ["1.1.0"] * 3
    assert site.settings("prod") == {"good day from prod/14"}


def test_a_release_that_never_becomes_healthy_leaves_everything_as_it_was(site):
    before = site.ids("prod")
    site.arrive("1.2.0", "prod")
    site.write_app(
        container={
            **site.app()["container"],
            "gate": {**site.app()["container"]["gate"], "http": {"port": 8080, "path": "/absent"}},
        }
    )
    run = site.play("deploy", env="prod", app=site.name, ok=False)
    site.write_app()
    assert site.versions("prod") == ["1.1.0"] * 3
    assert site.ids("prod") == before
    assert "404" in run.flat
    with sqlite3.connect(site.folder / "ledger.db") as ledger:
        states = ledger.execute(
            "select version, state from slipway_releases where environment = 'prod' order by number"
        ).fetchall()
    assert states[-1] == ("1.2.0", "reverted")
    assert run.recap["prod-h3"]["failed"] == 1


def test_a_later_batch_takes_the_first_one_back(site):
    """prod-h3 switches alone and is healthy; prod-h4's port is somebody else's, found too late to be foretold."""
    before = set(site.ids("prod"))
    site.write_keys("prod", {"greeting": "settings of a release that fails"})
    site.write_environment("prod", site.environments["prod"], promote_from="test")
    bad = {"prod-h4": {"gate": {"http": {"port": 8080, "path": "/absent"}}}}
    inventory = site.folder / "inventory" / "prod.yml"
    good = inventory.read_text()
    site.write_keys("prod", {"greeting": "settings of a release that fails"})
    inventory.write_text(
        good.replace("    prod-h4:\n", f"    prod-h4:\n      container_overrides: {json.dumps(bad['prod-h4'])}\n")
    )
    run = site.play("deploy", env="prod", app=site.name, ok=False)
    inventory.write_text(good)
    assert site.versions("prod") == ["1.1.0"] * 3, run.output
    assert set(site.ids("prod")) == before, "the old containers themselves are back"
    assert site.settings("prod") == {"good day from prod/14"}, "with the settings that they had"


def test_rollback_brings_image_and_settings_back(site):
    run = site.play("rollback", env="prod", app=site.name)
    assert site.versions("prod") == ["1.0.0"] * 3
    assert site.settings("prod") == {"hello from prod/14"}
    assert run.code == 0


def test_rollback_to_a_named_version_and_to_an_unknown_one(site):
    unknown = site.play("rollback", env="prod", app=site.name, to="9.9.9", ok=False)
    assert "1.1.0" in unknown.flat
    assert site.versions("prod") == ["1.0.0"] * 3
    site.play("rollback", env="prod", app=site.name, to="1.1.0")
    assert site.versions("prod") == ["1.1.0"] * 3
    assert site.settings("prod") == {"good day from prod/14"}


def test_status_shows_what_runs_where(site, tmp_path):
    table, board = tmp_path / "status.json", site.folder / "board.html"
    run = site.play(
        "status", env="prod", app=site.name, json=str(table), board=board.name
    )  # where the command is given
    rows = json.loads(table.read_text())["rows"]
    assert [row["host"] for row in rows] == ["prod-h3", "prod-h4", "prod-h5"]
    assert {row["version"] for row in rows} == {"1.1.0"}
    marks = [container["Config"]["Labels"] for container in site.containers("prod")]
    assert {row["digest"] for row in rows} == {labels["slipway.digest"] for labels in marks}
    assert {row["settings"] for row in rows} == {labels["slipway.config_revision"] for labels in marks}
    assert {row["drift"] for row in rows} == {"none"}
    assert all(word in board.read_text() for word in ("prod-h4", rows[0]["digest"][:19], ">-<"))
    assert rows[0]["digest"] not in board.read_text() + run.output, "people get the short form"
    assert "None" not in board.read_text()
    assert "VERSION" in run.output
    (rollout,) = json.loads(table.read_text())["rollouts"]
    assert (rollout["version"], rollout["kind"], rollout["result"]) == ("1.1.0", "rollback", "healthy")
    assert "src=" not in board.read_text()  # nothing is loaded from anywhere
    assert "https://" not in board.read_text()


def test_status_shows_drift(site, tmp_path):
    refused = site.play("operate", "--limit", "prod-h5", env="prod", app=site.name, action="stop", ok=False)
    assert "say --limit localhost,prod-h5. Nothing was changed." in refused.flat
    site.play("operate", "--limit", "localhost,prod-h5", env="prod", app=site.name, action="stop")
    table = tmp_path / "status.json"
    site.play("status", env="prod", app=site.name, json=str(table))
    drift = {row["host"]: row["drift"] for row in json.loads(table.read_text())["rows"]}
    assert drift == {"prod-h3": "none", "prod-h4": "none", "prod-h5": "not running"}
    site.play("operate", env="prod", app=site.name, action="start")
    assert site.versions("prod") == ["1.1.0"] * 3


def test_operate_restarts_shows_logs_and_removes(site):
    before = site.containers("test")[0]
    run = site.play("operate", "-v", env="test", app=site.name, action="restart")
    assert "gate: http :8080/app/healthy answers 200" in run.flat, "it was not sent through the gate of its release"
    after = site.containers("test")[0]
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]
    logs = site.play("operate", env="test", app=site.name, action="logs")
    assert "Target config /www/settings" in logs.output
    site.play("operate", env="test", app=site.name, action="remove")
    assert site.containers("test", running_only=False) == []


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.parent.name)
def test_other_ansible_cores_do_the_same(site, core, monkeypatch):
    site.play("deploy", env="prod", app=site.name, version="1.1.0")  # with the settings as the files are now
    monkeypatch.setattr(site, "ansible", core)
    run = site.play("deploy", env="prod", app=site.name, version="1.1.0")
    assert sum(run.changed.values()) == 0, run.output
    site.play("status", env="prod", app=site.name)
    assert "say -e env=<prod | test>." in site.play("deploy", env="prd", ok=False).flat


def test_no_secret_is_anywhere(site):
    """Neither those that stand elsewhere and are named, nor those that stand in the files themselves."""
    site.write_keys("prod", {"greeting": "good day from prod", "password": "literal-secret-of-prod"})
    site.write_app(container={**site.app()["container"], "secret_env": {"TOKEN": "literal-secret-of-prod-too"}})
    outputs = [
        site.play("deploy", "-vvvv", "--diff", env="prod", app=site.name).output,
        site.play("configure", "-vvvv", "--diff", env="prod", app=site.name).output,
        site.play("status", "-vvvv", env="prod", app=site.name).output,
        site.play("operate", "-vvvv", env="prod", app=site.name, action="verify").output,
    ]
    assert site.settings("prod") == {f"good day from prod/{len('literal-secret-of-prod')}"}
    assert all(
        "TOKEN=literal-secret-of-prod-too" in container["Config"]["Env"] for container in site.containers("prod")
    )
    ledger = Path(site.folder / "ledger.db").read_bytes()
    for output in outputs:
        assert "secret-of-prod" not in output
    assert b"secret-of-prod" not in ledger
    assert not any("secret-of-" in json.dumps(container["Config"]["Labels"]) for container in site.containers("prod"))


def test_the_registry_holds_one_digest_per_version(site):
    for version in ("1.0.0", "1.1.0"):
        found = {
            requests.head(
                f"http://{REGISTRY}/v2/{site.repositories}/{env}/apps/{site.name}/manifests/{version}",
                headers={
                    "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
                },
                timeout=5,
            ).headers["Docker-Content-Digest"]
            for env in site.environments
        }
        assert len(found) == 1
