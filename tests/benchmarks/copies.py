# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promotion and copy of a 300 MB image in 10 layers, and a list of 2,000 tags, against skopeo and the Docker engine.

Everything is on this machine. Slipway works in this process, as it does in the controller's worker; the others are started
as programs. skopeo begins each time without what it remembers of where blobs are, as on a CI runner.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import random
import sys
import tempfile
import typing as t
from pathlib import Path

import bench  # puts the collection on the path
import docker
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as types
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image_info import REGISTRY_IMAGE_INFO

sys.path.insert(0, str(bench.ROOT / "tests" / "integration"))
from own_registry import layer_tar, own_registry, push_layers

REPOSITORY = "it/bench"
LAYERS = 10
LAYER = 30_000_000
TAGS = 2000
MANIFESTS = 200
INSPECTED = 100
NODES = ("slipway-registry", "slipway-h5")
CONTROLLER = "10.213.77.1"  # this machine in the lab's network
_COLD = 'mount -t tmpfs tmpfs /var/lib && exec skopeo "$@"'


def skopeo(*arguments: str) -> None:
    """skopeo with an empty memory, in a mount namespace of its own."""
    bench.tool("unshare", "--mount", "--propagation", "private", "sh", "-c", _COLD, "sh", *arguments)


def skopeo_copy(source: str, destination: str) -> None:
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo("copy", "--quiet", *plain, f"docker://{source}", f"docker://{destination}")


def big_image(registry: str, repository: str) -> None:
    """Ten layers of noise that nothing makes smaller."""
    noise = random.Random(11)
    layers = (gzip.compress(layer_tar({f"layer-{n}": noise.randbytes(LAYER)}), 0, mtime=0) for n in range(LAYERS))
    push_layers(registry, repository, "1", layers)


def through_an_engine(engine: docker.APIClient, source: str, target: str) -> None:
    """docker pull, docker tag, docker push."""
    for event in engine.pull(source, tag="1", stream=True, decode=True):
        stop_at_error(event)
    engine.tag(f"{source}:1", target, "1")
    for event in engine.push(target, tag="1", stream=True, decode=True, auth_config={}):
        stop_at_error(event)


def stop_at_error(event: t.Mapping[str, t.Any]) -> None:
    if "error" in event:
        raise SystemExit(str(event["error"]))


def promotions(rows: bench.Rows, registry: str, engine: docker.APIClient, rounds: int) -> None:
    source = f"{registry}/{REPOSITORY}/source"
    for index in range(rounds):
        ours, skopeos, engines = (f"{registry}/{REPOSITORY}/{name}-{index}" for name in ("ours", "skopeo", "engine"))
        answer: t.Dict[str, t.Any] = {}

        def promote(image: str, into: t.Dict[str, t.Any]) -> None:
            into.update(bench.call(REGISTRY_IMAGE, image=f"{image}:1", source=f"{source}:1", insecure=True))

        rows.add("promote", bench.cost(functools.partial(promote, ours, answer), *NODES))
        if answer["bytes_transferred"]:
            raise SystemExit("a promotion inside one registry moved layers")
        rows.add(
            "skopeo copy, one registry", bench.cost(lambda to=skopeos: skopeo_copy(f"{source}:1", f"{to}:1"), *NODES)
        )
        rows.add("docker pull, tag, push", bench.cost(lambda to=engines: through_an_engine(engine, source, to), *NODES))
        for image in (f"{engines}:1", f"{source}:1"):
            engine.remove_image(image, force=True)


def copies(rows: bench.Rows, registry: str, other: str, rounds: int) -> None:
    source = f"{registry}/{REPOSITORY}/source:1"
    for index in range(rounds):
        copied, theirs = f"{other}/ours-{index}:1", f"{other}/skopeo-{index}:1"
        rows.add(
            "copy",
            bench.cost(
                lambda to=copied: bench.call(
                    REGISTRY_IMAGE, image=to, source=source, insecure=True, source_insecure=True
                ),
                *NODES,
            ),
        )
        rows.add("skopeo copy, two registries", bench.cost(lambda to=theirs: skopeo_copy(source, to), *NODES))


def many_tags(registry: str) -> None:
    """2,000 tags of 200 images."""
    with contextlib.closing(RegistryClient(registry, Access(insecure=True))) as client:
        first = push_layers(registry, "many", "v0", [gzip.compress(layer_tar({"a": b"1"}))])
        for number in range(MANIFESTS):
            data = {**first.data, "annotations": {"number": str(number)}}
            manifest = types.Manifest.build(data, types.OCI_MANIFEST)
            for tag in range(number, TAGS, MANIFESTS):
                client.put_manifest("many", f"v{tag}", manifest)


def lists(rows: bench.Rows, registry: str, rounds: int) -> None:
    for _round in range(rounds):
        answer: t.Dict[str, t.Any] = {}

        def look(into: t.Dict[str, t.Any]) -> None:
            into.update(bench.call(REGISTRY_IMAGE_INFO, image=f"{registry}/many", tags=True, insecure=True))

        rows.add("list 2,000 tags with digests", bench.cost(functools.partial(look, answer)))
        if len(answer["tags"]) != TAGS or not all(tag["digest"] for tag in answer["tags"]):
            raise SystemExit(f"{len(answer['tags'])} tags instead of {TAGS}")

        def inspect() -> None:
            for number in range(INSPECTED):
                bench.tool(
                    "skopeo",
                    "inspect",
                    "--tls-verify=false",
                    "--format",
                    "{{.Digest}}",
                    "--no-tags",
                    f"docker://{registry}/many:v{number}",
                )

        taken = bench.cost(inspect)
        scaled = bench.Cost(*(part * TAGS / INSPECTED for part in taken))
        rows.add("skopeo inspect, 100 times, scaled", scaled)


def forget(registry: str) -> None:
    """The manifests that this made in the lab's registry, away again."""
    with contextlib.closing(RegistryClient(registry, Access(insecure=True))) as client:
        names = ["source", *(f"{name}-{index}" for name in ("ours", "skopeo", "engine") for index in range(99))]
        for name in names:
            found = client.head_manifest(f"{REPOSITORY}/{name}", "1")
            if found:
                client.delete_manifest(f"{REPOSITORY}/{name}", found.digest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    facts, rows = bench.lab(), bench.Rows()
    registry = facts["LAB_REGISTRY"]
    engine = docker.APIClient(base_url=facts["LAB_H5"], version="1.41", timeout=300)
    with tempfile.TemporaryDirectory() as folder, own_registry(Path(folder), host=CONTROLLER) as other:
        try:
            big_image(registry, f"{REPOSITORY}/source")
            promotions(rows, registry, engine, rounds)
            copies(rows, registry, other, rounds)
        finally:
            forget(registry)
            engine.close()
        many_tags(other)
        lists(rows, other, rounds)
    table = [
        rows.against("promote", "skopeo copy, one registry", 1 / 20),
        rows.against("promote", "docker pull, tag, push", 1 / 40),
        rows.against("copy", "skopeo copy, two registries", 1.0),
        rows.against("list 2,000 tags with digests", "skopeo inspect, 100 times, scaled", 1 / 20),
    ]
    bench.show(f"300 MB in {LAYERS} layers; medians of {rounds}; {bench.how_quiet()}", bench.HEAD, table)


if __name__ == "__main__":
    main()
