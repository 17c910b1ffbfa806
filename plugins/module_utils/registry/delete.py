# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a tag and nothing else, on registries that can only delete digests with all their tags."""

from __future__ import annotations

import functools
import gzip
import io
import json
import typing as t
import uuid
from dataclasses import dataclass, field

from .client import RegistryClient
from .errors import ConflictError, NotFoundError, RegistryError, UnsupportedError
from .manifest import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
)
from .parallel import in_parallel
from .reference import Reference
from .referrers import Referrers, fallback_tag

# 400 DIGEST_INVALID is distribution 2.8's answer to a tag, 405 Harbor's, and anybody's with deletion switched off.
_CANNOT_DELETE_TAG = frozenset((400, 405))
NO_DELETION = "Deletion is off on this registry (for distribution: storage.delete.enabled: true switches it on)."


@dataclass(frozen=True)
class DeleteRequest:
    """Remove `tags`, or the manifest `digest` itself when there are none. With tags, `digest` is what they must be."""

    repository: Reference
    tags: t.Tuple[str, ...] = ()
    digest: t.Optional[str] = None
    referrers: bool = True
    force_siblings: bool = False


@dataclass
class Survey:
    """All tags of a repository with what they are, and which index holds which manifest."""

    tags: t.Dict[str, Descriptor]
    parents: t.Dict[str, t.Set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, client: RegistryClient, repository: str) -> Survey:
        """Every tag's digest and every tagged index's children. Whatever cannot be read raises: guessing deletes images."""
        names = client.tags(repository)
        heads = in_parallel(lambda tag: client.head_manifest(repository, tag), names)
        survey = cls({tag: head for tag, head in zip(names, heads) if head})
        for digest in {head.digest for head in survey.tags.values() if head.is_index}:
            survey._add_children(client, repository, digest)
        return survey

    def _add_children(self, client: RegistryClient, repository: str, digest: str) -> None:
        for child in client.get_manifest(repository, digest).children:
            first_time = child.digest not in self.parents
            self.parents.setdefault(child.digest, set()).add(digest)
            if child.is_index and first_time:
                self._add_children(client, repository, child.digest)

    def tags_of(self, digest: str) -> t.List[str]:
        return sorted(tag for tag, head in self.tags.items() if head.digest == digest)

    def holders(self, digest: str) -> t.List[str]:
        """Tags of the indexes, direct or not, that list `digest`."""
        found: t.Set[str] = set()
        pending, seen = [digest], {digest}
        while pending:
            for parent in self.parents.get(pending.pop(), ()):
                found.update(self.tags_of(parent))
                if parent not in seen:
                    seen.add(parent)
                    pending.append(parent)
        return sorted(found)


@dataclass(frozen=True)
class DeletePlan:
    """`tags` that exist with their digests, and `digest` when the manifest itself is to go."""

    request: DeleteRequest
    tags: t.Mapping[str, str]
    digest: t.Optional[str] = None
    siblings: t.Tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.tags or self.digest)


def read_delete_plan(client: RegistryClient, request: DeleteRequest) -> DeletePlan:
    """What is there to be deleted; only HEAD and GET. ConflictError where the digest differs or a deletion is unsafe."""
    repository = request.repository.repository
    if request.tags:
        heads = [client.head_manifest(repository, tag) for tag in request.tags]
        found = {tag: head.digest for tag, head in zip(request.tags, heads) if head}
        other = [f"{tag} is {digest}" for tag, digest in found.items() if request.digest not in (None, digest)]
        if other:
            raise ConflictError(
                f"{request.repository.name}: {', '.join(other)}, not {request.digest}. Nothing was deleted."
            )
        return DeletePlan(request, found)
    digest = t.cast(str, request.digest)
    if client.head_manifest(repository, digest) is None:
        return DeletePlan(request, {})
    survey = Survey.read(client, repository)
    siblings = survey.tags_of(digest)
    _refuse(request, digest, siblings if not request.force_siblings else [], survey.holders(digest))
    return DeletePlan(request, {}, digest, tuple(siblings))


def _refuse(request: DeleteRequest, digest: str, siblings: t.Sequence[str], holders: t.Sequence[str]) -> None:
    if holders:
        raise ConflictError(
            f"{request.repository.name}@{digest} is a platform of {', '.join(holders)}, which would break without it. "
            "It was not deleted.",
            advice="Delete those tags first.",
        )
    if siblings:
        raise ConflictError(
            f"{request.repository.name}@{digest} also has the tags {', '.join(siblings)}, which would go with it. "
            "It was not deleted.",
            advice="Set force_siblings: true if they may go.",
        )


class Deleter:
    """Carries out a DeletePlan. `removed` are the tags that went, `warnings` what the user should know of it."""

    def __init__(self, client: RegistryClient, plan: DeletePlan) -> None:
        self.client = client
        self.plan = plan
        self.request = plan.request
        self.repository = plan.request.repository.repository
        self.removed: t.List[str] = []
        self.warnings: t.List[str] = []
        self._survey: t.Optional[Survey] = None

    def apply(self) -> None:
        """Delete what the plan names. Raises ConflictError or UnsupportedError where that cannot be done safely."""
        self.client.will_push(self.repository, delete=True)
        if self.plan.digest:
            self._delete_digest(self.plan.digest)
            self.removed += self.plan.siblings
            return
        left = dict(self.plan.tags)
        for tag, digest in self.plan.tags.items():
            if not self._delete_tag(tag, digest):
                break
            self.removed.append(tag)
            del left[tag]
        for digest in dict.fromkeys(left.values()):
            self._delete_by_digest(digest, [tag for tag, named in left.items() if named == digest])

    @property
    def survey(self) -> Survey:
        if self._survey is None:
            self._survey = Survey.read(self.client, self.repository)
        return self._survey

    def _delete_tag(self, tag: str, digest: str) -> bool:
        """The plain way; False when this registry cannot delete a tag."""
        try:
            self.client.delete_manifest(self.repository, tag)
        except NotFoundError:
            pass  # somebody was faster; the look below decides
        except RegistryError as error:
            if error.status not in _CANNOT_DELETE_TAG:
                raise
            return False
        self._check_gone(tag)
        if self.client.head_manifest(self.repository, digest) is None:
            self.warnings.append(
                f"{self.client.host} removed {self.request.repository.name}@{digest} together with its tag {tag}; "
                "if other tags named that digest, they are gone too."
            )
        return True

    def _check_gone(self, tag: str) -> None:
        found = self.client.head_manifest(self.repository, tag)
        if found:
            raise ConflictError(
                f"{self.request.repository.name}:{tag} was deleted, and now is {found.digest}.",
                advice="Somebody pushes this tag at the same time, or a cache answers for the registry.",
            )

    def _delete_by_digest(self, digest: str, tags: t.Sequence[str]) -> None:
        """Where only digests can be deleted: the digest itself if nobody else needs it, else the tags made harmless first."""
        siblings = [tag for tag in self.survey.tags_of(digest) if tag not in tags]
        holders = self.survey.holders(digest)
        self._check_unmoved(digest, tags)
        if siblings and self.request.force_siblings and not holders:
            self._delete_digest(digest)
            self.removed += [*tags, *siblings]
        elif siblings or holders:
            self._check_deletion_is_on(digest, siblings)
            for tag in tags:
                self._delete_by_stand_in(tag, digest)
                self.removed.append(tag)
        else:
            self._delete_digest(digest)
            self.removed += tags
        for tag in tags:
            self._check_gone(tag)

    def _check_unmoved(self, digest: str, tags: t.Sequence[str]) -> None:
        for tag in tags:
            found = self.client.head_manifest(self.repository, tag)
            if found and found.digest != digest:
                raise ConflictError(
                    f"{self.request.repository.name}:{tag} was {digest} and became {found.digest} while this task ran. "
                    "It was not deleted."
                )

    def _delete_digest(self, digest: str) -> None:
        belongings = self._belongings(digest) if self.request.referrers else []
        self._delete_one(digest)
        for belonging in belongings:
            self._delete_one(belonging)

    def _delete_one(self, digest: str) -> None:
        try:
            self.client.delete_manifest(self.repository, digest)
        except NotFoundError:
            return  # what should go is gone
        except UnsupportedError as error:
            error.msg = f"{error.msg} {NO_DELETION} Nothing was deleted."
            raise

    def _belongings(self, digest: str) -> t.List[str]:
        """Digests of what refers to `digest` and would be an orphan; nothing that another tag or index names."""
        referrers = Referrers(self.client, self.repository)
        side_tags = [*referrers.cosign(digest), fallback_tag(digest)]
        found = [item.digest for item in referrers.of(digest)]
        found += [self.survey.tags[tag].digest for tag in side_tags if tag in self.survey.tags]
        wanted = {item: {*self.survey.tags_of(item), *self.survey.holders(item)} for item in dict.fromkeys(found)}
        return [item for item, tags in wanted.items() if tags <= set(side_tags)]

    # -- the stand-in ------------------------------------------------------------------------------------------------

    def _check_deletion_is_on(self, digest: str, siblings: t.Sequence[str]) -> None:
        """Ask for the deletion of a digest that cannot exist: 404 says that a real one would work."""
        try:
            self.client.delete_manifest(self.repository, digest_of(uuid.uuid4().bytes))
        except NotFoundError:
            return
        except RegistryError as error:
            also = f" {digest} also has the tags {', '.join(siblings)}." if siblings else ""
            error.msg = f"{error.msg} {NO_DELETION}{also} Nothing was deleted."
            raise

    def _delete_by_stand_in(self, tag: str, digest: str) -> None:
        """Move the tag to a manifest that exists nowhere else, and delete that one: the image and its other tags stay."""
        original = self.client.get_manifest(self.repository, digest)
        stand_in = self._push_stand_in(original.media_type)
        self.client.put_manifest(self.repository, tag, stand_in)
        try:
            self.client.delete_manifest(self.repository, stand_in.digest)
        except RegistryError as error:
            self.client.put_manifest(self.repository, tag, original)
            error.msg = f"{error.msg} {self.request.repository.name}:{tag} names {digest} again."
            raise

    def _push_stand_in(self, like: str) -> Manifest:
        """An empty image of its own digest, in the media types that the repository holds already."""
        docker = like in (DOCKER_MANIFEST, DOCKER_LIST)
        layer = gzip.compress(bytes(1024), mtime=0)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"delivery.slipway.stand-in": uuid.uuid4().hex}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(bytes(1024))]},
        }
        blobs = [
            (DOCKER_CONFIG if docker else OCI_CONFIG, json.dumps(config).encode()),
            (DOCKER_LAYER_GZIP if docker else OCI_LAYER_GZIP, layer),
        ]
        descriptors = []
        for media_type, raw in blobs:
            descriptor = Descriptor(media_type, digest_of(raw), len(raw))
            if not self.client.has_blob(self.repository, descriptor.digest):
                self.client.upload_blob(
                    self.repository, descriptor.digest, len(raw), functools.partial(io.BytesIO, raw)
                )
            descriptors.append(descriptor.to_dict())
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        data = {"schemaVersion": 2, "mediaType": media_type, "config": descriptors[0], "layers": descriptors[1:]}
        return Manifest.build(data, media_type)
