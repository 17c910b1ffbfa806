# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment may ask of its roll-outs: hooks, the lock, failure_action, a canary, retention. Told in order."""

from __future__ import annotations

import json
import sqlite3

import docker
import pytest
import yaml
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.release import RELEASE
from engine_helper import call
from site_helper import HOSTS, REGISTRY, Site

pytestmark = [pytest.mark.lab, pytest.mark.confd]

HOOKS = ("build", "config", "deploy", "switch", "rollback")
# Says which hook ran, where and for which version; `slipway` is what hooks are told.
NOTE = [
    {
        "name": "Note it",
        "ansible.builtin.shell": "echo '{{ slipway.hook }} {{ inventory_hostname }} {{ slipway.version | default(\"\") }}' >> {{ hooks_log }}",
        "delegate_to": "localhost",
    }
]
STEAL = [
    {
        "name": "{{ item.state }}",
        "slipway.delivery.release": {
            "ledger": "{{ ledger }}",
            "app": "{{ slipway.app }}",
            "environment_name": "{{ env }}",
            "state": "{{ item.state }}",
            "force": "{{ item.state == 'unlocked' }}",
            "lock_owner": "somebody-else",
            "owner": "mallory",
        },
        "delegate_to": "localhost",
        "loop": [{"state": "unlocked"}, {"state": "locked"}],
    }
]
# Asks for a page that is not there, on one host alone.
BAD = {"gate": {"http": {"port": 8080, "path": "/absent"}, "deadline": "2s"}}


class Environment(Site):
    """One environment of two hosts, one after the other."""

    def again(self, version, hooks=None, **variables):
        """A new version with settings of its own, built and not yet deployed."""
        self.write_app(hooks=hooks or {})
        self.write_environment("prod", ["h2", "h3"], hooks_log=str(self.folder / "hooks.log"), **variables)
        self.write_keys("prod", {"greeting": f"hello {version}"})
        self.play("build", app=self.name, version=version)

    def break_host(self, host, overrides):
        path = self.folder / "inventory" / "prod.yml"
        inventory = yaml.safe_load(path.read_text())
        inventory["prod"]["hosts"][host].pop("container_overrides", None)
        if overrides:
            inventory["prod"]["hosts"][host]["container_overrides"] = overrides
        path.write_text(yaml.safe_dump(inventory, sort_keys=False))

    def deploy(self, *arguments, **more):
        return self.play("deploy", *arguments, env="prod", app=self.name, **more)

    def hooks_run(self):
        log = self.folder / "hooks.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def last_release(self):
        with sqlite3.connect(self.folder / "ledger.db") as ledger:
            return ledger.execute("select version, state from slipway_releases order by number desc").fetchone()

    def timings(self, host):
        with sqlite3.connect(self.folder / "ledger.db") as ledger:
            query = "select timings from slipway_outcomes where host = ? order by id desc"
            return json.loads(ledger.execute(query, [host]).fetchone()[0])

    def images(self, host):
        """Versions of this app's images on the host."""
        client = docker.DockerClient(base_url=f"tcp://{HOSTS[host]}:2375")
        try:
            tags = [tag for image in client.images.list() for tag in image.tags]
            return sorted(tag.rpartition(":")[2] for tag in tags if tag.startswith(f"{REGISTRY}/{self.repositories}/"))
        finally:
            client.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab_confd):
    found = Environment(tmp_path_factory.mktemp("policies"), "policy", 18084, {"prod": ["h2", "h3"]}, lab_confd)
    for name, tasks in (("note", NOTE), ("steal", STEAL)):
        (found.folder / "apps" / f"{name}.task").write_text(yaml.safe_dump(tasks, sort_keys=False))
    yield found
    found.clean()


def test_hooks_run_in_their_order(site):
    hooks = {f"{moment}_{step}": "note.task" for step in HOOKS for moment in ("before", "after")}
    hooks["before_deploy"] = ["note.task", {"run": ["sh", "-c", "grep hello /etc/hosts || cat /www/app/version"]}]
    site.again("1.0.0", {**hooks, "on_failure": "note.task"})
    assert site.hooks_run() == ["before_build prod-h2 1.0.0", "after_build prod-h2 1.0.0"]

    site.deploy("--check")
    assert site.hooks_run() == []

    site.deploy()
    assert site.hooks_run() == [
        "before_config prod-h2 1.0.0",
        "after_config prod-h2 1.0.0",
        "before_deploy prod-h2 1.0.0",
        *(f"{moment}_switch prod-{host} 1.0.0" for host in ("h2", "h3") for moment in ("before", "after")),
        "after_deploy prod-h2 1.0.0",
    ]
    again = site.deploy()
    assert (site.hooks_run(), sum(again.changed.values())) == ([], 0)


def test_a_failed_migration_stops_the_deploy_before_any_switch(site):
    before = site.ids("prod")
    failing = {"run": ["sh", "-c", "echo table is locked; exit 4"]}
    site.again("1.1.0", {"before_deploy": failing, "on_failure": "note.task"})
    run = site.deploy(ok=False)
    assert "ended with 4. Its last lines: table is locked" in run.flat
    assert (site.ids("prod"), site.settings("prod")) == (before, {"hello 1.0.0/14"})
    assert site.last_release() == ("1.1.0", "failed")
    assert site.hooks_run() == ["on_failure prod-h2 1.1.0"]


def test_a_hook_that_is_not_there_is_found_before_anything_is_done(site):
    site.write_app(name="polices", hooks={"before_deploy": "no-such.yml", "after_deploy": {"command": "x"}})
    run = site.deploy(ok=False)
    assert "app.name is 'polices', but the file is called policy.yml" in run.flat
    assert "app.hooks.before_deploy: there is no task file" in run.flat
    assert "app.hooks.after_deploy: 'command' is unknown" in run.flat


def test_the_first_batch_soaks_longer(site):
    site.again("1.2.0", canary_soak="3s")
    site.deploy()
    assert site.timings("prod-h2")["gate"] >= 3.0
    assert site.timings("prod-h3")["gate"] < 3.0


def test_pause_leaves_switched_hosts_and_takes_the_failed_one_back(site):
    site.again("1.3.0", failure_action="pause")
    site.break_host("prod-h3", BAD)
    run = site.deploy(ok=False)
    assert site.versions("prod") == ["1.3.0", "1.2.0"]
    assert site.settings("prod") == {"hello 1.3.0/14"}, "the settings that the switched host runs with"
    assert site.last_release() == ("1.3.0", "mixed")
    assert "failed, mixed" in run.flat

    site.break_host("prod-h3", None)
    site.deploy()
    assert site.versions("prod") == ["1.3.0", "1.3.0"]
    assert site.last_release() == ("1.3.0", "healthy")


def test_keep_leaves_the_failed_container_to_look_at(site):
    site.again("1.4.0", failure_action="keep")
    site.break_host("prod-h2", BAD)
    site.deploy(ok=False)
    names = {container["Name"] for container in site.containers("prod")}
    assert names == {"/policy.next", "/policy"}, "the failed one is there, and the other host goes on"
    site.break_host("prod-h2", None)
    site.deploy()
    assert site.versions("prod") == ["1.4.0", "1.4.0"]


def test_images_that_nobody_goes_back_to_leave_the_hosts(site):
    assert site.images("h2") == ["1.0.0", "1.2.0", "1.3.0", "1.4.0"]
    site.again("1.5.0", keep_releases=1)
    foretold = site.deploy("--check")
    assert site.images("h2") == ["1.0.0", "1.2.0", "1.3.0", "1.4.0"]
    real = site.deploy()
    assert site.images("h2") == site.images("h3") == ["1.4.0", "1.5.0"], real.output
    assert foretold.changed == {**real.changed, "localhost": foretold.changed["localhost"]}
    site.play("rollback", env="prod", app=site.name)
    assert site.versions("prod") == ["1.4.0", "1.4.0"]


def held_by_ann(site, lease):
    """Somebody else's lock, as that run left it."""
    options = {"ledger": str(site.folder / "ledger.db"), "app": site.name, "environment_name": "prod", "lease": lease}
    more = {"owner": "ann", "build_url": "https://ci.example.com/7", "lock_owner": f"the-run-of-ann-{lease}"}
    assert not call(RELEASE, state="locked", **options, **more).get("failed")


def test_a_taken_lock_is_named_waited_for_and_broken(site):
    before = site.ids("prod")
    held_by_ann(site, "10m")
    refused = site.deploy(ok=False)
    assert "is locked by ann on" in refused.flat
    assert "https://ci.example.com/7" in refused.flat
    assert "-e unlock=true" in refused.flat
    assert site.ids("prod") == before

    broken = site.deploy(unlock=True)
    assert "Ended the lock of ann" in broken.flat

    held_by_ann(site, "4s")
    waited = site.deploy(lock_wait=60)
    assert "Took over the expired lock of ann" in waited.flat


def test_a_run_that_lost_its_lock_stops_before_the_next_switch(site):
    site.again("1.6.0", {"after_switch": "steal.task"})
    run = site.deploy(ok=False)
    assert "Stopped before the next step, and nothing more was taken back" in run.flat
    assert "mallory" in run.flat
    assert site.versions("prod") == ["1.6.0", "1.5.0"]
    site.write_app()
    site.deploy(unlock=True)
    assert site.versions("prod") == ["1.6.0", "1.6.0"]
    assert site.last_release() == ("1.6.0", "healthy")
