# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of app_container's run spec at once: it is what runs, it stays as it is, and each change of one is seen."""

from __future__ import annotations

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine.options import RUN_SPEC
from engine_helper import GATE, SERVE, App, foretold

pytestmark = pytest.mark.lab

NETWORKS = {"audit-first": "10.199.1.0/24", "audit-second": "10.199.2.0/24"}


def every_option(port: int) -> dict:
    """A value for each option of the run spec; those of the gate and of the release come on top."""
    return {
        "entrypoint": ["sh", "-c"],
        "command": [SERVE],
        "env": {"V": "1", "N": 3},
        "secret_env": {"S": "hush-hush-9c1f"},
        "user": "root",
        "working_dir": "/tmp",
        "hostname": "hosty",
        "labels": {"team": "shop"},
        "ports": [f"{port}:8080", f"127.0.0.1:{port + 1}:8000", "9000"],
        "volumes": ["/tmp/audit-data:/data:ro", "audit-volume:/volume", "/anonymous"],
        "tmpfs": ["/scratch:size=1m,noexec"],
        # With the container's own name and host name, which the engine adds to the aliases by itself.
        "networks": [
            {"name": "audit-first", "aliases": ["web", "audit-every", "hosty"], "ipv4_address": "10.199.1.50"},
            {"name": "audit-second", "aliases": ["other"]},
        ],
        "network_mode": "audit-first",
        "extra_hosts": {"configCenter": "10.0.0.5"},
        "dns": ["10.0.0.1", "10.0.0.2"],
        "dns_search": ["shop.example.com"],
        "memory": "64m",
        "memory_swap": "128m",
        "memory_reservation": "32m",
        "cpus": 0.5,
        "cpuset_cpus": "0",
        "pids_limit": 100,
        "ulimits": ["nofile=1024:2048", "nproc=100"],
        "shm_size": "32m",
        "restart_policy": "on-failure",
        "restart_retries": 3,
        "init": True,
        "read_only": False,
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["CAP_MKNOD"],
        "devices": ["/dev/null:/dev/nothing:rw"],
        "groups": ["100", 4],
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": 80},
        "security_opts": ["no-new-privileges:true"],
        "privileged": False,
        "log_driver": "json-file",
        "log_options": {"max-size": "1m", "max-file": 2},
        "stop_signal": "SIGTERM",
        "stop_timeout": "2s",
        "healthcheck": {"test": ["true"], "interval": "1s", "timeout": "3s", "retries": 3, "start_period": "1s"},
    }


LIVE = {  # the engine changes these on the living container
    "memory": "65m",
    "memory_swap": "129m",
    "memory_reservation": "33m",
    "cpus": 0.25,
    "cpuset_cpus": "1",
    "pids_limit": 101,
    "restart_policy": "always",
    "restart_retries": 4,
}
STATIC = {
    "entrypoint": ["sh", "-ec"],
    "command": [SERVE + " "],
    "env": {"V": "1", "N": 4},
    "secret_env": {"S": "whisper-9c1f"},
    "user": "0",
    "working_dir": "/",
    "hostname": "other",
    "labels": {"team": "web"},
    "ports": ["18504:8080", "9000"],
    "volumes": ["/tmp/audit-data:/data", "audit-volume:/volume", "/anonymous"],
    "tmpfs": ["/scratch:size=2m,noexec"],
    "networks": [{"name": "audit-first", "aliases": ["web"], "ipv4_address": "10.199.1.51"}],
    "network_mode": "audit-second",
    "extra_hosts": {"configCenter": "10.0.0.6"},
    "dns": ["10.0.0.2", "10.0.0.1"],
    "dns_search": ["example.com"],
    "devices": ["/dev/null:/dev/nothing:r"],
    "groups": ["100"],
    "sysctls": {"net.ipv4.ip_unprivileged_port_start": "81"},
    "ulimits": ["nofile=1024:2049", "nproc=100"],
    "shm_size": "33m",
    "init": False,
    "read_only": True,
    "cap_add": ["NET_ADMIN", "SYS_TIME"],
    "cap_drop": ["MKNOD", "CHOWN"],
    "security_opts": [],
    "privileged": True,
    "log_driver": "syslog",
    "log_options": {"max-size": "2m", "max-file": 2},
    "stop_signal": "SIGINT",
    "stop_timeout": "1s",
    "healthcheck": {"test": ["true"], "interval": "2s", "timeout": "3s", "retries": 3, "start_period": "1s"},
}
GOES_ALONG = {"restart_policy": {"restart_retries": None}, "networks": {"network_mode": None}}


@pytest.fixture(scope="module")
def app(lab):
    made = App(lab, port=18502, name="audit-every")
    pools = {name: docker.types.IPAMPool(subnet=subnet) for name, subnet in NETWORKS.items()}
    for name, pool in pools.items():
        made.docker.create_network(name, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    gate = {**GATE, "http": {"port": 8080, "body": "1"}, "tcp": {"port": 8080}, "exec": ["true"], "docker": True}
    everything = {**every_option(made.port), "gate": gate, "release": 3, "config_revision": "r1"}
    try:
        check = made.deploy("1", check_mode=True, **everything)
        first = made.deploy("1", **everything)
        assert (first.get("action"), first["warned"]) == ("created", []), first
        assert (check["action"], check["diff"]) == (first["action"], first["diff"])
        yield made, everything
    finally:
        made.clean()
        left = App.client(made.host)
        for name in NETWORKS:
            left.remove_network(name)
        left.remove_volume("audit-volume")
        left.close()


def test_no_option_is_forgotten_here():
    assert set(every_option(1)) == set(RUN_SPEC.options)
    assert set(LIVE) | set(STATIC) == set(RUN_SPEC.options)


def test_every_option_is_what_the_engine_has(app):
    made, _everything = app
    attrs = made.inspect()
    config, host = attrs["Config"], attrs["HostConfig"]
    assert {key: config[key] for key in ("Entrypoint", "Cmd", "User", "WorkingDir", "Hostname", "StopSignal")} == {
        "Entrypoint": ["sh", "-c"],
        "Cmd": [SERVE],
        "User": "root",
        "WorkingDir": "/tmp",
        "Hostname": "hosty",
        "StopSignal": "SIGTERM",
    }
    assert {"V=1", "N=3", "S=hush-hush-9c1f"} <= set(config["Env"])
    assert (config["StopTimeout"], config["Labels"]["team"], config["Healthcheck"]["Retries"]) == (2, "shop", 3)
    assert not any("hush-hush-9c1f" in value for value in config["Labels"].values())
    limits = ("Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpusetCpus", "PidsLimit", "ShmSize")
    assert [host[key] for key in limits] == [64 << 20, 128 << 20, 32 << 20, 500_000_000, "0", 100, 32 << 20]
    assert (host["Init"], host["CapAdd"], host["CapDrop"]) == (True, ["NET_ADMIN"], ["MKNOD"])
    assert (host["Dns"], host["ExtraHosts"]) == (["10.0.0.1", "10.0.0.2"], ["configCenter:10.0.0.5"])
    assert (host["DnsSearch"], host["GroupAdd"]) == (["shop.example.com"], ["100", "4"])
    assert host["Sysctls"] == {"net.ipv4.ip_unprivileged_port_start": "80"}
    assert host["Devices"] == [
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "rw"}
    ]
    assert (host["SecurityOpt"], host["Tmpfs"]) == (["no-new-privileges:true"], {"/scratch": "size=1m,noexec"})
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}
    assert {(u["Name"], u["Soft"], u["Hard"]) for u in host["Ulimits"]} == {("nofile", 1024, 2048), ("nproc", 100, 100)}
    assert {mount["Destination"]: mount["RW"] for mount in attrs["Mounts"]} == {
        "/data": False,
        "/volume": True,
        "/anonymous": True,
    }
    networks = attrs["NetworkSettings"]["Networks"]
    assert networks["audit-first"]["IPAddress"] == "10.199.1.50"
    assert "other" in networks["audit-second"]["Aliases"]


def test_nothing_of_it_looks_changed_afterwards(app):
    made, everything = app
    before = made.inspect()["Id"]
    again = foretold(made, "1", **everything)
    assert (again["action"], again["changed"], again["diff"]) == ("none", False, {"before": {}, "after": {}})
    assert made.inspect()["Id"] == before


@pytest.mark.parametrize("option", sorted({**LIVE, **STATIC}))
def test_a_change_of_one_option_alone_is_seen(app, option):
    made, everything = app
    changed = {**everything, option: {**LIVE, **STATIC}[option], **GOES_ALONG.get(option, {})}
    plan = made.deploy("1", check_mode=True, **changed)
    assert plan["action"] == ("updated" if option in LIVE else "replaced"), plan
    named = {key.partition(".")[0] for key in plan["diff"]["after"]} - {"state"}
    assert {"restart_retries": "restart_policy"}.get(option, option) in named
    assert "9c1f" not in str(plan)


@pytest.mark.parametrize("option", sorted(LIVE))
def test_what_can_be_changed_on_the_living_container_is_and_back_again(app, option):
    made, everything = app
    changed = {**everything, option: LIVE[option], **GOES_ALONG.get(option, {})}
    assert foretold(made, "1", **changed)["action"] == "updated"
    assert foretold(made, "1", **everything)["action"] == "updated"


@pytest.fixture
def lan(lab):
    """A macvlan network on a host, whose containers have addresses of their own in the lab's network."""
    made = App(lab, port=18502)
    pool = docker.types.IPAMPool(subnet=lab["LAB_SUBNET"], gateway=lab["LAB_CONTROLLER"])
    try:
        options = {"parent": "eth0"}
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        made.docker.create_network("audit-lan", driver="macvlan", options=options, ipam=ipam)
    except docker.errors.APIError as error:
        pytest.skip(f"no macvlan on this machine: {error.explanation}")
    yield made
    made.clean()
    left = App.client(made.host)
    left.remove_network("audit-lan")
    left.close()


def test_on_a_macvlan_network_the_gate_goes_to_the_container_itself(lan, lab):
    address = lab["LAB_SUBNET"].rpartition(".")[0] + ".201"
    options = {"ports": [], "networks": [{"name": "audit-lan", "ipv4_address": address}]}
    for version, action in (("1", "created"), ("1", "none"), ("2", "replaced")):
        done = foretold(lan, version, **options)
        assert (done["action"], done["container"]["ip"]) == (action, address)
    failed = lan.deploy("3", **{**options, "gate": {**GATE, "deadline": "1s", "http": {"port": 8080, "body": "4"}}})
    assert failed["why"]["probe"] == f"http GET http://{address}:8080/"
    assert (failed["why"]["body"].strip(), failed["action"]) == ("3", "reverted")
