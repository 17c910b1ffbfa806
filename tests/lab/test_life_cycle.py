# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab goes away without a trace and comes back as it was.

It takes the lab down, so it stands apart from the tests that share one; it leaves it as it found it, up or down.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import docker
import pytest
import redis
import requests

sys.path.append(str(Path(__file__).resolve().parents[1]))

from lab.layout import BRIDGE, DATA, MARK, NODES, RUN, SUBNET, node

pytestmark = pytest.mark.lab
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "/usr/bin/python3"), str(Path(__file__).resolve().parent)]
NAMESPACES, LINKS = ({getattr(each, name) for each in NODES} for name in ("namespace", "link"))
MARKER = ".slipway-lab"
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def lab(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAB, *words], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def facts() -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(lab("env").stdout))


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def groups() -> list[Path]:
    """The lab's control group in every hierarchy that has one."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup" in line]
    return [Path(mount, MARK) for mount in mounts if Path(mount, MARK).exists()]


def processes() -> set[str]:
    """Ids of all processes in the lab's control groups."""
    return {pid for group in groups() for procs in group.rglob("cgroup.procs") for pid in procs.read_text().split()}


def traces() -> dict[str, list[str]]:
    """Everything on this machine that is this lab's; another one may run beside it."""
    links = [link["ifname"] for link in json.loads(output("ip", "-json", "link", "show"))]
    spaces = output("ip", "netns", "list").split()
    places = {str(RUN), str(DATA), *(f"/run/netns/{name}" for name in NAMESPACES)}
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return {
        "interfaces": [name for name in links if name in {BRIDGE, *LINKS}],
        "routes": [line for line in output("ip", "route", "show").splitlines() if SUBNET in line],
        "namespaces": [name for name in spaces if name in NAMESPACES],
        "rules": [line for line in output("iptables", "-S").splitlines() if {MARK, BRIDGE} & set(line.split())],
        "mounts": [mount for mount in mounts if any(f"{mount}/".startswith(f"{place}/") for place in places)],
        "groups": [str(group) for group in groups()],
        "folders": [str(folder) for folder in (RUN, DATA) if folder.exists()],
    }


def repositories(registry: str) -> list[str]:
    return requests.get(f"http://{registry}/v2/_catalog", timeout=5).json()["repositories"]


def base_digests(registry: str) -> dict[str, str]:
    """Manifest digest of every base image in the open registry."""
    digests = {}
    for repository in repositories(registry):
        if not repository.startswith("base/"):
            continue
        for tag in requests.get(f"http://{registry}/v2/{repository}/tags/list", timeout=5).json()["tags"]:
            url = f"http://{registry}/v2/{repository}/manifests/{tag}"
            answer = requests.head(url, headers={"Accept": MANIFESTS}, timeout=5)
            digests[f"{repository}:{tag}"] = answer.headers["Docker-Content-Digest"]
    return digests


def litter(env: dict[str, str]) -> str:
    """Leave something on a host, in the registry, in redis and in etcd; the container's name."""
    client = docker.DockerClient(base_url=env["LAB_H1"], version="1.41")
    image = client.images.pull(f"{env['LAB_REGISTRY']}/base/busybox:1")
    image.tag(f"{env['LAB_REGISTRY']}/lab-litter", "1")
    client.images.push(f"{env['LAB_REGISTRY']}/lab-litter", "1")
    client.networks.create("lab-litter")
    client.volumes.create("lab-litter")
    container = client.containers.run(image, ["sleep", "600"], name="lab-litter", detach=True)
    redis.Redis.from_url(f"redis://{env['LAB_REDIS_TEST']}").set("lab-litter", "1")
    requests.post(
        f"http://{env['LAB_ETCD']}/v3/kv/put", json={"key": "bGFi", "value": "MQ=="}, timeout=5
    ).raise_for_status()
    return container.name


def assert_pristine(env: dict[str, str]) -> None:
    client = docker.DockerClient(base_url=env["LAB_H1"], version="1.41")
    assert client.containers.list(all=True) == []
    assert client.images.list(all=True) == []
    assert client.volumes.list() == []
    assert {network.name for network in client.networks.list()} == {"bridge", "host", "none"}
    assert repositories(env["LAB_REGISTRY"]) == ["base/busybox", "base/python", "base/tomcat"]
    assert set(base_digests(env["LAB_REGISTRY"])) == {"base/busybox:1", "base/python:3", "base/tomcat:10"}
    assert redis.Redis.from_url(f"redis://{env['LAB_REDIS_TEST']}").dbsize() == 0
    kept = requests.post(
        f"http://{env['LAB_ETCD']}/v3/kv/range", json={"key": "AA==", "range_end": "AA=="}, timeout=5
    ).json()
    assert "kvs" not in kept


@pytest.fixture(scope="module", autouse=True)
def _up_before_and_after():
    before = lab("status").returncode
    assert lab("up").returncode == 0
    yield
    last = lab("up" if before == 0 else "down")
    assert last.returncode == 0, last.stderr


def test_reset_empties_every_disk_and_keeps_keys_and_base_images():
    before = facts()
    digests = base_digests(before["LAB_REGISTRY"])
    litter(before)
    done = lab("reset")
    assert done.returncode == 0, done.stderr
    assert "building" not in done.stderr
    assert facts() == before
    assert_pristine(before)
    assert base_digests(before["LAB_REGISTRY"]) == digests


def test_down_leaves_no_trace_and_up_finds_its_caches():
    before = facts()
    digests = base_digests(before["LAB_REGISTRY"])
    litter(before)
    ran = processes()
    done = lab("down")
    assert done.returncode == 0, done.stderr
    assert len(ran) > 20
    assert [pid for pid in ran if Path("/proc", pid, "exe").exists()] == []
    assert traces() == {name: [] for name in traces()}
    assert Path(before["LAB_CACHE"]).is_dir()
    asked = lab("env")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "not up" in asked.stderr
    assert lab("kill", "h1").returncode == 1
    assert lab("down").returncode == 0, "down of a lab that is down is nothing to complain about"
    again = lab("up")
    assert again.returncode == 0, again.stderr
    assert "building" not in again.stderr
    assert_pristine(facts())
    assert base_digests(facts()["LAB_REGISTRY"]) == digests


def test_a_lab_without_its_machines_processes_is_repaired():
    """What an out-of-memory killer or a careless hand leaves: first processes of hosts gone, a namespace and the bridge deleted."""
    pid = Path(facts()["LAB_RUN"], "h4", "init.pid").read_text().strip()
    output("kill", "-KILL", pid)
    output("ip", "netns", "delete", node("redis-prod").namespace)
    output("ip", "link", "delete", BRIDGE)
    done = lab("up")
    assert done.returncode == 0, done.stderr
    assert lab("status").returncode == 0


@pytest.fixture(scope="class")
def _down():
    assert lab("down").returncode == 0


@pytest.mark.usefixtures("_down")
class TestWhileDown:
    """Refusals and `clean`, each with nothing of the lab running."""

    def test_up_refuses_a_bridge_of_its_name_that_is_not_its_own(self):
        output("ip", "link", "add", BRIDGE, "type", "bridge")
        try:
            refused = lab("up")
            assert refused.returncode == 1
            assert f"the interface {BRIDGE}" in refused.stderr
            lab("down")
            assert BRIDGE in output("ip", "link", "show")
        finally:
            output("ip", "link", "delete", BRIDGE)

    def test_up_refuses_a_namespace_of_its_name_that_is_not_its_own(self):
        namespace = node("h3").namespace
        output("ip", "netns", "add", namespace)
        try:
            refused = lab("up")
            assert refused.returncode == 1
            assert f"the network namespace {namespace}" in refused.stderr
            lab("down")
            assert namespace in output("ip", "netns", "list")
        finally:
            output("ip", "netns", "delete", namespace)

    def test_up_refuses_a_cache_folder_with_somebody_elses_files(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        refused = lab("up", SLIPWAY_LAB_CACHE=str(tmp_path))
        assert refused.returncode == 1
        assert f"{tmp_path} exists and is not the lab's" in refused.stderr
        lab("clean", SLIPWAY_LAB_CACHE=str(tmp_path))
        assert (tmp_path / "thesis.txt").read_text() == "mine"

    def test_clean_removes_the_cache_that_it_marked(self, tmp_path):
        cache = tmp_path / "cache"
        cache.mkdir()
        (cache / MARKER).touch()
        (cache / "images").mkdir()
        done = lab("clean", SLIPWAY_LAB_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        assert not cache.exists()
        assert traces() == {name: [] for name in traces()}

    def test_clean_leaves_the_cache_that_another_lab_runs_on(self, tmp_path):
        cache = tmp_path / "cache"
        cache.mkdir()
        (cache / MARKER).touch()
        other = Path("/run/slipway-lab99")
        other.mkdir()
        try:
            (other / "cache").write_text(str(cache))
            done = lab("clean", SLIPWAY_LAB_CACHE=str(cache))
            assert done.returncode == 0, done.stderr
            assert "its caches stay, since slipway-lab99 runs on them" in done.stderr
            assert cache.exists()
        finally:
            shutil.rmtree(other)

    def test_a_user_who_is_not_root_is_told_so(self):
        with tempfile.TemporaryDirectory() as folder:  # the checkout may be nobody else's to read
            shutil.copytree(LAB[1], f"{folder}/lab")
            os.chmod(folder, 0o755)
            command = ["setpriv", "--reuid=65534", LAB[0], f"{folder}/lab", "up"]
            refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "needs root" in refused.stderr
