# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters as one normalised value, and as the body of a create request."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.engine import desired, labels, payload
from ansible_collections.slipway.delivery.plugins.module_utils.engine.actual import Container
from ansible_collections.slipway.delivery.plugins.module_utils.engine.options import APP_CONTAINER_SPEC
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "ab" * 32


def read(**options):
    spec = APP_CONTAINER_SPEC
    given_options = {"name": "webapi", "image": "shop/webapi:1", **options}
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(given_options)
    assert not validated.error_messages, validated.error_messages
    return desired.read(validated.validated_parameters)


def body(**options):
    wanted = read(**options)
    return payload.create_payload(
        wanted, "shop/webapi:1", payload.container_labels(wanted, "shop/webapi:1", DIGEST, None)
    )


def refused(**options):
    with pytest.raises(ParameterError) as raised:
        read(**options)
    return raised.value.msg


def test_everything_wrong_at_once():
    said = refused(
        name="web api",
        image="a b",
        digest="abc",
        ports=["x", "80:80"],
        volumes=["rel:/x:what"],
        memory="lots",
        env={"A": True},
        secret_env={"B": ""},
        networks=[{"name": "a", "ipv4_address": "10.0.0.300"}],
        gate={"deadline": "soon", "successes": 0, "http": {"port": 0}},
        restart_policy="always",
        restart_retries=3,
    )
    for option in (
        *("name:", "image:", "digest:", "ports:", "volumes:", "memory:", "env.A:", "secret_env:", "networks:"),
        *("gate.deadline:", "gate.successes:", "gate.http.port:", "restart_retries:"),
    ):
        assert option in said, option


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": f"shop/webapi@{DIGEST}", "digest": "sha256:" + "c" * 64}, "is not the digest in image"),
        ({"env": {"A": "1"}, "secret_env": {"A": "2"}}, "A is in env too"),
        ({"labels": {"slipway.release": "7"}}, "slipway.release is Slipway's own"),
        ({"network_mode": "host", "ports": ["80:80"]}, "cannot be published with network_mode host"),
        ({"network_mode": "host", "networks": [{"name": "a"}]}, "cannot be joined with network_mode host"),
        ({"networks": [{"name": "a"}, {"name": "a"}]}, "a is listed twice"),
        ({"memory": "1g", "memory_swap": "512m"}, "cannot be less"),
        ({"memory_swap": "512m"}, "needs memory"),
        ({"memory": "1g", "memory_reservation": "2g"}, "cannot be more than memory"),
        ({"strategy": "start_first", "ports": ["80:80"]}, "both cannot have port 80"),
        ({"strategy": "start_first", "network_mode": "host"}, "not possible on the host's network"),
        (
            {"strategy": "start_first", "networks": [{"name": "a", "ipv4_address": "10.0.0.3"}]},
            "not possible with a fixed ipv4_address",
        ),
        ({"gate": {"interval": "0s"}}, "gate.interval: must be more than nothing"),
    ],
)
def test_what_options_say_about_each_other(options, said):
    assert said in refused(**options)


def test_start_first_without_a_fixed_port():
    assert read(strategy="start_first", ports=["8080", "127.0.0.1::9000"]).fixed_ports == []


def test_a_digest_in_the_image_is_the_digest():
    assert read(image=f"shop/webapi:1@{DIGEST}").digest == DIGEST
    assert read(digest=DIGEST).digest == DIGEST
    assert read().digest is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"command": "a b"}, {"command": ["a", "b"]}),
        ({"ports": ["81:81", "80:80"]}, {"ports": ["80:80", "0.0.0.0:81:81/tcp"]}),
        ({"volumes": ["/b:/b/", "/a:/a:rw"]}, {"volumes": ["/a:/a", "/b/:/b"]}),
        ({"shm_size": "64m"}, {"shm_size": "67108864"}),
        ({"command": [], "env": {}, "ports": [], "privileged": False}, {}),
        ({"stop_timeout": "1m"}, {"stop_timeout": 60}),
        ({"env": {"A": 1}}, {"env": {"A": "1"}}),
        ({"network_mode": "default"}, {}),
        ({"gate": {"soak": "9s"}, "pull": "always", "release": 3, "strategy": "start_first"}, {}),
    ],
)
def test_spellings_of_the_same(one, other):
    assert read(**one).spec_hash == read(**other).spec_hash


@given(st.permutations(["A", "B", "C"]), st.permutations(["80:80", "81:81/udp", "82"]))
def test_the_hash_knows_no_order(names, ports):
    assert (
        read(env=dict.fromkeys(names, "1"), ports=ports).spec_hash
        == read(env={"A": "1", "B": "1", "C": "1"}, ports=["80:80", "81:81/udp", "82"]).spec_hash
    )


def test_live_options_are_not_in_the_hash():
    live = {"memory": "1g", "cpus": 2, "pids_limit": 9, "restart_policy": "always", "cpuset_cpus": "0"}
    assert read(**live).spec_hash == read().spec_hash


def test_secrets_are_in_no_label():
    wanted = read(secret_env={"PW": "hunter2"})
    made = payload.container_labels(wanted, "shop/webapi:1", DIGEST, None)
    assert "hunter2" not in json.dumps(made)
    assert json.loads(made[labels.SPEC])["secret_env"] == ["PW"]
    assert wanted.spec_hash != read().spec_hash
    assert wanted.spec_hash == read(secret_env={"PW": "hunter3"}).spec_hash


def test_labels_say_what_it_replaces():
    old = Container(
        {
            "Id": "f" * 64,
            "Config": {"Labels": {}},
            "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        }
    )
    made = payload.container_labels(read(release=7, config_revision="r1"), "shop/webapi:1", DIGEST, old)
    assert made[labels.REPLACES] == "f" * 64
    assert made[labels.REPLACED_POLICY] == "on-failure:3"
    assert labels.policy_from_text("on-failure:3") == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert (made[labels.ADOPTED], made[labels.RELEASE], made[labels.CONFIG_REVISION]) == ("true", "7", "r1")


def test_the_whole_body():
    made = body(
        command=["serve"],
        entrypoint=["/start.sh"],
        env={"A": "1"},
        secret_env={"PW": "hunter2"},
        user="app",
        working_dir="/srv",
        hostname="web",
        labels={"team": "shop"},
        ports=["8080:80", "127.0.0.1:9000:9000", "7000"],
        volumes=["/data:/data:ro", "/scratch"],
        tmpfs=["/run:size=1m"],
        networks=[{"name": "app-net", "aliases": ["web"], "ipv4_address": "10.0.0.3"}, {"name": "other"}],
        extra_hosts={"configCenter": "10.0.0.5"},
        dns=["10.0.0.1"],
        memory="1g",
        memory_swap="2g",
        cpus=1.5,
        ulimits=["nofile=1024"],
        shm_size="64m",
        init=True,
        read_only=True,
        cap_add=["NET_ADMIN"],
        cap_drop=["all"],
        security_opts=["no-new-privileges:true"],
        log_driver="json-file",
        log_options={"max-size": "10m"},
        stop_signal="SIGQUIT",
        stop_timeout="1m",
        healthcheck={"test": ["true"], "interval": "5s"},
    )
    assert made.pop("Labels")["team"] == "shop"
    assert made == {
        "Image": "shop/webapi:1",
        "Cmd": ["serve"],
        "Entrypoint": ["/start.sh"],
        "Env": ["A=1", "PW=hunter2"],
        "User": "app",
        "WorkingDir": "/srv",
        "Hostname": "web",
        "ExposedPorts": {"80/tcp": {}, "9000/tcp": {}, "7000/tcp": {}},
        "Volumes": {"/scratch": {}},
        "StopSignal": "SIGQUIT",
        "StopTimeout": 60,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        "NetworkingConfig": {
            "EndpointsConfig": {"app-net": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.0.0.3"}}}
        },
        "HostConfig": {
            "Binds": ["/data:/data:ro"],
            "CapAdd": ["NET_ADMIN"],
            "CapDrop": ["ALL"],
            "Dns": ["10.0.0.1"],
            "ExtraHosts": ["configCenter:10.0.0.5"],
            "Init": True,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
            "Memory": 1 << 30,
            "MemorySwap": 2 << 30,
            "NanoCpus": 1_500_000_000,
            "NetworkMode": "app-net",
            "PortBindings": {
                "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
                "9000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}],
                "7000/tcp": [{"HostIp": "", "HostPort": ""}],
            },
            "ReadonlyRootfs": True,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "SecurityOpt": ["no-new-privileges:true"],
            "ShmSize": 64 << 20,
            "Tmpfs": {"/run": "size=1m"},
            "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}],
        },
    }


def test_no_restart_policy_at_creation():
    assert body(restart_policy="always")["HostConfig"]["RestartPolicy"]["Name"] == "no"


@pytest.mark.parametrize(
    ("options", "mode", "names"),
    [
        ({}, "bridge", ["bridge"]),
        ({"networks": [{"name": "b"}, {"name": "a"}, {"name": "c"}]}, "b", ["b", "a", "c"]),
        ({"network_mode": "bridge", "networks": [{"name": "a"}]}, "bridge", ["bridge", "a"]),
        ({"network_mode": "a", "networks": [{"name": "b"}, {"name": "a"}]}, "a", ["a", "b"]),
        ({"network_mode": "host"}, "host", []),
        ({"network_mode": "none"}, "none", []),
        ({"network_mode": "container:db"}, "container:db", []),
    ],
)
def test_networks(options, mode, names):
    wanted = read(**options)
    assert wanted.network_mode == mode
    assert [network["name"] for network in wanted.networks] == names
