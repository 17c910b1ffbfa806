# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys a confd template reads, found without rendering it.

Look-ups are `getv get cgetv cget` (one key), `gets getvs cgets cgetvs` (a glob), `ls lsdir` (a folder) and `exists` (a probe).
A key may be written out, piped in, or computed; of `printf "/svc/%s/host" $x` the pattern `/svc/*/host` is known.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .tokens import Action, TemplateError, Token, actions

EXACT, GLOB, FOLDER, PROBE = "exact", "glob", "folder", "probe"
FUNCTIONS = {
    **dict.fromkeys(("getv", "get", "cgetv", "cget"), EXACT),
    **dict.fromkeys(("gets", "getvs", "cgets", "cgetvs"), GLOB),
    **dict.fromkeys(("ls", "lsdir"), FOLDER),
    "exists": PROBE,
}
_WITH_DEFAULT = ("getv", "cgetv")
_OPENING = ("if", "range", "with", "block", "define")
_VERB = re.compile(r"%%|%[-+# 0-9.*]*[a-zA-Z]")


# A key, and whether it is there.
Condition = t.Tuple[str, bool]
Conditions = t.FrozenSet[Condition]
_NONE: Conditions = frozenset()


@dataclass(frozen=True)
class Lookup:
    """One place that reads the store.

    `key` is what is read, None where it is computed without any known part; `pattern` says that its `*` stand for parts that
    are computed. `default`: reading a missing key is no error. `when`: keys that `if exists` found, or found missing, on the
    way here.
    """

    function: str
    kind: str
    key: t.Optional[str]
    line: int
    pattern: bool = False
    default: bool = False
    when: t.FrozenSet[Condition] = frozenset()

    def reached(self, exists: t.Callable[[str], bool]) -> bool:
        """Whether confd comes here, as far as `exists` decides it."""
        return all(exists(key) is found for key, found in self.when)

    @property
    def guarded(self) -> bool:
        """Only reached where the key is there."""
        return self.key is not None and (self.key, True) in self.when

    @property
    def required(self) -> bool:
        """Whether confd fails when it comes here and the key is missing."""
        return self.kind == EXACT and self.key is not None and not (self.pattern or self.default or self.guarded)


class _Known(t.NamedTuple):
    """What is known of a value: the whole of it, or a pattern of its parts."""

    text: str
    pattern: bool


@dataclass
class _Block:
    """An open `if`, `range`, ...: what is known of keys inside, and what is known in its `else`."""

    word: str
    line: int
    known: Conditions
    otherwise: Conditions


class _Command(t.NamedTuple):
    """Words and nested pipelines between two pipes."""

    operands: t.List[t.Any]  # Token, or a list of commands for ( ... )


Pipeline = t.List[_Command]


def scan(source: str) -> t.List[Lookup]:
    """Every look-up of a template, in its order. TemplateError where confd would not parse it."""
    return list(_Scanner().run(source))


class _Scanner:
    def __init__(self) -> None:
        self._blocks: t.List[_Block] = []

    def run(self, source: str) -> t.Iterator[Lookup]:
        for action in actions(source):
            yield from self._action(action)
        if self._blocks:
            raise TemplateError(f"{{{{{self._blocks[-1].word}}}}} has no {{{{end}}}}", self._blocks[-1].line)

    def _action(self, action: Action) -> t.Iterator[Lookup]:
        if not action.tokens:
            raise TemplateError("an action is empty", action.line)
        first = action.tokens[0]
        word = first.text if first.kind == "word" else ""
        if word == "end":
            self._innermost(action)
            self._blocks.pop()
        elif word == "else":
            yield from self._else(action)
        elif word in _OPENING:
            pipeline = _parse(_condition(action.tokens[1:], word), action.line)
            # Outside what it guards: confd built with a Go before 1.18 evaluates all of `and (exists "/k") (getv "/k")`.
            yield from self._lookups(pipeline)
            known, otherwise = _guards(pipeline) if word == "if" else (_NONE, _NONE)
            self._blocks.append(_Block(word, action.line, known, otherwise))
        elif word == "template":
            yield from self._lookups(_parse(action.tokens[2:], action.line))
        elif word not in ("break", "continue"):
            yield from self._lookups(_parse(_value(action.tokens), action.line))

    def _innermost(self, action: Action) -> _Block:
        if not self._blocks:
            raise TemplateError(f"{{{{{action.tokens[0].text}}}}} without a block", action.line)
        return self._blocks[-1]

    def _else(self, action: Action) -> t.Iterator[Lookup]:
        block = self._innermost(action)
        block.known, rest = block.otherwise, action.tokens[1:]
        if rest:  # else if, else with
            pipeline = _parse(_condition(rest[1:], rest[0].text), action.line)
            yield from self._lookups(pipeline)
            known, otherwise = _guards(pipeline) if rest[0].text == "if" else (_NONE, _NONE)
            block.known, block.otherwise = block.known | known, block.otherwise | otherwise

    def _lookups(self, pipeline: Pipeline) -> t.Iterator[Lookup]:
        when = frozenset(condition for block in self._blocks for condition in block.known)
        for lookup in _lookups(pipeline):
            yield replace(lookup, when=when)


def _condition(tokens: t.Sequence[Token], word: str) -> t.Sequence[Token]:
    """The pipeline of a block's head: `define` has a name alone, `block` a name before it."""
    if word == "define":
        return []
    return _value(tokens[1:] if word == "block" else tokens)


def _value(tokens: t.Sequence[Token]) -> t.Sequence[Token]:
    """What stands right of `$x :=`, `$k, $v :=` or `$x =`."""
    for index, token in enumerate(tokens[:4]):
        if token.kind == "mark" and token.text in (":=", "="):
            return tokens[index + 1 :]
    return tokens


def _parse(tokens: t.Sequence[Token], line: int) -> Pipeline:
    pipeline, rest = _pipeline(list(tokens), line)
    if rest:
        raise TemplateError("unexpected )", rest[0].line)
    return pipeline


def _pipeline(tokens: t.List[Token], line: int) -> t.Tuple[Pipeline, t.List[Token]]:
    """Commands up to the closing parenthesis or the end; the rest begins with that parenthesis."""
    commands: Pipeline = [_Command([])]
    while tokens:
        token = tokens[0]
        if token.kind == "mark" and token.text == ")":
            break
        tokens = tokens[1:]
        if token.kind == "mark" and token.text == "|":
            commands.append(_Command([]))
        elif token.kind == "mark" and token.text == "(":
            inner, tokens = _pipeline(tokens, token.line)
            if not tokens:
                raise TemplateError("a parenthesis is not closed", token.line)
            tokens = tokens[1:]
            commands[-1].operands.append(inner)
        else:
            commands[-1].operands.append(token)
    if len(commands) > 1 and not commands[-1].operands:
        commands.pop()  # Go takes a pipe into nothing
    if len(commands) > 1 and not all(command.operands for command in commands):
        raise TemplateError("a pipe has nothing on one side", line)
    return commands, tokens


def _lookups(pipeline: Pipeline) -> t.Iterator[Lookup]:
    """The look-ups of a pipeline and of those nested in it; what a pipe brings is the last argument."""
    piped: t.List[t.Any] = []
    for command in pipeline:
        for operand in command.operands:
            if isinstance(operand, list):
                yield from _lookups(operand)
        head = command.operands[0] if command.operands else None
        if isinstance(head, Token) and head.kind == "word" and head.text in FUNCTIONS:
            yield _lookup(head, [*command.operands[1:], *piped])
        piped = [[_Command([*command.operands, *piped])]]


def _lookup(head: Token, arguments: t.List[t.Any]) -> Lookup:
    known = _known(arguments[0]) if arguments else None
    return Lookup(
        function=head.text,
        kind=FUNCTIONS[head.text],
        key=known.text if known else None,
        line=head.line,
        pattern=known.pattern if known else False,
        default=head.text in _WITH_DEFAULT and len(arguments) > 1,
    )


def _known(operand: t.Any) -> t.Optional[_Known]:
    """The text of a literal, of `(literal)`, or the pattern that `printf` and `print` make."""
    if isinstance(operand, Token):
        return _Known(operand.text, False) if operand.kind == "string" else None
    if len(operand) != 1:
        return None
    operands = operand[0].operands
    if len(operands) == 1:
        return _known(operands[0])
    head = operands[0] if operands else None
    if not isinstance(head, Token) or head.kind != "word":
        return None
    if head.text == "printf":
        return _formatted([_known(argument) for argument in operands[1:]])
    if head.text == "print":
        return _joined([_known(argument) for argument in operands[1:]])
    return None


def _formatted(arguments: t.List[t.Optional[_Known]]) -> t.Optional[_Known]:
    if not arguments or arguments[0] is None or arguments[0].pattern:
        return None
    values = iter(arguments[1:])
    pattern = False

    def fill(match: t.Match[str]) -> str:
        nonlocal pattern
        if match.group() == "%%":
            return "%"
        value = next(values, None)
        if value is not None and match.group() in ("%s", "%v"):
            pattern = pattern or value.pattern
            return value.text
        pattern = True
        return "*"

    text = _VERB.sub(fill, arguments[0].text)
    if list(values):
        return None  # Go prints what is too much as well
    return _Known(text, pattern) if text.strip("*/") else None


def _joined(arguments: t.List[t.Optional[_Known]]) -> t.Optional[_Known]:
    text = "".join(argument.text if argument else "*" for argument in arguments)
    pattern = any(argument is None or argument.pattern for argument in arguments)
    return _Known(text, pattern) if text.strip("*/") else None


def _guards(pipeline: Pipeline) -> t.Tuple[Conditions, Conditions]:
    """What is known where an `if` is true, and where it is false: of `exists`, `and`, `not` and nothing cleverer."""
    negated, tested = _without_not(pipeline)
    single = _probed(tested)
    there = frozenset((key, True) for key in _existing(tested))
    missing = (
        frozenset([(single, False)]) if single else _NONE
    )  # of `and`, one operand is false, and which is not known
    return (missing, there) if negated else (there, missing)


def _without_not(pipeline: Pipeline) -> t.Tuple[bool, Pipeline]:
    operands = pipeline[0].operands if len(pipeline) == 1 else []
    if len(operands) >= 2 and _is_word(operands[0], "not"):
        return True, operands[1] if isinstance(operands[1], list) else [_Command(operands[1:])]
    return False, pipeline


def _existing(pipeline: Pipeline) -> t.Set[str]:
    """Keys that are there when the pipeline is true."""
    tested = _bare(pipeline)
    first = tested[0].operands
    if len(tested) == 1 and first and _is_word(first[0], "and"):
        return {key for operand in first[1:] if isinstance(operand, list) for key in _existing(operand)}
    single = _probed(tested)
    return {single} if single else set()


def _probed(pipeline: Pipeline) -> t.Optional[str]:
    """The key of `exists "/k"`, `"/k" | exists` and nothing more."""
    tested = _bare(pipeline)
    last = tested[-1].operands
    if len(tested) > 2 or not last or not _is_word(last[0], "exists"):
        return None
    known = _known(last[1] if len(last) > 1 else [tested[0]])
    return known.text if known and not known.pattern else None


def _bare(pipeline: Pipeline) -> Pipeline:
    """Without parentheses around the whole."""
    while len(pipeline) == 1 and len(pipeline[0].operands) == 1 and isinstance(pipeline[0].operands[0], list):
        pipeline = pipeline[0].operands[0]
    return pipeline


def _is_word(operand: t.Any, word: str) -> bool:
    return isinstance(operand, Token) and operand.kind == "word" and operand.text == word
