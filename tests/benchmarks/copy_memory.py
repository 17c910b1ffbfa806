# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory that copying one large layer between two registries takes, both on loopback; needs its size twice on disk."""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from pathlib import Path

import bench  # puts the collection on the path
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

sys.path.insert(0, str(bench.ROOT / "tests" / "integration"))

import registry_servers
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE

MEGABYTE = 1024 * 1024


class Bytes:
    """So many megabytes that no two blocks of are alike."""

    def __init__(self, megabytes: int) -> None:
        self._blocks = (hashlib.sha256(str(number).encode()).digest() * 32768 for number in range(megabytes))
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._blocks, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def push(host: str, megabytes: int) -> None:
    """app:1 with one layer of that size."""
    hashed, source = hashlib.sha256(), Bytes(megabytes)
    for piece in iter(lambda: source.read(MEGABYTE), b""):
        hashed.update(piece)
    layer = m.Descriptor(m.OCI_LAYER, f"sha256:{hashed.hexdigest()}", megabytes * MEGABYTE)
    config = m.Descriptor(m.OCI_CONFIG, m.digest_of(b"{}"), 2)
    with RegistryClient(host) as client:
        client.upload_blob("app", layer.digest, layer.size, lambda: Bytes(megabytes))
        once = Bytes(0)
        once._rest = b"{}"
        client.upload_blob("app", config.digest, config.size, lambda: once)
        data = {
            "schemaVersion": 2,
            "mediaType": m.OCI_MANIFEST,
            "config": config.to_dict(),
            "layers": [layer.to_dict()],
        }
        client.put_manifest("app", "1", m.Manifest.build(data, m.OCI_MANIFEST))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2048)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        registry_servers.registry(Path(folder) / "here") as here,
        registry_servers.registry(Path(folder) / "there") as there,
    ):
        push(here.host, options.megabytes)
        spec = REGISTRY_IMAGE.spec
        args = {"image": f"{there.host}/app:1", "source": f"{here.host}/app:1"}
        params = ArgumentSpecValidator(spec.options, **spec.rules()).validate(args).validated_parameters
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        result = REGISTRY_IMAGE.execute(params, Context())
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if result.get("failed"):
            raise SystemExit(result["msg"])
    moved = result["bytes_transferred"] / MEGABYTE
    row = [f"{moved:.0f} MB", f"{seconds:.1f}", f"{moved / seconds:.0f}", f"{before:.0f}", f"{peak:.0f}"]
    bench.show("One layer between two registries", ["moved", "seconds", "MB/s", "RSS before", "RSS peak (MB)"], [row])


if __name__ == "__main__":
    main()
