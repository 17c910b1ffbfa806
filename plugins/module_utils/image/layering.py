# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of an artifact go into which layer: what changes least lies lowest, and nothing is left out.

Pure functions over names; the rules for WARs and Spring Boot follow what jib and Spring Boot's own tools do, with one
difference: a name that no rule takes goes into a layer all the same.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from .artifact import FILE, FOLDER, Entry, parents

DEPENDENCIES = "dependencies"
LOADER = "spring-boot-loader"
SNAPSHOTS = "snapshot-dependencies"
RESOURCES = "resources"
CLASSES = "classes"
ARCHIVE = "archive"
CONTENT = "content"
FILES = "files"
_ORDER = (DEPENDENCIES, LOADER, SNAPSHOTS, RESOURCES, CLASSES)
_WAR_LIBRARY = re.compile(r"WEB-INF/lib(-provided)?/[^/]+\.jar", re.IGNORECASE)
_BOOT_LIBRARY = re.compile(r"BOOT-INF/lib/[^/]+\.jar", re.IGNORECASE)
_INDEX_LAYER = re.compile(r'^- "(?P<name>.*)":\s*$')
_INDEX_ITEM = re.compile(r'^ +- "(?P<path>.*)"\s*$')

Split = t.List[t.Tuple[str, t.List[Entry]]]
Index = t.List[t.Tuple[str, t.List[str]]]


@dataclass(frozen=True)
class Layer:
    """One layer to be: `kind` for people, `dest` the absolute folder or file it is about, entries with image paths."""

    kind: str
    dest: str
    entries: t.Tuple[Entry, ...]

    @property
    def files(self) -> int:
        """How many regular files it holds."""
        return sum(entry.kind == FILE for entry in self.entries)

    @property
    def bytes(self) -> int:
        """What its regular files hold together."""
        return sum(entry.size for entry in self.entries if entry.kind == FILE)


def war_layers(entries: t.Iterable[Entry]) -> Split:
    """A WAR's entries: dependencies, snapshot-dependencies, resources (all else) and classes."""
    return _by_rule(entries, _war_kind)


def boot_layers(entries: t.Iterable[Entry]) -> Split:
    """A Spring Boot JAR's entries where it has no layers.idx."""
    return _by_rule(entries, _boot_kind)


def jar_layers(entries: t.Iterable[Entry]) -> Split:
    """A plain JAR's entries, unpacked: resources and classes."""
    return _by_rule(entries, lambda path: CLASSES if path.endswith(".class") else RESOURCES)


def folder_layers(entries: t.Iterable[Entry]) -> Split:
    """A folder: one layer."""
    return _by_rule(entries, lambda path: CONTENT)


def indexed_layers(entries: t.Iterable[Entry], index: Index) -> Split:
    """A Spring Boot JAR's entries by its layers.idx, in the index's order.

    What the index does not name (it was changed after Spring Boot wrote it) goes into the last layer.
    """
    names = [name for name, _paths in index] or [CONTENT]
    exact = {path: name for name, paths in index for path in paths if not path.endswith("/")}
    prefixes = [(path, name) for name, paths in index for path in paths if path.endswith("/")]

    def kind(path: str) -> str:
        if path in exact:
            return exact[path]
        return next((name for prefix, name in prefixes if f"{path}/".startswith(prefix)), names[-1])

    return _by_rule(entries, kind, tuple(dict.fromkeys(names)))


def parse_index(text: str) -> Index:
    """The layers of a layers.idx: [(name, [files, and folders that end in "/"])]; lines it does not know are no layer."""
    index: Index = []
    for line in text.splitlines():
        layer, item = _INDEX_LAYER.match(line), _INDEX_ITEM.match(line)
        if layer:
            index.append((layer.group("name"), []))
        elif item and index:
            index[-1][1].append(item.group("path"))
    return index


def _by_rule(entries: t.Iterable[Entry], kind: t.Callable[[str], str], order: t.Sequence[str] = ()) -> Split:
    split: t.Dict[str, t.List[Entry]] = {name: [] for name in order or (*_ORDER, CONTENT)}
    for entry in without_implied(entries):
        split[kind(entry.path)].append(entry)
    return [(name, taken) for name, taken in split.items() if taken]


def without_implied(entries: t.Iterable[Entry]) -> t.List[Entry]:
    """`entries` without the folders that others lie in: those come back as parents in each layer that needs them."""
    kept = list(entries)
    full = {parent for entry in kept for parent in parents(entry.path)}
    return [entry for entry in kept if entry.kind != FOLDER or entry.path not in full]


def _war_kind(path: str) -> str:
    if _WAR_LIBRARY.fullmatch(path):
        return _library_kind(path)
    return CLASSES if path.startswith("WEB-INF/classes/") and path.endswith(".class") else RESOURCES


def _boot_kind(path: str) -> str:
    if _BOOT_LIBRARY.fullmatch(path):
        return _library_kind(path)
    if path.startswith("org/springframework/boot/loader/"):
        return LOADER
    return CLASSES if path.startswith("BOOT-INF/classes/") and path.endswith(".class") else RESOURCES


def _library_kind(path: str) -> str:
    return SNAPSHOTS if "SNAPSHOT" in posixpath.basename(path) else DEPENDENCIES


def placed(split: Split, dest: str) -> t.List[Layer]:
    """The layers with their entries moved below `dest`, an absolute path."""
    folder = dest.strip("/")
    return [Layer(kind, dest, tuple(entry.below(folder) for entry in entries)) for kind, entries in split]
