# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying an image: read what is there, and apply the plan so that an interrupted copy leaves every tag as it was."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..common.progress import QUIET, Meter
from .client import RegistryClient
from .copy_plan import COPY, EXISTING, MOUNT, BlobMove, CopyPlan, CopyRequest, CopyState, TagPut, check_source
from .errors import ConflictError, DeniedError, IntegrityError, NotFoundError, RegistryError, UnsupportedError
from .manifest import IMAGE_TYPES, INDEX_TYPES, Descriptor, Manifest
from .parallel import in_parallel
from .referrers import Referrers

_MAX_DEPTH = 4
_BLOB_MISSING = frozenset(("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"))


@dataclass
class CopyOutcome:
    """What a copy did: digests of blobs by how they got there, bytes that moved, tags as they were just before."""

    blobs: t.Dict[str, t.List[str]] = field(default_factory=lambda: {MOUNT: [], EXISTING: [], COPY: []})
    bytes_copied: int = 0
    previous: t.Dict[str, t.Optional[str]] = field(default_factory=dict)
    warnings: t.List[str] = field(default_factory=list)


class CopyReader:
    """Reads a CopyState: only HEAD and GET, so check mode does exactly the same."""

    def __init__(self, request: CopyRequest, source: RegistryClient, destination: RegistryClient) -> None:
        self.request = request
        self.source = source
        self.destination = destination

    def read(self) -> CopyState:
        """What the source is and what the destination lacks of it. NotFoundError when there is no source."""
        request = self.request
        targets = {target: self._current(target) for target in request.targets}
        # By tag where both are written, so that a tag that has moved is noticed; check_source compares the digests.
        locator = request.source.tag or request.source.locator
        root = self.source.get_manifest(request.source.repository, locator)
        check_source(request, root)
        state = CopyState(root, targets)
        if request.same_repository:
            return state
        if root.digest not in targets.values():
            self._add_contents(state, root, 0)
        if request.referrers:
            self._add_referrers(state)
        if not request.same_registry:
            digests = list(state.blobs)
            held = in_parallel(lambda d: self.destination.has_blob(request.destination.repository, d), digests)
            state.present = {digest for digest, has in zip(digests, held) if has}
        return state

    def _current(self, target: str) -> t.Optional[str]:
        try:
            found = self.destination.head_manifest(self.request.destination.repository, target)
        except DeniedError as error:
            if error.status != 403 or not self.request.overwrite:
                raise
            return None  # some registries answer 403 for a repository that will be made by the first push
        return found.digest if found else None

    def _add_contents(self, state: CopyState, manifest: Manifest, depth: int) -> None:
        """Blobs of an image; children of an index that the destination lacks, deepest first."""
        if depth > _MAX_DEPTH:
            raise UnsupportedError(f"{self.request.source}: indexes within indexes more than {_MAX_DEPTH} deep.")
        for item in manifest.blobs:
            if not item.foreign:
                state.blobs.setdefault(item.digest, item)
        known = {part.digest for part in state.parts}
        for child in manifest.children:
            if child.digest in known or self.destination.head_manifest(
                self.request.destination.repository, child.digest
            ):
                continue
            found = self._child(child)
            if found is None:
                state.blobs.setdefault(child.digest, child)
                continue
            self._add_contents(state, found, depth + 1)
            state.parts.append(found)
            known.add(child.digest)

    def _child(self, child: Descriptor) -> t.Optional[Manifest]:
        """A manifest of an index; None when the index lists a blob, which the spec allows."""
        repository = self.request.source.repository
        try:
            found = self.source.get_manifest(repository, child.digest)
        except (NotFoundError, UnsupportedError):
            if child.media_type in INDEX_TYPES | IMAGE_TYPES or not self.source.has_blob(repository, child.digest):
                raise
            return None
        if len(found.raw) != child.size:
            raise IntegrityError(f"{child.digest} has {len(found.raw)} bytes, its index says {child.size}.")
        return found

    def _add_referrers(self, state: CopyState) -> None:
        """Signatures, SBOMs and attestations of the image and of its platforms, and what refers to those."""
        there = Referrers(self.source, self.request.source.repository)
        here = Referrers(self.destination, self.request.destination.repository)
        pending = [state.root.digest, *(child.digest for child in state.root.children)]
        seen = set(pending)
        while pending:
            subject = pending.pop(0)
            self._add_cosign(state, there.cosign(subject))
            offered = there.of(subject)
            listed = {item.digest for item in here.of(subject)} if offered else set()
            for item in offered:
                if item.digest in seen:
                    continue
                seen.add(item.digest)
                pending.append(item.digest)
                if item.digest not in listed:
                    self._add_referrer(state, item)

    def _add_referrer(self, state: CopyState, item: Descriptor) -> None:
        manifest = self.source.get_manifest(self.request.source.repository, item.digest)
        self._add_contents(state, manifest, 1)
        state.parts.append(manifest)
        state.referrers.append(manifest.digest)

    def _add_cosign(self, state: CopyState, tags: t.Sequence[str]) -> None:
        for tag in tags:
            manifest = self.source.get_manifest(self.request.source.repository, tag)
            before = self._current(tag)
            state.side_tags[tag] = manifest
            state.side_before[tag] = before
            if before != manifest.digest:
                self._add_contents(state, manifest, 1)


class CopyApplier:
    """Carries out a CopyPlan: blobs, then manifests by digest, then tags, the image's own last. `meter` follows the bytes."""

    def __init__(
        self,
        plan: CopyPlan,
        source: RegistryClient,
        destination: RegistryClient,
        meter: t.Optional[Meter] = None,
    ) -> None:
        self.plan = plan
        self.meter = meter or QUIET.meter("copy")
        self.source = source
        self.destination = destination
        self.repository = plan.request.destination.repository
        self.outcome = CopyOutcome(warnings=list(plan.warnings))
        self._referrers = Referrers(destination, self.repository)

    def apply(self) -> CopyOutcome:
        """Do it all. A RegistryError on the way says which targets were left as they were."""
        try:
            self._transfer()
            for put in self.plan.puts:
                self._put_target(put)
        except RegistryError as error:
            error.msg = f"{error.msg} {self._left()}".strip()
            raise
        return self.outcome

    def _left(self) -> str:
        name = self.plan.request.destination.name
        left = [put for put in self.plan.puts if put.target not in self.outcome.previous]
        if not left:
            return ""
        return "Not moved: " + ", ".join(f"{name}:{put.target} ({put.before or 'absent'})" for put in left) + "."

    def _transfer(self) -> None:
        self.destination.will_push(self.repository)
        self.destination.on_sent = self.meter.add
        self.meter.expect(sum(move.descriptor.size for move in self.plan.blobs if move.how == COPY))
        results = in_parallel(self._place, self.plan.blobs)
        for move, how in zip(self.plan.blobs, results):
            self._note(move, how)
        self._warn_of_refused_mounts(results)
        for part in self.plan.parts:
            self._put(part.digest, part)
        for put in self.plan.side_puts:
            self._put(put.target, put.manifest)

    def _warn_of_refused_mounts(self, results: t.Sequence[str]) -> None:
        refused = [move for move, how in zip(self.plan.blobs, results) if move.how == MOUNT and how == COPY]
        if refused:
            size = sum(move.descriptor.size for move in refused)
            self.outcome.warnings.append(
                f"{self.destination.host} refused to mount {len(refused)} blobs from "
                f"{self.plan.request.source.repository} into {self.repository}; {size} bytes were uploaded instead. "
                "The login may not read the source's repository."
            )

    def _note(self, move: BlobMove, how: str) -> None:
        self.outcome.blobs[how].append(move.descriptor.digest)
        self.outcome.bytes_copied += move.descriptor.size if how == COPY else 0

    def _place(self, move: BlobMove) -> str:
        """Bring one blob over; how that was done."""
        digest = move.descriptor.digest
        if move.how == EXISTING:
            return EXISTING
        upload = None
        if move.how == MOUNT:
            upload = self.destination.mount_blob(self.repository, digest, self.plan.request.source.repository)
            if upload is None:
                return MOUNT
            if self.destination.has_blob(self.repository, digest):
                self.destination.cancel_upload(self.repository, upload)
                return EXISTING
            self.meter.expect(move.descriptor.size)
        self._stream(move.descriptor, upload)
        return COPY

    def _stream(self, item: Descriptor, upload: t.Any = None) -> None:
        repository = self.plan.request.source.repository
        self.destination.upload_blob(
            self.repository,
            item.digest,
            item.size,
            lambda: self.source.open_blob(repository, item.digest, item.size),
            upload,
        )

    def _put_target(self, put: TagPut) -> None:
        """Move one tag, after a second look at it when the copy before took time: the API has no compare-and-swap."""
        before = put.before
        if self.plan.transfers:
            found = self.destination.head_manifest(self.repository, put.target)
            before = found.digest if found else None
        if before == put.manifest.digest:
            self.outcome.previous[put.target] = before
            return
        if before and not self.plan.request.overwrite:
            raise ConflictError(
                f"{self.plan.request.destination.name}:{put.target} became {before} while this task was copying, and "
                "overwrite is false. It was left so.",
                advice="Find out who else pushes this tag.",
            )
        if before != put.before:
            self.outcome.warnings.append(
                f"{self.plan.request.destination.name}:{put.target} became {before or 'absent'} while this task was "
                f"copying, and was moved to {put.manifest.digest}."
            )
        self._put(put.target, put.manifest)
        self.outcome.previous[put.target] = before

    def _put(self, target: str, manifest: Manifest) -> None:
        try:
            self._push(target, manifest)
        except RegistryError as error:
            if error.code not in _BLOB_MISSING:
                raise
            # A garbage collection took blobs between the question and the manifest: bring them again, once.
            self._restore(manifest)
            self._push(target, manifest)

    def _push(self, target: str, manifest: Manifest) -> None:
        subject = manifest.subject
        if subject is None or target != manifest.digest:
            self.destination.put_manifest(self.repository, target, manifest)
        elif not self.destination.put_referrer(self.repository, manifest):
            self._referrers.add(subject.digest, manifest)

    def _restore(self, manifest: Manifest) -> None:
        for item in manifest.blobs:
            if not item.foreign and not self.destination.has_blob(self.repository, item.digest):
                self.meter.expect(item.size)
                self._stream(item)
                self._note(BlobMove(item, COPY), COPY)
