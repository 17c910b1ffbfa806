# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running confd is given and what it gives back: a tree of files, one run, and the files that it wrote."""

from __future__ import annotations

import abc
import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, SlipwayError
from .functions import FORK, LEGACY

_ENVIRONMENT = "CONFD"
_PREFIX = "slipway-confd-"
_MEMORY = "/dev/shm"  # settings hold secrets, so their copies stay off the disk where there is a place in memory
Tree = t.Mapping[str, bytes]


class Output(t.NamedTuple):
    """A file that confd wrote."""

    content: bytes
    mode: int


class Ran(t.NamedTuple):
    """One run of confd: its exit code, its log, and the files below `out/` by their path in it."""

    code: int
    log: str
    files: t.Dict[str, Output]


class Confd(abc.ABC):
    """One confd. `dialect` is its own; `where` names it to people."""

    dialect: str
    where: str

    @abc.abstractmethod
    def run(self, tree: Tree, folders: t.Sequence[str], root: str) -> Ran:
        """Run it once over the tree, whose paths and `folders` are relative to `root`. DeadlineError, SlipwayError."""

    @property
    @abc.abstractmethod
    def root(self) -> str:
        """The folder that a tree lies in, as this confd sees it."""


def arguments(dialect: str, root: str) -> t.List[str]:
    """confd's own arguments: once, no commands, the values in a file, and no confd.toml, which would win over these."""
    files = {"file": f"{root}/values.json", "confdir": f"{root}/confd", "config-file": f"{root}/none"}
    dash, words = ("--", ["file"]) if dialect == FORK else ("-", ["-backend", "file"])
    options = [word for name, value in files.items() for word in (dash + name, value)]
    return [*words, f"{dash}onetime", f"{dash}sync-only", *options]


def dialect_of(version_code: int) -> str:
    """By the exit code of `confd -version`, which the fork does not know."""
    return LEGACY if version_code == 0 else FORK


class LocalConfd(Confd):
    """A confd of this machine, run in a folder of its own that is gone afterwards."""

    def __init__(self, binary: str, environment: t.Mapping[str, str], deadline: Deadline) -> None:
        self.where = binary
        self._environment = dict(environment)
        self._deadline = deadline
        self._folder: t.Optional[Path] = None
        self.dialect = dialect_of(self._call(["-version"], "/").returncode)

    @property
    def root(self) -> str:
        return str(self._folder)

    @contextlib.contextmanager
    def folder(self) -> t.Iterator[LocalConfd]:
        """A private folder, in memory where there is one, for the runs in the body."""
        in_memory = os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK | os.X_OK)
        place = _MEMORY if in_memory else tempfile.gettempdir()
        _sweep(place)
        made, held = _made(place)
        self._folder = Path(made)
        try:
            yield self
        finally:
            self._folder = None
            shutil.rmtree(made, ignore_errors=True)
            os.close(held)

    def run(self, tree: Tree, folders: t.Sequence[str], root: str) -> Ran:
        place = Path(root)
        for name in os.listdir(root):
            shutil.rmtree(place / name) if (place / name).is_dir() else (place / name).unlink()
        for name in folders:
            (place / name).mkdir(parents=True, exist_ok=True)
        for name, content in tree.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        done = self._call(arguments(self.dialect, root), root)
        out = place / "out"
        written = [path for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")]
        files = {
            str(path.relative_to(out)): Output(path.read_bytes(), path.stat().st_mode & 0o7777) for path in written
        }
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), files)

    def _call(self, words: t.Sequence[str], folder: str) -> subprocess.CompletedProcess[bytes]:
        """One run of the binary with the container's variables and no others, as it has them there."""
        try:
            # run_command belongs to AnsibleModule, which this package does not know.
            return subprocess.run(  # pylint: disable=ansible-bad-function
                [self.where, *words],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=max(0.1, self._deadline.remaining()),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeadlineError(f"{self.where} did not end within {self._deadline.seconds:g} s.") from error
        except OSError as error:
            raise SlipwayError(f"Cannot run {self.where}: {error}.") from error


def _made(place: str) -> t.Tuple[str, int]:
    """A private folder, and the lock that says that it is in use: it goes with the process, however that ends."""
    while True:
        made = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        held = _lock(made)
        if held is not None:
            return made, held  # else another task swept it in the instant before it was locked


def _lock(folder: str) -> t.Optional[int]:
    """The folder, open and locked; None where somebody holds it, it is gone, or it is not ours."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_uid == os.getuid() and os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    except OSError:
        pass  # in use, or gone meanwhile
    os.close(handle)
    return None


def _sweep(place: str) -> None:
    """Remove what a task that was killed has left there: it holds settings in the clear."""
    for name in os.listdir(place):
        held = _lock(os.path.join(place, name)) if name.startswith(_PREFIX) else None
        if held is not None:
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)
            os.close(held)


def find(named: t.Optional[str]) -> t.Optional[str]:
    """The path of a confd: the one that was named, $CONFD, or the one in PATH. SlipwayError if a named one is none."""
    for name, said_by in ((named, "confd"), (os.environ.get(_ENVIRONMENT), _ENVIRONMENT)):
        if name:
            found = shutil.which(name)
            if not found:
                raise SlipwayError(f"{said_by} is {name}, and there is no program of that name.")
            return os.path.abspath(found)
    return shutil.which("confd")
