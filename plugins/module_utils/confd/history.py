# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a prefix: what was applied, by whom, when and why, and the content itself, so that it can come back.

A head (one string) lists the entries; each entry has a record (one string) with the whole content. Both lie outside the
tree of keys that begin with a slash, where no template's prefix reaches. Secrets stand in the records as they stand in the
keys: whoever may read the store may read both.
"""

from __future__ import annotations

import datetime
import json
import typing as t
import uuid
from dataclasses import dataclass, field, replace

from ..common.errors import ParameterError, SlipwayError
from .backends.base import Backend
from .plan import Plan

FORMAT = 1
SHOWN = ("number", "revision", "time", "author", "reason", "release", "action", "added", "changed", "removed")
_NEEDED = ("number", "id", "revision", "time", "author", "reason")  # of an entry; others came with later versions
Entry = t.Dict[str, t.Any]


@dataclass(frozen=True)
class Head:
    """`entries`, the oldest first: number, id, revision, time, author, reason, release, action and three counts."""

    entries: t.Tuple[Entry, ...] = ()
    secret_keys: t.Tuple[str, ...] = ()
    number: int = 0

    def dump(self) -> str:
        return _dump({"number": self.number, "secret_keys": list(self.secret_keys), "entries": list(self.entries)})

    def find(self, revision: str) -> t.List[Entry]:
        """Entries whose revision begins so, the newest first."""
        return [entry for entry in reversed(self.entries) if (entry["revision"] or "").startswith(revision)]

    def holds(self, entry_id: str) -> bool:
        return any(entry["id"] == entry_id for entry in self.entries)


@dataclass(frozen=True)
class Author:
    """Who applies, why, and for which release."""

    name: str
    reason: str
    release: t.Optional[int] = None


@dataclass(frozen=True)
class Step:
    """What a change adds to the history: the new head, records to write and to drop, by number."""

    head: Head
    records: t.Dict[int, str] = field(default_factory=dict)
    dropped: t.Tuple[int, ...] = ()
    entry_id: str = ""


def shown(entry: Entry) -> Entry:
    """An entry, or a record without its content, as results show it; older ones name no release."""
    return {name: entry.get(name) for name in SHOWN}


def load_head(text: t.Optional[str], where: str) -> Head:
    """The head as it stands in the store; None is an empty history. SlipwayError if it cannot be read."""
    if text is None:
        return Head()
    what = f"the history's head of {where}"
    content = _load(text, what, {"entries": list, "secret_keys": list, "number": int})
    if not all(isinstance(entry, dict) and set(_NEEDED) <= set(entry) for entry in content["entries"]):
        raise _damaged(what)
    return Head(tuple(content["entries"]), tuple(map(str, content["secret_keys"])), content["number"])


def load_record(text: t.Optional[str], entry: Entry, where: str) -> Entry:
    """An entry's record, with `keys`. SlipwayError if it is gone or cannot be read."""
    what = f"record {entry['number']} (revision {entry['revision']}) of {where}"
    if text is None:
        raise SlipwayError(f"{what} is missing in the store: somebody removed it. Nothing was changed.")
    content = _load(text, what, {"keys": dict, "secret_keys": list})
    if "revision" not in content or not all(isinstance(value, str) for value in content["keys"].values()):
        raise _damaged(what)
    return content


def recorded(store: Backend, prefix: str, head: Head, name: str) -> Entry:
    """The newest record of the revision that begins with `name`. SlipwayError if there is none, ParameterError if several."""
    place = f"{store.where}, {prefix or '/'}"
    found = head.find(name)
    if not found:
        raise SlipwayError(f"{place} has no revision {name}; its history has {len(head.entries)} others.")
    if len({entry["revision"] for entry in found}) > 1:
        raise ParameterError(f"revision: {name} is the beginning of several; give more digits.")
    return load_record(store.record(prefix, found[0]["number"]), found[0], place)


def _load(text: str, what: str, parts: t.Mapping[str, type]) -> t.Dict[str, t.Any]:
    """A head or a record, with `parts` of these types. SlipwayError for anything else: hands were at it."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SlipwayError(f"{what} is no JSON ({error}). Nothing was changed.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SlipwayError(f"{what} has a format that this version does not know. Nothing was changed.")
    if not all(isinstance(content.get(name), kind) for name, kind in parts.items()):
        raise _damaged(what)
    return content


def _damaged(what: str) -> SlipwayError:
    return SlipwayError(
        f"{what} was altered by hand, and is no history any more. Nothing was changed. Put it back as it was, or remove the "
        "prefix's history (slipway!<prefix>!*, for a file its .history folder): the settings stay, and a new one begins."
    )


def _dump(content: t.Dict[str, t.Any]) -> str:
    return json.dumps({"format": FORMAT, **content}, ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True)
class Change:
    """What is about to happen to a prefix, as far as history cares."""

    plan: Plan
    revision: t.Optional[str]
    previous: t.Optional[str]
    action: str
    author: Author
    secret_keys: t.Tuple[str, ...]


def record_change(head: Head, change: Change, limit: int, keep: t.Collection[str]) -> Step:
    """The history with `change` in it.

    What is in the store and was never recorded (keys from before Slipway, edits by hand) is recorded first, so it can come
    back too. Of older entries the newest `limit` stay, and those of revisions in `keep`.
    """
    records: t.Dict[int, str] = {}
    if change.previous is not None and (not head.entries or head.entries[-1]["revision"] != change.previous):
        found = replace(
            change,
            plan=Plan(change.plan.before, change.plan.before, [], [], []),
            revision=change.previous,
            action="found",
            author=Author("", "in the store, and not recorded when it was put there"),
            secret_keys=head.secret_keys or change.secret_keys,
        )
        head = _append(head, found, records)
    head = _append(head, change, records)
    kept = _kept(head.entries, limit, keep)
    dropped = tuple(entry["number"] for entry in head.entries if entry not in kept and entry["number"] not in records)
    written = {entry["number"] for entry in kept}
    return Step(
        head=replace(head, entries=tuple(kept)),
        records={number: text for number, text in records.items() if number in written},
        dropped=dropped,
        entry_id=head.entries[-1]["id"],
    )


def _append(head: Head, change: Change, records: t.Dict[int, str]) -> Head:
    plan = change.plan
    entry: Entry = {
        "number": head.number + 1,
        "id": uuid.uuid4().hex,
        "revision": change.revision,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "author": change.author.name,
        "reason": change.author.reason,
        "release": change.author.release,
        "action": change.action,
    }
    names = {"added": plan.added, "changed": plan.changed_keys, "removed": plan.removed}
    records[entry["number"]] = _dump(
        {**entry, **names, "secret_keys": list(change.secret_keys), "previous": change.previous, "keys": plan.after}
    )
    counts = {name: len(found) for name, found in names.items()}
    return Head((*head.entries, {**entry, **counts}), change.secret_keys, entry["number"])


def _kept(entries: t.Sequence[Entry], limit: int, keep: t.Collection[str]) -> t.List[Entry]:
    newest = {entry["number"] for entry in entries[-limit:]}
    needed = {name: [entry for entry in entries if (entry["revision"] or "").startswith(name)] for name in keep}
    pinned = {found[-1]["number"] for found in needed.values() if found}
    return [entry for entry in entries if entry["number"] in newest | pinned]
