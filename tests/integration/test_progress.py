# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of long work: real bytes, from real engines and registries, in Ansible's real output."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import docker
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.common.progress import Progress
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from image_helper import Place, ok, war
from own_registry import free_port, noise, own_registry, push_image

COLLECTIONS = Path(__file__).resolve().parents[2] / ".work" / "collections"
SIZE = 3_000_000
# A line comes every five seconds, so the slow way has to take more than that, and no longer than a test may.
SLOW = SIZE // 8


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with own_registry(tmp_path_factory.mktemp("registry")) as address:
        push_image(address, "it/progress", "1", [{"a": noise(SIZE)}, {"b": noise(1000, seed=2)}])
        yield address


def told(operation, **options):
    """The result of a task, and every line that it had to tell without a pause between two."""
    lines = []
    validated = ArgumentSpecValidator(operation.spec.options, **operation.spec.rules()).validate(options)
    assert not validated.error_messages, validated.error_messages
    context = Context(progress=Progress(lines.append, every=0))
    return ok(operation.execute(validated.validated_parameters, context)), lines


def percents(lines, start):
    """The percentages of the lines, or parts of lines, that begin like this; each line has one."""
    found = [re.match(rf"{re.escape(start)}.*?: (\d+) % of ", part) for line in lines for part in line.split("; ")]
    return [int(match.group(1)) for match in found if match]


def rise(numbers):
    return len(set(numbers)) > 2 and numbers == sorted(numbers) and numbers[-1] == 100


# -- what each work tells ---------------------------------------------------------------------------------------------


def test_a_copy(registry, tmp_path):
    with own_registry(tmp_path) as other:
        result, lines = told(REGISTRY_IMAGE, image=f"{other}/it/copied:1", source=f"{registry}/it/progress:1")
    assert rise(percents(lines, f"copy {registry}/it/progress:1 to {other}/it/copied"))
    assert result["bytes_transferred"] > SIZE
    assert f": done, {result['bytes_transferred'] / 1e6:.1f} MB in " in lines[-1]


def test_a_promotion_by_mounts_moves_nothing_and_says_nothing(registry):
    result, lines = told(REGISTRY_IMAGE, image=f"{registry}/it/promoted:1", source=f"{registry}/it/progress:1")
    assert (result["bytes_transferred"], lines) == (0, [])


def test_layers_that_are_built_and_pushed(registry, tmp_path, monkeypatch):
    archive = war(tmp_path / "app.war", {"WEB-INF/lib/a.jar": noise(SIZE, seed=3), "index.html": b"x"})
    options = {"image": f"{registry}/it/built:1", "base": f"{registry}/it/progress:1", "artifact": str(archive)}
    result, lines = told(APP_IMAGE, **options, dest="/srv")
    assert rise(percents(lines, f"build {registry}/it/built:1"))
    assert percents(lines, f"push {registry}/it/built:1")[-1] == 100
    assert result["bytes_uploaded"] > SIZE
    war(tmp_path / "app.war", {"WEB-INF/lib/a.jar": noise(SIZE, seed=3), "index.html": b"y"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # a machine that has never read it
    _result, lines = told(APP_IMAGE, **options, dest="/srv")
    assert rise(percents(lines, f"compare with {registry}/it/built:1"))
    assert told(APP_IMAGE, **options, dest="/srv")[1] == []


@pytest.mark.lab
def test_an_engine_that_builds_pushes_and_pulls(lab, tmp_path):
    engine = docker.APIClient(base_url=lab["LAB_H5"], version="1.41", timeout=120)
    place = Place(lab["LAB_REGISTRY"], engine, lab["LAB_H5"])
    try:
        (tmp_path / "Dockerfile").write_text(f"FROM {place.base}\nCOPY data /data\nRUN echo said by a step\n")
        (tmp_path / "data").write_bytes(noise(SIZE, seed=5))
        options = {"image": place.image(), "method": "dockerfile", "docker_host": place.engine_url, "insecure": True}
        result, lines = told(APP_IMAGE, **options, context=str(tmp_path))
        assert rise(percents(lines, f"send the context of {place.image()} to {place.engine_url}"))
        # Of how many steps is the engine's to say: it counts the labels as one more.
        step = rf"build {re.escape(place.image())}: step 3/\d, RUN echo said by a step"
        assert any(re.fullmatch(step, line) for line in lines), lines
        assert f"build {place.image()}: said by a step" in lines
        assert percents(lines, f"push {place.image()}")[-1] == 100
        assert result["bytes_uploaded"] > SIZE
        engine.remove_image(place.image(), force=True)
        options = {"name": place.repository, "docker_host": place.engine_url, "image": place.image(), "state": "pulled"}
        result, lines = told(APP_CONTAINER, **options)
        assert percents(lines, f"pull {place.image().rsplit(':', 1)[0]}@")[-1] == 100, lines
        assert SIZE < result["bytes_pulled"] < SIZE * 1.1
        again, lines = told(APP_CONTAINER, **options)
        assert (again["bytes_pulled"], lines) == (0, [])
    finally:
        place.clean()
        engine.close()


# -- how it reaches people --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def slow_way(address):
    """The registry again at another port, from which each connection gets SLOW bytes a second at most."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    host, port = address.split(":")
    threading.Thread(target=accept, args=(listener, (host, int(port))), daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def accept(listener, target):
    while True:
        try:
            near, _address = listener.accept()
        except OSError:
            return
        far = socket.create_connection(target)
        threading.Thread(target=pump, args=(near, far, 0), daemon=True).start()
        threading.Thread(target=pump, args=(far, near, SLOW), daemon=True).start()


def pump(source, sink, speed):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
            if speed and len(data) > 1000:
                time.sleep(len(data) / speed)
        sink.shutdown(socket.SHUT_WR)


def play(folder, slow, other, **variables):
    """Command and environment of a play that copies the same image for two hosts: in the worker, and as a module."""
    task = {
        "slipway.delivery.registry_image": {
            "image": f"{other}/it/{{{{ inventory_hostname }}}}:1",
            "source": f"{slow}/it/progress:1",
        },
    }
    book = [{"name": "copy", "hosts": "all", "gather_facts": False, "tasks": [{"name": "copy", **task}]}]
    folder.mkdir()
    (folder / "play.yml").write_text(json.dumps(book))
    hosts = {"direct": {"slipway_execution": "controller"}, "module": {"slipway_execution": "module"}}
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        str(folder / "hosts.json"),
        str(folder / "play.yml"),
    ]
    return command, {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}


def on_a_terminal(command, environment):
    """What the command shows on a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    output, end = b"", time.monotonic() + 120
    try:
        while select.select([leader], [], [], max(0, end - time.monotonic()))[0]:
            try:
                data = os.read(leader, 1 << 16)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not data:
                break
            output += data
    finally:
        os.close(leader)
        process.terminate()
        process.wait(20)
    return output.decode().replace("\r\n", "\n")


def test_lines_of_the_worker_and_of_a_module_where_somebody_watches(registry, tmp_path):
    """The same play twice, side by side: once on a terminal, and once into a pipe, where nothing is told."""
    folders = [tmp_path / name for name in ("watched", "unwatched")]
    with slow_way(registry) as slow, own_registry(tmp_path / "other") as other:
        command, environment = play(folders[1], slow, f"{other}/quiet")
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as quiet:
            shown = on_a_terminal(*play(folders[0], slow, other))
            silent, _errors = quiet.communicate(timeout=120)
    assert shown.count("changed: [") == 2, shown
    for host in ("direct", "module"):
        start = re.escape(f"[{host}] copy {slow}/it/progress:1 to {other}/it/{host}: ")
        assert re.search(rf"^{start}\d+ % of 3\.0 MB$", shown, re.M), shown
    assert not list(Path("/tmp").glob(".slipway-progress-*"))
    assert silent.count("changed: [") == 2, silent
    assert "% of" not in silent
