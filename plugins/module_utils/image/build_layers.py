# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method layers: base + layers straight to the registry, no Docker daemon.

What is there already is asked first, in the cheapest order: the label that holds the digest of everything the image was
made from; then the layers' diff_ids; and only what is new is compressed and sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import typing as t
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from ..common.errors import SlipwayError
from ..common.operation import Context, Result
from ..registry import manifest as types
from ..registry.client import RegistryClient
from ..registry.errors import RegistryError
from ..registry.manifest import Descriptor, Manifest
from ..registry.parallel import in_parallel
from . import base, config
from .base import Image
from .checksums import tree_sums
from .compress import ZSTD, require_method
from .config import Added, Settings
from .contents import Contents, Placement, image_content_md5, open_contents, place
from .layering import Layer
from .memory import Memory
from .names import Names
from .options import Order, resolve_created
from .pack import (
    IN_MEMORY,
    Ahead,
    Measured,
    as_oci,
    fingerprint,
    layer_type,
    measure,
    method_of,
    pack_ahead,
    recall,
    remember,
    seen,
)
from .previous import newest_tag
from .push import Destination
from .report import Stopwatch, artifact_facts, image_view, layer_facts

# Part of the source digest: raise it when the same input would give another image, so that labels of before do not count.
FORMAT = "slipway.delivery app_image layers 1"
_GONE = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")


@dataclass(frozen=True)
class Made:
    """One layer of the new image: what it is, where its bytes are, and whether they were there before."""

    layer: Layer
    measured: Measured
    digest: str
    size: int
    reused: bool


@dataclass
class Work:
    """One build: what was asked, what was found. Filled step by step by `build_layers`."""

    order: Order
    context: Context
    target: RegistryClient
    base_client: RegistryClient
    contents: Contents
    watch: Stopwatch
    memory: Memory
    base_digest: str = ""
    created: str = ""
    created_counts: bool = False
    old: t.Optional[Image] = None  # what the tag names now
    reusable: t.Dict[str, Descriptor] = field(default_factory=dict)  # by diff_id
    known: t.FrozenSet[str] = frozenset()
    ahead: t.Dict[str, Ahead] = field(default_factory=dict)  # by diff_id: small layers that looked new, packed already

    @cached_property
    def source(self) -> str:
        """The source digest. The first to ask waits for the artifact's sha256."""
        return source_digest(self.order, self.contents, self.base_digest, self.created if self.created_counts else "")

    @property
    def repository(self) -> str:
        return self.order.image.repository

    @property
    def names(self) -> Names:
        order = self.order
        return Names(self.target, order.image, order.tags, order.overwrite, self.context.check_mode)


def build_layers(order: Order, target: RegistryClient, base_client: RegistryClient, context: Context) -> Result:
    """Build and push as `order` says; the result of the task. Raises SlipwayError.

    `base_client` may be `target` itself. In check mode nothing is written; layers are still packed, so that the digest
    which is returned is the one the real run makes.
    """
    require_method(order.compression)
    watch = Stopwatch()
    memory = Memory(dry=context.check_mode)
    with open_contents(order, memory) as contents:
        work = Work(order, context, target, base_client, contents, watch, memory)
        work.created, work.created_counts = resolve_created(order.created, contents.newest(), os.environ, time.time())
        watch.lap("artifact")
        work.base_digest = base.base_digest(base_client, order.base)
        work.old = work.names.existing()
        contents.begin_sums(settle=work.old is None)
        watch.lap("base")
        result = _build(work)
    for message in (*contents.warnings, *target.warnings, *(base_client.warnings if base_client is not target else ())):
        context.warn(message)
    requests = target.requests + (base_client.requests if base_client is not target else 0)
    return {**result, "requests": requests, "timings": watch.total()}


def _build(work: Work) -> Result:
    labels = config.labels_of(work.old.config) if work.old else {}
    if work.old and labels.get(config.LABEL_SOURCE) == work.source:
        return _unchanged(work, work.old, place(work.contents, labels.get(config.LABEL_DEST) or work.order.dest, {}))
    base_image = base.read_base(work.base_client, work.order.base, work.base_digest, work.order.platform)
    placement = place(work.contents, work.order.dest, config.env_of(base_image.config))
    _find_reusable(work)
    measured = _measured(work, placement.layers) if work.reusable or work.old else None
    work.watch.lap("layers")
    if measured is not None and work.old and _is_the_same(work, work.old, base_image, placement, measured):
        return _unchanged(work, work.old, placement)
    if work.old and not work.order.overwrite:
        raise work.names.taken(work.order.image.locator, work.old.manifest.digest)
    return _make(work, base_image, placement, measured)


def _measured(work: Work, layers: t.Sequence[Layer]) -> t.List[Measured]:
    """What each layer is. Where this machine made the old ones, a small one that it does not know is packed right away."""
    warm = any(seen(diff_id, work.memory) for diff_id in work.reusable)
    with work.context.progress.meter(f"compare with {work.order.image}", sum(layer.bytes for layer in layers)) as meter:

        def one(layer: Layer) -> Measured:
            key, measured = recall(layer, work.memory)
            if measured is not None:
                meter.add(layer.bytes)
                return measured
            if key and warm and layer.bytes <= IN_MEMORY:
                ahead = pack_ahead(layer, work.order.compression, meter.add)
                measured = ahead.packed.measured
                work.ahead[measured.diff_id] = ahead
            else:
                measured = measure(layer, meter.add)
            remember(key, measured, work.memory)
            return measured

        return in_parallel(one, layers)


def source_digest(order: Order, contents: Contents, base_digest: str, created: str) -> str:
    """The digest of everything an image is made from: equal means that building would give the same image again."""
    inputs = {
        "format": FORMAT,
        "base": base_digest,
        "platform": order.platform or base.DEFAULT_PLATFORM,
        "artifact": [contents.artifact.form, contents.sums.sha256] if contents.artifact and contents.sums else None,
        "libraries": tree_sums(contents.libraries)[0].sha256,
        "dest": order.dest,
        "files": [[extra.dest, extra.sha256] for extra in contents.extras],
        "settings": order.settings.plain(),
        "compression": order.compression,
        "created": created,
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


# -- what is there already --------------------------------------------------------------------------------------------


def _find_reusable(work: Work) -> None:
    """Layers and blobs of the image behind the tag, or else of the repository's newest one."""
    image = work.old
    if image is None:
        image = _previous(work)
    if image is None or image.manifest.is_index:
        return
    work.known = frozenset(blob.digest for blob in image.manifest.blobs)
    work.reusable = {
        diff_id: layer
        for diff_id, layer in zip(config.diff_ids(image.config), image.layers)
        if method_of(layer.media_type) == work.order.compression
    }


def _previous(work: Work) -> t.Optional[Image]:
    try:
        tag = newest_tag(work.target.tags(work.repository))
        return work.names.existing(tag) if tag else None
    except SlipwayError:
        return None  # no list of tags for this login, or no image: layers are then made again, which is only slower


def _is_the_same(work: Work, old: Image, base_image: Image, placement: Placement, measured: t.List[Measured]) -> bool:
    """Whether the tag's image has these layers, in this compression, and this config."""
    if any(layer.diff_id not in work.reusable for layer in measured):
        return False
    wanted = _config(work, base_image, placement, measured)
    return config.comparable(wanted, work.created_counts) == config.comparable(old.config, work.created_counts)


def _unchanged(work: Work, old: Image, placement: Placement) -> Result:
    """The result when the tag's image is the one to build; further tags may still have to be moved to it."""
    manifest = old.manifest
    moved = work.names.complete(manifest)
    count = len(placement.layers)
    ids, layers = config.diff_ids(old.config), old.layers
    made = [
        Made(layer, Measured(diff_id, {}), descriptor.digest, descriptor.size, True)
        for layer, diff_id, descriptor in zip(placement.layers, ids[len(ids) - count :], layers[len(layers) - count :])
    ]
    content_md5 = config.labels_of(old.config).get(config.LABEL_CONTENT)
    view = image_view(work.order.image, old)
    return {
        **_facts(work, manifest, made, content_md5),
        "changed": bool(moved),
        "bytes_uploaded": 0,
        "diff": {"before": view, "after": {**view, **({"new_tags": moved} if moved else {})}},
    }


# -- making -----------------------------------------------------------------------------------------------------------


def _config(work: Work, base_image: Image, placement: Placement, measured: t.Sequence[Measured]) -> config.Config:
    labels = {
        config.LABEL_BASE_NAME: str(replace(work.order.base, digest=None)),
        config.LABEL_BASE_DIGEST: work.base_digest,
        **work.order.settings.labels,
        config.LABEL_SOURCE: work.source,
    }
    content_md5 = image_content_md5(placement, [layer.md5s for layer in measured])
    if placement.dest and content_md5:
        labels.update({config.LABEL_DEST: placement.dest, config.LABEL_CONTENT: content_md5})
    settings: Settings = replace(work.order.settings, labels=labels)
    if settings.entrypoint is None and settings.cmd is None:
        settings = replace(settings, entrypoint=placement.entrypoint)
    added = [Added(one.diff_id, f"{layer.kind}: {layer.dest}") for one, layer in zip(measured, placement.layers)]
    return config.patched(base_image.config, settings, added, work.created)


def _make(work: Work, base_image: Image, placement: Placement, measured: t.Optional[t.List[Measured]]) -> Result:
    """Pack, bring and name the image. Repeated once from nothing when blobs that an old manifest names are gone."""
    sent_before = work.target.bytes_sent
    destination = _destination(work)
    manifest, new, made = _bring(work, destination, base_image, placement, measured)
    work.names.refuse_overwrite(manifest.digest)
    if not work.context.check_mode:
        try:
            work.names.put(manifest, work.names.all)
        except RegistryError as error:
            if error.code not in _GONE:
                raise
            work.reusable, work.known = {}, frozenset()  # the registry's garbage collection came in between
            destination = _destination(work)
            manifest, new, made = _bring(work, destination, base_image, placement, measured)
            work.names.put(manifest, work.names.all)
    work.watch.lap("push")
    work.contents.warnings += destination.warnings
    content_md5 = config.labels_of(new.config).get(config.LABEL_CONTENT)
    return {
        **_facts(work, manifest, made, content_md5),
        "changed": True,
        "bytes_uploaded": destination.foreseen if work.context.check_mode else work.target.bytes_sent - sent_before,
        "diff": {
            "before": image_view(work.order.image, work.old) if work.old else {},
            "after": image_view(work.order.image, new),
        },
    }


def _destination(work: Work) -> Destination:
    return Destination(
        work.target, work.repository, work.base_client, work.order.base, work.known, dry=work.context.check_mode
    )


def _bring(
    work: Work,
    destination: Destination,
    base_image: Image,
    placement: Placement,
    measured: t.Optional[t.List[Measured]],
) -> t.Tuple[Manifest, Image, t.List[Made]]:
    """Every blob into the repository, layers of base and app side by side; the manifest that names them."""
    if not work.context.check_mode:
        work.target.will_push(work.repository)

    layers = placement.layers
    jobs: t.List[t.Callable[[], t.Any]]
    if measured is None:  # remembered as well, for the next build
        jobs = [partial(_bring_layer, work, destination, layer, None) for layer in layers]
        jobs += [partial(fingerprint, layer) for layer in layers]
    else:
        jobs = [partial(_bring_layer, work, destination, *known) for known in zip(layers, measured)]
        jobs.append(lambda: destination.bring_bytes(config.serialised(_config(work, base_image, placement, measured))))
    jobs += [partial(destination.bring_base, layer) for layer in base_image.layers]
    progress, image = work.context.progress, work.order.image
    with progress.meter(f"build {image}") as destination.reading, progress.meter(f"push {image}") as sending:
        destination.sending, work.target.on_sent = sending, sending.add
        done = in_parallel(lambda job: job(), jobs)
    made: t.List[Made] = done[: len(layers)]
    if measured is None:
        for key, item in zip(done[len(layers) :], made):
            remember(key, item.measured, work.memory)
    new = _config(work, base_image, placement, [item.measured for item in made])
    manifest = _manifest(work, destination, base_image, new, made)
    return manifest, Image(manifest, new), made


def _bring_layer(work: Work, destination: Destination, layer: Layer, measured: t.Optional[Measured]) -> Made:
    old = work.reusable.get(measured.diff_id) if measured else None
    if measured and old:
        return Made(layer, measured, old.digest, old.size, True)
    ahead = work.ahead.get(measured.diff_id) if measured else None
    if ahead:
        packed = ahead.packed
        destination.bring_bytes(ahead.content, packed.digest)
    else:
        packed = destination.bring_layer(layer, work.order.compression)
    return Made(layer, packed.measured, packed.digest, packed.size, packed.digest in work.known)


def _manifest(
    work: Work, destination: Destination, base_image: Image, new: config.Config, made: t.Sequence[Made]
) -> Manifest:
    """In the base's family of media types, since some registries refuse a mixture; zstd exists only in OCI's."""
    docker = base_image.manifest.media_type == types.DOCKER_MANIFEST and work.order.compression != ZSTD
    raw = config.serialised(new)
    kind = layer_type(work.order.compression, docker)
    below = [layer.to_dict() if docker else as_oci(layer) for layer in base_image.layers]
    above = [Descriptor(kind, item.digest, item.size).to_dict() for item in made]
    pointer = Descriptor(types.DOCKER_CONFIG if docker else types.OCI_CONFIG, destination.bring_bytes(raw), len(raw))
    media_type = types.DOCKER_MANIFEST if docker else types.OCI_MANIFEST
    data = {"schemaVersion": 2, "mediaType": media_type, "config": pointer.to_dict(), "layers": below + above}
    return Manifest.build(data, media_type)


def _facts(work: Work, manifest: Manifest, made: t.Sequence[Made], content_md5: t.Optional[str]) -> Result:
    artifact = work.contents.artifact
    return {
        "digest": manifest.digest,
        "previous_digest": work.old.manifest.digest if work.old else None,
        "tags": work.names.all,
        "base_digest": work.base_digest,
        "artifact": artifact_facts(artifact.path, work.contents.sums, content_md5) if artifact else None,
        "layers": [layer_facts(item) for item in made],
    }
