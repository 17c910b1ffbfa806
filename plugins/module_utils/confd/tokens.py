# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go's template syntax as far as its words: text into actions, actions into tokens. No evaluation.

Rules from Go's text/template/parse/lex.go: `{{` and `}}` with trim markers, comments, quoted and raw strings, character
constants, numbers, words with fields (`.Key`, `$x.Key`), parentheses, pipes, declarations.
"""

from __future__ import annotations

import re
import typing as t


class TemplateError(Exception):
    """The text is no Go template; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Token(t.NamedTuple):
    """`kind`: string, word, number or mark; `text` is the string's value, or the token as it stands; `line` counts from 1."""

    kind: str
    text: str
    line: int


class Action(t.NamedTuple):
    tokens: t.List[Token]
    line: int


_COMMENT = re.compile(r"\{\{(?:-[ \t\r\n])?/\*")
_COMMENT_END = re.compile(r"\*/(?:[ \t\r\n]-)?\}\}")
_END = re.compile(r"(?:(?<=[ \t\r\n])-)?\}\}")
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<quoted>"(?:\\.|[^"\\\n])*")
  | (?P<raw>`[^`]*`)
  | (?P<character>'(?:\\.|[^'\\\n])+')
  | (?P<number>[+-]?(?:\.\d|\d)[0-9a-zA-Z_.+]*)
  | (?P<word>[$.]\w*(?:\.\w+)*|\w+(?:\.\w+)*)
  | (?P<mark>:=|=|\||\(|\)|,)
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def actions(source: str) -> t.Iterator[Action]:
    """Every `{{ }}` that is no comment, in its order. TemplateError where Go would not parse it either."""
    at = 0
    while True:
        start = source.find("{{", at)
        if start < 0:
            return
        line = _line(source, start)
        if _COMMENT.match(source, start):
            at = _after_comment(source, start, line)
            continue
        at = start + 2
        if source.startswith("-", at) and source[at + 1 : at + 2] in (" ", "\t", "\r", "\n"):
            at += 2
        tokens, at = _tokens(source, at, line)
        yield Action(tokens, line)


def _after_comment(source: str, start: int, line: int) -> int:
    closed = source.find("*/", start)
    if closed < 0:
        raise TemplateError("a comment is not closed by */", line)
    end = _COMMENT_END.match(source, closed)
    if not end:
        raise TemplateError("a comment ends before }}: write nothing else into its action", line)
    return end.end()


def _tokens(source: str, at: int, line: int) -> t.Tuple[t.List[Token], int]:
    """Tokens up to the action's end, and where the text goes on."""
    found: t.List[Token] = []
    while True:
        end = _END.match(source, at)
        if end:
            return found, end.end()
        match = _TOKEN.match(source, at)
        if not match or match.end() == at:
            raise TemplateError(
                _complaint(source, at), _line(source, min(at, len(source) - 1)) if at < len(source) else line
            )
        token = _token(match, _line(source, at))
        if token:
            found.append(token)
        at = match.end()


def _complaint(source: str, at: int) -> str:
    if at >= len(source):
        return "an action is not closed by }}"
    if source[at] in "\"'`":
        return "a quoted text is not closed"
    return f"unexpected {source[at]!r} in an action"


def _token(match: t.Match[str], line: int) -> t.Optional[Token]:
    kind, text = str(match.lastgroup), match.group()
    if kind == "space":
        return None
    if kind == "quoted":
        return Token("string", unquote(text[1:-1], line), line)
    if kind == "raw":
        return Token("string", text[1:-1].replace("\r", ""), line)
    if kind == "character":
        if len(unquote(text[1:-1], line, "'")) != 1:
            raise TemplateError(f"malformed character constant {text}", line)
        return Token("number", text, line)
    return Token(kind, text, line)


def unquote(text: str, line: int, quote: str = '"') -> str:
    """The value of what stands between a Go literal's quotes."""

    def value(match: t.Match[str]) -> str:
        escape = match.group(1)
        code = _code(escape)
        if code is not None and code < 0x110000 and not 0xD800 <= code < 0xE000:
            is_byte = escape[0] not in "uU"
            return bytes([code & 0xFF]).decode("utf-8", "surrogateescape") if is_byte and code < 0x100 else chr(code)
        if code is not None or escape not in (*_PLAIN, quote):
            raise TemplateError(f"a text has the unknown escape \\{escape}", line)
        return _PLAIN.get(escape, escape)

    joined = _ESCAPE.sub(value, text)
    return joined.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _code(escape: str) -> t.Optional[int]:
    """The number of \\x41, \\101, \\u0041 and \\U00000041; None for any other escape, beyond range for an octal over 255."""
    if escape[0] in "xuU" and len(escape) > 1:
        return int(escape[1:], 16)
    if len(escape) == 3:
        code = int(escape, 8)
        return code if code < 0x100 else 0x110000
    return None


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1
