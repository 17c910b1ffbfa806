# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered files as people may see them: their text without secrets, and what differs from another state of the settings.

A template may change a secret before it writes it (encode, quote, cut), so searching the text for secrets would not find it.
Each file is therefore rendered twice, the second time with other secrets: what differs between the two is secret.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t
from dataclasses import dataclass

from .binary import Output
from .masking import CHANGED, SECRET, Mask, SecretKeys
from .resources import Resource

_LETTERS = (("a", "z"), ("A", "Z"))
_END_OF_WORD = re.compile(r"[0-9A-Za-z]+\Z")
_HIDDEN = "<not shown: the template computes with secrets>\n"


def other_secret(value: str, marks: bool) -> str:
    """A value of the same length and kind, and different in every letter and digit; with `marks` in every mark, too."""
    return "".join(_other(character, marks) for character in value)


def _other(character: str, marks: bool) -> str:
    for first, last in _LETTERS:
        if first <= character <= last:
            return chr((ord(character) - ord(first) + 1) % 26 + ord(first))
    if character.isascii() and character.isdigit():
        return str(int(character) % 9 + 1)  # no zero: 07 is another number than 7
    if not marks or character in "\r\n":
        return character
    return "-" if character == "_" else "_"


def with_other_secrets(values: t.Mapping[str, str], secret: t.Container[str], marks: bool) -> t.Dict[str, str]:
    """The values with those of `secret` keys replaced."""
    return {key: other_secret(value, marks) if key in secret else value for key, value in values.items()}


@dataclass(frozen=True)
class Shadow:
    """The same file with other secrets. `marks`: every character of them is another one, so what stays is no secret."""

    output: Output
    marks: bool


def text(output: Output, shadow: t.Optional[Shadow], mask: Mask, has_secrets: bool) -> str:
    """The file's text to show; where there are secrets and no shadow, it is not shown at all."""
    content = _lines(output)
    if not has_secrets:
        return "".join(content)
    if shadow is None:
        return _HIDDEN
    other = _lines(shadow.output)
    shown: t.List[str] = []
    matcher = difflib.SequenceMatcher(None, content, other, autojunk=False)
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        if kind == "equal":
            shown += content[begin:end]
        elif shadow.marks and end - begin == other_end - other_begin:
            shown += [_masked(*pair) for pair in zip(content[begin:end], other[other_begin:other_end])]
        else:
            shown += [f"{SECRET}\n"] * (end - begin)
    return mask.value("", "".join(shown))


def _lines(output: Output) -> t.List[str]:
    return output.content.decode("utf-8", "backslashreplace").splitlines(keepends=True)


def _masked(line: str, other: str) -> str:
    """What both lines have at their ends, and between it what is secret.

    Of these ends the letters and digits next to the secret are hidden, too: an encoding may begin alike for two secrets.
    """
    begin = _END_OF_WORD.sub("", _common(line, other))
    rest, other_rest = line[len(begin) :], other[len(begin) :]
    end = _END_OF_WORD.sub("", _common(rest[::-1], other_rest[::-1]))[::-1]
    return begin + SECRET + end


def _common(one: str, two: str) -> str:
    for length, (left, right) in enumerate(zip(one, two)):
        if left != right:
            return one[:length]
    return min(one, two, key=len)


@dataclass(frozen=True)
class File:
    """A file that confd will write: as it is, and as it may be shown. `before` and its text are None without a comparison."""

    resource: Resource
    now: t.Optional[Output]
    shown: str
    before: t.Optional[Output] = None
    before_shown: t.Optional[str] = None
    compared: bool = False

    @property
    def changed(self) -> bool:
        return self.compared and self.now != self.before

    def facts(self) -> t.Dict[str, t.Any]:
        """As the module returns it."""
        return {
            "dest": self.resource.dest,
            "template": f"templates/{self.resource.template}",
            "resource": self.resource.file,
            "mode": f"{self.now.mode:04o}" if self.now else None,
            "size": len(self.now.content) if self.now else None,
            "content": self.shown if self.now else None,
            "changed": self.changed if self.compared else None,
        }

    def diff(self, before_name: str, after_name: str) -> t.Dict[str, str]:
        """As Ansible shows it."""
        before = self.before_shown or ""
        return {
            "before_header": f"{self.resource.dest} ({before_name})",
            "after_header": f"{self.resource.dest} ({after_name})",
            "before": _with_mode(before, self.before, self.now),
            "after": _with_mode(self._after(before), self.now, self.before),
        }

    def _after(self, before: str) -> str:
        """The text now; a line whose secret alone changed says so."""
        if self.before is None or self.now is None:
            return self.shown
        known = set(_lines(self.before))
        actual, shown = _lines(self.now), self.shown.splitlines(keepends=True)
        if len(actual) != len(shown):
            return self.shown if self.shown != before else self.shown + CHANGED + "\n"
        return "".join(
            line.replace(SECRET, CHANGED) if SECRET in line and real not in known else line
            for line, real in zip(shown, actual)
        )


def _with_mode(shown: str, mine: t.Optional[Output], other: t.Optional[Output]) -> str:
    if mine is None or other is None or mine.mode == other.mode:
        return shown
    return f"(mode {mine.mode:04o})\n{shown}"


def unified(diff: t.Mapping[str, str]) -> t.List[str]:
    """A diff as lines for a terminal."""
    before, after = diff["before"].splitlines(), diff["after"].splitlines()
    return list(difflib.unified_diff(before, after, diff["before_header"], diff["after_header"], lineterm=""))


def safe_message(message: str, secret: SecretKeys, contents: t.Sequence[t.Mapping[str, str]]) -> str:
    """confd's own words, which may quote a value: without those of secrets, however short."""
    for content in contents:
        for key, value in content.items():
            if key in secret:
                message = message.replace(json.dumps(value, ensure_ascii=False), SECRET)
    return Mask(secret, *contents).value("", message)
