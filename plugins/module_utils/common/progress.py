# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work has come, in lines for people: one line every few seconds, and none at all for what is quick."""

from __future__ import annotations

import os
import threading
import time
import typing as t

FILE_VARIABLE = "SLIPWAY_PROGRESS_FILE"  # environment of a module process: where its lines go
INTERVAL = 5.0  # seconds between two lines, and before the first one
_UNITS = ("B", "kB", "MB", "GB", "TB")

Tell = t.Callable[[str], None]


class Progress:
    """What a task has under way. `tell` shows a line to the user; without it nothing is ever told.

    Safe for several threads: lines never come together, and `tell` is never called by two threads at once.
    """

    def __init__(
        self, tell: t.Optional[Tell] = None, every: float = INTERVAL, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._every = every
        self._clock = clock
        self._last = clock()
        self._open: t.List[Meter] = []
        self._lock = threading.RLock()

    def meter(self, what: str, total: int = 0) -> Meter:
        """Begin to follow one piece of work; a context manager. `what` is a verb and its object, `total` bytes if known."""
        return Meter(self, what, total)

    def begin(self, meter: Meter) -> float:
        """Take `meter` in; the clock now, in seconds."""
        with self._lock:
            if not self._open:
                self._last = self._clock()
            self._open.append(meter)
            return self._clock()

    def look(self) -> None:
        """Tell a line if one is due."""
        if self._tell is None or self._clock() - self._last < self._every:
            return
        with self._lock:
            if self._clock() - self._last < self._every:
                return
            self._last = self._clock()
            for meter in self._open:
                meter.told = True
            self._tell("; ".join(meter.text() for meter in self._open))

    def end(self, meter: Meter, well: bool) -> None:
        """Let `meter` go, with a last line where it was told of before and its work ended well."""
        with self._lock:
            if meter in self._open:
                self._open.remove(meter)
            if self._tell is not None and meter.told and well:
                self._tell(meter.summary(self._clock()))


class Meter:
    """Bytes of one piece of work: `done` of `total`, which may grow, and is 0 as long as nobody knows it."""

    def __init__(self, progress: Progress, what: str, total: int = 0) -> None:
        self.what = what
        self.done = 0
        self.total = total
        self.told = False
        self._note = ""
        self._progress = progress
        self._lock = threading.Lock()
        self._begun = 0.0

    def __enter__(self) -> Meter:
        self._begun = self._progress.begin(self)
        return self

    def __exit__(self, kind: t.Any, *_unused: object) -> None:
        self._progress.end(self, kind is None)

    def expect(self, count: int) -> None:
        """So many bytes more are to be done."""
        with self._lock:
            self.total += count

    def add(self, count: int) -> None:
        """So many bytes more are done."""
        with self._lock:
            self.done += count
        self._progress.look()

    def set(self, done: int, total: int) -> None:
        """Where the work stands, for one whose bytes somebody else counts."""
        with self._lock:
            self.done, self.total = done, total
        self._progress.look()

    def note(self, text: str) -> None:
        """What is being done now, in a few words; it stands behind the bytes until the next note."""
        self._note = text
        self._progress.look()

    def text(self) -> str:
        """`push x:1: 45 % of 81.2 MB, layer 3 of 7`."""
        with self._lock:
            done, total = self.done, self.total
        so_far = amount(done) if done else ""
        if total:
            # What is sent a second time after a failure counts again, so there may be more than all.
            so_far = f"{min(100, 100 * done // total)} % of {amount(total)}"
        return ": ".join(filter(None, (self.what, ", ".join(filter(None, (so_far, self._note))))))

    def summary(self, now: float) -> str:
        """`push x:1: done, 81.2 MB in 12 s, 6.8 MB/s`."""
        seconds = max(now - self._begun, 0.001)
        speed = f", {amount(self.done)} in {seconds:.0f} s, {amount(int(self.done / seconds))}/s" if self.done else ""
        return f"{self.what}: done{speed}"


def amount(count: int) -> str:
    """Bytes for people, in powers of 1000: `81.2 MB`."""
    size = float(count)
    for unit in _UNITS:
        if size < 999.95 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


class ProgressFile:
    """Where a module process puts its lines: a file at `path`, made with the first line and gone at the end.

    A context manager. Without a path there is no file, and `progress` is quiet; one that cannot be made is done without.
    """

    def __init__(self, path: t.Optional[str], censored: t.Callable[[str], str]) -> None:
        self._path = path
        self._censored = censored
        self._handle: t.Optional[int] = None
        self.progress = Progress(self._tell if path else None)

    def __enter__(self) -> ProgressFile:
        return self

    def __exit__(self, *_unused: object) -> None:
        if self._handle is not None and self._path:
            os.close(self._handle)
            os.unlink(self._path)

    def _tell(self, line: str) -> None:
        if self._path and self._handle is None:
            try:
                self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except OSError:
                self._path = None
        if self._handle is not None:
            os.write(self._handle, f"{self._censored(line)}\n".encode())


QUIET = Progress()
