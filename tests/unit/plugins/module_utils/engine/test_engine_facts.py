# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts, reasons, timings, ports: what results are made of."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.common.times import epoch
from ansible_collections.slipway.delivery.plugins.module_utils.engine import facts, preflight, stats, why
from ansible_collections.slipway.delivery.plugins.module_utils.engine.actual import Container
from ansible_collections.slipway.delivery.plugins.module_utils.engine.timings import Timings
from fake_engine import FakeEngine
from hypothesis import given
from hypothesis import strategies as st


def test_a_port_published_everywhere_is_one_entry():
    found = facts.ports(
        {
            "8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}, {"HostIp": "::", "HostPort": "80"}],
            "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
            "9000/tcp": None,
        }
    )
    assert found == [
        {"container": 53, "protocol": "udp", "host_ip": "127.0.0.1", "host_port": 53},
        {"container": 8080, "protocol": "tcp", "host_ip": "0.0.0.0", "host_port": 80},
    ]


@pytest.mark.parametrize(
    ("networks", "mode", "address"),
    [
        ({"bridge": {"IPAddress": "172.17.0.2"}}, "default", "172.17.0.2"),
        ({"b": {"IPAddress": "10.0.0.2"}, "a": {"IPAddress": "10.1.0.2"}}, "b", "10.0.0.2"),
        ({"b": {"IPAddress": ""}, "a": {"IPAddress": "10.1.0.2"}}, "b", "10.1.0.2"),
        ({"host": {"IPAddress": ""}}, "host", None),
        ({}, "none", None),
    ],
)
def test_address(networks, mode, address):
    assert facts.address({"Networks": networks}, {"NetworkMode": mode}) == address


SECRETS = {"PW": "hunter2", "KEY": "-----BEGIN-----\n  MIIEvQ\nend\n-----END-----"}


def test_secrets_are_masked_in_every_text():
    value = {"a": ["PW=hunter2", 7, None], "b": {"c": "x hunter2 y hunter2"}}
    assert why.masked(value, SECRETS) == {"a": ["PW=********", 7, None], "b": {"c": "x ******** y ********"}}


def test_a_secret_of_several_lines_is_masked_line_by_line():
    log = "key is\n-----BEGIN-----\n  MIIEvQ\nend\n-----END-----".splitlines()
    assert why.masked(log, SECRETS) == ["key is", "********", "  ********", "end", "********"]


@given(st.dictionaries(st.text(), st.text(min_size=1)), st.text())
def test_no_secret_is_left(secrets, text):
    secrets = {key: value for key, value in secrets.items() if "*" not in value}
    shown = why.masked(text + "".join(secrets.values()), secrets)
    assert all(value not in shown or value in why.MASK for value in secrets.values())


def test_the_reason_is_told_even_when_the_engine_is_gone():
    engine = FakeEngine()

    def inspect(_container):
        raise SlipwayError("connection refused")

    engine.inspect = inspect
    container = Container({"Id": "c" * 64, "Name": "/webapi"})
    found = why.facts(engine, container, SlipwayError("start failed with hunter2"), SECRETS)
    assert found["said"] == "start failed with ********"
    assert found["logs"] == ["(the logs cannot be read: connection refused)"]


def test_port_conflicts():
    def wanted(port, ip="", protocol="tcp"):
        return {"container": 80, "host_port": port, "host_ip": ip, "protocol": protocol}

    def held(port, ip="0.0.0.0", kind="tcp"):
        return [{"Id": "x" * 64, "Names": ["/other"], "Ports": [{"IP": ip, "PublicPort": port, "Type": kind}]}]

    assert preflight.port_conflicts([wanted(80)], held(80)) == ["port 80/tcp is in use by container other"]
    assert preflight.port_conflicts([wanted(80, "10.0.0.1")], held(80)) != []
    assert preflight.port_conflicts([wanted(80)], held(80, "127.0.0.1")) != []
    assert preflight.port_conflicts([wanted(80, "10.0.0.1")], held(80, "10.0.0.2")) == []
    assert preflight.port_conflicts([wanted(80)], held(81)) == []
    assert preflight.port_conflicts([wanted(80)], held(80, kind="udp")) == []
    assert preflight.port_conflicts([wanted(80)], [{"Id": "x", "Ports": None}]) == []


def test_timings():
    now = [0.0]
    timings = Timings(lambda: now[0])
    for seconds in (1.0, 0.5):
        with timings.measure("stop"):
            now[0] += seconds
    timings.went_down()
    now[0] += 2.0
    timings.came_up(now[0] - 0.25)
    timings.came_up()
    assert timings.facts() == {"pull": 0.0, "create": 0.0, "stop": 1.5, "start": 0.0, "gate": 0.0, "outage": 1.75}
    timings.went_down()
    now[0] += 3.0
    assert timings.facts()["outage"] == 4.75  # it has not ended


def test_a_failed_step_took_time_too():
    now = [0.0]
    timings = Timings(lambda: now[0])
    with pytest.raises(ValueError, match="x"), timings.measure("create"):
        now[0] += 1.0
        raise ValueError("x")
    assert timings.facts()["create"] == 1.0


def sample(total, system, cpus=2, **more):
    return {"cpu_stats": {"cpu_usage": {"total_usage": total}, "system_cpu_usage": system, "online_cpus": cpus}, **more}


def test_stats():
    after = sample(
        1500,
        20000,
        memory_stats={"usage": 1000, "limit": 4000, "stats": {"total_inactive_file": 200}},
        networks={"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 3, "tx_bytes": 4}},
        blkio_stats={
            "io_service_bytes_recursive": [
                {"op": "Read", "value": 10},
                {"op": "Write", "value": 20},
                {"op": "Total", "value": 30},
                {"op": "read", "value": 1},
            ]
        },
        pids_stats={"current": 7},
    )
    assert stats.facts(sample(1000, 10000), after) == {
        "cpu_percent": 10.0,
        "memory": {"usage": 800, "limit": 4000, "percent": 20.0},
        "network": {"received": 4, "sent": 6},
        "disk": {"read": 11, "written": 20},
        "pids": 7,
    }


def test_stats_of_a_container_without_network_and_counters():
    assert stats.facts(sample(1000, 10000), {"cpu_stats": {}, "blkio_stats": {"io_service_bytes_recursive": None}}) == {
        "cpu_percent": 0.0,
        "memory": {"usage": 0, "limit": 0, "percent": 0.0},
        "network": None,
        "disk": {"read": 0, "written": 0},
        "pids": 0,
    }


def test_memory_of_cgroup_v2():
    assert stats.memory_usage({"usage": 1000, "stats": {"inactive_file": 100}}) == 900


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T02:00:10.123456789+02:00", 10.123456789),
        ("1969-12-31T22:30:00-01:30", 0.0),
    ],
)
def test_the_engine_s_clock(text, seconds):
    assert epoch(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "yesterday", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00"])
def test_no_clock(text):
    with pytest.raises(ValueError):
        epoch(text)
