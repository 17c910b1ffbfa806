# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method dockerfile: the Docker engine builds and pushes; what is in the registry before and after decides what changed."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import SlipwayError
from ..common.operation import Context, Result
from ..registry.client import RegistryClient
from ..registry.credentials import Credentials, find_credentials
from ..registry.reference import Reference
from . import config
from .artifact import Entry, open_artifact
from .base import Image
from .checksums import Sums, tree_sums
from .contents import artifact_sums
from .docker_build import Build, Engine, context_entries
from .memory import Memory
from .names import Names
from .options import Findings, further_tags, image_reference, start_folder, texts, wrong_method
from .report import Stopwatch, artifact_facts, image_view

FORMAT = "slipway.delivery app_image dockerfile 1"
KIND = "dockerfile"


@dataclass(frozen=True)
class DockerfileOrder:
    """What is to be built; paths are absolute, `build_timeout` is seconds for build and push together."""

    image: Reference
    tags: t.Tuple[str, ...]
    folder: str
    artifact: t.Optional[str]
    build: Build
    overwrite: bool
    build_timeout: float


def read_dockerfile_order(params: t.Mapping[str, t.Any]) -> DockerfileOrder:
    """The options of method dockerfile. Raises ParameterError with everything that is wrong with them."""
    findings = Findings()
    image = findings.take(image_reference, params["image"])
    tags = findings.take(further_tags, params)
    wrong_method(params, findings)
    folder = start_folder(params["chdir"])
    context, dockerfile = _paths(params, folder, findings)
    build_args = findings.take(texts, params["build_args"], "build_args")
    labels = findings.take(texts, params["labels"], "labels")
    timeout = findings.take(units.seconds, params["build_timeout"], "build_timeout")
    if image is None or tags is None or timeout is None or findings.messages:
        raise findings.error()
    build = Build(
        context=context,
        dockerfile=dockerfile,
        build_args=build_args or {},
        labels=labels or {},
        target=params["target"],
        platform=params["platform"],
        pull=params["pull"],
        no_cache=params["no_cache"],
        cache_from=tuple(params["cache_from"]),
        network=params["network"],
    )
    return DockerfileOrder(image, tags, folder, params["artifact"], build, params["overwrite"], timeout)


def _paths(params: t.Mapping[str, t.Any], folder: str, findings: Findings) -> t.Tuple[str, str]:
    """The context folder and the Dockerfile, both absolute; a relative Dockerfile is looked up in the context."""
    context = os.path.normpath(os.path.join(folder, os.path.expanduser(params["context"] or ".")))
    dockerfile = os.path.normpath(os.path.join(context, os.path.expanduser(params["dockerfile"] or "Dockerfile")))
    if not os.path.isdir(context):
        findings.add(f"context: there is no folder at {context}.")
    elif not os.path.isfile(dockerfile):
        findings.add(f"dockerfile: there is no file at {dockerfile}.")
    return context, dockerfile


def build_dockerfile(
    order: DockerfileOrder, target: RegistryClient, engine_params: t.Mapping[str, t.Any], context: Context
) -> Result:
    """Build and push as `order` says; the result of the task. Raises SlipwayError.

    Where the tag's image carries the source digest of exactly this input, nothing is built; `pull` and `no_cache` ask for
    what cannot be known beforehand, so they always build. In check mode nothing is built or pushed.
    """
    watch = Stopwatch()
    artifact = _artifact(order, Memory(dry=context.check_mode))
    source = source_digest(order.build, context_entries(order.build))
    names = Names(target, order.image, order.tags, order.overwrite, context.check_mode)
    work = _Work(order, names, context, artifact, source, names.existing())
    watch.lap("compare")
    if work.old and work.is_current():
        moved = names.complete(work.old.manifest)
        result = work.result(work.old, changed=bool(moved))
    elif work.old and not order.overwrite:
        raise names.taken(order.image.locator, work.old.manifest.digest)
    elif context.check_mode:
        names.refuse_overwrite()
        result = work.result(None, changed=True)
    else:
        result = _build_and_push(work, Engine(engine_params, context.progress), watch)
    for message in target.warnings:
        context.warn(message)
    return {**result, "requests": target.requests, "timings": watch.total()}


@dataclass
class _Work:
    order: DockerfileOrder
    names: Names
    context: Context
    artifact: t.Optional[t.Dict[str, t.Any]]
    source: str
    old: t.Optional[Image]
    bytes_uploaded: int = 0

    def is_current(self) -> bool:
        """Whether the tag's image was built from this very input, and nobody asks to build all the same."""
        build = self.order.build
        same = self.old is not None and config.labels_of(self.old.config).get(config.LABEL_SOURCE) == self.source
        return same and not ((build.pull or build.no_cache) and self.order.overwrite)

    def result(self, new: t.Optional[Image], changed: bool) -> Result:
        """The task's result; `new` None where it cannot be known without building."""
        before = image_view(self.order.image, self.old) if self.old else {}
        known = {blob.digest for blob in self.old.manifest.blobs} if self.old else set()
        after = image_view(self.order.image, new) if new else {"image": str(self.order.image), "source": self.source}
        return {
            "changed": changed,
            "digest": new.manifest.digest if new else None,
            "previous_digest": self.old.manifest.digest if self.old else None,
            "tags": self.names.all,
            "artifact": self.artifact,
            "layers": _layers(new, known) if new else [],
            "bytes_uploaded": self.bytes_uploaded,
            "diff": {"before": before, "after": after},
        }


def _artifact(order: DockerfileOrder, memory: Memory) -> t.Optional[t.Dict[str, t.Any]]:
    """Checksums of what the Dockerfile copies, for the ledger; it is part of the context, not of this method."""
    if not order.artifact:
        return None
    with open_artifact(order.artifact, order.folder) as artifact:
        sums: Sums = artifact_sums(artifact, memory)
        return artifact_facts(artifact.path, sums, tree_sums(artifact.entries)[0].md5)


def source_digest(build: Build, entries: t.Iterable[Entry]) -> str:
    """The digest of everything that is sent to the engine."""
    inputs = {**build.inputs(), "format": FORMAT, "context": tree_sums(entries)[0].sha256}
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _build_and_push(work: _Work, engine: Engine, watch: Stopwatch) -> Result:
    order = work.order
    deadline = Deadline(order.build_timeout)
    client = work.names.client
    login = find_credentials(client.access, order.image.registry, order.image.repository)
    _warn_of_clear_login(work, engine, login)
    with engine:
        image_id = engine.build(order.build, str(order.image), {config.LABEL_SOURCE: work.source}, login, deadline)
        watch.lap("build")
        work.names.refuse_overwrite()  # what the engine made has no digest before it is pushed
        pushed = engine.push(image_id, order.image, login, deadline)
        watch.lap("push")
    new = work.names.existing()
    if new is None or new.manifest.digest != pushed.digest:
        raise SlipwayError(
            f"{order.image} was pushed by the engine as {pushed.digest}, but the registry answers "
            f"{new.manifest.digest if new else 'that there is no such image'}. Somebody else pushed at the same time, or "
            "the engine knows another registry by this name."
        )
    work.bytes_uploaded = sum(
        layer.size for layer, diff_id in zip(new.layers, config.diff_ids(new.config)) if diff_id[7:19] in pushed.layers
    )
    moved = work.names.complete(new.manifest)
    return work.result(new, changed=bool(moved) or work.old is None or work.old.manifest.digest != pushed.digest)


def _warn_of_clear_login(work: _Work, engine: Engine, login: Credentials) -> None:
    if login and engine.is_plain_tcp:
        work.context.warn(
            f"The registry's login goes to {engine.url} unencrypted, since the engine pushes with it. Use TLS or ssh:// there."
        )


def _layers(image: Image, known: t.Set[str]) -> t.List[t.Dict[str, t.Any]]:
    """The image's layers; which files an engine put into them is not known here."""
    return [
        {"kind": KIND, "digest": layer.digest, "diff_id": diff_id, "size": layer.size, "reused": layer.digest in known}
        for layer, diff_id in zip(image.layers, config.diff_ids(image.config))
    ]
