# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images of a repository may go, and why each other one stays. Pure: everything that was read comes in as data."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field, replace

from .repository import Graph, Snapshot, Use, matches
from .tag_order import Place, place

DAY = 86400.0


@dataclass(frozen=True)
class Rules:
    """What is kept. Ages are seconds; `now` is epoch seconds; `pushed` the times that a ledger knows of digests."""

    keep_last: int
    now: float
    keep_tags: t.Tuple[t.Pattern[str], ...] = ()
    keep_newer_than: t.Optional[float] = None
    min_age: float = DAY
    group_by: t.Optional[t.Pattern[str]] = None
    pushed: t.Mapping[str, float] = field(default_factory=dict)

    @property
    def needs_ages(self) -> bool:
        return bool(self.min_age or self.keep_newer_than)

    def without_ages(self) -> Rules:
        """The same rules where no date counts. They keep fewer, never others."""
        return replace(self, min_age=0.0, keep_newer_than=None)


@dataclass(frozen=True)
class Decision:
    """What becomes of one manifest. `why` has every reason."""

    digest: str
    tags: t.Tuple[str, ...]
    kind: str
    delete: bool
    why: t.Tuple[str, ...]
    created: t.Optional[float] = None

    def shown(self) -> t.Dict[str, t.Any]:
        return {
            "digest": self.digest,
            "tags": list(self.tags),
            "kind": self.kind,
            "action": "delete" if self.delete else "keep",
            "why": list(self.why),
        }


@dataclass(frozen=True)
class Plan:
    """`decisions` for every manifest that is known, `steps` the digests to delete in that order.

    `images` is how many tagged images there were, `doomed` how many of them go. `unknown` are uses that were not found.
    """

    repository: str
    decisions: t.Tuple[Decision, ...]
    steps: t.Tuple[str, ...]
    images: int
    doomed: int
    unknown: t.Tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One hash over what would be deleted, whatever the reasons: two plans with the same one do the same."""
        going = sorted((item.digest, list(item.tags)) for item in self.decisions if item.delete)
        text = json.dumps({"repository": self.repository, "delete": going}, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def plan(repository: str, snapshot: Snapshot, rules: Rules, uses: t.Sequence[Use]) -> Plan:
    """The plan. Whatever is in use, protected or unreadable stays, with all that belongs to it."""
    return _Planner(repository, snapshot, rules, uses).plan()


class _Planner:
    def __init__(self, repository: str, snapshot: Snapshot, rules: Rules, uses: t.Sequence[Use]) -> None:
        self.repository = repository
        self.snapshot = snapshot
        self.rules = rules
        self.graph = Graph(snapshot)
        self.unknown: t.List[str] = []
        self.images = snapshot.images
        self.places = {tag: place(tag, rules.group_by) for tag in snapshot.tags}
        self.why: t.Dict[str, t.List[str]] = {}
        self._note_uses(uses)
        self._note_newest()
        for digest in self.images:
            self._note_tags(digest)
        for digest, node in snapshot.nodes.items():
            if node.problem:
                self._note(digest, f"cannot be read whole: {node.problem}")
        if rules.needs_ages:
            # Dates were read of those alone that nothing else keeps.
            kept = self._protected()
            for digest in self.images:
                if digest not in kept:
                    self._note_age(digest)

    def plan(self) -> Plan:
        protected = self._protected()
        doomed = [digest for digest in self.images if digest not in protected]
        doomed.sort(key=self._age_order)
        steps = self._steps(doomed, protected)
        decisions = [self._decision(digest, protected, set(steps)) for digest in sorted(self.snapshot.nodes)]
        return Plan(self.repository, tuple(decisions), tuple(steps), len(self.images), len(doomed), tuple(self.unknown))

    # -- what keeps an image -----------------------------------------------------------------------------------------

    def _note(self, digest: str, reason: str) -> None:
        reasons = self.why.setdefault(digest, [])
        if reason not in reasons:
            reasons.append(reason)

    def _note_uses(self, uses: t.Sequence[Use]) -> None:
        for use in uses:
            found = matches(use, self.snapshot)
            if not found and use.must_resolve:
                self.unknown.append(use.label)
            for digest in self.graph.holders(found):
                self._note(digest, f"in use: {use.label}")

    def _note_newest(self) -> None:
        """In each stream the newest `keep_last` images; an image stands where its highest tag stands."""
        streams: t.Dict[t.Tuple[str, ...], t.Dict[str, t.Tuple[t.Any, str]]] = {}
        for digest in self.images:
            for tag in self.snapshot.tags_of[digest]:
                where = self.places[tag]
                if where is None:
                    continue
                best = streams.setdefault(where.stream, {})
                best[digest] = max(best.get(digest, (where.order, tag)), (where.order, tag))
        for stream, members in streams.items():
            ranked = sorted(members, key=lambda digest: (members[digest], digest), reverse=True)
            for digest in ranked[: self.rules.keep_last]:
                of = " ".join(part for part in stream if part)
                words = f"{members[digest][1]} is among the newest {self.rules.keep_last}"
                self._note(digest, f"{words} of {of!r}" if of else words)

    def _note_tags(self, digest: str) -> None:
        for tag in self.snapshot.tags_of[digest]:
            rule = next((rule for rule in self.rules.keep_tags if rule.search(tag)), None)
            if rule:
                self._note(digest, f"{tag} matches keep_tags {rule.pattern!r}")
            elif self.places[tag] is None:
                self._note(digest, f"{tag} is no version that could be ordered")

    def _note_age(self, digest: str) -> None:
        born = self._born(digest)
        if born is None:
            self._note(
                digest, "its age is not known (no date that makes sense), and min_age or keep_newer_than asks for it"
            )
            return
        age = self.rules.now - born
        if self.rules.keep_newer_than is not None and age < self.rules.keep_newer_than:
            self._note(digest, f"newer than keep_newer_than ({_days(age)} old)")
        if age < self.rules.min_age:
            self._note(digest, f"younger than min_age ({_days(age)} old)")

    def _born(self, digest: str) -> t.Optional[float]:
        """The latest date that is known of the image, its platforms or its push."""
        members = [digest, *self.graph.children(digest)]
        nodes = [self.snapshot.nodes[member] for member in members if member in self.snapshot.nodes]
        dates = [node.created for node in nodes if node.created is not None]
        dates += [self.rules.pushed[member] for member in members if member in self.rules.pushed]
        return max(dates) if dates else None

    def _protected(self) -> t.Dict[str, str]:
        return self.graph.closure([digest for digest in self.snapshot.nodes if self._stays(digest)])

    def _stays(self, digest: str) -> bool:
        """By a rule; or because nothing here says what it belongs to: a push may be under way, or it is no tag's at all."""
        tagged = digest in self.snapshot.tags_of and not self.snapshot.is_attached(digest)
        placed = tagged or digest in self.graph.parents or digest in self.graph.about
        return bool(self.why.get(digest)) or not placed

    # -- what goes ---------------------------------------------------------------------------------------------------

    def _age_order(self, digest: str) -> t.Tuple[t.Any, ...]:
        where = [item for item in (self.places[tag] for tag in self.snapshot.tags_of[digest]) if item is not None]
        highest: t.Optional[Place] = max(where, key=lambda item: (item.order, item.stream), default=None)
        return (highest.stream, highest.order, digest) if highest else ((), (), digest)

    def _steps(self, doomed: t.Sequence[str], protected: t.Mapping[str, str]) -> t.List[str]:
        """Indexes before their platforms, signatures before what they are about: nothing tagged is ever half there."""
        going = {
            digest for digest in self.graph.closure(doomed) if digest not in protected and digest in self.snapshot.nodes
        }
        steps: t.List[str] = []
        seen: t.Set[str] = set()
        for digest in [*doomed, *sorted(going)]:
            self._add(digest, going, seen, steps)
        return steps

    def _add(self, digest: str, going: t.Set[str], seen: t.Set[str], steps: t.List[str]) -> None:
        """Append `digest` behind all that goes before it."""
        pending = [(digest, False)]
        while pending:
            one, ready = pending.pop()
            if ready:
                steps.append(one)
            elif one not in seen:
                seen.add(one)
                first = [*self.graph.parents.get(one, ()), *self.graph.attached(one)]
                pending.append((one, True))
                pending += [(other, False) for other in reversed(first) if other in going]

    def _decision(self, digest: str, protected: t.Mapping[str, str], going: t.Set[str]) -> Decision:
        node = self.snapshot.nodes[digest]
        tags = self.snapshot.tags_of.get(digest, ())
        why = self.why.get(digest, [])
        if digest in going:
            why = ["no rule keeps it" if digest in self.images else "belongs to an image that goes"]
        elif not why and protected.get(digest, digest) != digest:
            why = [f"belongs to {protected[digest]}, which stays"]
        elif not why:
            why = ["it is about an image that is not here" if self.snapshot.is_attached(digest) else "no tag names it"]
        return Decision(digest, tags, node.kind, digest in going, tuple(why), node.created)


def _days(age: float) -> str:
    return f"{age / DAY:.1f} days" if age >= DAY else f"{max(age, 0) / 3600:.1f} hours"
