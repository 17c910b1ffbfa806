# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base images: built once into the cache, and from there into the open registry's storage."""

from __future__ import annotations

import hashlib
import http.client
import shutil
from pathlib import Path
from typing import Callable, Mapping

from lab import confd_binaries, probes, recipes, registry_push, services
from lab.layout import CACHE, REGISTRY, REGISTRY_ADDRESS
from lab.proc import Daemon, LabError, say, wait_ready

Recipe = Callable[[Path], None]
TOMCAT = "base/tomcat:10"
IMAGES: Mapping[str, Recipe] = {
    "base/busybox:1": recipes.busybox,
    "base/python:3": recipes.python,
    TOMCAT: recipes.tomcat,
}
_STORE = CACHE / "registry"  # the storage of a registry that holds the base images and nothing else
_LIVE = REGISTRY.data / "open"
_SEED_PORT = 5999


def lay_out_store() -> None:
    """Before the registry starts: give it a copy of the pristine storage, unless it has one already."""
    if not _LIVE.exists() and _STORE.exists():
        _LIVE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(_STORE, _LIVE)


def ensure() -> None:
    """Build what the cache lacks and see that the running registry has every base image."""
    for name in IMAGES:
        folder = _folder(name)
        if not _built(name):
            say(f"building {name}")
            _build(name)
        if not _registry_has(name, _digest(folder)):
            registry_push.push(folder, REGISTRY_ADDRESS, *name.rsplit(":", 1))
            say(f"pushed {name} {_digest(folder)[:19]}")
    _refresh_store()


def _folder(name: str) -> Path:
    return CACHE / "images" / name.split("/")[1].replace(":", "-")


def _recipe_hash(name: str) -> str:
    """Changes with what goes into the image, so that nobody tests on a base of yesterday's recipe."""
    here = Path(__file__).resolve().parent
    parts = [(here / source).read_bytes() for source in ("layers.py", "rootfs.py", "recipes.py")]
    if name == TOMCAT:
        parts += [path.read_bytes() for path in sorted((here / "tomcat").iterdir())]
        parts += [_identity(confd_binaries.find(dialect)) for dialect in confd_binaries.DIALECTS]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _identity(binary: Path | None) -> bytes:
    """What tells one build of a binary from another without reading it."""
    return b"none" if binary is None else f"{binary.stat().st_size} {binary.stat().st_mtime_ns}".encode()


def _built(name: str) -> bool:
    stamp = _folder(name) / "recipe"
    return stamp.exists() and stamp.read_text() == _recipe_hash(name)


def _build(name: str) -> None:
    """Build into a folder beside, then put it in place: an interrupted build leaves no half image."""
    folder = _folder(name)
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        IMAGES[name](fresh)
    except LabError as exc:
        raise LabError(
            f"{name} cannot be built; is a Debian mirror reachable, and is there room in /var/tmp? {exc}"
        ) from exc
    (fresh / "recipe").write_text(_recipe_hash(name))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _digest(folder: Path) -> str:
    return "sha256:" + hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def _registry_has(name: str, digest: str) -> bool:
    """Whether the running registry's tag is that very image, its blobs included."""
    repository, tag = name.rsplit(":", 1)
    connection = http.client.HTTPConnection(REGISTRY_ADDRESS, timeout=10)
    try:
        connection.request(
            "HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": ", ".join(registry_push.MANIFESTS)}
        )
        return connection.getresponse().headers.get("Docker-Content-Digest") == digest
    finally:
        connection.close()


def _refresh_store() -> None:
    """Write the pristine storage anew when it holds other images than the cache, by a registry that runs for just this."""
    stamp = _STORE / "slipway-lab.digests"
    wanted = "".join(f"{name} {_digest(_folder(name))}\n" for name in IMAGES)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    fresh = _STORE.with_name("registry.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    seeder, address = Daemon("registry-seed"), f"{REGISTRY.address}:{_SEED_PORT}"
    seeder.start(services.registry_command(REGISTRY.run / "seed.yml", fresh, address))
    try:
        wait_ready({seeder.name: lambda: probes.http_ok(REGISTRY.address, _SEED_PORT, "/v2/")}, 20)
        for name in IMAGES:
            registry_push.push(_folder(name), address, *name.rsplit(":", 1))
    finally:
        seeder.stop()
    (fresh / stamp.name).write_text(wanted)
    shutil.rmtree(_STORE, ignore_errors=True)
    fresh.rename(_STORE)
