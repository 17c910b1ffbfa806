# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short forms of app_container's options."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.engine import parse
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "ab" * 32
PORT = st.integers(1, 65535)


def entry(container, host_port=0, host_ip="", protocol="tcp"):
    return {"container": container, "protocol": protocol, "host_ip": host_ip, "host_port": host_port}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080:80", [entry(80, 8080)]),
        ("80", [entry(80)]),
        ("53:53/udp", [entry(53, 53, protocol="udp")]),
        ("127.0.0.1:8000:80", [entry(80, 8000, "127.0.0.1")]),
        ("127.0.0.1::80", [entry(80, 0, "127.0.0.1")]),
        ("0.0.0.0:8000:80", [entry(80, 8000)]),
        ("[::1]:8000:80", [entry(80, 8000, "::1")]),
        ("[0:0::1]:8000:80", [entry(80, 8000, "::1")]),
        ("8000-8001:80-81", [entry(80, 8000), entry(81, 8001)]),
        ("80-81", [entry(80), entry(81)]),
    ],
)
def test_port(text, expected):
    assert parse.port(text, "ports") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http", "is no port"),
        ("", "is no port"),
        ("80/http", "is no port"),
        ("1:2:3:4", "is no port"),
        ("::1:80:80", "is no port"),
        ("localhost:80:80", "is no port"),
        ("0:80", "outside 1 to 65535"),
        ("80:70000", "outside 1 to 65535"),
        ("81-80:81-80", "runs backwards"),
        ("8000-8002:80-81", "ranges of different length"),
        ("300.0.0.1:80:80", "has no valid address"),
        ("[1::2::3]:80:80", "has no valid address"),
    ],
)
def test_no_port(text, said):
    with pytest.raises(ParameterError, match=said) as raised:
        parse.port(text, "ports")
    assert raised.value.msg.startswith("ports: ")


@given(
    PORT,
    st.none() | PORT,
    st.none() | st.ip_addresses().filter(lambda ip: not getattr(ip, "scope_id", None)),
    st.sampled_from(["", "/tcp", "/udp", "/sctp"]),
)
def test_port_takes_what_docker_writes(container, host, address, protocol):
    shown = "" if address is None else f"[{address}]:" if address.version == 6 else f"{address}:"
    text = f"{shown}{host or ''}{':' if host or shown else ''}{container}{protocol}"
    ip = "" if address in (None, ipaddress.ip_address("0.0.0.0")) else str(address)
    assert parse.port(text, "ports") == [entry(container, host or 0, ip, protocol.lstrip("/") or "tcp")]


@given(st.text(max_size=30))
def test_port_is_read_or_refused(text):
    try:
        found = parse.port(text, "ports")
    except ParameterError:
        return
    assert found
    assert all(1 <= port["container"] <= 65535 and 0 <= port["host_port"] <= 65535 for port in found)


def test_ports_in_any_order_are_the_same():
    assert parse.ports(["8081:81", "8080:80", "8080:80"], "ports") == parse.ports(["8080:80", "8081:81"], "ports")


def test_one_port_of_the_host_twice():
    with pytest.raises(ParameterError, match="port 8080/tcp of the host is used twice"):
        parse.ports(["8080:80", "8080:81"], "ports")
    assert len(parse.ports(["8080:80", "8080:80/udp", "127.0.0.1:8080:80"], "ports")) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data:/data", {"source": "/data", "path": "/data", "mode": ""}),
        ("/data/:/data/", {"source": "/data", "path": "/data", "mode": ""}),
        ("/:/host:ro", {"source": "/", "path": "/host", "mode": "ro"}),
        ("logs:/var/log", {"source": "logs", "path": "/var/log", "mode": ""}),
        ("/a:/b:rw", {"source": "/a", "path": "/b", "mode": ""}),
        ("/a:/b:z,ro", {"source": "/a", "path": "/b", "mode": "ro,z"}),
        ("/scratch", {"source": "", "path": "/scratch", "mode": ""}),
    ],
)
def test_volume(text, expected):
    assert parse.volume(text, "volumes") == expected


@pytest.mark.parametrize("text", ["data/logs:/logs", "./a:/b", "/a:b", "a", "", ":", "/a:/b:ro:ro", "~/a:/b", ":/b"])
def test_no_volume(text):
    with pytest.raises(ParameterError, match="is no volume"):
        parse.volume(text, "volumes")


def test_volume_with_unknown_option():
    with pytest.raises(ParameterError, match="unknown option read-only"):
        parse.volume("/a:/b:read-only", "volumes")


def test_two_volumes_in_one_place():
    with pytest.raises(ParameterError, match="/b is mounted twice"):
        parse.volumes(["/a:/b", "/c:/b/"], "volumes")


@given(st.text(max_size=30))
def test_volume_is_read_or_refused(text):
    try:
        found = parse.volume(text, "volumes")
    except ParameterError:
        return
    assert found["path"].startswith("/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", ("busybox", "latest", "")),
        ("busybox:1", ("busybox", "1", "")),
        ("registry:5000/shop/webapi", ("registry:5000/shop/webapi", "latest", "")),
        ("registry:5000/shop/webapi:1.4.2", ("registry:5000/shop/webapi", "1.4.2", "")),
        (f"shop/webapi@{DIGEST}", ("shop/webapi", "", DIGEST)),
        (f"shop/webapi:1.4.2@{DIGEST}", ("shop/webapi", "1.4.2", DIGEST)),
    ],
)
def test_image(text, expected):
    found = parse.image(text, "image")
    assert (found.name, found.tag, found.digest) == expected


@pytest.mark.parametrize("text", ["", "a b", "shop/webapi:", "x:y:z/", "/x", "web api:1", "webapi@", "a:ta/g:"])
def test_no_image(text):
    with pytest.raises(ParameterError, match="is no image"):
        parse.image(text, "image")


def test_no_digest():
    with pytest.raises(ParameterError, match="is no digest"):
        parse.image("shop/webapi@sha256:12", "image")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sleep 10", ["sleep", "10"]),
        ("sh -c 'a b'", ["sh", "-c", "a b"]),
        (["sleep", 10], ["sleep", "10"]),
        (["a b"], ["a b"]),
    ],
)
def test_words(value, expected):
    assert parse.words(value, "command") == expected


@pytest.mark.parametrize("value", ["sh -c 'a", ["a", True], ["a", None], 7])
def test_no_words(value):
    with pytest.raises(ParameterError, match="command: "):
        parse.words(value, "command")


def test_all_wrong_values_at_once():
    with pytest.raises(ParameterError) as raised:
        parse.environment({"A": True, "B": None, "C": 1, "D": "x"}, "env")
    assert "env.A: True" in raised.value.msg
    assert "env.B: None" in raised.value.msg


@pytest.mark.parametrize("name", ["A=B", "", "a b", "a\x00"])
def test_no_name_of_a_variable(name):
    with pytest.raises(ParameterError, match="cannot name an environment variable"):
        parse.environment({name: "x"}, "env")


@given(
    st.dictionaries(
        st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]*\Z"), st.text(alphabet=st.characters(exclude_characters="\x00"))
    )
)
def test_environment_keeps_values(values):
    assert parse.environment(values, "env") == values


@pytest.mark.parametrize("value", [None, "", True, {"a": "hunter2"}, ["hunter2"]])
def test_a_blank_secret_is_refused_without_its_value(value):
    with pytest.raises(ParameterError, match="PW is blank or no text") as raised:
        parse.environment({"PW": value}, "secret_env", secret=True)
    assert "hunter2" not in raised.value.msg


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nofile=1024", {"name": "nofile", "soft": 1024, "hard": 1024}),
        ("nofile:1024:2048", {"name": "nofile", "soft": 1024, "hard": 2048}),
        ("core=-1", {"name": "core", "soft": -1, "hard": -1}),
    ],
)
def test_ulimit(value, expected):
    assert parse.ulimit(value, "ulimits") == expected


@pytest.mark.parametrize("value", ["nofile", "nofile=a", "=1", "nofile=1:2:3"])
def test_no_ulimit(value):
    with pytest.raises(ParameterError, match="is no limit"):
        parse.ulimit(value, "ulimits")


def test_devices():
    assert parse.devices(["/dev/tpm0:r", "/dev/snd:/dev/audio:rw", "/dev/null"], "devices") == [
        {"host": "/dev/snd", "inside": "/dev/audio", "mode": "rw"},
        {"host": "/dev/null", "inside": "/dev/null", "mode": "rwm"},
        {"host": "/dev/tpm0", "inside": "/dev/tpm0", "mode": "r"},
    ]


@pytest.mark.parametrize("value", ["", "null", "/dev/null:rx", "/dev/null:inside", "/a:/b:r:w"])
def test_no_device(value):
    with pytest.raises(ParameterError, match=r"devices: .* is no device"):
        parse.devices([value], "devices")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("curl localhost", ["CMD-SHELL", "curl localhost"]),
        (["curl", "localhost"], ["CMD", "curl", "localhost"]),
        (["CMD", "curl"], ["CMD", "curl"]),
        (["CMD-SHELL", "curl"], ["CMD-SHELL", "curl"]),
        ("NONE", ["NONE"]),
        (["NONE"], ["NONE"]),
    ],
)
def test_healthcheck(test, expected):
    assert parse.healthcheck({"test": test}, "healthcheck") == {"Test": expected}


def test_healthcheck_counts_in_nanoseconds():
    found = parse.healthcheck({"interval": "1m30s", "timeout": "500ms", "start_period": 2, "retries": 3}, "healthcheck")
    assert found == {"Interval": 90_000_000_000, "Timeout": 500_000_000, "StartPeriod": 2_000_000_000, "Retries": 3}


def test_healthcheck_faster_than_docker():
    with pytest.raises(ParameterError, match="Docker counts from 1ms"):
        parse.healthcheck({"interval": "0.5ms"}, "healthcheck")


def test_network():
    found = parse.network({"name": "app", "aliases": ["b", "a", "b"], "ipv4_address": "10.0.0.5"}, "networks")
    assert found == {"name": "app", "aliases": ["a", "b"], "ipv4_address": "10.0.0.5"}
    with pytest.raises(ParameterError, match=r"10\.0\.0\.500"):
        parse.network({"name": "app", "aliases": None, "ipv4_address": "10.0.0.500"}, "networks")


@pytest.mark.parametrize(("value", "expected"), [("30", 30), ("1m30s", 90), ("500ms", 1), (0, 0)])
def test_whole_seconds(value, expected):
    assert parse.whole_seconds(value, "stop_timeout") == expected


def test_other_forms():
    assert parse.tmpfs(["/run:size=64m", "/tmp/"], "tmpfs") == {"/run": "size=64m", "/tmp": ""}
    assert parse.capability("cap_net_admin", "cap_add") == parse.capability("NET_ADMIN", "cap_add") == "NET_ADMIN"
    assert parse.swap_size("unlimited", "memory_swap") == parse.swap_size(-1, "memory_swap") == -1
    assert parse.nano_cpus(1.5, "cpus") == 1_500_000_000
    with pytest.raises(ParameterError, match="is no number of CPUs"):
        parse.nano_cpus(0, "cpus")
    with pytest.raises(ParameterError, match="is no container name"):
        parse.container_name("web api", "name")
