# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""operate.yml behind an edge: a host leaves before its container is stopped, and comes back when it is well again."""

from __future__ import annotations

import contextlib

import docker
import pytest
from load_helper import Load
from site_helper import HOSTS

pytestmark = pytest.mark.lab

FIRST, SECOND = "h3", "h5"


@pytest.fixture
def site(edge_site):
    assert len(edge_site.servers()) == 2
    return edge_site


def operate(site, action, *arguments, ok=True):
    return site.play("operate", *arguments, env="prod", app=site.name, action=action, ok=ok)


def started(site):
    """{container id: when it was started} of what runs."""
    return {container["Id"]: container["State"]["StartedAt"] for container in site.containers("prod")}


@contextlib.contextmanager
def no_request_fails(site):
    with Load(site.url, rate=40, slow=2) as load:
        yield
    assert not load.failed
    assert load.requests > 200


def test_restart_takes_one_host_after_the_other(site):
    before = started(site)
    with no_request_fails(site):
        run = operate(site, "restart")
    after = started(site)
    assert set(after) == set(before)
    assert all(after[container] > before[container] for container in before)
    assert run.output.count("PLAY [Operate]") == 2
    assert len(site.servers()) == 2


def test_a_stopped_host_is_out_until_it_is_started(site):
    only_first = ("--limit", f"localhost,prod-{FIRST}")
    with no_request_fails(site):
        operate(site, "stop", *only_first)
        assert not any(HOSTS[FIRST] in server for server in site.servers())
        assert len(started(site)) == 1
        operate(site, "start", *only_first)
    assert len(site.servers()) == len(started(site)) == 2
    assert sum(operate(site, "start").changed.values()) == 0, "what runs and is in the edge is left alone"


def test_a_container_that_does_not_come_up_again_stays_out_and_the_next_host_is_left_alone(site):
    client = docker.DockerClient(base_url=f"tcp://{HOSTS[FIRST]}:2375")
    container = client.containers.get(site.name)
    try:
        assert container.exec_run(["sh", "-c", "echo 'raise SystemExit(3)' > /app/server.py"]).exit_code == 0
        other = [there["State"]["StartedAt"] for there in site.containers_of(SECOND)]
        with no_request_fails(site):
            run = operate(site, "restart", ok=False)
        assert f"The edge sends prod-{FIRST} no requests" in run.flat
        assert [there["State"]["StartedAt"] for there in site.containers_of(SECOND)] == other, "not touched"
        assert not any(HOSTS[FIRST] in server for server in site.servers())
    finally:
        container.remove(force=True)
        client.close()
    site.play("deploy", env="prod", app=site.name, version=site.version())
    assert len(site.servers()) == len(started(site)) == 2


def test_removed_everywhere_nobody_gets_requests(site):
    version = site.version()
    operate(site, "remove")
    assert site.servers() == []
    assert site.containers("prod", running_only=False) == []
    site.play("deploy", env="prod", app=site.name, version=version)
    assert (site.version(), len(site.servers())) == (version, 2)
