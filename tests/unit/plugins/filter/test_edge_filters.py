# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the edge reaches a container, from its facts."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.delivery.plugins.filter.edge_server import edge_port, edge_server


def container(ports=(), **more):
    return {
        "id": "39f3",
        "name": "webapi",
        "status": "running",
        "release": 4,
        "ip": "172.17.0.2",
        "ports": list(ports),
        **more,
    }


def binding(host_port, host_ip="0.0.0.0", port=8080, protocol="tcp"):
    return {"container": port, "protocol": protocol, "host_ip": host_ip, "host_port": host_port}


def where(facts):
    found = edge_server(facts, "prod-1", "10.0.0.11", 8080)
    return (found["address"], found["port"]) if found else None


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        ({"gate": {"http": {"port": 8080}}, "ports": ["9000"]}, 8080),
        ({"gate": {"tcp": {"port": "5432"}}}, 5432),
        ({"gate": {"soak": "5s"}, "ports": ["53:53/udp", "127.0.0.1:80:8081/tcp"]}, 8081),
        ({"ports": ["8000-8001:9000-9001"]}, 9000),
        ({"ports": [9000]}, 9000),
        ({}, 0),
        ({"gate": None, "ports": None}, 0),
    ],
)
def test_the_port_that_requests_go_to(spec, port):
    assert edge_port(spec) == port


def test_the_published_port_counts():
    facts = container([binding(9, protocol="udp"), binding(49153, "::"), binding(49154)])
    assert where(facts) == ("10.0.0.11", 49154)
    assert edge_server(facts, "prod-1", "10.0.0.11", 8080) == {
        "host": "prod-1",
        "address": "10.0.0.11",
        "port": 49154,
        "release": 4,
        "container": "39f3",
    }


def test_a_port_bound_to_one_address_is_reached_there():
    assert where(container([binding(80, "192.0.2.7")])) == ("192.0.2.7", 80)


def test_without_published_ports_its_own_address_or_the_hosts():
    assert where(container()) == ("172.17.0.2", 8080)
    assert where(container(ip="")) == ("10.0.0.11", 8080)


def test_nothing_for_what_does_not_run_or_has_no_port_yet():
    assert where(None) is None
    assert where({}) is None
    assert where(container([binding(80)], status="exited")) is None
    assert where(container([binding(None)])) is None


def test_a_port_that_is_not_published_is_told():
    with pytest.raises(AnsibleFilterError, match="publishes no port 8080"):
        where(container([binding(80, port=81)]))
