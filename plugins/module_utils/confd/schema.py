# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of settings, where somebody said what a value must look like. Messages never quote a value."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ..common.errors import ParameterError
from . import keys as settings
from .findings import ERROR, INFO, Finding

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_HOST_PORT = re.compile(rf"{_HOST}:(?P<port>[0-9]{{1,5}})")
# jdbc:mysql://host/db is one, too; several hosts with commas are taken as they are.
_URL = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]*(?::[A-Za-z][A-Za-z0-9+.-]*)*://(?:[^\s/?#@]*@)?"
    rf"{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?:,{_HOST}(?::[0-9]{{1,5}})?)*(?:[/?#;]\S*)?"
)
_LAST_PORT = 65535
TYPES = ("int", "bool", "url", "host:port", "non-empty", "enum", "regex")
_WORDS = ("type", "enum", "regex", "min", "max", "required")


class Rule(t.NamedTuple):
    """What `name` (a key, or a pattern whose `*` stands for one part) must look like."""

    name: str
    kind: str
    enum: t.FrozenSet[str] = frozenset()
    regex: t.Optional[t.Pattern[str]] = None
    least: t.Optional[int] = None
    most: t.Optional[int] = None
    required: bool = False

    def covers(self, key: str) -> bool:
        parts, wanted = key.split("/"), self.name.split("/")
        return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def parse(schema: t.Mapping[t.Any, t.Any]) -> t.List[Rule]:
    """The rules in the option `schema`; ParameterError lists everything that is wrong with it."""
    rules: t.List[Rule] = []
    wrong: t.List[str] = []
    for name, said in schema.items():
        key = "/" + str(name).strip("/")
        given = {"type": said} if isinstance(said, str) else said
        problems = _problems(given)
        wrong += [f"schema: {key} {problem}." for problem in problems]
        if not problems:
            rules.append(_rule(key, given))
    if wrong:
        raise ParameterError("\n".join(wrong))
    return rules


def _problems(given: t.Any) -> t.List[str]:
    if not isinstance(given, dict) or not given:
        return [f"takes one of {', '.join(TYPES)}, or a dictionary of {', '.join(_WORDS)}"]
    found = [f"has the unknown word {word!r}: it takes {', '.join(_WORDS)}" for word in given if word not in _WORDS]
    kind = _kind(given)
    if kind not in (*TYPES, ""):
        found.append(f"has type {kind!r}: it takes {', '.join(TYPES)}")
    if kind == "enum" and (not isinstance(given.get("enum"), list) or not given["enum"]):
        found.append("has no list of values as enum")
    if kind == "regex":
        found += _regex_problems(given.get("regex"))
    for bound in ("min", "max"):
        if bound in given and (kind != "int" or not _INTEGER.fullmatch(str(given[bound]))):
            found.append(f"has {bound}, which is a whole number, and for type int")
    if not found and "min" in given and "max" in given and int(given["min"]) > int(given["max"]):
        found.append("has a min above its max, so no value would do")
    return found


def _regex_problems(regex: t.Any) -> t.List[str]:
    try:
        re.compile(str(regex or ""))
    except re.error as error:
        return [f"has a regex that is none ({error})"]
    return [] if regex else ["has no regex"]


def _kind(given: t.Mapping[str, t.Any]) -> str:
    """`type`, or what `enum` and `regex` alone say."""
    implied = next((word for word in ("enum", "regex") if word in given), "")
    return str(given.get("type", implied))


def _rule(key: str, given: t.Mapping[str, t.Any]) -> Rule:
    kind = _kind(given)
    return Rule(
        name=key,
        kind=kind,
        enum=frozenset(settings.text(value) for value in given.get("enum") or ()),
        regex=re.compile(str(given["regex"])) if "regex" in given else None,
        least=int(given["min"]) if "min" in given else None,
        most=int(given["max"]) if "max" in given else None,
        required=str(given.get("required", False)).lower() in ("true", "yes", "1"),
    )


def findings(rules: t.Iterable[Rule], values: t.Mapping[str, str]) -> t.Iterator[Finding]:
    """Values that are not what their rules say, and keys that a rule requires and nobody has."""
    for rule in rules:
        covered = [key for key in sorted(values) if rule.covers(key)]
        for key in covered:
            for message in mismatches(rule, values[key]):
                yield Finding("schema", ERROR, message, key=key)
        if not covered and rule.required:
            yield Finding(
                "missing_key", ERROR, "is required by the schema, and the environment has none", key=rule.name
            )
        elif not covered:
            yield Finding("schema", INFO, "is in the schema, and the environment has no such key", key=rule.name)


def mismatches(rule: Rule, value: str) -> t.Iterator[str]:
    """Why `value` does not obey `rule`; nothing where it does."""
    if rule.kind == "int":
        yield from _integer(rule, value)
    elif rule.kind == "bool" and value not in ("true", "false"):
        yield "is neither true nor false"
    elif rule.kind == "url" and not _with_port(_URL, value):
        yield "is no URL: scheme://host, with a port up to 65535 if any, and no blanks"
    elif rule.kind == "host:port" and not _with_port(_HOST_PORT, value):
        yield "is no host:port: a name or an address, a colon and a port up to 65535"
    elif rule.kind == "non-empty" and not value.strip():
        yield "is empty, and must not be"
    if rule.enum and value not in rule.enum:
        yield f"is none of {', '.join(sorted(rule.enum))}"
    if rule.regex is not None and not rule.regex.fullmatch(value):
        yield f"does not match {rule.regex.pattern}"


def _integer(rule: Rule, value: str) -> t.Iterator[str]:
    if not _INTEGER.fullmatch(value):
        yield "is no whole number"
    elif rule.least is not None and int(value) < rule.least:
        yield f"is less than {rule.least}"
    elif rule.most is not None and int(value) > rule.most:
        yield f"is more than {rule.most}"


def _with_port(pattern: t.Pattern[str], value: str) -> bool:
    match = pattern.fullmatch(value)
    return bool(match) and 0 < int((match and match.group("port")) or 1) <= _LAST_PORT
