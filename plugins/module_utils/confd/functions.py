# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions a template calls, and whether the confd that will read it has them."""

from __future__ import annotations

import typing as t

from .findings import ERROR, INFO, Finding
from .tokens import Action, Token, actions

LEGACY, FORK = "legacy", "fork"


def _words(text: str) -> t.FrozenSet[str]:
    return frozenset(text.split())


# Go's own, text/template/funcs.go.
_GO = _words("and call eq ge gt html index js le len lt ne not or print printf println slice urlquery")
# confd 0.16: resource/template/template_funcs.go and memkv's store.go. The fork has all of these.
_COMMON = _words(
    "add atoi base base64Decode base64Encode contains datetime dir exists fileExists get gets getenv getv getvs join json "
    "jsonArray lookupIP lookupIPV4 lookupIPV6 lookupSRV ls lsdir map mod div mul parseBool replace reverse seq "
    "sortByLength sortKVByLength split sub toLower toUpper trimSuffix"
)
# With -secret-keyring alone, and in 0.16 alone.
SECRET = _words("cget cgets cgetv cgetvs")
# The fork's own: pkg/template/template_funcs.go, utility_funcs.go, include.go.
_FORK = _words(
    "append camelcase coalesce default dict empty fromJson hasKey hostname include indent kebabcase keys list "
    "lookupIfaceIPV4 lookupIfaceIPV6 nindent nospace pluck quote regexFind regexMatch regexReplaceAll repeat sha256sum "
    "snakecase squote ternary toJson toPrettyJson trimPrefix values"
)
KNOWN = {LEGACY: _GO | _COMMON | SECRET, FORK: _GO | _COMMON | _FORK}
# What they give depends on where and when confd runs.
ELSEWHERE = _words(
    "datetime fileExists hostname lookupIP lookupIPV4 lookupIPV6 lookupIfaceIPV4 lookupIfaceIPV6 lookupSRV"
)
_KEYWORDS = _words("block break continue define else end if nil range template true false with")
NAMES = {LEGACY: "confd 0.16", FORK: "the fork of confd"}


class Call(t.NamedTuple):
    """A function that a template calls; `argument` is the first one where it is a literal."""

    function: str
    argument: t.Optional[str]
    line: int


def calls(source: str) -> t.Iterator[Call]:
    """Every call in the order of the text. TemplateError as for scanner.scan."""
    for action in actions(source):
        yield from _calls(action)


def _calls(action: Action) -> t.Iterator[Call]:
    for index, token in enumerate(action.tokens):
        name = token.text.partition(".")[0]
        if token.kind != "word" or not name or name.startswith("$") or name in _KEYWORDS:
            continue
        following = action.tokens[index + 1] if index + 1 < len(action.tokens) else Token("mark", "", token.line)
        yield Call(name, following.text if following.kind == "string" else None, token.line)


def includes(found: t.Iterable[Call]) -> t.List[str]:
    """Templates that the fork's `include` names."""
    return [call.argument for call in found if call.function == "include" and call.argument]


def problems(found: t.Iterable[Call], dialect: str, file: str, environment: t.Container[str]) -> t.Iterator[Finding]:
    """What this confd lacks, and what cannot be known here; `environment` are the container's variables."""
    for call in found:
        if call.function in SECRET:
            continue  # said where its key is looked at
        if call.function not in KNOWN[dialect]:
            message = f"{call.function} is no function of {NAMES[dialect]}{_other(call.function, dialect)}"
            yield Finding("function", ERROR, message, file=file, line=call.line)
        elif call.function in ELSEWHERE:
            message = f"{call.function} is answered where and when confd runs; what is rendered here may differ"
            yield Finding("function", INFO, message, file=file, line=call.line)
        elif call.function == "getenv" and call.argument not in environment:
            named = f"getenv {call.argument}" if call.argument else "getenv of a computed name"
            message = f"{named}: not among the variables given as env, so it may be empty"
            yield Finding("function", INFO, message, file=file, line=call.line)


def _other(function: str, dialect: str) -> str:
    other = FORK if dialect == LEGACY else LEGACY
    return f"; {NAMES[other]} has it" if function in KNOWN[other] else ""
