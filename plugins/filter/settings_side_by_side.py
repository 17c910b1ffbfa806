# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of several environments as rows, a column for each; what is secret is told apart, and not shown."""

from __future__ import annotations

import typing as t

from ..module_utils.confd.masking import SECRET, SecretKeys, visible

_LONGEST = 40  # characters of a value
_SHORT = 4  # of a fingerprint: enough to see which secrets are equal


def settings_side_by_side(
    environments: t.Mapping[str, t.Mapping[str, t.Any]],
    expect_different: t.Sequence[str] = (),
    may_differ: t.Sequence[str] = (),
    everything: bool = False,
) -> t.List[t.Dict[str, str]]:
    """`environments`: by name what confd_check returned with `compare_word`. A row for each key that is not the same in all of
    them or should not be; with `everything` for each key. `note` says what is not as `expect_different` and `may_differ` have it."""
    expected, free = SecretKeys(expect_different), SecretKeys(may_differ)
    prints = {name: found.get("fingerprints") or {} for name, found in environments.items()}
    rows = []
    for key in sorted({key for found in prints.values() for key in found}):
        marks = [found.get(key) for found in prints.values()]
        note = "" if key in free else _note(key, [mark for mark in marks if mark], len(marks), expected)
        if everything or note or len(set(marks)) > 1:
            rows.append({"key": key, **{name: _cell(found, key) for name, found in environments.items()}, "note": note})
    return rows


def _note(key: str, marks: t.Sequence[str], environments: int, expected: SecretKeys) -> str:
    if key in expected:
        return "should differ" if len(set(marks)) < len(marks) else ""
    if len(marks) < environments:
        return "not everywhere"
    return "differs" if len(set(marks)) > 1 else ""


def _cell(found: t.Mapping[str, t.Any], key: str) -> str:
    """A value in quotes, so that blanks are seen; of a secret some digits that are equal where secrets are."""
    values = found.get("settings") or {}
    if key not in values:
        return ""
    value = str(values[key])
    if value == SECRET:
        return f"<secret {found['fingerprints'][key][:_SHORT]}>"
    return visible(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"settings_side_by_side": settings_side_by_side}
