# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every resource's file for one environment, and for another one beside it, as findings and as texts to show."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from . import keys, shown
from .binary import Confd
from .coverage import Rules
from .findings import ERROR, INFO, Finding
from .masking import Mask, SecretKeys
from .render import Job, Rendered, render, seen
from .resources import Resource
from .shown import File, Shadow

_PLACE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?: ")
Templates = t.Mapping[str, bytes]


@dataclass(frozen=True)
class Side:
    """One state of the settings: relative keys, which of them are secret, and what people call it."""

    name: str
    values: t.Dict[str, str]
    secret: SecretKeys

    @property
    def has_secrets(self) -> bool:
        return any(key in self.secret for key in self.values)


@dataclass(frozen=True)
class Picture:
    """What a side's resources became, in their order, and the same files with other secrets."""

    side: Side
    rendered: t.List[Rendered]
    shadows: t.List[t.Optional[Shadow]]

    def text(self, index: int) -> str:
        output = self.rendered[index].output
        mask = Mask(self.side.secret, self.side.values)
        return shown.text(output, self.shadows[index], mask, self.side.has_secrets) if output else ""


@dataclass(frozen=True)
class Previewer:
    """Runs `confd` over the resources whose templates can be read."""

    confd: Confd
    templates: Templates
    resources: t.Sequence[Resource]
    rules: Rules

    def pictures(self, sides: t.Sequence[Side]) -> t.List[Picture]:
        """All sides in one run of confd, and a second one where other secrets did not suit a template."""
        ways = [(side, marks) for side in sides for marks in ((None, True) if side.has_secrets else (None,))]
        rows = self._rows(ways)
        again = [
            side for side in sides if side.has_secrets and _lacks(rows[(side.name, None)], rows[(side.name, True)])
        ]
        rows.update(self._rows([(side, False) for side in again]))
        return [Picture(side, rows[(side.name, None)], self._shadows(side, rows)) for side in sides]

    def _rows(
        self, ways: t.Sequence[t.Tuple[Side, t.Optional[bool]]]
    ) -> t.Dict[t.Tuple[str, t.Optional[bool]], t.List[Rendered]]:
        jobs = [job for side, marks in ways for job in self._jobs(side, marks)]
        found = render(self.confd, self.templates, jobs)
        count = len(self.resources)
        return {
            (side.name, marks): found[index * count : (index + 1) * count] for index, (side, marks) in enumerate(ways)
        }

    def _jobs(self, side: Side, marks: t.Optional[bool]) -> t.Iterator[Job]:
        """`marks`: None for the values as they are, else how secrets are replaced."""
        values = side.values if marks is None else shown.with_other_secrets(side.values, side.secret, marks)
        stored = keys.absolute(self.rules.prefix, values)
        for resource in self.resources:
            visible = seen(resource, stored, self.rules.backend, self.rules.dialect)
            yield Job(resource, visible, once=marks is not None)

    def _shadows(
        self, side: Side, rows: t.Mapping[t.Tuple[str, t.Optional[bool]], t.List[Rendered]]
    ) -> t.List[t.Optional[Shadow]]:
        found: t.List[t.Optional[Shadow]] = []
        for index in range(len(self.resources)):
            tries = [(rows.get((side.name, marks)), marks) for marks in (True, False)]
            outputs = [(row[index].output, marks) for row, marks in tries if row]
            found.append(next((Shadow(output, marks) for output, marks in outputs if output), None))
        return found


def _lacks(rendered: t.Sequence[Rendered], shadows: t.Sequence[Rendered]) -> bool:
    return any(real.output and not shadow.output for real, shadow in zip(rendered, shadows))


def files(resources: t.Sequence[Resource], now: Picture, before: t.Optional[Picture]) -> t.List[File]:
    """What confd will write, beside what it writes for the other side; resources without a file on either are left out."""
    found = []
    for index, resource in enumerate(resources):
        other = before.rendered[index] if before else Rendered()
        file = File(
            resource=resource,
            now=now.rendered[index].output,
            shown=now.text(index),
            before=other.output,
            before_shown=before.text(index) if before else None,
            compared=before is not None and not other.error,
        )
        if file.now or file.before:
            found.append(file)
    return found


def findings(
    resources: t.Sequence[Resource], picture: Picture, rules: Rules, known: t.Collection[Finding]
) -> t.Iterator[Finding]:
    """Why files of the environment itself cannot be written; keys that are in `known` already are not told again."""
    told = {(found.file, found.key) for found in known if found.check in ("missing_key", "uncovered_key")}
    broken = {found.file for found in known if found.severity == ERROR and found.check in ("template", "function")}
    for resource, rendered in zip(resources, picture.rendered):
        file = f"templates/{resource.template}"
        for name in rendered.missing:
            key = rules.shown(resource.stored(name))
            if (file, key) not in told:
                yield Finding("missing_key", ERROR, "confd asks for it, and finds no such key", key=key, file=file)
        if rendered.error and file not in broken:
            message, line = _placed(shown.safe_message(rendered.error, picture.side.secret, [picture.side.values]))
            yield Finding("render", ERROR, f"confd cannot write {resource.dest}: {message}", file=file, line=line)


def unlike(resources: t.Sequence[Resource], picture: Picture) -> t.Iterator[Finding]:
    """Files that the other side's settings do not give, so there is nothing to compare with."""
    for resource, rendered in zip(resources, picture.rendered):
        if rendered.error or rendered.missing:
            lacks = f"it lacks {', '.join(rendered.missing)}" if rendered.missing else "confd cannot write it"
            message = f"has no {resource.dest} with the settings of {picture.side.name}: {lacks}"
            yield Finding("compare", INFO, message, file=resource.file)


def _placed(message: str) -> t.Tuple[str, t.Optional[int]]:
    """confd's message without its place, and the line."""
    found = _PLACE.match(message)
    return (message[found.end() :], int(found.group("line"))) if found else (message, None)
