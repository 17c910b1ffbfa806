# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image of a repository is, what is in use of it, and what hangs together: the facts that retention decides by. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .referrers import fallback_tag, is_digest_tag


@dataclass(frozen=True)
class Node:
    """One manifest. `problem` says why it cannot be read whole; such a one is never deleted.

    `children` are an index's manifests, `config` the digest that hosts know an image by, `subject` what a signature is
    about, `created` epoch seconds where a date that makes sense is known.
    """

    digest: str
    kind: str = "image"
    children: t.Tuple[str, ...] = ()
    config: t.Optional[str] = None
    subject: t.Optional[str] = None
    created: t.Optional[float] = None
    problem: str = ""


@dataclass(frozen=True)
class Use:
    """One image that somebody needs. `tag` is set where the name is of this repository, on whatever host.

    `must_resolve`: it names this repository (or nothing at all), so it has to be found here.
    """

    label: str
    tag: t.Optional[str] = None
    digests: t.Tuple[str, ...] = ()
    prefix: str = ""  # the beginning of an image ID, as Docker shows it
    must_resolve: bool = True


@dataclass(frozen=True)
class Snapshot:
    """A repository at one moment: every tag, every manifest that a tag or a use leads to."""

    tags: t.Mapping[str, str]
    nodes: t.Mapping[str, Node]
    tags_of: t.Mapping[str, t.Tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named: t.Dict[str, t.List[str]] = {}
        for tag, digest in sorted(self.tags.items()):
            named.setdefault(digest, []).append(tag)
        object.__setattr__(self, "tags_of", {digest: tuple(tags) for digest, tags in named.items()})

    @property
    def images(self) -> t.List[str]:
        """Digests that have a tag of their own, in order: the units that retention decides about."""
        return sorted(digest for digest in self.tags_of if not self.is_attached(digest))

    def is_attached(self, digest: str) -> bool:
        """True for what has only tags made of another image's digest: a signature, an SBOM, a list of referrers."""
        tags = self.tags_of.get(digest, ())
        return bool(tags) and all(is_digest_tag(tag) for tag in tags)


class Graph:
    """Which manifests go and stay together."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.parents: t.Dict[str, t.List[str]] = {}
        self._attached: t.Dict[str, t.Set[str]] = {}
        for digest, node in snapshot.nodes.items():
            for child in node.children:
                self.parents.setdefault(child, []).append(digest)
            if node.subject and node.subject != digest:
                self._attached.setdefault(node.subject, set()).add(digest)
        by_tag = {fallback_tag(digest): digest for digest in snapshot.nodes}
        for tag, digest in snapshot.tags.items():
            subject = by_tag.get(tag.partition(".")[0]) if is_digest_tag(tag) else None
            if subject and subject != digest:
                self._attached.setdefault(subject, set()).add(digest)
        # What is about a manifest that is here; a subject elsewhere (or nowhere) does not count.
        self.about = {one for subject, those in self._attached.items() if subject in snapshot.nodes for one in those}

    def attached(self, digest: str) -> t.List[str]:
        """What is about `digest`: manifests that have it as subject, and those under tags made of it."""
        return sorted(self._attached.get(digest, ()))

    def children(self, digest: str) -> t.Tuple[str, ...]:
        node = self.snapshot.nodes.get(digest)
        return node.children if node else ()

    def closure(self, digests: t.Iterable[str]) -> t.Dict[str, str]:
        """Everything that `digests` need or that is about them -> the one of `digests` it came in by."""
        found = {digest: digest for digest in digests}
        pending = sorted(found)
        while pending:
            digest = pending.pop()
            for other in (*self.children(digest), *self.attached(digest)):
                if other not in found:
                    found[other] = found[digest]
                    pending.append(other)
        return found

    def holders(self, digests: t.Iterable[str]) -> t.Set[str]:
        """`digests` and every index, direct or not, that lists one of them."""
        found = set(digests)
        pending = list(found)
        while pending:
            for parent in self.parents.get(pending.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    pending.append(parent)
        return found


def matches(use: Use, snapshot: Snapshot) -> t.Set[str]:
    """Digests of the manifests that `use` means by tag, by manifest digest, or by the digest of their config."""
    found = {snapshot.tags[use.tag]} if use.tag and use.tag in snapshot.tags else set()
    found.update(digest for digest in use.digests if digest in snapshot.nodes)
    wanted = set(use.digests)
    for digest, node in snapshot.nodes.items():
        if node.config in wanted or (use.prefix and _begins(use.prefix, digest, node.config)):
            found.add(digest)
    return found


def _begins(prefix: str, *digests: t.Optional[str]) -> bool:
    return any(digest and digest.partition(":")[2].startswith(prefix) for digest in digests)
