# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to write: wanted settings against actual ones. Pure: nothing here contacts anything."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import keys as settings
from .masking import CHANGED, SECRET, Mask, SecretKeys

Values = t.Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Relative keys throughout. `after` is the whole content afterwards; `put` and `removed` lead from `before` to it."""

    before: t.Dict[str, str]
    after: t.Dict[str, str]
    added: t.List[str]
    changed_keys: t.List[str]
    removed: t.List[str]

    @property
    def put(self) -> t.Dict[str, str]:
        return {key: self.after[key] for key in [*self.added, *self.changed_keys]}

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed_keys or self.removed)


def make_plan(wanted: Values, actual: Values, purge: bool) -> Plan:
    """The delta from `actual` to `wanted`; without `purge`, keys that are not wanted stay."""
    after = dict(wanted) if purge else {**actual, **wanted}
    return Plan(
        before=dict(actual),
        after=after,
        added=sorted(key for key in after if key not in actual),
        changed_keys=sorted(key for key in after if key in actual and actual[key] != after[key]),
        removed=sorted(key for key in actual if key not in after),
    )


def collisions(plan: Plan) -> t.List[str]:
    """Keys that would be a value and a folder at once, when a key that stays meets a new one."""
    staying = sorted(set(plan.after) - set(plan.added))
    below = {parent: key for key in staying for parent in settings.parents(key)}
    return [
        f"{parent} has a value, and {key} would be below it: confd on redis sees one of the two."
        for key in plan.added
        for parent in settings.parents(key)
        if parent in plan.after
    ] + [
        f"{key} would get a value, and {below[key]} is below it: confd on redis sees one of the two."
        for key in plan.added
        if key in below
    ]


def diff(plan: Plan, mask: Mask, where: str, secrets_before: SecretKeys, secrets_after: SecretKeys) -> t.Dict[str, str]:
    """Ansible's before and after: one line a key that changes, secrets masked."""
    before = [mask.line(key, plan.before[key]) for key in sorted([*plan.changed_keys, *plan.removed])]
    after = [_after(key, plan, mask) for key in sorted([*plan.added, *plan.changed_keys])]
    if secrets_before.names != secrets_after.names:  # the store keeps that list: it says what info hides
        before.extend(f"secret key {name}" for name in secrets_before.names if name not in secrets_after.names)
        after.extend(f"secret key {name}" for name in secrets_after.names if name not in secrets_before.names)
    return {
        "before_header": f"{where} (now)",
        "after_header": f"{where} (wanted)",
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }


def _after(key: str, plan: Plan, mask: Mask) -> str:
    if mask.is_secret(key):
        return f"{key} = {CHANGED if key in plan.before else SECRET}"
    line = mask.line(key, plan.after[key])
    # Only a secret inside the value changed: both lines would look alike.
    return line + f"  {CHANGED}" if key in plan.before and line == mask.line(key, plan.before[key]) else line
