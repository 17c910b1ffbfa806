# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a repository for retention: every tag, every manifest, and dates of what might go. Only HEAD and GET."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ..common.times import epoch
from .auth import PULL
from .client import RegistryClient
from .errors import NotFoundError, UnsupportedError
from .manifest import CONFIG_LIMIT, DOCKER_CONFIG, IMAGE_TYPES, INDEX_TYPES, OCI_CONFIG, SCHEMA1_TYPES, Manifest
from .parallel import in_parallel
from .referrers import Referrers
from .repository import Node, Snapshot, Use

CREATED = "org.opencontainers.image.created"
_CONFIGS = frozenset((OCI_CONFIG, DOCKER_CONFIG))
_MANIFESTS = INDEX_TYPES | IMAGE_TYPES
# Reproducible builds date their images 1970 or 1980: such a date says nothing about age.
_FIRST_SENSIBLE = 946684800.0  # 2000-01-01T00:00:00Z


class RepositoryReader:
    """Reads Snapshots of one repository. What cannot be read raises: retention that guesses deletes images.

    Manifests never change under their digest, so each is read once, however often the tags are looked at again.
    `warnings` are for the user.
    """

    def __init__(self, client: RegistryClient, repository: str) -> None:
        self.client = client
        self.repository = repository
        self.warnings: t.List[str] = []
        self._nodes: t.Dict[str, Node] = {}
        self._undated: t.Dict[str, str] = {}  # digest -> its config, which has the date
        self._referrers = Referrers(client, repository)
        self._asked: t.Set[str] = set()

    def read(self, uses: t.Sequence[Use]) -> Snapshot:
        """The repository as it is, with the untagged manifests that `uses` name by digest."""
        names = self.client.tags(self.repository)
        found = in_parallel(self._tag, names)
        return self._snapshot({tag: digest for tag, digest in zip(names, found) if digest}, uses)

    def look(self) -> t.Dict[str, str]:
        """Every tag and its digest at this moment."""
        names = self.client.tags(self.repository)
        heads = in_parallel(lambda tag: self.client.head_manifest(self.repository, tag), names)
        return {tag: head.digest for tag, head in zip(names, heads) if head}

    def read_again(self, tags: t.Mapping[str, str], uses: t.Sequence[Use]) -> Snapshot:
        """A Snapshot of `tags` as `look` found them; only manifests that are new are read."""
        new = sorted({digest for digest in tags.values() if digest not in self._nodes})
        in_parallel(self._by_digest, new)
        return self._snapshot({tag: digest for tag, digest in tags.items() if digest in self._nodes}, uses)

    def with_details(self, snapshot: Snapshot, digests: t.Sequence[str]) -> Snapshot:
        """`snapshot` with dates of `digests` and of their platforms, and with what refers to them."""
        members = [one for digest in digests for one in (digest, *snapshot.nodes[digest].children)]
        wanted = [one for one in dict.fromkeys(members) if one in self._undated]
        for one, created in zip(wanted, in_parallel(self._created, wanted)):
            self._nodes[one] = dataclasses.replace(self._nodes[one], created=created)
            del self._undated[one]
        known = self._add_referrers(set(snapshot.nodes), list(dict.fromkeys(members)))
        return Snapshot(snapshot.tags, {digest: self._nodes[digest] for digest in sorted(known)})

    # -- manifests ---------------------------------------------------------------------------------------------------

    def _tag(self, tag: str) -> t.Optional[str]:
        """Digest of a tag, its manifest read; None for one that is listed and leads nowhere."""
        try:
            manifest = self.client.get_manifest(self.repository, tag)
        except NotFoundError:
            self._check_dangling(tag)
            return None
        except UnsupportedError:
            return self._unreadable(tag)
        self._add(manifest)
        return manifest.digest

    def _by_digest(self, digest: str) -> t.Optional[str]:
        """`digest`, its manifest read; None when the repository has none."""
        if digest in self._nodes:
            return digest
        try:
            self._add(self.client.get_manifest(self.repository, digest))
        except NotFoundError:
            return None
        except UnsupportedError:
            self._unreadable(digest)
        return digest

    def _check_dangling(self, tag: str) -> None:
        """A 404 may also mean a type that was not asked for; such a tag could hold anything, so nothing may be deleted."""
        url = f"/v2/{self.repository}/manifests/{tag}"
        try:
            self.client.transport.send("HEAD", url, {self.repository: PULL}, headers={"Accept": "*/*"}).close()
        except NotFoundError:
            self.warnings.append(
                f"{self.client.host}/{self.repository}:{tag} is listed, but has no manifest. It was left alone."
            )
            return
        raise UnsupportedError(
            f"{self.client.host}/{self.repository}:{tag} is of a type that Slipway does not know, so what it needs is not known "
            "either. Nothing was deleted."
        )

    def _unreadable(self, locator: str) -> t.Optional[str]:
        """Schema 1 stays and stands for itself: it lists no other manifest. Any other type could, and raises."""
        head = self.client.head_manifest(self.repository, locator)
        if head is None:
            return None
        if head.media_type not in SCHEMA1_TYPES:
            raise UnsupportedError(
                f"{self.client.host}/{self.repository}: {locator} is {head.media_type or 'of no type'}, which Slipway does "
                "not know, so what it needs is not known either. Nothing was deleted."
            )
        self._nodes[head.digest] = Node(head.digest, "schema1", problem="it is a schema 1 image")
        return head.digest

    def _add(self, manifest: Manifest) -> None:
        kind = "index" if manifest.is_index else "referrer" if manifest.subject else "image"
        created = sensible((manifest.data.get("annotations") or {}).get(CREATED))
        config = manifest.config
        if created is None and config and config.media_type in _CONFIGS:
            self._undated[manifest.digest] = config.digest
        self._nodes[manifest.digest] = Node(
            manifest.digest,
            kind,
            tuple(child.digest for child in manifest.children if child.media_type in _MANIFESTS),
            config.digest if config else None,
            manifest.subject.digest if manifest.subject else None,
            created,
        )

    def _snapshot(self, tags: t.Mapping[str, str], uses: t.Sequence[Use]) -> Snapshot:
        known = set(tags.values())
        configs = {node.config for node in self._nodes.values()}
        named = {digest for use in uses if use.must_resolve for digest in use.digests}
        extra = in_parallel(self._by_digest, sorted(named - known - t.cast("t.Set[str]", configs)))
        known.update(digest for digest in extra if digest)
        known = self._with_children(known)
        return Snapshot(tags, {digest: self._nodes[digest] for digest in sorted(known)})

    def _with_children(self, known: t.Set[str]) -> t.Set[str]:
        """`known` and all manifests below, read; an index with a platform that is not there gets that as its problem."""
        found, level = set(known), sorted(known)
        while level:
            below = sorted({child for digest in level for child in self._nodes[digest].children} - found)
            there = {digest for digest in in_parallel(self._by_digest, below) if digest}
            for digest in level:
                missing = [child for child in self._nodes[digest].children if child not in found | there]
                if missing:
                    problem = f"{', '.join(missing)} in it is not there"
                    self._nodes[digest] = dataclasses.replace(self._nodes[digest], problem=problem)
            found |= there
            level = sorted(there)
        return found

    # -- what only those that may go need ----------------------------------------------------------------------------

    def _created(self, digest: str) -> t.Optional[float]:
        try:
            raw = self.client.get_blob(self.repository, self._undated[digest], CONFIG_LIMIT)
            return sensible(json.loads(raw.decode("utf-8")).get("created"))
        except NotFoundError:
            return None
        except (ValueError, AttributeError):
            return None  # a config that is no JSON object has no date either

    def _add_referrers(self, known: t.Set[str], digests: t.Sequence[str]) -> t.Set[str]:
        """Untagged signatures and the like, where the registry lists them; elsewhere they hang on tags, which were read."""
        level = [digest for digest in digests if digest not in self._asked]
        while level and self._referrers.has_api is not False:
            listed = [self._referrers.of(level[0])]
            if self._referrers.has_api:
                listed += in_parallel(self._referrers.of, level[1:])
            self._asked.update(level)
            fresh = sorted({item.digest for items in listed for item in items} - known)
            there = {digest for digest in in_parallel(self._by_digest, fresh) if digest}
            known = self._with_children(known | there)
            level = sorted(there)
        return self._with_children(known | {one for one, node in self._nodes.items() if node.subject in known})


def sensible(text: t.Any) -> t.Optional[float]:
    """An RFC 3339 date in epoch seconds; None for none, and for those that builds make up."""
    try:
        when = epoch(str(text))
    except ValueError:
        return None
    return when if when >= _FIRST_SENSIBLE else None
