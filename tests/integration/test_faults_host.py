# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host runs into besides crashes: a registry that goes away, a disk that is full, a port that somebody else has."""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import steps
from engine_helper import App
from faults_helper import Prober, Relay, foreigner, image_of, kill_now, lab, remove
from image_helper import Place
from lab_command import layout

pytestmark = pytest.mark.lab

SECTION = "One host and what it depends on"
LAYER = 3 << 20
DISK = layout.node("h4").data / "docker"


@pytest.fixture
def app(lab):
    made = App(lab, port=18094)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def place(lab, tmp_path_factory):
    """A repository with an image of 3 MB; `.digest` is its digest."""
    made = Place(lab["LAB_REGISTRY"], App.client(lab["LAB_H4"]), lab["LAB_H4"])
    made.digest = image_of(tmp_path_factory.mktemp("image"), made.image(), made.base, LAYER)
    yield made
    made.clean()


@pytest.fixture
def engine_up():
    yield
    lab("start", "h4")


def serving(app):
    result = app.deploy("1")
    assert not result.get("failed"), result
    return app.inspect()["Id"]


def finishes(app, version, **more):
    result = app.deploy(version, **more)
    assert not result.get("failed"), result
    assert app.answer() == version
    assert app.ours() == {"": "running", ".previous": "exited"}


@contextlib.contextmanager
def pulled_through(place, then):
    """A registry of which `then(relay)` happens after a third of the layer; yields the options that name its image."""
    forget(place)
    with Relay(place.registry, 0, limit=LAYER // 3) as relay:
        relay.then = lambda: then(relay)
        yield {"image": f"{relay.address}/{place.repository}:1", "digest": place.digest}
        assert relay.fired.is_set()


def forget(place):
    """The engine has nothing of the image."""
    for image in place.engine.images():
        if any(digest.endswith(place.digest) for digest in image.get("RepoDigests") or ()):
            place.engine.remove_image(image["Id"], force=True)


def test_the_registry_gone_in_the_middle_of_a_pull(app, place, noted):
    old = serving(app)
    with Prober(app.address, app.port) as prober, pulled_through(place, lambda relay: relay.close()) as source:
        result = app.deploy("2", **source)
    assert result["failed"]
    assert result["action"] == "none"
    assert "refused" in result["msg"] or "reset" in result["msg"] or "EOF" in result["msg"]
    assert (app.inspect()["Id"], app.ours()) == (old, {"": "running"})
    assert prober.failed == 0
    finishes(app, "2", image=place.image(), digest=place.digest)
    noted(
        SECTION, "The registry is gone in the middle of a pull", "nothing was touched; it goes on when it is back", 0.0
    )


def test_dockerd_killed_in_the_middle_of_a_pull(app, place, engine_up, noted):
    old = serving(app)
    with Prober(app.address, app.port) as prober:
        with pulled_through(place, lambda _relay: kill_now("h4")) as source:
            result = app.deploy("2", **source)
        assert (result["action"], result["reachable"]) == ("none", False)
        lab("start", "h4")
        assert (app.inspect()["Id"], list(app.ours())) == (old, [""])
        finishes(app, "2", image=place.image(), digest=place.digest)
    noted(
        SECTION,
        "dockerd is killed in the middle of a pull",
        "nothing was touched; the next run did it",
        prober.outage,
    )


# --- ports ----------------------------------------------------------------------------------------------------------------


def test_a_port_that_somebody_else_has(app, noted):
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    foreign = foreigner(app.address, app.image, name, app.port)
    try:
        result = app.deploy("1")
        assert result["failed"]
        assert result["action"] == "none"
        assert f"port {app.port}/tcp is in use by container {name}. Nothing was changed." in result["msg"]
        assert app.ours() == {}
    finally:
        remove(app.address, foreign)
    assert not app.deploy("1").get("failed")
    noted(SECTION, "The app's port is taken by somebody else's container", "refused by name before anything is done")


def test_a_port_taken_in_the_instant_in_which_it_is_free(app, monkeypatch, noted):
    """Between the old container's stop and the new one's start: neither can have it, until the other is gone."""
    old = serving(app)
    taken = []

    def step(name):
        if name == "stopped" and not taken:
            taken.append(foreigner(app.address, app.image, f"foreign-{uuid.uuid4().hex[:8]}", app.port))

    with Prober(app.address, app.port) as prober:
        try:
            with monkeypatch.context() as patched:
                patched.setattr(steps, "step", step)
                result = app.deploy("2")
            assert (result["failed"], result["action"]) == (True, "interrupted")
            assert "port is already allocated" in result["msg"]
            assert app.ours() == {"": "exited", ".next": "exited"} or app.inspect()["Id"] == old
        finally:
            remove(app.address, taken[0])
        finishes(app, "2")
    noted(
        SECTION,
        "The port is taken by somebody else's container in the instant in which the old container has stopped",
        "said so; the next run finished it when the port was free",
        prober.outage,
    )


# --- disks ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_disk(lab):
    """h4 with a Docker disk of 48 MB; `fill()` and `free()` it."""
    lab_command_and_mount(["mount", "-t", "tmpfs", "-o", "size=48m", "slipway-lab-small", str(DISK)])
    try:
        yield Disk(DISK / "filler")
    finally:
        lab_command_and_mount(["umount", str(DISK)])


def lab_command_and_mount(command):
    lab("poweroff", "h4")
    try:
        subprocess.run(command, check=True)
    finally:
        lab("start", "h4")


class Disk:
    def __init__(self, filler):
        self.filler = filler

    def fill(self):
        with contextlib.suppress(OSError), open(self.filler, "wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 65536)
        with contextlib.suppress(OSError), open(self.filler, "ab", buffering=0) as filler:
            while True:
                filler.write(b"x")

    def free(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.filler)


def test_a_disk_that_is_full_before_the_pull(app, place, small_disk, noted):
    old = serving(app)
    with Prober(app.address, app.port) as prober:
        small_disk.fill()
        try:
            result = app.deploy("2", image=place.image(), digest=place.digest)
            assert result["failed"]
            assert "no space left on device" in result["msg"]
            assert (result["action"], app.inspect()["Id"], app.ours()) == ("none", old, {"": "running"})
        finally:
            small_disk.free()
    assert prober.failed == 0
    finishes(app, "2", image=place.image(), digest=place.digest)
    noted(SECTION, "The host's disk is full: no image fits", "nothing was touched; goes on when there is room", 0.0)


@pytest.mark.parametrize("step", ["created", "stopped", "soaked"])
def test_a_disk_that_is_full_in_the_middle_of_a_swap(app, small_disk, step, monkeypatch, noted):
    old = serving(app)
    filled = []

    def reached(name):
        if name == step and not filled:
            filled.append(small_disk.fill())

    with Prober(app.address, app.port) as prober:
        try:
            with monkeypatch.context() as patched:
                patched.setattr(steps, "step", reached)
                result = app.deploy("2")
        finally:
            small_disk.free()
        assert filled
        there = {entry["Id"] for entry in app.docker.containers(all=True)}
        assert old in there
        finishes(app, "2")
    noted(
        SECTION,
        "The host's disk is full in the middle of a swap",
        {None: "the swap went through", "reverted": "went back to the old release"}.get(
            result.get("action") if result.get("failed") else None,
            "said so; the next run finished it when there was room",
        ),
        prober.outage,
    )
