# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's decisions, as functions of its rows alone: what is current, what opening means, where rollback goes.

Nothing here reads a clock or a database; `tests/unit` drives these rules through thousands of histories.
"""

from __future__ import annotations

import re
import typing as t

OPEN, HEALTHY, FAILED, REVERTED, MIXED, ABANDONED = "open", "healthy", "failed", "reverted", "mixed", "abandoned"
ENDINGS = (HEALTHY, FAILED, REVERTED, MIXED, ABANDONED)
DEPLOY, ROLLBACK = "deploy", "rollback"
FIRST_VERSION = "1.0.0"


class Entry(t.NamedTuple):
    """A release as the rules see it. `left` : some host's last word about it is other than "reverted"."""

    number: int
    version: str
    content: str
    digest: str
    state: str
    kind: str = DEPLOY
    left: bool = False

    @property
    def label(self) -> str:
        return f"{self.number} ({self.version})"


Entries = t.Sequence[Entry]  # of one app and environment, by rising number


def current(entries: Entries) -> t.Optional[Entry]:
    """The newest healthy release: what the environment is meant to run."""
    return next((entry for entry in reversed(entries) if entry.state == HEALTHY), None)


def previous(entries: Entries) -> t.Optional[Entry]:
    """The newest healthy release before the current one that has other content."""
    now = current(entries)
    return None if now is None else _newest_other(entries, now)


def _newest_other(entries: Entries, than: Entry) -> t.Optional[Entry]:
    older = (entry for entry in reversed(entries) if entry.state == HEALTHY and entry.number < than.number)
    return next((entry for entry in older if entry.content != than.content), None)


def open_release(entries: Entries) -> t.Optional[Entry]:
    """The release that is being rolled out, or was when its run was killed. At most one is open."""
    return next((entry for entry in reversed(entries) if entry.state == OPEN), None)


def unsettled(entries: Entries) -> t.Optional[Entry]:
    """The newest attempt after the current release that hosts may still run: open, abandoned, mixed, or failed in place.

    A reverted release left nothing behind, nor did a failed one whose every recorded host is back.
    """
    for entry in reversed(entries):
        if entry.state == HEALTHY:
            return None
        if entry.state in (OPEN, ABANDONED, MIXED) or (entry.state == FAILED and entry.left):
            return entry
    return None


class Opening(t.NamedTuple):
    """What opening means: `action` is new, reuse (nothing to do) or resume; `abandon` is the release it closes."""

    action: str
    number: int
    abandon: t.Optional[int] = None


def opening(entries: Entries, wanted: Entry, last_number: int) -> Opening:
    """Whether `wanted` (its number is not read) is the current release, an interrupted one, or a new one.

    The current release is used again only while every host can be expected to run it: after an attempt that may have left
    hosts on a newer number the same content gets a number above that one, which no container refuses.
    """
    left_open = open_release(entries)
    if left_open is not None:
        if (left_open.content, left_open.kind) == (wanted.content, wanted.kind):
            return Opening("resume", left_open.number)
        return Opening("new", last_number + 1, left_open.number)
    now = current(entries)
    if now is not None and now.content == wanted.content and unsettled(entries) is None:
        return Opening("reuse", now.number)
    return Opening("new", last_number + 1)


def lineage(entries: Entries) -> t.List[Entry]:
    """The healthy releases one would go back through, oldest first, ending with the current one.

    A deploy goes on top. A rollback to content that is in the line takes away everything above that content, so what was
    rolled back from is no target any more: after 1, 2, 3 = rollback to 1, going back means what was before 1, not 2.
    A rollback to content that had been taken away (by name) goes on top as a deploy does.
    """
    line: t.List[Entry] = []
    for entry in entries:
        if entry.state != HEALTHY:
            continue
        if entry.kind == ROLLBACK:
            line = _cut_above(line, entry.content)
        if line and line[-1].content == entry.content:
            line[-1] = entry
        else:
            line.append(entry)
    return line


def _cut_above(line: t.List[Entry], content: str) -> t.List[Entry]:
    for place in range(len(line) - 1, -1, -1):
        if line[place].content == content:
            return line[: place + 1]
    return line


class Target(t.NamedTuple):
    """Where a rollback goes, or None, and the reason in a sentence."""

    entry: t.Optional[Entry]
    reason: str


def rollback_target(entries: Entries) -> Target:
    """The release that a rollback without a name goes back to; never one that failed or was reverted."""
    now = current(entries)
    if now is None:
        return Target(None, "No release was ever healthy here.")
    attempt = unsettled(entries)
    if attempt is not None:
        return _away_from(entries, attempt, now)
    line = lineage(entries)
    if len(line) < 2:
        return Target(None, f"Release {now.label} is current, and there is no healthy release before it to go back to.")
    return Target(line[-2], f"Release {now.label} is current; {line[-2].label} was healthy before it.")


def _away_from(entries: Entries, attempt: Entry, now: Entry) -> Target:
    """Back from an unsettled attempt; but an unsettled rollback goes on to where it was going."""
    if attempt.kind == ROLLBACK:
        for entry in reversed(entries):
            if entry.state == HEALTHY and entry.content == attempt.content:
                return Target(entry, f"Rollback {attempt.label} is {attempt.state}; it goes on, to {entry.label}.")
    return Target(now, f"Release {attempt.label} is {attempt.state}; {now.label} is the last that was healthy.")


def named_target(entries: Entries, name: str) -> t.Optional[Entry]:
    """The newest healthy release of version `name`, else the healthy one with that number; `#7` is always a number."""
    healthy = [entry for entry in reversed(entries) if entry.state == HEALTHY]
    by_version = [entry for entry in healthy if entry.version == name]
    if by_version:
        return by_version[0]
    number = re.match(r"^#?([0-9]+)$", name)
    if number is None:
        return None
    return next((entry for entry in healthy if entry.number == int(number.group(1))), None)


def healthy_versions(entries: Entries) -> t.List[str]:
    """Versions that have been healthy here, the most recent first, each once."""
    return list(dict.fromkeys(entry.version for entry in reversed(entries) if entry.state == HEALTHY))


def in_use(entries: Entries, keep: int) -> t.Dict[int, str]:
    """Numbers of the releases whose images retention must not touch, each with the reason.

    The current release, the previous one, the rollback target, what is open or may be left on hosts, and the newest
    `keep` healthy releases.
    """
    reasons: t.Dict[int, str] = {}
    newest = [entry for entry in reversed(entries) if entry.state == HEALTHY][:keep]
    candidates = [
        (current(entries), "current"),
        (previous(entries), "previous"),
        (rollback_target(entries).entry, "rollback target"),
        (unsettled(entries), "not settled"),
        *((entry, f"one of the last {keep} healthy") for entry in newest),
    ]
    for entry, reason in candidates:
        if entry is not None:
            reasons.setdefault(entry.number, reason)
    return reasons


def with_state(entries: Entries, number: int, state: str) -> t.List[Entry]:
    """`entries` as they are once release `number` has that state."""
    return [entry._replace(state=state) if entry.number == number else entry for entry in entries]


def next_version(newest: t.Optional[str], taken: t.Collection[str]) -> str:
    """The version after `newest`: its last number and one more, as wide as it was (`2026.09` gives `2026.10`).

    A version without a number gets `.1`; without a `newest` it is 1.0.0. Versions in `taken` are stepped over.
    """
    version = FIRST_VERSION if newest is None else _counted_up(newest)
    while version in taken:
        version = _counted_up(version)
    return version


def _counted_up(version: str) -> str:
    match = re.match(r"^(?P<head>.*?)(?P<number>[0-9]+)(?P<tail>[^0-9]*)$", version)
    if match is None:
        return f"{version}.1"
    number = match.group("number")
    return f"{match.group('head')}{int(number) + 1:0{len(number)}d}{match.group('tail')}"
