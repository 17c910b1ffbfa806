# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the templates read against what the environment has."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass, field

from .findings import ERROR, INFO, WARNING, Finding
from .resources import Resource
from .scanner import EXACT, FOLDER, GLOB, Lookup


@dataclass(frozen=True)
class Rules:
    """How confd will read: the backend, its dialect, and the prefix below which the environment's keys are stored."""

    backend: str
    dialect: str
    prefix: str

    def shown(self, key: str) -> str:
        """A stored key as the environment's owner writes it."""
        return key[len(self.prefix) :] if self.prefix and key.startswith(self.prefix + "/") else key


class View:
    """The store as one resource's template names it. `seen` are the stored keys that confd fetches for it."""

    def __init__(self, resource: Resource, stored: t.Mapping[str, str], rules: Rules) -> None:
        self.resource = resource
        self.seen = {key for key in stored if resource.sees(key, rules.backend, rules.dialect, stored)}
        self._names = {key: resource.name(key) for key in stored}
        self._keys: t.Dict[str, t.Set[str]] = {}
        for key, name in self._names.items():
            self._keys.setdefault(name, set()).add(key)

    def exists(self, name: str) -> bool:
        return bool(self._keys.get(name, set()) & self.seen)

    def matching(self, wanted: str, lookup: Lookup) -> t.Set[str]:
        """Which stored keys, seen or not, a look-up asks for; `wanted` is the look-up's key."""
        if lookup.kind == FOLDER:
            folder = wanted.rstrip("/")
            return {key for key, name in self._names.items() if (name + "/").startswith(folder + "/")}
        if lookup.pattern or lookup.kind == GLOB:
            return {key for key, name in self._names.items() if path_match(wanted, name)}
        return self._keys.get(wanted, set())


@dataclass
class Coverage:
    """Grows template by template. `read` and `perhaps` are stored keys; `required` are shown ones."""

    rules: Rules
    stored: t.Optional[t.Mapping[str, str]]
    findings: t.List[Finding] = field(default_factory=list)
    required: t.Set[str] = field(default_factory=set)
    read: t.Set[str] = field(default_factory=set)
    perhaps: t.Set[str] = field(default_factory=set)

    def add(self, resource: Resource, lookups: t.Sequence[t.Tuple[str, Lookup]]) -> None:
        """One resource and the look-ups of its template, each with the template that it stands in, itself or an included one."""
        view = View(resource, self.stored or {}, self.rules)
        for template, lookup in lookups:
            for severity, check, message in self._lookup(view, lookup):
                self.findings.append(
                    Finding(
                        check=check,
                        severity=severity,
                        message=message,
                        key=self.rules.shown(resource.stored(lookup.key)) if lookup.key else None,
                        file=f"templates/{template}",
                        line=lookup.line,
                    )
                )

    def _lookup(self, view: View, lookup: Lookup) -> t.Iterator[t.Tuple[str, str, str]]:
        if lookup.function.startswith("c"):
            yield self._secret_function(lookup)
        if lookup.key is None:
            self.perhaps |= view.seen
            yield INFO, "computed", f"{lookup.function} reads a key that is computed when confd runs; it is not checked"
        elif not lookup.key.startswith("/"):
            yield ERROR, "bad_key", f"{lookup.function} {lookup.key!r}: templates write keys with a leading /"
        else:
            found = view.matching(lookup.key, lookup) & view.seen
            self.read |= found
            reached = self._reached(view, lookup)
            if lookup.required and reached:
                self.required.add(self.rules.shown(view.resource.stored(lookup.key)))
            if self.stored is not None and reached and not found:
                yield from self._nothing_found(view, lookup.key, lookup)

    def _reached(self, view: View, lookup: Lookup) -> bool:
        """Without an environment, what `exists` decides is not taken for reached."""
        if self.stored is None:
            return not lookup.when
        return lookup.reached(view.exists)

    def _secret_function(self, lookup: Lookup) -> t.Tuple[str, str, str]:
        if self.rules.dialect == "fork":
            return ERROR, "function", f"{lookup.function} is no function of this confd"
        return WARNING, "function", f"{lookup.function} works with -secret-keyring alone, and in no confd after 0.16"

    def _nothing_found(self, view: View, name: str, lookup: Lookup) -> t.Iterator[t.Tuple[str, str, str]]:
        resource, hidden = view.resource, view.matching(name, lookup)
        if lookup.required and hidden:
            message = f"is in the environment, and not covered by the keys of {resource.file}: {_list(resource.keys)}"
            yield ERROR, "uncovered_key", message
        elif lookup.required:
            elsewhere = _outside(self.rules, resource.stored(name))
            yield ERROR, "missing_key", f"{lookup.function} needs it, and the environment has no such key{elsewhere}"
        elif hidden:
            message = f"is in the environment, and not covered by the keys of {resource.file}, so confd does not see it"
            yield WARNING, "uncovered_key", message
        elif lookup.kind == EXACT and lookup.pattern:
            yield WARNING, "missing_key", f"{lookup.function} computes a key like this, and the environment has none"
        elif lookup.kind in (GLOB, FOLDER):
            yield INFO, "no_match", f"{lookup.function} finds nothing in the environment"

    def unused(self) -> t.List[str]:
        """Stored keys that no template reads, nor may read by a computed name."""
        return sorted(set(self.stored or {}) - self.read - self.perhaps)

    def unused_findings(self) -> t.Iterator[Finding]:
        for key in self.unused():
            yield Finding(
                "unused_key", WARNING, "is in the environment, and no template reads it", key=self.rules.shown(key)
            )
        for key in sorted(self.perhaps - self.read):
            message = "is read by a computed name, or by nobody"
            yield Finding("unused_key", INFO, message, key=self.rules.shown(key))


def path_match(pattern: str, name: str) -> bool:
    """Go's path.Match: `*` stops at a slash."""
    patterns, parts = pattern.split("/"), name.split("/")
    return len(patterns) == len(parts) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _list(keys: t.Iterable[str]) -> str:
    return ", ".join(keys) or "none"


def _outside(rules: Rules, stored: str) -> str:
    """A hint where the template reads another part of the store than the environment's keys are in."""
    if not rules.prefix or stored.startswith(rules.prefix + "/"):
        return ""
    return f"; it reads {stored}, and the environment's keys lie below {rules.prefix}: check the resource's prefix"
