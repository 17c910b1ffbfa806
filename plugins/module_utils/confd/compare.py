# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One environment beside another: what differs and should not, and what is the same and should not be."""

from __future__ import annotations

import hashlib
import hmac
import typing as t

from .findings import ERROR, INFO, WARNING, Finding
from .masking import SecretKeys

Values = t.Mapping[str, str]


def differences(here: Values, there: Values) -> t.Dict[str, t.List[str]]:
    """Keys by what became of them: `only_here`, `only_there`, `different` and `same`."""
    both = sorted(set(here) & set(there))
    return {
        "only_here": sorted(set(here) - set(there)),
        "only_there": sorted(set(there) - set(here)),
        "different": [key for key in both if here[key] != there[key]],
        "same": [key for key in both if here[key] == there[key]],
    }


def findings(
    here: Values, there: Values, name: str, expected: t.Optional[SecretKeys], free: SecretKeys
) -> t.Iterator[Finding]:
    """`expected` are the keys that must differ from environment `name`, `free` those that may; where `expected` is None
    nobody said, and nothing is judged."""
    if expected is None:
        return
    if not there:
        yield Finding("compare", INFO, f"{name} has no settings, so nothing was compared")
        return
    found = differences(here, there)
    for key in found["same"]:
        if key in expected:
            yield Finding("same_value", ERROR, f"has the same value as in {name}, and should have its own", key=key)
    unexpected = {
        "different": (
            "different_value",
            f"has another value than in {name}; if that is meant, name it in expect_different or may_differ",
        ),
        "only_there": ("only_there", f"is in {name}, and not in this environment"),
        "only_here": ("only_here", f"is in this environment, and not in {name}"),
    }
    for part, (check, message) in unexpected.items():
        for key in (key for key in found[part] if key not in expected and key not in free):
            yield Finding(check, WARNING, message, key=key)
    for pattern in expected.matching_nothing([*here, *there]):
        yield Finding("compare", WARNING, "expect_different names no key of either environment", key=pattern)


def fingerprints(values: Values, key: str) -> t.Dict[str, str]:
    """By each setting's name 12 hexadecimal digits that are equal where values are, and tell nothing without `key`."""
    return {
        name: hmac.new(key.encode(), f"{name}\0{value}".encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[
            :12
        ]
        for name, value in values.items()
    }
