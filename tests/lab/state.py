# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's folders, marked as its own, and the lock that lets one command at a time change it."""

from __future__ import annotations

import errno
import shutil
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab.layout import CACHE, DATA, EDGE, MARK, RUN
from lab.proc import LabError, say

_MARKER = ".slipway-lab"
_RUNNING_CACHE = RUN / "cache"
CACHES = "slipway-lab caches"


@contextmanager
def locked(what: str = MARK) -> Iterator[None]:
    """Hold a lock of this machine: the lab's own, or that of the CACHES; waits for another command to end.

    A name in the abstract socket space: it leaves no file, and the kernel releases it with the process.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        if not _take(lock, what):
            say("another lab command is at work; waiting for it")
            while not _take(lock, what):
                time.sleep(0.1)
        yield


def _take(lock: socket.socket, what: str) -> bool:
    try:
        lock.bind(f"\0{what}")
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def check_folders() -> None:
    """LabError when one of the lab's folders has somebody else's things in it, or the running lab has its cache elsewhere."""
    for folder in (RUN, DATA, CACHE):
        if folder.exists() and not _ours(folder) and any(folder.iterdir()):
            hint = ", or set SLIPWAY_LAB_CACHE to an empty or new folder" if folder == CACHE else ""
            raise LabError(f"{folder} exists and is not the lab's: move it away{hint}")
    if _RUNNING_CACHE.exists() and _RUNNING_CACHE.read_text() != str(CACHE):
        raise LabError(f"the lab is up with its cache in {_RUNNING_CACHE.read_text()}: use that, or take it down first")


def make_folders() -> None:
    """Make and mark the lab's folders."""
    for folder in (RUN, DATA, CACHE):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARKER).touch()
    _RUNNING_CACHE.write_text(str(CACHE))


def require_up() -> None:
    """LabError when there is no lab to act on."""
    if not _ours(RUN):
        raise LabError("the lab is not up; `python3 tests/lab up` starts it")


def empty_disks() -> None:
    """Forget what the daemons stored and the edge was told; keys and passwords stay as they are."""
    for folder in (*DATA.iterdir(), EDGE.run):
        if folder.is_dir():
            shutil.rmtree(folder)


def remove_folders(*, caches: bool) -> None:
    """Remove what the running lab kept, and its caches too if asked; only folders that carry our mark."""
    for folder in (RUN, DATA, *([CACHE] if caches else [])):
        if folder.exists():
            if not _ours(folder):
                raise LabError(f"{folder} does not carry the lab's mark ({_MARKER}): left alone")
            shutil.rmtree(folder)


def cache_users() -> list[str]:
    """The other labs of this machine that run on the same caches, by the name of their folder."""
    uses = [path for path in RUN.parent.glob("slipway-lab*/cache") if path != _RUNNING_CACHE]
    return sorted(path.parent.name for path in uses if path.read_text() == str(CACHE))


def _ours(folder: Path) -> bool:
    return (folder / _MARKER).exists()
