# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long registry_prune takes over a repository of 2,000 tags, on a registry of its own on loopback."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import bench  # puts the collection on the path
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

sys.path.insert(0, str(bench.ROOT / "tests" / "integration"))

import registry_servers
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.parallel import in_parallel
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_prune import REGISTRY_PRUNE

REPOSITORY = "bench/app"


def fill(host: str, tags: int) -> t.List[str]:
    """Images 1.0.0, 1.0.1, ..., each with a config of its own; their digests."""
    with RegistryClient(host) as client:
        layer = b"layer" * 1000
        client.upload_blob(REPOSITORY, m.digest_of(layer), len(layer), lambda: io.BytesIO(layer))

        def push(number: int) -> str:
            config = {"os": "linux", "architecture": "amd64", "created": "2024-01-01T00:00:00Z", "number": number}
            raw = json.dumps(config).encode()
            client.upload_blob(REPOSITORY, m.digest_of(raw), len(raw), lambda: io.BytesIO(raw))
            data = {
                "schemaVersion": 2,
                "mediaType": m.OCI_MANIFEST,
                "config": m.Descriptor(m.OCI_CONFIG, m.digest_of(raw), len(raw)).to_dict(),
                "layers": [m.Descriptor(m.OCI_LAYER, m.digest_of(layer), len(layer)).to_dict()],
            }
            manifest = m.Manifest.build(data, m.OCI_MANIFEST)
            return client.put_manifest(REPOSITORY, f"1.{number // 100}.{number % 100}", manifest)

        return in_parallel(push, range(tags))


def prune(host: str, check_mode: bool, **args: t.Any) -> t.Tuple[t.Dict[str, t.Any], t.List[str]]:
    spec = REGISTRY_PRUNE.spec
    options = {"repository": f"{host}/{REPOSITORY}", "max_delete": "100%", **args}
    params = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options).validated_parameters
    start, used = time.perf_counter(), time.process_time()
    answer = REGISTRY_PRUNE.execute(params, Context(check_mode=check_mode))
    if answer.get("failed"):
        raise SystemExit(answer["msg"])
    return answer, [f"{time.perf_counter() - start:.1f}", f"{time.process_time() - used:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=2000)
    parser.add_argument("--delete", type=int, default=50, help="how many images are deleted at the end")
    options = parser.parse_args()
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        registry_servers.registry(Path(folder), log={"level": "error"}) as registry,
    ):
        digests = fill(registry.host, options.tags)
        keep = options.tags - options.delete
        work = {
            "plan, all but 10 go": (True, {"keep_last": 10, "in_use": digests[:5]}),
            f"plan, {options.delete} go": (True, {"keep_last": keep, "in_use": []}),
            f"delete {options.delete}": (False, {"keep_last": keep, "in_use": []}),
        }
        for name, (check_mode, args) in work.items():
            answer, took = prune(registry.host, check_mode, **args)
            rows.append([name, str(answer["images"]["deleted"]), str(answer["requests"]), *took])
    bench.show(f"A repository of {options.tags} tags", ["work", "images", "requests", "seconds", "CPU seconds"], rows)


if __name__ == "__main__":
    main()
