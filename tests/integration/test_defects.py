# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other deploy tools get wrong, done to Slipway. Each test has the name of a defect of theirs, and shows that it is none here.

The two that need an edge are in test_defects_edge.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

import docker
import pytest
import yaml
from ansible_collections.slipway.delivery.plugins.module_utils.engine.prune import APP_PRUNE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from engine_helper import App, call
from faults_helper import Prober, eventually, image_of
from image_helper import Place
from ledger_operation import ledger_task
from site_helper import HOSTS, REGISTRY
from warm_playbook import descendants

pytestmark = [pytest.mark.lab, pytest.mark.confd]

SECTION = "Thirteen defects of other tools"


@pytest.fixture
def site(fault_site):
    fault_site.greet(f"greeting {time.monotonic_ns()}")
    return fault_site


def watching(site, host="h1"):
    return Prober(HOSTS[host], site.port, "/app/healthy")


def engine(host):
    return docker.APIClient(base_url=f"tcp://{HOSTS[host]}:2375", version="1.41", timeout=20)


@contextlib.contextmanager
def locked(site, owner):
    """Somebody's deploy holds the lock."""
    who = {"ledger": str(site.folder / "ledger.db"), "app": site.name, "environment_name": "prod", "lock_owner": owner}
    taken = ledger_task(state="locked", owner=owner, lease="5m", **who)
    assert not taken.get("failed"), taken
    try:
        yield
    finally:
        ledger_task(state="unlocked", **who)


def another_controller(site, name, hosts=None):
    """Another checkout, whose inventory may name the hosts in another order."""
    folder = site.elsewhere(name, source=True)
    if hosts:
        inventory = folder / "inventory" / "prod.yml"
        group = yaml.safe_load(inventory.read_text())
        group["prod"]["hosts"] = {f"prod-{host}": group["prod"]["hosts"][f"prod-{host}"] for host in hosts}
        inventory.write_text(yaml.safe_dump(group, sort_keys=False))
    return folder


# --- locks ----------------------------------------------------------------------------------------------------------------


def test_an_interrupt_leaves_the_lock(site, noted):
    """SIGTERM to everything that the play started, as a CI server does it when somebody presses the button."""
    wanted = site.other()
    act, mark = site.reached("interrupt")
    acts = [{**act, "method": "start", "host": HOSTS["h1"], "when": "after"}]
    play = site.begin("deploy", env="prod", app=site.name, version=wanted, acts=acts)
    with watching(site) as prober:
        eventually(mark.exists, 60)
        for pid in [play.process.pid, *descendants(play.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        assert play.end().code != 0
        mark.unlink()
        again = site.deploy(wanted, lock_wait="30s")
    assert "Took over the expired lock of" in again.flat
    assert site.stands(again) == wanted
    noted(
        SECTION,
        "An interrupt (`SIGTERM`) leaves the lock, for ever",
        "the lease ran out; the next deploy said so, took it over and finished",
        prober.outage,
    )


def test_the_lock_is_per_primary_host(site, noted):
    """The second deploy has another first host, and another order of them all."""
    wanted = site.other()
    hosts = site.environments["prod"]
    act, mark = site.reached("first")
    first = site.begin(
        "deploy", env="prod", app=site.name, version=wanted, lock_lease="60s", acts=[{**act, "task": "Renew the lock"}]
    )
    with watching(site) as prober:
        eventually(mark.exists, 60)
        backwards = another_controller(site, "backwards", list(reversed(hosts)))
        second = site.begin("deploy", env="prod", app=site.name, version="1.0.0", cwd=backwards).end(ok=False)
        some = site.begin(
            "deploy", "--limit", f"localhost,prod-{hosts[-1]}", env="prod", app=site.name, version="1.0.0"
        ).end(ok=False)
        mark.unlink()
        done = first.end(ok=True)
    assert "is locked by" in second.flat
    assert "An environment runs one release" in some.flat
    assert site.stands(done) == wanted
    noted(
        SECTION,
        "The lock is per primary host, so that two deploys to other hosts, or in another order, both run",
        "one ran; the other was refused, as was a deploy to some of the hosts",
        prober.outage,
    )


def test_two_users_get_two_locks(site, tmp_path, noted):
    """Their own checkout, home and name; what the inventory says of the ledger is what counts."""
    before = (site.ids("prod"), site.releases())
    folder = another_controller(site, "second-user")
    with locked(site, "ann"):
        who = ["env", f"HOME={tmp_path}", "USER=bob"]
        run = site.begin("deploy", env="prod", app=site.name, version=site.other(), cwd=folder, prefix=who).end(
            ok=False
        )
    assert "is locked by ann on" in run.flat
    assert (site.ids("prod"), site.releases()) == before
    assert not list(tmp_path.rglob("*.db")) + list(folder.rglob("*.db")), "no ledger beside the one that was configured"
    noted(
        SECTION,
        "Where the lock is depends on who deploys, whatever the configuration says: two users get two",
        "the second user was told that the first one holds it",
    )


# --- one release for all --------------------------------------------------------------------------------------------------


def test_a_partial_failure_leaves_mixed_versions(site, noted):
    before, current = site.ids("prod"), site.current()
    last = site.environments["prod"][-1]
    kill = f"curl -fsS -X POST http://{HOSTS[last]}:2375/containers/{site.name}.next/kill"
    acts = [{"method": "start", "host": HOSTS[last], "when": "after", "run": kill}]
    with watching(site) as prober:
        run = site.deploy(site.other(), ok=False, acts=acts)
    assert site.stands(run) == current
    assert site.ids("prod") == before, "the old containers themselves"
    assert site.releases()[-1][2] == "reverted"
    noted(
        SECTION,
        "One host fails, and the environment is left with two versions",
        "every host went back to the release before, those too that were well",
        prober.outage,
    )


def test_a_host_that_fails_before_its_gate_lets_the_others_wait_for_ever(site, noted):
    """The first host cannot even create its container: the name is taken. The lock is free afterwards."""
    current, first = site.current(), site.environments["prod"][0]
    docker_of_first = engine(first)
    image = site.containers("prod")[0]["Image"]
    foreign = docker_of_first.create_container(image, ["true"], name=f"{site.name}.next")["Id"]
    began = time.monotonic()
    try:
        with watching(site) as prober:
            run = site.deploy(site.other(), ok=False)
        took = time.monotonic() - began
    finally:
        docker_of_first.remove_container(foreign)
        docker_of_first.close()
    assert "is already in use by container" in run.flat
    assert site.stands(run) == current
    assert took < 60
    assert prober.failed == 0
    with locked(site, "next"):
        pass
    noted(
        SECTION,
        "A host fails before its gate, and the others wait for ever, holding the lock",
        "it ended at once, nothing was touched, and the lock was free",
        prober.outage,
    )


# --- images ---------------------------------------------------------------------------------------------------------------


def test_an_image_is_a_mutable_tag(site, noted):
    """The version's tag is pushed again with the other version's image, in the registry and on a host."""
    wanted, current = site.other(), site.current()
    repository = f"{site.repositories}/prod/apps/{site.name}"
    client = RegistryClient(REGISTRY, Access(insecure=True))
    built, wrong = (client.get_manifest(repository, version) for version in (wanted, current))
    docker_of_first = engine(site.environments["prod"][0])
    client.put_manifest(repository, wanted, wrong)
    docker_of_first.tag(f"{REGISTRY}/{repository}:{current}", f"{REGISTRY}/{repository}", wanted, force=True)
    try:
        with watching(site) as prober:
            run = site.deploy(wanted)
    finally:
        client.put_manifest(repository, wanted, built)
        client.close()
        docker_of_first.close()
    assert site.stands(run) == wanted
    digests = {container["Config"]["Labels"]["slipway.digest"] for container in site.containers("prod")}
    assert digests == {built.digest}
    noted(
        SECTION,
        "An image is known by a tag, which anybody may push again",
        "the digest that was built ran on every host",
        prober.outage,
    )


@pytest.fixture
def shared_host(lab, tmp_path):
    """`staging` and `prod` of one app on one host, with the images of two versions in one repository."""
    place = Place(lab["LAB_REGISTRY"], App.client(lab["LAB_H4"]), lab["LAB_H4"])
    images = {v: image_of(tmp_path / v, place.image(v), place.base, 1000) for v in ("1", "2")}
    apps = {env: App(lab, port=port) for env, port in (("staging", 18302), ("prod", 18303))}
    yield place, images, apps
    for app in apps.values():
        app.clean()
    place.clean()


def test_pruning_crosses_environments_on_a_shared_host(shared_host, noted):
    """Staging forgets the very image that production would go back to."""
    place, digests, apps = shared_host

    def deploy(env, version):
        image = {"image": place.image(version), "digest": digests[version], "app": "shop", "environment_name": env}
        result = apps[env].deploy(version, **image)
        assert not result.get("failed"), result

    for env in apps:
        deploy(env, "1")
        deploy(env, "2")
    deploy("staging", "2")
    kept = apps["prod"].inspect(".previous")["Id"]
    pruned = call(
        APP_PRUNE,
        docker_host=apps["prod"].host,
        app="shop",
        environment_name="staging",
        repository=place.image().rpartition(":")[0],
        digests=list(digests.values()),
        keep=[digests["2"]],
    )
    assert not pruned.get("failed"), pruned
    assert pruned["removed"] == []
    assert apps["prod"].inspect(".previous")["Id"] == kept
    back = apps["prod"].back()
    assert not back.get("failed"), back
    assert (apps["prod"].answer(), apps["staging"].answer()) == ("1", "2")
    noted(
        SECTION,
        "Pruning for one environment takes what another one on the same host would go back to",
        "its container and its image stayed, and the rollback worked",
    )


# --- rollbacks ------------------------------------------------------------------------------------------------------------


def test_a_rollback_to_an_unknown_version_exits_0(site, noted):
    before = (site.ids("prod"), site.releases())
    run = site.rollback(ok=False, to="9.9.9")
    assert run.code != 0
    assert "1.0.0" in run.flat, "those that there are"
    assert (site.ids("prod"), site.releases()) == before
    noted(SECTION, "A rollback to an unknown version exits with 0", "it failed, naming the versions that there are")


def test_a_rollback_does_not_restore_the_configuration(site, noted):
    """From another controller without the app's sources, to a host that has joined since, and to one whose old container and
    image are gone."""
    old, greeting = site.current(), site.greets()
    site.bring(site.other())
    if "h4" not in site.environments["prod"]:
        site.write_environment("prod", [*site.environments["prod"], "h4"])
    first = engine("h1")
    first.remove_container(f"{site.name}.previous")
    first.remove_image(f"{REGISTRY}/{site.repositories}/prod/apps/{site.name}:{old}", force=True)
    first.close()
    site.greet("what files say now, and nobody deployed")
    with watching(site) as prober:
        run = site.rollback(cwd=site.elsewhere("bare"))
    assert site.stands(run) == old
    assert {line.split("/")[0] for line in site.settings("prod")} == {greeting}
    assert len(site.ids("prod")) == len(site.environments["prod"]) == 3
    noted(
        SECTION,
        "A rollback runs the old image with today's settings, wants the sources, and is refused by a host added since",
        "image and settings of the old release ran on all hosts, from ledger and registry alone",
        prober.outage,
    )


def test_the_current_release_is_guessed_as_the_newest(site, noted):
    """After a rollback the newest of everything is not what runs. Going back once more goes further back, never forward."""
    kinds = dict(site.ledger("select number, kind from slipway_releases where app = ?", site.name))
    healthy = [number for number, _version, state in site.releases() if state == "healthy"]
    if kinds[healthy[-1]] != "rollback":
        site.bring(site.other())
        site.rollback()
    rows = site.ledger(
        "select number, config_revision from slipway_releases where app = ? and state = 'healthy' order by number",
        site.name,
    )
    revisions = dict(rows)
    now, left = revisions[rows[-1][0]], revisions[rows[-2][0]]
    with watching(site) as prober:
        run = site.rollback()
    site.stands(run)
    after = site.ledger("select config_revision from slipway_releases where app = ? order by number", site.name)[-1][0]
    assert after not in (now, left)
    assert after in [revision for number, revision in rows if number < rows[-2][0]], (
        "older than what was gone back from"
    )
    noted(
        SECTION,
        "What is current is guessed as the newest, and a second rollback goes forward",
        "it went further back, as the ledger says",
        prober.outage,
    )


def test_a_rollback_to_a_named_release_deletes_it(site, noted):
    """Retention at its tightest, right after going back by name."""
    wanted = site.other()
    with watching(site) as prober:
        run = site.rollback(to=wanted, keep_releases=1)
    assert site.stands(run) == wanted
    for host in site.environments["prod"]:
        there = engine(host)
        container = there.inspect_container(site.name)
        assert there.inspect_image(container["Image"])["Id"] == container["Image"]
        there.restart(container["Id"], timeout=1)
        there.close()
    assert site.stands(run) == wanted
    noted(
        SECTION,
        "A rollback to a named release deletes that release, and says that all is well",
        "it runs, its image is there, and it starts again",
        prober.outage,
    )
