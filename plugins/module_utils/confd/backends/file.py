# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings in one flat JSON file of strings, which every confd reads with its file backend.

Beside `values.json` lies the folder `.values.json.history`, readable by its owner alone: `lock`, one head a prefix, one file
a record, and `pending.json` while a change is under way. The change happens when the new values are renamed into place;
`pending.json` carries what belongs to them, so that whoever comes next after a crash knows which side of it the file is on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
import typing as t
from pathlib import Path
from urllib.parse import quote

from ...common.deadline import Deadline
from ...common.errors import DeadlineError, DeniedError, SlipwayError, UnreachableError
from .. import keys as settings
from .base import Backend, Delta, Snapshot, moved, raise_problems

# confd's file backend reads JSON with a YAML 1.1 parser, which takes none of these as they are.
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_POLL = 0.01  # seconds between two tries for the lock
_NEW_MODE = 0o640
# What does not pass by waiting, and what to do.
_LASTING = {
    errno.EROFS: "Nothing was changed. Mount it for writing, or say another path.",
    errno.ENOSPC: "Nothing was changed. Make room on that disk.",
    errno.EDQUOT: "Nothing was changed. Make room, or raise the quota of that user.",
    errno.EISDIR: "path is to be a file: say which one in that folder.",
    errno.ENOTDIR: "A part of path is a file and no folder.",
    errno.ELOOP: "path is a symbolic link that leads to itself.",
    errno.ENAMETOOLONG: "Say a shorter path.",
}


class FileBackend(Backend):
    """`path` is the JSON file; `deadline` bounds the wait for another writer."""

    whole_store = True

    def __init__(self, path: str, deadline: Deadline) -> None:
        self._path = Path(os.path.realpath(path))  # a symbolic link stays one
        self._folder = self._path.with_name(f".{self._path.name}.history")
        self._deadline = deadline

    @property
    def where(self) -> str:
        return f"file {self._path}"

    def close(self) -> None:
        """Nothing is held between calls."""

    def read(self, prefix: str) -> Snapshot:
        with self._errors("read"), self._locked(make=False):
            return self._snapshot(prefix)

    def record(self, prefix: str, number: int) -> t.Optional[str]:
        with self._errors("read"):
            return _read(self._record(prefix, number))

    def apply(self, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        with self._errors("write"), self._locked(make=True):
            if self._snapshot(prefix).guard != snapshot.guard:
                raise moved(self.where, prefix)
            self._settle()
            for leftover in self._folder.glob("*.new"):
                _remove(leftover)
            values = {**self._values(), **delta.put}
            content = dump({key: value for key, value in values.items() if key not in delta.remove})
            for number, record in delta.records.items():
                self._put(self._record(prefix, number), record)
            pending = {
                "values": _digest(content),
                "name": self._head(prefix).name,
                "head": delta.head,
                "drop": [self._record(prefix, number).name for number in delta.drop_records],
            }
            self._put(self._folder / "pending.json", json.dumps(pending))
            self._put(self._path, content)
            with self._errors("finish the change of", placed=True):
                self._settle()

    def _snapshot(self, prefix: str) -> Snapshot:
        content = _read(self._path)
        keys = self._values()
        above = [parent for parent in [*settings.parents(prefix), prefix] if parent in keys]
        problems = [f"{parent} has a value, and this prefix is at or below it" for parent in above]
        raise_problems(self.where, prefix, problems)
        pending = self._pending(content)
        head = _read(self._head(prefix))
        if pending is not None and pending["name"] == self._head(prefix).name:
            head = pending["head"]
        mine = {key: value for key, value in keys.items() if key.startswith(prefix + "/")}
        return Snapshot(mine, head, (_digest(json.dumps(mine, sort_keys=True)), head))

    def _values(self) -> t.Dict[str, str]:
        content = _read(self._path)
        if content is None or not content.strip():
            return {}
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise SlipwayError(f"{self.where} is no JSON ({error}). It was left as it is.") from error
        if not isinstance(values, dict):
            raise SlipwayError(f"{self.where} is no JSON object of keys and strings. It was left as it is.")
        foreign = [
            key
            for key, value in values.items()
            if not (key.startswith("/") and isinstance(value, str) and _plain(value))
        ]
        problems = [f"{key!r} is no text below a name that begins with a slash" for key in foreign]
        raise_problems(self.where, "", problems)
        return values

    def _pending(self, content: t.Optional[str]) -> t.Optional[t.Dict[str, t.Any]]:
        """The change that a killed writer left, if its values are the ones in place."""
        found = _read(self._folder / "pending.json")
        if found is None:
            return None
        pending = _loaded(found)
        if pending is None:
            raise SlipwayError(
                f"{self._folder / 'pending.json'} was altered by hand. Remove it: {self._path} holds whole settings, and only the "
                "history may lack the last change. Nothing was changed."
            )
        return pending if content is not None and pending["values"] == _digest(content) else None

    def _settle(self) -> None:
        """Finish the pending change whose values are in place, or forget the one whose values never were."""
        pending = self._pending(_read(self._path))
        if pending is not None:
            self._put(self._folder / pending["name"], pending["head"])
            for name in pending["drop"]:
                _remove(self._folder / name)
        _remove(self._folder / "pending.json")

    def _put(self, path: Path, content: str) -> None:
        """Replace `path` in one step that survives a power cut. What a kill leaves half-written lies in the folder."""
        handle, temporary = tempfile.mkstemp(suffix=".new", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                if path == self._path:
                    _dress(handle, path)
                file.write(content.encode())
                file.flush()
                os.fsync(handle)
            os.replace(temporary, path)
        except BaseException:
            _remove(Path(temporary))
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _head(self, prefix: str) -> Path:
        return self._folder / f"{quote(prefix or '/', safe='')}.head.json"

    def _record(self, prefix: str, number: int) -> Path:
        return self._folder / f"{quote(prefix or '/', safe='')}.{number:08d}.json"

    @contextlib.contextmanager
    def _locked(self, make: bool) -> t.Iterator[None]:
        """Hold the lock; a reader goes without one where nobody has ever written.

        Readers take it alone as well: with shared locks, a crowd of them never lets a writer in.
        """
        if make:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
        elif not (self._folder / "lock").exists():
            yield
            return
        flags = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY
        handle = os.open(self._folder / "lock", flags | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(handle)
            yield
        finally:
            os.close(handle)

    def _wait_for(self, handle: int) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if self._deadline.expired():
                    raise DeadlineError(
                        f"{self.where} has been locked by another writer for {self._deadline.seconds:g} s "
                        f"(lock {self._folder / 'lock'}); nothing was written."
                    ) from error
                self._deadline.pause(_POLL)

    @contextlib.contextmanager
    def _errors(self, verb: str, placed: bool = False) -> t.Iterator[None]:
        """`placed`: the change is there, and whoever comes next finishes it; so it is looked for again, whatever went wrong."""
        try:
            yield
        except PermissionError as error:
            if placed:
                raise UnreachableError(f"Cannot {verb} {self.where}: {error}.") from error
            raise DeniedError(f"Cannot {verb} {self.where}: {error}. Run as the file's owner.") from error
        except UnicodeDecodeError as error:
            raise SlipwayError(f"{self.where} is no UTF-8 ({error}). It was left as it is.") from error
        except OSError as error:
            hint = "" if placed else _LASTING.get(error.errno or 0)
            if hint is None or placed:
                raise UnreachableError(f"Cannot {verb} {self.where}: {error}.") from error
            raise SlipwayError(f"Cannot {verb} {self.where}: {error}. {hint}") from error


def dump(values: t.Mapping[str, str]) -> str:
    """Flat JSON as every confd reads it: sorted, UTF-8, with escapes only where YAML 1.1 needs them."""
    content = json.dumps(dict(sorted(values.items())), ensure_ascii=False, indent=1)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", content) + "\n"


def _plain(value: str) -> bool:
    """Whether it can be written again: a lone surrogate, as JSON can spell it, cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _loaded(text: str) -> t.Optional[t.Dict[str, t.Any]]:
    """The content of pending.json; None if it is no such thing."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("drop"), list):
        return None
    names = [found.get("name"), *found["drop"]]
    plain = all(isinstance(each, str) for each in [*names, found.get("values"), found.get("head")])
    return found if plain and not any("/" in name for name in names) else None


def _read(path: Path) -> t.Optional[str]:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _dress(handle: int, path: Path) -> None:
    """Give the new file its predecessor's owner and mode; the first one may be read by its group, too."""
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchmod(handle, _NEW_MODE)
        return
    mine = os.fstat(handle)
    if (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
