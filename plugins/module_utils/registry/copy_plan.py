# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy has to do: a state that was read, and a pure function that makes the plan of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .errors import ConflictError
from .manifest import Descriptor, Manifest
from .reference import Reference

MOUNT = "mounted"
EXISTING = "existing"
COPY = "copied"


@dataclass(frozen=True)
class CopyRequest:
    """What is wanted: `targets` (tags, or one digest) of the destination's repository all name the source's image."""

    source: Reference
    destination: Reference
    targets: t.Tuple[str, ...]
    digest: t.Optional[str] = None
    overwrite: bool = True
    referrers: bool = True

    @property
    def same_registry(self) -> bool:
        return self.source.registry == self.destination.registry

    @property
    def same_repository(self) -> bool:
        return self.source.name == self.destination.name


@dataclass
class CopyState:
    """What was read: the image, what the targets name now, and what the destination lacks.

    `parts` are manifests that are put by digest, each after those it lists; `referrers` the digests among them that
    refer to the image; `side_tags` cosign's tags with their manifests. `present` are digests of blobs that the
    destination has.
    """

    root: Manifest
    targets: t.Dict[str, t.Optional[str]]
    parts: t.List[Manifest] = field(default_factory=list)
    referrers: t.List[str] = field(default_factory=list)
    side_tags: t.Dict[str, Manifest] = field(default_factory=dict)
    side_before: t.Dict[str, t.Optional[str]] = field(default_factory=dict)
    blobs: t.Dict[str, Descriptor] = field(default_factory=dict)
    present: t.Set[str] = field(default_factory=set)


@dataclass(frozen=True)
class BlobMove:
    """One blob and how it gets there: mounted, existing or copied."""

    descriptor: Descriptor
    how: str


@dataclass(frozen=True)
class TagPut:
    """A tag (or digest) that will name `manifest`, and the digest it names now."""

    target: str
    manifest: Manifest
    before: t.Optional[str]


@dataclass(frozen=True)
class CopyPlan:
    """Everything a copy will do, in this order: blobs, parts, side tags, targets. Empty when nothing is to be done."""

    request: CopyRequest
    root: Manifest
    previous: t.Optional[str]
    blobs: t.Tuple[BlobMove, ...]
    parts: t.Tuple[Manifest, ...]
    referrers: t.Tuple[str, ...]
    side_puts: t.Tuple[TagPut, ...]
    puts: t.Tuple[TagPut, ...]
    warnings: t.Tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.parts or self.side_puts or self.puts)

    @property
    def transfers(self) -> bool:
        """True when blobs or parts go over before the tags, which takes time in which a tag may move."""
        return bool(self.blobs or self.parts or self.side_puts)


def check_source(request: CopyRequest, root: Manifest) -> None:
    """ConflictError unless the source is the digest that it must be."""
    for wanted, where in ((request.digest, "digest"), (request.source.digest, "the reference")):
        if wanted and wanted != root.digest:
            raise ConflictError(
                f"{request.source} is {root.digest}, and {where} says it must be {wanted}. Nothing was changed.",
                advice="The tag was moved since that digest was noted: find out who pushed, and promote what was tested.",
            )


def plan_copy(request: CopyRequest, state: CopyState) -> CopyPlan:
    """Pure: what `state` lacks of `request`. ConflictError when the source or, without overwrite, a tag differs."""
    check_source(request, state.root)
    digest = state.root.digest
    if not request.overwrite:
        _refuse_overwriting(request, state.targets, digest)
    side_puts, warnings = _side_puts(request, state)
    return CopyPlan(
        request=request,
        root=state.root,
        previous=state.targets.get(request.targets[0]) if request.targets else digest,
        blobs=tuple(_move(request, state, item) for item in state.blobs.values()),
        parts=tuple(state.parts),
        referrers=tuple(state.referrers),
        side_puts=tuple(side_puts),
        puts=tuple(TagPut(target, state.root, before) for target, before in state.targets.items() if before != digest),
        warnings=tuple(warnings),
    )


def _refuse_overwriting(request: CopyRequest, targets: t.Mapping[str, t.Optional[str]], digest: str) -> None:
    taken = [f"{target} is {before}" for target, before in targets.items() if before not in (None, digest)]
    if taken:
        raise ConflictError(
            f"{request.destination.name}: {', '.join(taken)}, not {digest}, and overwrite is false. Nothing was changed.",
            advice="Use a new tag, or set overwrite: true to move it.",
        )


def _move(request: CopyRequest, state: CopyState, item: Descriptor) -> BlobMove:
    if item.digest in state.present:
        return BlobMove(item, EXISTING)
    return BlobMove(item, MOUNT if request.same_registry else COPY)


def _side_puts(request: CopyRequest, state: CopyState) -> t.Tuple[t.List[TagPut], t.List[str]]:
    puts, warnings = [], []
    for tag, manifest in state.side_tags.items():
        before = state.side_before.get(tag)
        if before == manifest.digest:
            continue
        if before and not request.overwrite:
            warnings.append(
                f"{request.destination.name}:{tag} differs from the source's and was left, as overwrite is false."
            )
            continue
        puts.append(TagPut(tag, manifest, before))
    return puts, warnings
