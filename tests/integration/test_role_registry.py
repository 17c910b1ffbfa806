# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role registry, with a docker-registry of the test's own in a temporary folder in place of Debian's service."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import RegistryError
from own_registry import free_port, put_blob
from role_helper import authority, certificate, play_role

START = """#!/bin/sh
# Restart with the configuration that is named, as `systemctl restart` does: the old one has ended before the new one starts.
set -eu
if [ -s {folder}/pid ]; then
    old=$(cat {folder}/pid)
    kill "$old" 2>/dev/null || true
    while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
{real} serve "$1" >> {folder}/log 2>&1 &
echo $! > {folder}/pid
for _attempt in $(seq 100); do
    if curl -ks -o {folder}/answer https://127.0.0.1:{port}/v2/; then exit 0; fi
    sleep 0.05
done
exit 1
"""
# A collection that begins, says so, and waits until it may go on.
HELD = """#!/bin/sh
if [ "$1" = garbage-collect ] && [ -e {folder}/hold ]; then
    touch {folder}/begun
    for _attempt in $(seq 400); do [ -e {folder}/hold ] || break; sleep 0.05; done
fi
exec {real} "$@"
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority(folder)
        cert, key = certificate(folder, "registry")
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        for name, text in (("start", START), ("bin/docker-registry", HELD)):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(folder=folder, port=self.port, real=shutil.which("docker-registry")))
            path.chmod(0o755)
        (folder / "units").mkdir()
        self.variables = {
            "registry_packages": [],
            "registry_storage": f"{folder}/storage",
            "registry_address": "127.0.0.1",
            "registry_port": self.port,
            "registry_tls": {"cert": cert, "key": key},
            "registry_users": [{"name": "ci", "password": "first secret"}, {"name": "old", "password": "x"}],
            "registry_config_dir": f"{folder}/etc",
            "registry_owner": "root",
            "registry_restart_command": f"{folder}/start",
            "registry_gc_script": f"{folder}/gc",
            "registry_systemd_dir": f"{folder}/units",
        }

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def play(self, *arguments: str, ok: bool = True, **variables):
        return play_role(self.folder / "play", "registry", {**self.variables, **variables}, *arguments, ok=ok)

    @contextlib.contextmanager
    def client(self, user="ci", password="first secret"):
        with RegistryClient(
            self.name, Access(username=user, password=password, ca_path=f"{self.folder}/ca.pem")
        ) as found:
            yield found

    def gc(self, *arguments: str) -> subprocess.Popen:
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return subprocess.Popen(
            [f"{self.folder}/gc", *arguments],
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def stop(self) -> None:
        if (self.folder / "pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if os.geteuid():
        pytest.skip("the garbage collection changes to the registry's account, which needs root")
    found = Machine(tmp_path_factory.mktemp("registry"))
    try:
        played = found.play()
        assert "first secret" not in played.output
        yield found
    finally:
        found.stop()


def has_login(machine, user, password):
    with machine.client(user, password) as client:
        try:
            client.has_blob("it/any", f"sha256:{'0' * 64}")
        except RegistryError as error:
            assert error.status == 401, error
            return False
    return True


def blob_file(machine, digest):
    name = digest.split(":")[1]
    return machine.folder / "storage" / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_tls_users_and_deletion_and_again_nothing(machine):
    assert has_login(machine, "ci", "first secret")
    assert not has_login(machine, "ci", "wrong")
    with machine.client() as client:
        assert client.head_manifest("it/any", "1") is None
    pid = machine.pid
    again = machine.play()
    assert (again.changed, machine.pid) == (0, pid)
    config = (machine.folder / "etc" / "config.yml").stat()
    assert config.st_mode & 0o777 == 0o600


def test_users_come_and_go_without_a_restart(machine):
    pid = machine.pid
    users = [
        {"name": "ci", "password": "first secret"},
        {"name": "old", "state": "absent"},
        {"name": "new", "password": "n"},
    ]
    assert machine.play(registry_users=users).changed == 2
    assert has_login(machine, "new", "n")
    assert not has_login(machine, "old", "x")
    assert machine.pid == pid


def test_a_configuration_that_no_registry_starts_with_is_never_written(machine):
    pid, before = machine.pid, (machine.folder / "etc" / "config.yml").read_text()
    refused = machine.play(registry_options={"storage": {"filesystem": {"rootdirectory": 5}, "s3": {}}}, ok=False)
    assert "must provide exactly one storage type" in refused.flat
    assert (machine.pid, (machine.folder / "etc" / "config.yml").read_text()) == (pid, before)


def test_nobody_can_push_while_garbage_is_collected(machine):
    with machine.client() as client:
        client.will_push("it/gc")
        kept = put_blob(client, "it/gc", b"kept by nobody yet", "application/octet-stream")
        assert blob_file(machine, kept.digest).exists()
        hold, begun = machine.folder / "hold", machine.folder / "begun"
        hold.touch()
        collection = machine.gc()
        try:
            wait_until(begun.exists)
            assert client.has_blob("it/gc", kept.digest)  # reading goes on
            with pytest.raises(RegistryError) as refused:
                put_blob(client, "it/gc", b"pushed meanwhile", "application/octet-stream")
            assert refused.value.status in (405, 503)
            second = machine.gc()
            assert "Another garbage collection is under way" in second.communicate(timeout=30)[0]
            assert second.returncode == 1
        finally:
            hold.unlink(missing_ok=True)
        output = collection.communicate(timeout=60)[0]
        assert collection.returncode == 0, output
        assert not blob_file(machine, kept.digest).exists()  # no manifest names it
        assert "1 blobs removed" in output
        put_blob(client, "it/gc", b"pushed afterwards", "application/octet-stream")


def test_a_collection_that_is_killed_leaves_a_registry_that_takes_pushes(machine):
    hold, begun = machine.folder / "hold", machine.folder / "begun"
    begun.unlink(missing_ok=True)
    hold.touch()
    collection = machine.gc()
    try:
        wait_until(begun.exists)
        os.killpg(collection.pid, signal.SIGKILL)
        collection.communicate(timeout=30)
    finally:
        hold.unlink(missing_ok=True)
    end = machine.gc("end")  # what systemd runs then, as the unit's ExecStopPost
    assert end.wait(60) == 0, end.communicate()[0]
    with machine.client() as client:
        client.will_push("it/gc")
        put_blob(client, "it/gc", b"pushed after a kill", "application/octet-stream")


def test_the_units_are_such_as_systemd_takes(machine):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    units = [str(path) for path in sorted((machine.folder / "units").iterdir())]
    assert [Path(unit).name for unit in units] == ["slipway-registry-gc.service", "slipway-registry-gc.timer"]
    checked = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "slipway-registry-gc" in line]
    assert not ours, checked.stderr


def test_without_a_schedule_the_units_go(machine):
    assert machine.play(registry_gc_schedule="").changed == 1
    assert list((machine.folder / "units").iterdir()) == []
    assert (machine.folder / "gc").exists(), "to be run by hand"
    assert machine.play(registry_gc_schedule="").changed == 0
