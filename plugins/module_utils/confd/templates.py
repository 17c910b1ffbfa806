# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates of a confdir: read, scanned for keys and functions, and what is wrong with them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from . import functions
from .coverage import Coverage
from .findings import ERROR, Finding
from .resources import Resource
from .scanner import Lookup, scan
from .tokens import TemplateError

_DEEPEST = 10  # includes within includes, as in the fork


@dataclass
class Templates:
    """`contents` by path below the templates folder; `broken` are those that confd could not parse either."""

    confdir: t.Optional[Path]
    dialect: str
    environment: t.Container[str]
    contents: t.Dict[str, bytes] = field(default_factory=dict)
    findings: t.List[Finding] = field(default_factory=list)
    broken: t.Set[str] = field(default_factory=set)
    _scanned: t.Dict[str, t.List[t.Tuple[str, Lookup]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = self.confdir / "templates" if self.confdir else None
        if folder and folder.is_dir():
            paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            self.contents = {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    def cover(self, resources: t.Sequence[Resource], coverage: Coverage) -> bool:
        """Every look-up of every resource's template into `coverage`; whether all of them could be read."""
        for resource in resources:
            coverage.add(resource, self._lookups(resource.template, ()))
        return not self.broken and all(resource.template in self.contents for resource in resources)

    def _lookups(self, name: str, above: t.Tuple[str, ...]) -> t.List[t.Tuple[str, Lookup]]:
        """Look-ups of a template and of those that it includes, each with the template that it stands in."""
        if name in self._scanned or name not in self.contents:
            return self._scanned.get(name, [])  # one that is not there is said of its resource
        file = f"templates/{name}"
        found: t.List[t.Tuple[str, Lookup]] = []
        try:
            source = self.contents[name].decode("utf-8")
            found = [(name, lookup) for lookup in scan(source)]
            calls = list(functions.calls(source))
            self.findings += functions.problems(calls, self.dialect, file, self.environment)
            if self.dialect == functions.FORK and len(above) < _DEEPEST:
                for other in functions.includes(calls):
                    found += self._included(other, (*above, name), file)
        except TemplateError as error:
            self.broken.add(name)
            message = f"confd cannot parse it: {error.message}"
            self.findings.append(Finding("template", ERROR, message, file=file, line=error.line))
        except UnicodeDecodeError as error:
            self.broken.add(name)
            self.findings.append(Finding("template", ERROR, f"is no UTF-8 ({error})", file=file))
        self._scanned[name] = found
        return found

    def _included(self, name: str, above: t.Tuple[str, ...], file: str) -> t.List[t.Tuple[str, Lookup]]:
        if name in above:
            return []
        if name not in self.contents:
            self.findings.append(
                Finding("template", ERROR, f"includes templates/{name}, which does not exist", file=file)
            )
            return []
        return self._lookups(name, above)
