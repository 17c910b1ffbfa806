# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From folders to an image: tar layers with fixed times and order, a config and a manifest, kept as files by digest."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Mapping

EPOCH = 1735689600  # 2025-01-01, the time of every file and image made here
CREATED = "2025-01-01T00:00:00Z"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
OCI, DOCKER = "oci", "docker"
_TYPES = {
    OCI: (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    DOCKER: (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}


@dataclass(frozen=True)
class Layer:
    """One layer that lies in an image folder."""

    digest: str
    diff_id: str
    size: int
    created_by: str


class _Digesting:
    """A write-only file that counts and hashes what passes."""

    def __init__(self, target: BinaryIO) -> None:
        self._target, self._hash, self.size = target, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def tree(root: Path) -> list[str]:
    """Every path below `root`, relative to it, in order."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in (*folders, *files)]
    return sorted(found)


def write_layer(image: Path, root: Path, created_by: str, paths: Iterable[str] | None = None) -> Layer:
    """Write `paths` (all by default) of `root` as a layer into the image folder."""
    blobs = image / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    part = blobs / "layer.part"
    with part.open("wb") as file:
        packed = _Digesting(file)
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=6) as zipped:  # type: ignore[arg-type]
            plain = _Digesting(zipped)  # type: ignore[arg-type]
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[arg-type]
                for path in tree(root) if paths is None else sorted(paths):
                    _add(tar, root, path)
    part.rename(blobs / packed.digest.split(":")[1])
    return Layer(packed.digest, plain.digest, packed.size, created_by)


def _add(tar: tarfile.TarFile, root: Path, path: str) -> None:
    """One entry: owner and mode as they are, time fixed, names left out (they are the building machine's)."""
    info = tar.gettarinfo(str(root / path), arcname=path)
    info.mtime, info.uname, info.gname = EPOCH, "", ""
    if info.isreg():
        with (root / path).open("rb") as content:
            tar.addfile(info, content)
    else:
        tar.addfile(info)


def differences(lower: Path, upper: Path) -> list[str]:
    """Paths of `upper` that are new or differ from `lower` (the upper tree only ever adds)."""
    return [path for path in tree(upper) if not _same(lower / path, upper / path)]


def _same(one: Path, two: Path) -> bool:
    """Whether two paths are the same entry: kind, mode, owner, and content of files and links."""
    if not os.path.lexists(one):
        return False
    left, right = one.lstat(), two.lstat()
    if (left.st_mode, left.st_uid, left.st_gid) != (right.st_mode, right.st_uid, right.st_gid):
        return False
    if one.is_symlink():
        return os.readlink(one) == os.readlink(two)
    return not one.is_file() or (left.st_size == right.st_size and one.read_bytes() == two.read_bytes())


def write_image(image: Path, layers: list[Layer], config: Mapping[str, Any], kind: str) -> str:
    """Write config and manifest for those layers into the image folder; the manifest's digest."""
    manifest_type, config_type, layer_type = _TYPES[kind]
    document = json.dumps(
        {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "created": CREATED,
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": CREATED, "created_by": layer.created_by} for layer in layers],
        },
        sort_keys=True,
    ).encode()
    config_hash = hashlib.sha256(document).hexdigest()
    (image / "blobs" / config_hash).write_bytes(document)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {"mediaType": config_type, "digest": "sha256:" + config_hash, "size": len(document)},
            "layers": [{"mediaType": layer_type, "digest": layer.digest, "size": layer.size} for layer in layers],
        },
        indent=2,
    ).encode()
    (image / "manifest.json").write_bytes(manifest)
    return "sha256:" + hashlib.sha256(manifest).hexdigest()
