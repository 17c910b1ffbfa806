# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container starts confd: which command line its start script speaks."""

from __future__ import annotations

import re
import shlex
import typing as t

from .findings import ERROR, INFO, Finding
from .functions import FORK, LEGACY, NAMES

# confd as a command: at the beginning of a line, or after something that begins a command in a shell.
_CALL = re.compile(
    r"""(?:^|[;&|({`!]|\b(?:if|until|while|then|do|else|exec|time|sudo)\s)\s*
                       (?:[A-Za-z_]\w*=\S*\s+)*(?P<confd>(?:\S*/)?confd)\s+(?P<words>[^;&|)`}\n]*)""",
    re.VERBOSE | re.MULTILINE,
)
_BACKENDS = frozenset(
    ("consul", "etcd", "vault", "redis", "zookeeper", "dynamodb", "ssm", "acm", "secretsmanager", "imds", "env", "file")
)
_COMMENT = re.compile(r"(?m)^[ \t]*#.*$")
_CONTINUED = re.compile(r"\\\r?\n")


class Start(t.NamedTuple):
    """One call of confd: which dialect's command line, and the line it stands in."""

    dialect: str
    line: int


def starts(script: str) -> t.List[Start]:
    """Calls of confd whose command line is one dialect's and not the other's; those that tell nothing are left out."""
    joined = script
    for nothing in (_COMMENT, _CONTINUED):  # as long as before, so that lines can be counted
        joined = nothing.sub(lambda match: " " * len(match.group()), joined)
    found = []
    for match in _CALL.finditer(joined):
        dialect = _dialect(match.group("words"))
        if dialect:
            found.append(Start(dialect, script.count("\n", 0, match.start("confd")) + 1))
    return found


def _dialect(words: str) -> t.Optional[str]:
    try:
        listed = shlex.split(words.strip())
    except ValueError:
        listed = words.split()
    if listed and listed[0] in _BACKENDS:
        return FORK  # its backend is a command; the other one ignores what comes after a word
    options = {word.partition("=")[0] for word in listed}
    if options & {"-backend", "--backend", "-onetime", "-node", "-confdir", "-interval", "-watch", "-prefix", "-file"}:
        return LEGACY
    backend = next((word for word in listed if word in _BACKENDS), None)
    return FORK if backend and any(word.startswith("--") for word in listed) else None


def findings(script: str, file: str, dialect: str) -> t.Iterator[Finding]:
    """Calls that this confd does not understand."""
    found = starts(script)
    for start in found:
        if start.dialect != dialect:
            what = "exits with 80 at it" if dialect == FORK else "reads its options up to the first word alone"
            message = f"calls confd in the command line of {NAMES[start.dialect]}; {NAMES[dialect]} {what}"
            yield Finding("start", ERROR, message, file=file, line=start.line)
    if not found and "confd" in script:
        yield Finding("start", INFO, "names confd in a way that tells nothing of its dialect", file=file)
