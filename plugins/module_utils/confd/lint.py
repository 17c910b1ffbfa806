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
_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb"
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423"
)
_GREEK = "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd"
_DOUBLES = dict(zip(_CYRILLIC + _GREEK, "aeopcyxijsdqwhABESIJKMHOPCTXYABEZHIKMNOPTYXov"))
_EDGE = " \t\r\n\v\f"
_PLACEHOLDER = re.compile(r"(?i)none|null|nil|undefined|todo|tbd|fixme|xxx+|change[-_ ]?me|replace[-_ ]?me")
_MOST_PLACES = 5
_UNRESOLVED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<no value>", re.DOTALL)


def lint(values: t.Mapping[str, str], allowed: t.Container[str]) -> t.Iterator[Finding]:
    """Findings about values by key; those of `allowed` keys may have any blanks, or be empty."""
    for key, value in sorted(values.items()):
        if key not in allowed:
            for message in blanks(value):
                yield Finding("blank", ERROR, message, key=key)
            where = foreign_letters(value)
            if where:
                message = f"has letters of another alphabet that look like Latin ones, at character {_listed(where)}"
                yield Finding("look_alike", WARNING, message, key=key)
        if foreign_letters(key):
            message = f"has letters of another alphabet in its name that look like Latin ones: {_named(key)}"
            yield Finding("look_alike", WARNING, message, key=key)
        suspicion = _placeholder(value) if value or key not in allowed else None
        if suspicion:
            yield Finding("placeholder", WARNING, suspicion, key=key)


def foreign_letters(text: str) -> t.List[int]:
    """Where (from 1) a word has a letter that only looks like one of those around it, as a Cyrillic a among Latin letters."""
    found = []
    for word in _WORD.finditer(text):
        letters = word.group()
        if any("a" <= letter.lower() <= "z" for letter in letters):
            found += [word.start() + at + 1 for at, letter in enumerate(letters) if letter in _DOUBLES]
    return found


def plain(text: str) -> str:
    """`text` as it looks: doubles as the Latin letters that they look like, and what cannot be seen left out."""
    return "".join(_DOUBLES.get(letter, letter) for letter in _LOOK_ALIKE.sub("", text))


def twins(key: str, others: t.Iterable[str]) -> t.List[str]:
    """Those of `others` that look like `key` and are not."""
    return [other for other in others if other != key and plain(other) == plain(key)]


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


def _listed(places: t.Sequence[int]) -> str:
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return ", ".join(map(str, places[:_MOST_PLACES])) + more


def _named(key: str) -> str:
    return ", ".join(dict.fromkeys(_names(key[place - 1]) for place in foreign_letters(key)))


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
