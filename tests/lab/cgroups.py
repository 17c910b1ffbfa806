# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's control groups: a place of its own for daemons and containers, in version 1 and version 2 hierarchies."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

from lab.layout import MARK


def _mounts(kind: str) -> list[Path]:
    """Mount points of file systems of that kind, in the order of the mount table."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        if right.split()[0] == kind:
            found.append(Path(left.split()[4]))
    return found


def hierarchies() -> list[Path]:
    """Where control groups can be made: every version 1 controller, the version 2 tree, or both."""
    return _mounts("cgroup") + _mounts("cgroup2")


def _joinable() -> list[Path]:
    """Hierarchies a daemon is put into: all of version 2; of version 1 those that need no set-up and matter here.

    memory and pids, so that a daemon neither counts against nor dies with the session that happened to start the lab.
    """
    version1 = [path for path in _mounts("cgroup") if path.name in ("memory", "pids")]
    return version1 or _mounts("cgroup2")


def joiner(group: str) -> Callable[[], None]:
    """A function for the child between fork and exec: moves it into the lab's control group of that name."""
    targets = [path / MARK / group for path in _joinable()]
    for target in targets:
        target.mkdir(parents=True, exist_ok=True)

    def join() -> None:
        for target in targets:
            (target / "cgroup.procs").write_text(str(os.getpid()))

    return join


def processes() -> set[int]:
    """Every process that lives in a control group of the lab."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for procs in (hierarchy / MARK).rglob("cgroup.procs"):
            found.update(int(pid) for pid in procs.read_text().split())
    return found


def remove() -> None:
    """Remove the lab's control groups, innermost first; they are empty once every process has ended."""
    for hierarchy in hierarchies():
        top = hierarchy / MARK
        groups = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for group in [*groups, top]:
            if group.is_dir():
                _remove_one(group)


def _remove_one(group: Path) -> None:
    """rmdir with patience: the kernel releases a group a moment after its last process ended."""
    for attempt in range(100):
        try:
            group.rmdir()
            return
        except OSError:
            if attempt == 99:
                raise
            time.sleep(0.02)
