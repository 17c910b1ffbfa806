# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are very likely not what somebody meant. Messages name positions and characters, never a value."""

from __future__ import annotations

import re
import typing as t
import unicodedata

from .findings import ERROR, WARNING, Finding

# Blanks that look like a space and are none, and marks that are not seen at all.
_LOOK_ALIKE = re.compile(r"[\xa0\xad\u034f\u1680\u180e\u2000-\u200f\u2028\u2029\u202a-\u202f\u205f-\u2064\u3000\ufeff]")
_EDGE = " \t\r\n\v\f"
_PLACEHOLDER = re.compile(r"(?i)none|null|nil|undefined|todo|tbd|fixme|xxx+|change[-_ ]?me|replace[-_ ]?me")
_UNRESOLVED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<no value>", re.DOTALL)


def lint(values: t.Mapping[str, str], allowed: t.Container[str]) -> t.Iterator[Finding]:
    """Findings about values by key; those of `allowed` keys may have any blanks, or be empty."""
    for key, value in sorted(values.items()):
        if key not in allowed:
            for message in blanks(value):
                yield Finding("blank", ERROR, message, key=key)
        suspicion = _placeholder(value) if value or key not in allowed else None
        if suspicion:
            yield Finding("placeholder", WARNING, suspicion, key=key)


def blanks(value: str) -> t.Iterator[str]:
    """What an editor does not show: at the ends, and anywhere."""
    begin, end = len(value) - len(value.lstrip(_EDGE)), len(value) - len(value.rstrip(_EDGE))
    if value and not value.strip(_EDGE):
        yield f"is nothing but blanks ({_names(value)})"
    else:
        if begin:
            yield f"begins with {_names(value[:begin])}"
        if end:
            yield f"ends with {_names(value[-end:])}"
    inner = value.strip(_EDGE)
    for found in _LOOK_ALIKE.finditer(inner):
        yield f"has {_names(found.group())} at character {begin + found.start() + 1}"
    if "\r" in inner:
        yield f"has a carriage return (U+000D) at character {begin + inner.index(chr(13)) + 1}"
    if "\t" in inner:
        yield f"has a tab (U+0009) at character {begin + inner.index(chr(9)) + 1}"


def _names(characters: str) -> str:
    """`2 x U+0020 SPACE, U+000A`"""
    counted: t.Dict[str, int] = {}
    for character in characters:
        name = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
        counted[name] = counted.get(name, 0) + 1
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counted.items())


def _placeholder(value: str) -> t.Optional[str]:
    if not value:
        return "is empty"
    if _PLACEHOLDER.fullmatch(value.strip()):
        return "looks like a placeholder that nobody filled in"
    if _UNRESOLVED.search(value):
        return "has a template expression that nobody resolved"
    return None
