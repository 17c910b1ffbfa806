# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine remembers of artifacts that it has read before. It saves time, and nothing else depends on it.

Kept are checksums only, below $XDG_CACHE_HOME/slipway (~/.cache/slipway), a file for each. A file that cannot be read, is not
ours or is no JSON is as good as none; what cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
import typing as t

_KEPT = 200  # files of one kind; when there are twice as many, the oldest go
_FINE = 0.1  # seconds: well above the tick of a clock that file systems stamp with
_TICK = 0.001
_COARSE = 2.0  # for file systems that stamp whole seconds, or every other

Data = t.Dict[str, t.Any]


class Memory:
    """Facts by kind and key. With `dry` it is only read."""

    def __init__(self, folder: t.Optional[str] = None, dry: bool = False) -> None:
        self._folder = folder or default_folder()
        self._dry = dry

    def get(self, kind: str, key: t.Any) -> t.Optional[Data]:
        """What was put, or None."""
        try:
            with open(self._path(kind, key), encoding="utf-8") as stream:
                if os.fstat(stream.fileno()).st_uid != os.geteuid():
                    return None
                found = json.load(stream)
        except (OSError, ValueError):
            return None
        return t.cast(Data, found["value"]) if isinstance(found, dict) and found.get("key") == key else None

    def put(self, kind: str, key: t.Any, value: Data) -> None:
        """Remember it, all at once: a reader sees the old, the new or none. `key` and `value` are JSON data."""
        if self._dry:
            return
        path = self._path(kind, key)
        folder = os.path.dirname(path)
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"key": key, "value": value}, stream)
            os.replace(temporary, path)
            _forget_oldest(folder)

    def _path(self, kind: str, key: t.Any) -> str:
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return os.path.join(self._folder, kind, name)


def default_folder() -> str:
    """Where this user's caches are."""
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "slipway")


def _forget_oldest(folder: str) -> None:
    with os.scandir(folder) as items:
        files = list(items)
    if len(files) > 2 * _KEPT:
        files.sort(key=lambda item: item.stat().st_mtime)
        for item in files[:-_KEPT]:
            os.unlink(item.path)


def file_key(path: str, now: t.Optional[float] = None) -> t.Optional[t.List[t.Any]]:
    """What tells this content of the file from any other that it may get; None while that is not certain.

    Whoever writes to a file changes its ctime, which nobody can set back. Only a write within the same tick of the clock
    goes unseen, so a file that was changed just now has no key yet.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return None
    if abs((time.time() if now is None else now) - status.st_ctime_ns / 1e9) < _margin(status):
        return None
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return [os.path.realpath(path), *numbers]


def settling_time(path: str, now: t.Optional[float] = None) -> float:
    """Seconds until a file that was written just now has a key; 0 where that is too long to wait for."""
    status = os.stat(path)
    age = (time.time() if now is None else now) - status.st_ctime_ns / 1e9
    return _FINE - age + _TICK if 0 <= age < _FINE and _margin(status) == _FINE else 0.0


def _margin(status: os.stat_result) -> float:
    return _COARSE if status.st_ctime_ns % 1_000_000_000 == 0 else _FINE
