# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what people write to what confd can read: nested or flat settings as absolute keys with string values.

The rule for values: text stays as it is; `true` and `false` for booleans; integers in decimal; floats in Python's shortest
form; a list becomes one key an item, `/k/0`, `/k/1`, as confd's own file backend does; an empty list or map has no
keys. Nothing else has one obvious spelling, so nothing else is accepted.
"""

from __future__ import annotations

import math
import re
import typing as t

from ..common.errors import ParameterError

# confd's file backend reads JSON with a YAML parser, which takes no longer keys (1024 bytes with what stands around them).
MAX_KEY_BYTES = 1000
_SHOWN = 1100  # characters of a key in a message
_GLOB = re.compile(r"[*?\[\]\\]")
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufeff\uffa0]"
)
_DEEPEST = 100  # levels; settings that lead back to themselves, as YAML's aliases can, have no end
_MOST = 100_000  # keys; a few aliases of aliases make millions


class Flat(t.NamedTuple):
    """`values`: relative key (with a leading slash) to string. `problems`: why what is missing there was refused."""

    values: t.Dict[str, str]
    problems: t.List[str]


def flatten(keys: t.Mapping[t.Any, t.Any]) -> Flat:
    """Nested or flat settings as relative keys, `/db/url`, with all refusals at once; values stand in no problem."""
    values: t.Dict[str, str] = {}
    problems: t.List[str] = []
    for number, (key, value) in enumerate(walk(keys)):
        if number >= _MOST:
            return Flat({}, [f"more than {_MOST} keys: do the settings hold aliases of aliases?"])
        wrong = list(_key_problems(key)) + list(_value_problems(value))
        if key in values:
            wrong.append("is given twice, nested and flat")
        problems.extend(f"{key[:_SHOWN] or '/'} {problem}." for problem in wrong)
        if not wrong:
            values[key] = text(value)
    problems.extend(_leaves_with_children(values))
    return Flat(values, problems)


def walk(value: t.Any, key: str = "", depth: int = 0) -> t.Iterator[t.Tuple[str, t.Any]]:
    """Every leaf with its relative key, unchecked; an empty map or list has none, and one that lies too deep is a leaf."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for name, item in value.items():
            yield from walk(item, f"{key}/{part(name)}", depth + 1)
    elif isinstance(value, (list, tuple)) and depth < _DEEPEST:
        for index, item in enumerate(value):
            yield from walk(item, f"{key}/{index}", depth + 1)
    else:
        yield key, value


def part(name: t.Any) -> str:
    """A map's key as text: `/db/url` and `db/url` are the same; YAML's own types in their YAML spelling."""
    spelled = text(name) if isinstance(name, (bool, int, float)) else str(name)
    return spelled[1:] if spelled.startswith("/") else spelled


def text(value: t.Any) -> str:
    """A leaf as confd will read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _key_problems(key: str) -> t.Iterator[str]:
    parts = key.split("/")[1:]
    if not parts or "" in parts:
        yield "has an empty part: confd cannot address // or a slash at the end"
    if {".", ".."} & set(parts):
        yield "has a part . or .., which confd resolves as in a path"
    if _GLOB.search(key):
        yield "has one of * ? [ ] \\, which redis and confd read as a pattern"
    if _CONTROL.search(key):
        marks = ", ".join(sorted({f"U+{ord(mark):04X}" for mark in _CONTROL.findall(key)}))
        yield f"has a control character or an invisible mark ({marks})"
    if any(part != part.strip() for part in parts):
        yield "has a blank at the end of a part"
    if not _is_utf8(key):
        yield "is no valid UTF-8"
    elif len(key.encode()) > MAX_KEY_BYTES:
        yield f"is longer than {MAX_KEY_BYTES} bytes"


def _value_problems(value: t.Any) -> t.Iterator[str]:
    if value is None:
        yield "is null, which confd does not know: write '' for an empty value, or leave the key out"
    elif isinstance(value, (dict, list, tuple)):
        yield f"is nested in more than {_DEEPEST} levels"
    elif isinstance(value, float) and not math.isfinite(value):
        yield "is no finite number"
    elif not isinstance(value, (str, int, float)):
        yield f"is of type {type(value).__name__}: write text, a number, true, false, a list or a map"
    elif not _is_utf8(str(value)):
        yield "has a value that is no valid UTF-8"


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leaves_with_children(values: t.Iterable[str]) -> t.Iterator[str]:
    """A key that is also a folder: on redis, confd then sees the one and not the others."""
    present = set(values)
    for key in sorted(present):
        for parent in parents(key):
            if parent in present:
                yield f"{parent} has a value, and {key} below it: confd on redis sees one of the two. Rename one."


def parents(key: str) -> t.List[str]:
    """`/a/b/c` -> `/a`, `/a/b`."""
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts))]


def clean_prefix(prefix: str, whole_store: bool) -> str:
    """`prefix` with one leading slash and none at its end; "" for the root, which needs `whole_store`. Else ParameterError."""
    key = "/" + prefix.strip("/") if prefix.strip("/") else ""
    problems = list(_key_problems(key)) if key else []
    if not key and not whole_store:
        problems = ["is the root of the store, which several apps share: give the app's own, for example /webapi"]
    if problems:
        raise ParameterError("\n".join(f"prefix: {prefix!r} {problem}." for problem in problems))
    return key


def absolute(prefix: str, values: t.Mapping[str, str]) -> t.Dict[str, str]:
    return {prefix + key: value for key, value in values.items()}


def too_long(prefix: str, values: t.Iterable[str]) -> t.List[str]:
    """Keys that fit by themselves, and do not with their prefix."""
    return [
        f"{key} is longer than {MAX_KEY_BYTES} bytes with the prefix {prefix}."
        for key in values
        if len((prefix + key).encode("utf-8", "surrogateescape")) > MAX_KEY_BYTES
    ]


def relative(prefix: str, values: t.Mapping[str, str]) -> t.Dict[str, str]:
    """What lies below `prefix`, by relative key; the rest is left out."""
    return {key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix + "/")}
