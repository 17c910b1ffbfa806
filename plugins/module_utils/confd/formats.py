# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as other tools write them: Java's .properties, dotenv files and YAML, as names and values in their order."""

from __future__ import annotations

import re
import typing as t

from ..common.errors import ParameterError

try:
    import yaml
except ImportError:  # Operation.requires reports it
    yaml = None

FORMATS = {".properties": "properties", ".yml": "yaml", ".yaml": "yaml", ".json": "yaml", ".env": "dotenv"}
Pairs = t.List[t.Tuple[str, t.Any]]

# java.util.Properties.load: a line ends with an odd number of backslashes where it goes on; a key ends at = : or a blank.
_KEY_END = re.compile(r"[ \t\f]*(?:[=:][ \t\f]*)?")
_KEY = re.compile(r"(?:\\.|[^\\=: \t\f])*", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_MEANING = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_LINE = re.compile(r"\r\n|\r|\n")
_VARIABLE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.\-]*)[ \t]*=[ \t]*
        (?:'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?P<plain>(?!['"])[^\r\n]*))[ \t]*(?:\#[^\r\n]*)?(?:\r\n|\r|\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)|[ \t]*(?:#[^\r\n]*)?\Z")


def parse(text: str, kind: str) -> Pairs:
    """The settings in `text`. ParameterError names the line that is none."""
    if kind == "properties":
        return list(_properties(text))
    return list(_dotenv(text)) if kind == "dotenv" else _yaml(text)


def _properties(text: str) -> t.Iterator[t.Tuple[str, str]]:
    for number, line in _logical_lines(text):
        key = _KEY.match(line)
        name = key.group() if key else ""
        end = _KEY_END.match(line, len(name))
        yield _unescaped(name, number), _unescaped(line[end.end() if end else len(name) :], number)


def _logical_lines(text: str) -> t.Iterator[t.Tuple[int, str]]:
    """Lines that say something, each with its number, and with those that continue it."""
    begun, line, going_on = 0, "", False
    parts = _LINE.split(text)
    for number, whole in enumerate(parts, 1):
        part = whole.lstrip(" \t\f")
        if not line and part[:1] in ("", "#", "!"):
            going_on = False
            continue
        begun = begun if going_on else number
        going_on = (len(part) - len(part.rstrip("\\"))) % 2 == 1
        line += part[:-1] if going_on else part
        if line and (not going_on or number == len(parts)):
            yield begun, line
            line = ""


def _unescaped(text: str, number: int) -> str:
    def meaning(match: t.Match[str]) -> str:
        escape = match.group(1)
        if escape[0] == "u":
            if len(escape) == 1:
                raise ParameterError(f"line {number}: \\u needs four hexadecimal digits.")
            return chr(int(escape[1:], 16))
        return _MEANING.get(escape, escape)

    plain = _ESCAPE.sub(meaning, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # two halves are one character


def _dotenv(text: str) -> t.Iterator[t.Tuple[str, str]]:
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        nothing = _NOTHING.match(text, at)
        if nothing and nothing.end() > at:
            at = nothing.end()
            continue
        found = _VARIABLE.match(text, at)
        if not found:
            line = text.count("\n", 0, at) + 1
            raise ParameterError(f"line {line} is no NAME=value, or its quotes are not closed.")
        yield found.group("name"), _variable(found)
        at = found.end()


def _variable(found: t.Match[str]) -> str:
    """Single quotes keep all, double ones know \\n and the like, without quotes a blank and # begin a comment."""
    if found.group("single") is not None:
        return found.group("single")
    if found.group("double") is not None:
        return re.sub(
            r"\\(.)", lambda match: _MEANING.get(match.group(1), match.group(1)), found.group("double"), flags=re.DOTALL
        )
    return re.split(r"(?:^|[ \t])#", found.group("plain"), maxsplit=1)[0].strip(" \t")


def _yaml(text: str) -> Pairs:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "it"
        raise ParameterError(f"{where} is no YAML: {getattr(error, 'problem', error)}.") from error
    if content is None:
        return []
    if not isinstance(content, dict):
        raise ParameterError(f"it holds a {type(content).__name__}, and not settings by name.")
    return list(content.items())
