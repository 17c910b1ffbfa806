# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role engine, on a dockerd of the test's own: started and stopped as Debian's service does it, in a temporary folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from lab_command import layout
from own_registry import free_port, own_registry, push_image
from role_helper import authority, certificate, play_role

pytestmark = [pytest.mark.lab]
BRIDGE = "slw-role"  # with the bridge "none" a dockerd deletes docker0, whoever's it is
CONTROLLER = layout.CONTROLLER  # this machine in the lab's network: Docker checks no certificate of a loopback address
START = """#!/bin/sh
# As Debian's unit starts it: its own address on the command line, the rest from DOCKER_OPTS and daemon.json.
set -eu
cd {folder}
ip link show {bridge} >/dev/null 2>&1 || {{ ip link add {bridge} type bridge; ip addr add 172.31.251.1/24 dev {bridge}; }}
if [ -s pid ]; then
    old=$(cat pid)
    kill "$old" 2>/dev/null || true
    while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
rm -f pid
DOCKER_OPTS=
. ./default
exec unshare --mount --propagation private sh -c 'mount --bind {folder}/etc /etc/docker && exec dockerd \
    -H unix://{folder}/docker.sock '"$DOCKER_OPTS"' >> log 2>&1' &
for _attempt in $(seq 200); do
    if [ -s pid ] && docker -H unix://{folder}/docker.sock version >/dev/null 2>&1; then exit 0; fi
    kill -0 $! 2>/dev/null || {{ tail -n 3 log >&2; exit 1; }}
    sleep 0.05
done
echo "dockerd does not answer" >&2
exit 1
"""


class Host:
    """Its own folder in place of /etc/docker, /etc/default/docker and /var/lib/docker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "etc").mkdir(parents=True)
        self.config = folder / "etc" / "daemon.json"
        self.default = folder / "default"
        self.default.write_text("# comment of somebody's\n")
        self.pid_file = folder / "pid"
        self.socket = f"unix://{folder}/docker.sock"
        self.write_config()
        start = folder / "start"
        start.write_text(START.format(folder=folder, bridge=BRIDGE))
        start.chmod(0o755)
        subprocess.run([str(start)], check=True, timeout=60)

    def write_config(self) -> None:
        self.config.write_text(
            json.dumps(
                {
                    "data-root": f"{self.folder}/data",
                    "exec-root": f"{self.folder}/exec",
                    "pidfile": str(self.pid_file),
                    "bridge": BRIDGE,
                    "iptables": False,
                    "storage-driver": "vfs",
                    "exec-opts": ["native.cgroupdriver=cgroupfs"],
                    "cgroup-parent": "/slipway-role-engine",
                    "insecure-registries": ["somebody-elses:5000"],
                    "log-opts": {"tag": "{{.Name}}"},
                }
            )
        )

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    @property
    def variables(self) -> dict:
        return {
            "engine_packages": [],
            "engine_config_file": str(self.config),
            "engine_opts_file": str(self.default),
            "engine_certs_dir": f"{self.folder}/etc/certs.d",
            "engine_tls_dir": f"{self.folder}/etc/tls",
            "engine_socket": self.socket,
            "engine_restart_command": str(self.folder / "start"),
            "engine_reload_command": f"pkill -HUP -F {self.pid_file}",
            "engine_start_timeout": 20,
        }

    def play(self, *arguments: str, ok: bool = True, **variables):
        return play_role(self.folder / "play", "engine", {**self.variables, **variables}, *arguments, ok=ok)

    def client(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.socket, version="1.41", timeout=60)

    def settings(self) -> dict:
        return json.loads(self.config.read_text())

    def stop(self) -> None:
        if not self.pid_file.exists():
            return
        client = self.client()
        for container in client.containers(all=True):
            client.remove_container(container, force=True)
        client.close()
        pid = self.pid
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 20
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
            time.sleep(0.05)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder)
    return {
        "ca": f"{folder}/ca.pem",
        **{name: certificate(folder, name) for name in ("engine", "client")},
        "registry": certificate(folder, "registry", CONTROLLER),
    }


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """One host for all tests: an engine takes seconds to start, and a play of the role some more."""
    if os.geteuid():
        pytest.skip("dockerd needs root")
    folder = tmp_path_factory.mktemp("engine")
    found = Host(folder)
    yield found
    found.stop()
    subprocess.run(["ip", "link", "delete", BRIDGE], check=True)
    shutil.rmtree(folder / "data", ignore_errors=True)


def sleeping(client: docker.APIClient, registry: str) -> str:
    """A running container; its image is imported, since this engine has no network."""
    source = RegistryClient(registry, Access(insecure=True))
    layer = source.get_manifest("base/busybox", "1").layers[0]
    client.import_image_from_data(source.get_blob("base/busybox", layer.digest, 1 << 26), repository="it/sleeper")
    source.close()
    container = client.create_container("it/sleeper", ["sleep", "600"], network_disabled=True)["Id"]
    client.start(container)
    return container


def test_a_docker_host_as_a_team_wants_it(host, certificates, lab):
    """Trust, TLS on the API's port, log rotation and live-restore at once; again, nothing; containers go on meanwhile."""
    port, cert, key = free_port(), *certificates["engine"]
    client = host.client()
    container = sleeping(client, lab["LAB_REGISTRY"])
    started = client.inspect_container(container)["State"]["StartedAt"]
    client.close()
    before, old_pid = host.settings(), host.pid
    options = {
        "engine_registries": [{"host": "plain.example.com:5000", "insecure": True}],
        "engine_api": {"address": "127.0.0.1", "port": port, "ca": certificates["ca"], "cert": cert, "key": key},
    }
    assert host.play("--check", **options).changed > 0
    assert (host.settings(), host.pid) == (before, old_pid)
    assert sorted(path.name for path in (host.folder / "etc").iterdir() if path.name != "key.json") == ["daemon.json"]

    assert host.play(**options).was_run("slipway.delivery.engine : Restart the engine by command")
    pid = host.pid
    assert pid != old_pid
    wanted = {"max-size": "10m", "max-file": "3"}
    after = host.settings()
    assert after["insecure-registries"] == [*before["insecure-registries"], "plain.example.com:5000"]
    assert after["log-opts"] == {**before["log-opts"], **wanted}
    others = before.keys() - {"insecure-registries", "log-opts"}
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert host.default.read_text() == f'# comment of somebody\'s\nDOCKER_OPTS="-H tcp://127.0.0.1:{port}"\n'
    tls = docker.tls.TLSConfig(client_cert=certificates["client"], ca_cert=certificates["ca"], verify=True)
    remote = docker.APIClient(base_url=f"https://127.0.0.1:{port}", tls=tls, version="1.41", timeout=20)
    remote.trust_env = False  # REQUESTS_CA_BUNDLE would replace our authority
    info = remote.info()
    assert (info["LiveRestoreEnabled"], info["LoggingDriver"]) == (True, "json-file")
    state = remote.inspect_container(container)["State"]
    assert (state["Running"], state["StartedAt"]) == (True, started)
    remote.close()
    stranger = docker.tls.TLSConfig(ca_cert=certificates["ca"], verify=True)
    with pytest.raises((docker.errors.DockerException, OSError), match=r"certificate required|bad certificate"):
        without = docker.APIClient(base_url=f"https://127.0.0.1:{port}", tls=stranger, version="1.41", timeout=20)
        without.trust_env = False
        without.ping()

    assert host.play(**options).changed == 0
    assert host.pid == pid


@pytest.mark.usefixtures("lab")
def test_trust_comes_and_goes_without_a_restart(host, certificates, tmp_path):
    pid = host.pid
    with own_registry(
        tmp_path / "registry", tls=(*certificates["registry"], certificates["ca"]), host=CONTROLLER
    ) as registry:
        push_image(registry, "it/trusted", "1", [{"a": b"1"}], ca_path=certificates["ca"])
        client = host.client()
        with pytest.raises(docker.errors.APIError, match="certificate signed by unknown authority"):
            client.inspect_distribution(f"{registry}/it/trusted:1")
        registries = [{"host": registry, "ca": certificates["ca"]}, {"host": "other.example.com:1", "insecure": True}]
        # Of a host that the first test has not set up, the engine cannot reload everything that is wanted.
        wanted = {"engine_log": {}, "engine_live_restore": host.settings().get("live-restore", False)}
        played = host.play(engine_registries=registries, **wanted)
        assert played.was_run("slipway.delivery.engine : Reload the engine by command")
        assert client.inspect_distribution(f"{registry}/it/trusted:1")["Descriptor"]["digest"].startswith("sha256:")
        assert "other.example.com:1" in client.info()["RegistryConfig"]["IndexConfigs"]
        host.play(engine_registries=[{**item, "state": "absent"} for item in registries], **wanted)
        with pytest.raises(docker.errors.APIError, match="certificate signed by unknown authority"):
            client.inspect_distribution(f"{registry}/it/trusted:1")
        assert "other.example.com:1" not in client.info()["RegistryConfig"]["IndexConfigs"]
        client.close()
    assert host.pid == pid


def test_what_the_engine_would_not_start_with_is_never_written(host, certificates):
    before, pid = host.config.read_text(), host.pid
    refused = host.play(engine_options={"no-such-option": 1}, ok=False)
    assert "don't match any configuration option: no-such-option" in refused.flat
    cert, key = certificates["engine"][0], certificates["client"][1]
    refused = host.play(engine_api={"ca": certificates["ca"], "cert": cert, "key": key}, ok=False)
    assert "is not the key of" in refused.flat
    assert (host.config.read_text(), host.pid) == (before, pid)


def test_an_engine_that_does_not_come_back_gets_its_old_configuration_back(host):
    """A storage driver that there is not passes every check of the file, and ends the start."""
    before = host.settings()
    failed = host.play(engine_options={"storage-driver": "no-such-driver"}, ok=False)
    assert "did not come back with its new configuration (" in failed.flat
    assert "The old one is in place again, and the engine answers" in failed.flat
    assert host.settings() == before
    client = host.client()
    assert client.ping()
    client.close()


def test_a_run_that_was_cut_short_is_made_good_by_the_next(host):
    """The configuration was written, and then the machine went off: the file is right, and the engine does not know of it."""
    host.config.write_text(json.dumps({**host.settings(), "log-level": "warn", "live-restore": True}))
    pending = Path(f"{host.config}.slipway-pending")
    pending.write_text("restart\n")
    pid = host.pid
    host.play(engine_options={"log-level": "warn"}, engine_log={})
    assert host.pid != pid
    assert not pending.exists()
