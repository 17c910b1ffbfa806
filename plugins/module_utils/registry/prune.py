# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a retention plan: look again before each deletion, and once more at everything that stays."""

from __future__ import annotations

import typing as t

from .client import RegistryClient
from .delete import NO_DELETION
from .errors import ConflictError, NotFoundError, RegistryError, UnsupportedError
from .parallel import in_parallel
from .prune_read import RepositoryReader
from .repository import Snapshot, Use
from .retention import Plan, Rules, plan

# A look at all tags takes a request for each. Before every deletion in small repositories; in one of 1000 tags before
# every 40th: then looking costs about as much as distribution's own work for a deletion, which reads all tags too.
_TAGS_PER_DELETION = 25


class Survey:
    """A repository, what is needed of it, and the plan made of both; made anew when tags have moved."""

    def __init__(self, reader: RepositoryReader, rules: Rules, uses: t.Sequence[Use], allow_unknown: bool) -> None:
        self.reader = reader
        self.rules = rules
        self.uses = uses
        self.allow_unknown = allow_unknown
        self.name = f"{reader.client.host}/{reader.repository}"
        self._decide(reader.read(uses))

    def again(self, tags: t.Mapping[str, str]) -> None:
        """Read what is new under `tags`, and plan again."""
        self._decide(self.reader.read_again(tags, self.uses))

    def _decide(self, snapshot: Snapshot) -> None:
        """Dates are read of those alone that nothing else keeps, since they can only keep more."""
        dateless = self.rules.without_ages()
        first = plan(self.name, snapshot, dateless, self.uses)
        self._check_unknown(first)
        images = set(snapshot.images)
        doomed = [item.digest for item in first.decisions if item.delete and item.digest in images]
        self.snapshot = self.reader.with_details(snapshot, doomed)
        self.plan: Plan = plan(self.name, self.snapshot, self.rules, self.uses)

    def _check_unknown(self, made: Plan) -> None:
        if made.unknown and not self.allow_unknown:
            raise ConflictError(
                f"in_use names what {self.name} does not have: {'; '.join(made.unknown)}. Nothing was deleted.",
                advice="Check that the list is about this repository. allow_unknown: true goes on without them.",
            )


class Pruner:
    """Deletes what the survey's plan names. `deleted` are the digests that went, `skipped` those that stayed, and why."""

    def __init__(self, client: RegistryClient, survey: Survey) -> None:
        self.client = client
        self.survey = survey
        self.planned = survey.plan
        self.repository = survey.reader.repository
        self.deleted: t.List[str] = []
        self.skipped: t.Dict[str, str] = {}
        self._tags = dict(survey.snapshot.tags)
        self._until_look = 0  # deletions

    def apply(self) -> None:
        """Delete serially; the first unexpected error ends it. Then make sure of all that stays. Raises RegistryError."""
        if not self.planned.steps:
            return
        self.client.will_push(self.repository, delete=True)
        for digest in self.planned.steps:
            self._look(digest)
            if digest not in self.skipped:
                self._delete(digest)
        self._verify()

    def _look(self, digest: str) -> None:
        """Its own tags right before it goes, and time and again all others."""
        own = [tag for tag, named in self._tags.items() if named == digest]
        heads = [self.client.head_manifest(self.repository, tag) for tag in own]
        moved = any(head is None or head.digest != digest for head in heads)
        if moved or self._until_look < 1:
            self._look_at_all()
            self._until_look = max(1, len(self._tags) // _TAGS_PER_DELETION)
        self._until_look -= 1

    def _look_at_all(self) -> None:
        found = self.survey.reader.look()
        if found != self._tags:
            self._tags = found
            self.survey.again(found)
            self._skip_what_is_wanted()

    def _skip_what_is_wanted(self) -> None:
        still = set(self.survey.plan.steps)
        reasons = {item.digest: "; ".join(item.why) for item in self.survey.plan.decisions}
        for digest in self.planned.steps:
            if digest in still or digest in self.deleted or digest in self.skipped:
                continue
            self.skipped[digest] = reasons.get(digest, "its tag was moved or removed meanwhile")

    def _delete(self, digest: str) -> None:
        try:
            self.client.delete_manifest(self.repository, digest)
        except NotFoundError:
            pass  # what should go is gone
        except UnsupportedError as error:
            if not self.deleted:
                error.msg = f"{error.msg} {NO_DELETION} Nothing was deleted."
            raise
        self.deleted.append(digest)
        self._tags = {tag: named for tag, named in self._tags.items() if named != digest}

    def _verify(self) -> None:
        """Every tag and manifest that stays must still be there: a registry may delete more than it was told."""
        gone = set(self.deleted)
        snapshot = self.survey.snapshot
        now = self.survey.reader.look()
        lost = [f"{tag} ({digest})" for tag, digest in self._tags.items() if tag not in now and digest not in gone]
        untagged = [
            digest
            for digest, node in snapshot.nodes.items()
            if digest not in gone and digest not in snapshot.tags_of and not node.problem
        ]
        heads = in_parallel(lambda digest: self.client.head_manifest(self.repository, digest), untagged)
        lost += [digest for digest, head in zip(untagged, heads) if head is None]
        if lost:
            raise RegistryError(
                f"{self.survey.name}: after {len(gone)} manifests were deleted, these are no longer there, though they were "
                f"to stay: {', '.join(lost)}.",
                advice="Somebody else deletes here, or the registry deleted more than it was told: push them again.",
            )
