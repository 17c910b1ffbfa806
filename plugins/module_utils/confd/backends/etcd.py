# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as etcd v3 keys: one transaction a change, nested beyond etcd's 128 operations, guarded by mod revisions."""

from __future__ import annotations

import typing as t

from ...common.errors import ConflictError, ParameterError
from .. import keys as settings
from .base import Backend, Delta, Snapshot, history_name, moved, raise_problems
from .gateway import Gateway, Message, decode, encode

# etcd refuses more than 128 operations in one list, and nested lists share them with the one around: 64 lists of 64.
# etcd takes 128 operations in one list; of a nested one, what the list around it leaves of them.
_LISTS = 64
_AROUND = 2  # the head, and the count
_LIST = 128 - _LISTS - _AROUND
MAX_OPERATIONS = _LISTS * _LIST


class Guard(t.NamedTuple):
    """The store's revision at the read, and the head's own (0: no head)."""

    revision: int
    head: int


class EtcdBackend(Backend):
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def where(self) -> str:
        return self._gateway.where

    def close(self) -> None:
        self._gateway.close()

    def read(self, prefix: str) -> Snapshot:
        above = [*settings.parents(prefix), prefix]
        asked = [_range(prefix + "/", prefix + "0"), _range(history_name(prefix, "head")), *map(_range, above)]
        answer = self._gateway.call("kv/txn", {"success": asked})
        pairs = [found["response_range"].get("kvs", []) for found in answer["responses"]]
        raise_problems(
            self.where,
            prefix,
            [f"{key} has a value, and this prefix is at or below it" for key, found in zip(above, pairs[2:]) if found],
        )
        head = pairs[1][0] if pairs[1] else None
        return Snapshot(
            keys={decode(pair["key"]): decode(pair.get("value", "")) for pair in pairs[0]},
            head=None if head is None else decode(head.get("value", "")),
            guard=Guard(int(answer["header"]["revision"]), 0 if head is None else int(head["mod_revision"])),
        )

    def record(self, prefix: str, number: int) -> t.Optional[str]:
        answer = self._gateway.call("kv/range", {"key": encode(history_name(prefix, number))})
        found = answer.get("kvs", [])
        return decode(found[0].get("value", "")) if found else None

    def apply(self, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        head, *operations = _operations(prefix, delta)
        if len(operations) > MAX_OPERATIONS:
            raise ParameterError(
                f"{len(operations)} keys would change in one step, and etcd takes {MAX_OPERATIONS} in one transaction. "
                "Divide the settings among several prefixes."
            )
        counted = {"request_range": {**_interval(prefix + "/", prefix + "0"), "count_only": True}}
        lists = [operations[start : start + _LIST] for start in range(0, len(operations), _LIST)]
        nested = [{"request_txn": {"success": each}} for each in lists]
        # The head is put in the outer list: an etcd that is full refuses what puts, and does not look into nested lists.
        success = [head, *nested, counted]
        answer = self._gateway.call("kv/txn", {"compare": _unmoved(prefix, snapshot), "success": success})
        if not answer.get("succeeded"):
            raise moved(self.where, prefix)
        count = int(answer["responses"][-1]["response_range"].get("count", 0))
        if count != len({*snapshot.keys, *delta.put} - set(delta.remove)):
            # No comparison notices that a key went away, so the transaction counts what it leaves behind.
            raise ConflictError(
                f"{self.where}: the change of {prefix} was applied, and meanwhile somebody removed keys there by hand. "
                "Run again."
            )


def _operations(prefix: str, delta: Delta) -> t.List[Message]:
    """One operation a key, since etcd refuses a key that a list touches twice; the head's is the first."""
    head = history_name(prefix, "head")
    put = {**delta.put, **{history_name(prefix, number): record for number, record in delta.records.items()}}
    gone = [*delta.remove, *(history_name(prefix, number) for number in delta.drop_records)]
    return [
        *(
            {"request_put": {"key": encode(key), "value": encode(value)}}
            for key, value in [(head, delta.head), *sorted(put.items())]
        ),
        *({"request_delete_range": {"key": encode(key)}} for key in gone),
    ]


def _unmoved(prefix: str, snapshot: Snapshot) -> t.List[Message]:
    """Nothing under the prefix was written since, nothing appeared above it, and the head is the one that was read."""
    guard: Guard = snapshot.guard
    head = {"key": encode(history_name(prefix, "head")), "target": "MOD", "mod_revision": str(guard.head)}
    under = {
        **_interval(prefix + "/", prefix + "0"),
        "target": "MOD",
        "result": "LESS",
        "mod_revision": str(guard.revision + 1),
    }
    above = [
        {"key": encode(key), "target": "VERSION", "result": "EQUAL", "version": "0"}
        for key in [*settings.parents(prefix), prefix]
    ]
    return [{**head, "result": "EQUAL"}, under, *above]


def _interval(first: str, end: str) -> Message:
    return {"key": encode(first), "range_end": encode(end)}


def _range(first: str, end: t.Optional[str] = None) -> Message:
    return {"request_range": {"key": encode(first)} if end is None else _interval(first, end)}
