# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd's template resources: conf.d/*toml, what is wrong with them, and which keys each lets its template see."""

from __future__ import annotations

import fnmatch
import importlib
import posixpath
import re
import sys
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.errors import ParameterError
from .findings import ERROR, WARNING, Finding
from .functions import FORK, LEGACY

# TOML came into Python's library with 3.11. What Operation.requires names.
TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
try:
    tomllib: t.Any = importlib.import_module(TOML)
except ImportError:
    tomllib = None

_AT_LINE = re.compile(r"at line (\d+)")
_DOTTED = re.compile(r"^[ \t]*[A-Za-z0-9_-]+[ \t]*\.[ \t]*[A-Za-z0-9_. \t-]+=", re.MULTILINE)
_TEXTS = ("src", "dest", "prefix", "check_cmd", "reload_cmd", "owner", "group")
_NUMBERS = ("uid", "gid")
_TEMPLATES = "templates/"
_OWNERS = {"owner", "group"}  # said in words of their own
_WORDS = {*_TEXTS, *_NUMBERS, "keys", "mode"}
_GLOB = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True)
class Resource:
    """One template resource. `file` and `template` are paths below confdir; `prefix` is the effective one, "" for none."""

    file: str
    template: str
    dest: str
    prefix: str
    keys: t.Tuple[str, ...]
    mode: str = ""  # as confd takes it, "" where it is not said, or cannot be read

    def stored(self, name: str) -> str:
        """The key in the store that the template calls `name`."""
        return join(self.prefix, name)

    def name(self, key: str) -> str:
        """What the template calls a key of the store."""
        return join("/", key[len(self.prefix) :] if key.startswith(self.prefix) else key)

    def sees(self, key: str, backend: str, dialect: str, stored: t.Collection[str]) -> bool:
        """Whether confd fetches `key` for this resource."""
        return any(covers(join(self.prefix, entry), key, backend, dialect, stored) for entry in self.keys)


def join(*parts: str) -> str:
    """Go's path.Join below the root: one leading slash, no empty or dotted parts, none at the end."""
    return posixpath.normpath("/" + "/".join(parts).lstrip("/"))


def covers(entry: str, key: str, backend: str, dialect: str, stored: t.Collection[str]) -> bool:
    """Whether fetching `entry` brings `key`, by the rule of that backend's client in confd."""
    if entry == "/":
        return True
    if backend == "file":
        path = entry[:-2] if dialect == "fork" and entry.endswith("/*") else entry
        return key.startswith(path)  # text, not parts: /db also brings /db2
    if backend == "etcd":
        return key == entry or key.startswith(entry + "/")
    pattern = entry.replace("/*", "")
    if pattern in stored:
        return key == pattern  # a value there hides what is below
    return fnmatch.fnmatchcase(key, f"{pattern}/*")


@dataclass(frozen=True)
class Loaded:
    resources: t.List[Resource]
    findings: t.List[Finding]


def load(confdir: Path, dialect: str, prefix: t.Optional[str]) -> Loaded:
    """Every resource of `confdir`, and what is wrong with them. `prefix` is the one that confd is started with."""
    folder = confdir / "conf.d"
    if not confdir.is_dir():
        raise ParameterError(f"confdir: {confdir} is no folder. confd itself would end well there, and write nothing.")
    files = sorted(path for path in folder.rglob("*toml") if path.is_file()) if folder.is_dir() else []
    if not files:
        return Loaded([], [Finding("resource", ERROR, "has no *toml: confd would write nothing", file="conf.d")])
    findings: t.List[Finding] = []
    general = prefix if prefix is not None else _started_with(confdir, dialect, findings)
    resources = []
    for path in files:
        content = _parsed(path, confdir, dialect, findings)
        found = _resource(path, confdir, content, dialect, findings) if content is not None else None
        if found is not None:
            resources.append(_with_prefix(found, general, dialect))
    findings.extend(_one_dest(resources))
    return Loaded(resources, findings)


def _with_prefix(resource: Resource, general: str, dialect: str) -> Resource:
    """confd 0.16 lets the prefix it is started with replace the resource's; the fork puts it before."""
    effective = join(general, resource.prefix) if dialect == "fork" else join(general or resource.prefix)
    return replace(resource, prefix="" if effective == "/" else effective)


def _started_with(confdir: Path, dialect: str, findings: t.List[Finding]) -> str:
    path = confdir / "confd.toml"
    content = _parsed(path, confdir, dialect, findings) if path.is_file() else None
    return str((content or {}).get("prefix", ""))


def _parsed(path: Path, confdir: Path, dialect: str, findings: t.List[Finding]) -> t.Optional[t.Dict[str, t.Any]]:
    file = str(path.relative_to(confdir))
    try:
        # The fork's parser skips a byte order mark, the old one stops at it.
        text = path.read_text(encoding="utf-8-sig" if dialect == FORK else "utf-8")
        content: t.Dict[str, t.Any] = tomllib.loads(text)
    except UnicodeDecodeError:
        findings.append(
            Finding("resource", ERROR, "is no UTF-8; confd would stop at it and write no file at all", file=file)
        )
    except tomllib.TOMLDecodeError as error:
        line = _AT_LINE.search(str(error))
        message = f"is no TOML ({error}); confd would stop at it and write no file at all"
        findings.append(Finding("toml", ERROR, message, file=file, line=int(line.group(1)) if line else None))
    else:
        dotted = _DOTTED.search(text) if dialect == LEGACY else None
        if dotted:
            number = text.count("\n", 0, dotted.start()) + 1
            message = "has a dotted name, which confd 0.16 does not know: it would stop at it and write no file at all"
            findings.append(Finding("toml", ERROR, message, file=file, line=number))
        return content
    return None


def _folded(table: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """By name in small letters, since confd takes any; an exact name wins."""
    return {**{name.lower(): value for name, value in table.items()}, **{n: v for n, v in table.items() if n.islower()}}


def _resource(
    path: Path, confdir: Path, content: t.Mapping[str, t.Any], dialect: str, findings: t.List[Finding]
) -> t.Optional[Resource]:
    file = str(path.relative_to(confdir))
    table = _folded(content).get("template")
    if not isinstance(table, dict):
        findings.append(Finding("resource", ERROR, "has no [template]", file=file))
        return None
    table = _folded(table)
    lines = _Lines(path.read_text(encoding="utf-8"))
    findings.extend(
        Finding("resource", severity, message, file=file, line=lines.of(word))
        for word, severity, message in _problems(table, confdir, dialect)
    )
    keys = table.get("keys", [])
    return Resource(
        file=file,
        template=source_of(table.get("src", "")) or str(table.get("src", "")),
        dest=str(table.get("dest", "")),
        prefix=str(table.get("prefix", "")),
        keys=tuple(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else (),
        mode=str(table.get("mode", "")) if _is_mode(table.get("mode")) else "",
    )


def source_of(source: t.Any) -> str:
    """`src` as a path below the templates folder, as confd joins them; "" for what leads out of it, or is none."""
    joined = posixpath.normpath(f"{_TEMPLATES}{source}") if isinstance(source, str) and source else ""
    return joined[len(_TEMPLATES) :] if joined.startswith(_TEMPLATES) else ""


def _is_of_its_kind(word: str, value: t.Any) -> bool:
    if word in _TEXTS:
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool)


def _problems(table: t.Mapping[str, t.Any], confdir: Path, dialect: str) -> t.Iterator[t.Tuple[str, str, str]]:
    """(word, severity, message) for each."""
    for word in ("src", "dest"):
        if not table.get(word):
            yield word, ERROR, f"has no {word}"
    for word in (word for word in (*_TEXTS, *_NUMBERS) if word in table and not _is_of_its_kind(word, table[word])):
        wanted = "text in quotes" if word in _TEXTS else "a number without quotes"
        yield word, ERROR, f"has {word} that is not {wanted}: confd would stop at it and write no file at all"
    yield from _source_problems(table.get("src"), confdir)
    if isinstance(table.get("dest"), str) and not table["dest"].startswith("/"):
        yield "dest", WARNING, "has a dest without a leading slash, below whatever folder confd is started in"
    yield from _mode_problems(table)
    if dialect == LEGACY:
        for word in sorted(set(table) - _WORDS):
            yield (
                word,
                WARNING,
                f"has the word {word}, which confd 0.16 ignores: it knows {', '.join(sorted(_WORDS - _OWNERS))}",
            )
    yield from _key_problems(table.get("keys"))


def _source_problems(source: t.Any, confdir: Path) -> t.Iterator[t.Tuple[str, str, str]]:
    inside = source_of(source)
    if isinstance(source, str) and source and not inside:
        yield "src", WARNING, f"names {source}, outside of templates/: it was neither read nor rendered here"
    elif inside and not (confdir / "templates" / inside).is_file():
        yield "src", ERROR, f"names templates/{inside}, which does not exist"


def _mode_problems(table: t.Mapping[str, t.Any]) -> t.Iterator[t.Tuple[str, str, str]]:
    mode = table.get("mode")
    if mode is not None and not _is_mode(mode):
        yield "mode", ERROR, f'mode {mode!r} is not read as octal: write it in quotes with a leading 0, as "0644"'
    for word in ("owner", "group"):
        if word in table:
            yield word, WARNING, f"{word} is ignored by confd 0.16: write {word[0]}id, a number"


def _is_mode(mode: t.Any) -> bool:
    return isinstance(mode, str) and re.fullmatch(r"0[0-7]{3,4}", mode) is not None


def _key_problems(keys: t.Any) -> t.Iterator[t.Tuple[str, str, str]]:
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        yield "keys", ERROR, "has no list of keys, so its template sees none"
        return
    for key in keys:
        if key.endswith("/*"):
            yield "keys", WARNING, f"{key!r} brings nothing from etcd or a file: write {key[:-2] or '/'!r}"
        elif _GLOB.search(key):
            yield "keys", WARNING, f"{key!r} is a pattern for redis, and a plain name for the others"


def _one_dest(resources: t.Iterable[Resource]) -> t.Iterator[Finding]:
    first: t.Dict[str, Resource] = {}
    for resource in resources:
        other = first.setdefault(resource.dest, resource)
        if other is not resource and resource.dest:
            message = f"writes {resource.dest}, and so does {other.file}: the last one wins"
            yield Finding("resource", ERROR, message, file=resource.file)


class _Lines:
    """Where a word is set in a TOML text."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def of(self, word: str) -> t.Optional[int]:
        setting = re.compile(rf"\s*{word}\s*=")
        return next((number for number, line in enumerate(self._lines, 1) if setting.match(line)), None)
