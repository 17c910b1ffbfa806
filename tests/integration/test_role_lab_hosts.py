# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles registry and engine on a lab host, by ssh as on any machine: what the controller then meets there, and again nothing.

The daemons are further ones on that host: its own engine belongs to all tests. What each role does in detail is shown in
test_role_registry.py and test_role_engine.py.
"""

from __future__ import annotations

import json
import shlex
import subprocess

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import RegistryError
from lab_command import layout
from role_helper import authority, certificate, play_role
from test_over_ssh import ssh_arguments

pytestmark = [pytest.mark.lab]
ADDRESS = layout.SSH_HOST.address
REGISTRY_PORT, ENGINE_PORT = 18590, 18591
FOLDER = "/tmp/slipway-role-test"  # the host's own: its /tmp is a file system in memory
# Both end what runs, and start it again with the configuration that lies there now, as a service manager would.
BRIDGE = "slw-role"  # with the bridge "none" a dockerd deletes docker0, whoever's it is
START_REGISTRY = f"""#!/bin/sh
set -eu
cd {FOLDER}
if [ -s pid ]; then kill "$(cat pid)" 2>/dev/null || true; while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done; fi
setsid docker-registry serve "$1" > log 2>&1 < /dev/null &
echo $! > pid
"""
START_ENGINE = f"""#!/bin/sh
set -eu
cd {FOLDER}
ip link show {BRIDGE} > answer 2>&1 || {{ ip link add {BRIDGE} type bridge; ip addr add 172.31.250.1/24 dev {BRIDGE}; }}
if [ -s engine.pid ]; then
    old=$(cat engine.pid)
    kill "$old" 2>/dev/null || true
    while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
rm -f engine.pid
DOCKER_OPTS=
if [ -e default ]; then . ./default; fi
setsid dockerd --config-file etc/daemon.json -H unix://{FOLDER}/docker.sock $DOCKER_OPTS > engine.log 2>&1 < /dev/null &
for _attempt in $(seq 200); do
    if [ -s engine.pid ] && docker -H unix://{FOLDER}/docker.sock version > answer 2>&1; then exit 0; fi
    sleep 0.05
done
tail -n 3 engine.log >&2
exit 1
"""


class Host:
    """The lab host that ssh reaches."""

    def __init__(self, lab, folder):
        self.folder = folder
        self.ssh = ["ssh", "-i", lab["LAB_SSH_KEY"], *ssh_arguments(lab).split(), f"root@{ADDRESS}"]
        self.reached_by = {
            "ansible_connection": "ssh",
            "ansible_host": ADDRESS,
            "ansible_user": "root",
            "ansible_python_interpreter": lab["LAB_TARGET_PYTHON"],
            "ansible_ssh_private_key_file": lab["LAB_SSH_KEY"],
            # One connection for a play's many tasks, which ends soon after it.
            "ansible_ssh_common_args": ssh_arguments(lab).replace("ControlMaster=no", "ControlMaster=auto")
            + " -o ControlPersist=5s -o ControlPath=/tmp/slipway-%C",
        }
        authority(folder)
        self.cert, self.key = certificate(folder, "server", ADDRESS)
        self.ca = f"{folder}/ca.pem"

    def run(self, command: str, stdin: str = "") -> str:
        done = subprocess.run(
            [*self.ssh, command], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def script(self, name: str, text: str) -> str:
        path = shlex.quote(f"{FOLDER}/{name}")
        self.run(f"mkdir -p {FOLDER}/etc {FOLDER}/units && cat > {path} && chmod 0755 {path}", text)
        return f"{FOLDER}/{name}"

    def play(self, role: str, variables: dict, *arguments: str):
        return play_role(self.folder / "play", role, variables, *arguments, reached_by=self.reached_by)

    def clean(self) -> None:
        ends = "for p in pid engine.pid; do [ ! -s $p ] || { kill $(cat $p); while kill -0 $(cat $p); do sleep 0.05; done; }; done"
        bridge = f"! ip link show {BRIDGE} > {FOLDER}/answer 2>&1 || ip link delete {BRIDGE}"
        self.run(f"cd {FOLDER} 2>/dev/null || exit 0; ({ends}) 2>/dev/null; {bridge}; cd /; rm -rf {FOLDER}")


@pytest.fixture
def host(lab, tmp_path):
    found = Host(lab, tmp_path)
    found.clean()
    yield found
    found.clean()


def test_a_registry_with_tls_and_logins(host):
    variables = {
        "registry_packages": [],
        "registry_storage": f"{FOLDER}/storage",
        "registry_address": ADDRESS,
        "registry_port": REGISTRY_PORT,
        "registry_tls": {"cert": host.cert, "key": host.key},
        "registry_users": [{"name": "ci", "password": "first secret"}],
        "registry_config_dir": f"{FOLDER}/etc",
        "registry_owner": "root",
        "registry_restart_command": host.script("start", START_REGISTRY),
        "registry_gc_script": f"{FOLDER}/gc",
        "registry_systemd_dir": f"{FOLDER}/units",
    }
    assert host.play("registry", variables, "--check").changed > 0
    assert host.run(f"ls -A {FOLDER}/etc {FOLDER}/units").split() == [f"{FOLDER}/etc:", f"{FOLDER}/units:"]
    assert host.play("registry", variables).changed > 0
    for password, status in (("first secret", None), ("wrong", 401)):
        access = Access(username="ci", password=password, ca_path=host.ca)
        with RegistryClient(f"{ADDRESS}:{REGISTRY_PORT}", access) as client:
            try:
                assert client.head_manifest("it/any", "1") is None
                assert status is None
            except RegistryError as error:
                assert error.status == status
    pid = host.run(f"cat {FOLDER}/pid")
    assert host.play("registry", variables).changed == 0
    assert host.run(f"cat {FOLDER}/pid") == pid


def test_an_engine_with_tls_on_its_port(host):
    daemon = {
        "data-root": f"{FOLDER}/data",
        "exec-root": f"{FOLDER}/exec",
        "pidfile": f"{FOLDER}/engine.pid",
        "bridge": BRIDGE,
        "iptables": False,
        "storage-driver": "vfs",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "insecure-registries": ["somebody-elses:5000"],
    }
    start = host.script("start-engine", START_ENGINE)
    host.script("etc/daemon.json", json.dumps(daemon))
    host.run(start)
    variables = {
        "engine_packages": [],
        "engine_config_file": f"{FOLDER}/etc/daemon.json",
        "engine_opts_file": f"{FOLDER}/default",
        "engine_certs_dir": f"{FOLDER}/etc/certs.d",
        "engine_tls_dir": f"{FOLDER}/etc/tls",
        "engine_socket": f"unix://{FOLDER}/docker.sock",
        "engine_restart_command": start,
        "engine_reload_command": f"pkill -HUP -F {FOLDER}/engine.pid",
        "engine_start_timeout": 20,
        "engine_registries": [
            {"host": "team.example.com:5000", "ca": host.ca},
            {"host": "plain:5000", "insecure": True},
        ],
        "engine_api": {"address": ADDRESS, "port": ENGINE_PORT, "ca": host.ca, "cert": host.cert, "key": host.key},
    }
    assert host.play("engine", variables).changed > 0
    tls = docker.tls.TLSConfig(client_cert=(host.cert, host.key), ca_cert=host.ca, verify=True)
    client = docker.APIClient(base_url=f"https://{ADDRESS}:{ENGINE_PORT}", tls=tls, version="1.41", timeout=20)
    client.trust_env = False  # REQUESTS_CA_BUNDLE would replace our authority
    info = client.info()
    client.close()
    assert (info["LiveRestoreEnabled"], info["LoggingDriver"], info["Name"]) == (True, "json-file", "h1")
    assert {"somebody-elses:5000", "plain:5000"} <= set(info["RegistryConfig"]["IndexConfigs"])
    assert host.run(f"cat {FOLDER}/etc/certs.d/team.example.com:5000/ca.crt") == (host.folder / "ca.pem").read_text()
    pid = host.run(f"cat {FOLDER}/engine.pid")
    assert host.play("engine", variables).changed == 0
    assert host.run(f"cat {FOLDER}/engine.pid") == pid
