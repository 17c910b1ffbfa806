# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags as versions: which stream a tag belongs to, and where in it. Pure.

A tag that cannot be read as a version has no place in any order, and retention leaves it alone.
"""

from __future__ import annotations

import re
import typing as t

_VERSION = re.compile(r"^[vV]?(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?:[-._+]?(?P<rest>[^0-9.].*|(?<=[-._+])[0-9].*))?\Z")
_REVISION = re.compile(r"^[0-9]+(?:[-._][0-9]+)*\Z")
_EARLY = re.compile(r"^(?P<word>[a-z]+)[-._]?(?P<numbers>[0-9]+(?:[-._][0-9]+)*)?\Z")
# What comes before a release, the earliest first (Maven's and Python's words; SemVer leaves them open).
_WORDS = (
    ("dev", "snapshot", "nightly"),
    ("a", "alpha"),
    ("b", "beta"),
    ("m", "milestone"),
    ("pre", "preview"),
    ("rc", "cr"),
)
_RANKS = {word: rank - len(_WORDS) for rank, words in enumerate(_WORDS) for word in words}
_RELEASE, _REVISED = 0, 1

Numbers = t.Tuple[int, ...]


class Place(t.NamedTuple):
    """Where a tag stands: `stream` is compared for equality only; `order` rises with the version."""

    stream: t.Tuple[str, ...]
    order: t.Tuple[Numbers, int, Numbers]


def place(tag: str, group_by: t.Optional[t.Pattern[str]] = None) -> t.Optional[Place]:
    """The tag's place, or None when it is no version, or `group_by` does not find itself in it.

    The groups of `group_by` name the stream; its group `version`, where it has one, is what is read as the version.
    1.4 and 1.4.0 are the same, 1.4-rc.1 comes before, 1.4-2 behind. Any other ending (1.4-alpine) is a stream of its own.
    """
    version = tag
    groups: t.Tuple[str, ...] = ()
    if group_by is not None:
        found = group_by.search(tag)
        if not found:
            return None
        own = group_by.groupindex.get("version")
        groups = tuple(text or "" for number, text in enumerate(found.groups(), 1) if number != own)
        version = (found.group("version") or "") if own else tag
    match = _VERSION.match(version)
    if not match:
        return None
    phase, numbers, ending = _ending(match.group("rest") or "")
    return Place((*groups, ending), (_without_zeros(_numbers(match.group("numbers"))), phase, numbers))


def _ending(rest: str) -> t.Tuple[int, Numbers, str]:
    """(phase, its numbers, what makes a stream of its own) of what stands behind a version's numbers."""
    if not rest:
        return _RELEASE, (), ""
    if _REVISION.match(rest):
        return _REVISED, _numbers(rest), ""
    early = _EARLY.match(rest.lower())
    if early and early.group("word") in _RANKS:
        return _RANKS[early.group("word")], _numbers(early.group("numbers") or ""), ""
    return _RELEASE, (), rest


def _numbers(text: str) -> Numbers:
    return tuple(int(part) for part in re.split(r"[-._]", text) if part)


def _without_zeros(numbers: Numbers) -> Numbers:
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers
