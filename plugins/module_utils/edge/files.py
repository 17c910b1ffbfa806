# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file on disk: written whole or not at all, with the one before it at hand until nginx has taken the new one.

Beside `NAME.conf` there may be, none of them matched by `*.conf`:
`.NAME.conf.before`  what was there before an unfinished change, empty if nothing was;
`.slipway.quiet`     tells nginx to end connections after their request, those of all our files: a reload concerns them all;
`.slipway.lock`      held while any file of the folder changes, since nginx checks and loads them all together.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, ParameterError, SlipwayError

try:
    import fcntl
except ImportError:  # a controller's Python without it never writes such files itself
    fcntl = None  # type: ignore[assignment]

LOCK_WAIT = 300.0  # seconds; as long as others before us may take
POLL = 0.05


def step(name: str) -> None:
    """The step `name` has been done. Tests put a kill in its place."""


class Place:
    """One upstream file in nginx's folder. OSErrors come out as SlipwayError that name the file."""

    def __init__(self, conf_dir: str, name: str) -> None:
        self.folder = conf_dir
        self.conf = os.path.join(conf_dir, f"{name}.conf")
        self.before = os.path.join(conf_dir, f".{name}.conf.before")
        self.quiet = os.path.join(conf_dir, ".slipway.quiet")

    def check(self) -> None:
        """ParameterError unless the folder is there."""
        if not os.path.isdir(self.folder):
            raise ParameterError(
                f"conf_dir: there is no folder {self.folder} where this runs. Is this the edge's host?"
            )

    def read(self) -> str:
        """The file's text, empty if there is none."""
        return _read(self.conf) or ""

    @property
    def unfinished(self) -> bool:
        """True when a run was interrupted between its write and nginx taking it."""
        return os.path.lexists(self.before)

    def put(self, text: str) -> None:
        """Write the file, or remove it when `text` is empty; the one before it can be restored until `settle`."""
        with _told(self.conf):
            if not self.unfinished:
                self.note()
            step("noted")
            _replace(self.conf, text)
            step("written")

    def restore(self) -> None:
        """Back to what was there before the unfinished change, which stays noted."""
        with _told(self.conf):
            _replace(self.conf, _read(self.before) or "")

    def note(self) -> None:
        """Let what is there be what a restore goes back to; the change stays unfinished."""
        with _told(self.conf):
            _write(self.before, _read(self.conf) or "")

    def settle(self) -> None:
        """The change is done: nginx has taken what is there."""
        with _told(self.conf):
            _remove(self.before)
            _sync(self.folder)

    def hush(self) -> None:
        """Have nginx end every connection after its request."""
        with _told(self.quiet):
            _write(self.quiet, "")

    def unhush(self) -> None:
        with _told(self.quiet):
            _remove(self.quiet)

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[None]:
        """Alone in this folder. DeadlineError when others do not finish in time."""
        path = os.path.join(self.folder, ".slipway.lock")
        with _told(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(handle, path)
            yield
        finally:
            os.close(handle)


def _lock(handle: int, path: str) -> None:
    deadline = Deadline(LOCK_WAIT)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if deadline.expired():
                raise DeadlineError(
                    f"{path}: another run has held this lock for {LOCK_WAIT:g} seconds. Nothing was changed. "
                    f"See who it is (fuser {path}), and run it again when that has ended."
                ) from error
            deadline.pause(POLL)


@contextlib.contextmanager
def _told(path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SlipwayError(
            f"{path}: {error.strerror or error}. The edge's files need an existing folder and the right to write there "
            "(become, on the edge's host)."
        ) from error


def _read(path: str) -> t.Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SlipwayError(f"{path}: {error.strerror or error}.") from error


def _replace(path: str, text: str) -> None:
    if text:
        _write(path, text)
    else:
        _remove(path)
    _sync(os.path.dirname(path))


def _write(path: str, text: str) -> None:
    """Under another name, onto the disk, and then in place in one go; readable for nginx's workers."""
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".slipway.", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
