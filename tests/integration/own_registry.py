# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry of a test's own on the loopback address, and images to put into it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import random
import socket
import ssl
import subprocess
import tarfile
import time
import typing as t
import urllib.request
from pathlib import Path

from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as types
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.manifest import Descriptor, Manifest


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def own_registry(
    folder: Path, tls: t.Optional[t.Tuple[str, str, str]] = None, host: str = "127.0.0.1", **storage: t.Any
) -> t.Iterator[str]:
    """distribution with its storage below `folder`, answering at the address that comes back.

    `tls` are paths of certificate, key and the authority, `host` is an address of this machine, `storage` is more of that section.
    """
    address = f"{host}:{free_port(host)}"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}, **storage},
        "http": {"addr": address},
    }
    if tls:
        config["http"]["tls"] = {"certificate": tls[0], "key": tls[1]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(json.dumps(config))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        wait_for(f"{'https' if tls else 'http'}://{address}/v2/", process, folder / "log", tls[2] if tls else None)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, process: subprocess.Popen, log: Path, ca: t.Optional[str] = None, seconds: float = 10) -> None:
    """Until `url` answers; AssertionError with the log when it does not in time, or the process has ended."""
    end = time.monotonic() + seconds
    context = ssl.create_default_context(cafile=ca) if ca else None
    while True:
        try:
            urllib.request.urlopen(url, timeout=2, context=context).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        else:
            return


def push_image(
    registry: str,
    repository: str,
    tag: str,
    layers: t.Sequence[t.Mapping[str, bytes]],
    config: t.Optional[t.Mapping[str, t.Any]] = None,
    platform: t.Optional[t.Mapping[str, str]] = None,
    ca_path: t.Optional[str] = None,
) -> Manifest:
    """Push an OCI image whose layers hold these files; see `push_layers`."""
    packed = (gzip.compress(layer_tar(files), 1, mtime=0) for files in layers)
    return push_layers(registry, repository, tag, packed, config, platform, ca_path)


def push_layers(
    registry: str,
    repository: str,
    tag: str,
    layers: t.Iterable[bytes],
    config: t.Optional[t.Mapping[str, t.Any]] = None,
    platform: t.Optional[t.Mapping[str, str]] = None,
    ca_path: t.Optional[str] = None,
) -> Manifest:
    """Push an OCI image of these layers (tars in gzip); `config` is its run configuration. Without a tag, by digest.

    What was pushed.
    """
    client = RegistryClient(registry, Access(insecure=ca_path is None, ca_path=ca_path))
    try:
        descriptors, diff_ids = [], []
        for raw in layers:
            diff_ids.append(f"sha256:{hashlib.sha256(gzip.decompress(raw)).hexdigest()}")
            descriptors.append(put_blob(client, repository, raw, types.OCI_LAYER_GZIP))
        image = {
            "os": "linux",
            "architecture": "amd64",
            **(platform or {}),
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        pointer = put_blob(client, repository, json.dumps(image).encode(), types.OCI_CONFIG)
        data = {
            "schemaVersion": 2,
            "mediaType": types.OCI_MANIFEST,
            "config": pointer.to_dict(),
            "layers": [descriptor.to_dict() for descriptor in descriptors],
        }
        manifest = Manifest.build(data, types.OCI_MANIFEST)
        client.put_manifest(repository, tag or manifest.digest, manifest)
        return manifest
    finally:
        client.close()


def put_blob(client: RegistryClient, repository: str, raw: bytes, media_type: str) -> Descriptor:
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    client.upload_blob(repository, digest, len(raw), lambda: io.BytesIO(raw))
    return Descriptor(media_type, digest, len(raw))


def layer_tar(files: t.Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no compression makes smaller, the same for the same seed."""
    return random.Random(seed).randbytes(size)
