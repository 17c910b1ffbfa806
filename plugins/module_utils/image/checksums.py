# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums of artifacts: of the file that was built, and of its content as a container can recompute it."""

from __future__ import annotations

import hashlib
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ..common.errors import SlipwayError
from .artifact import FILE, FOLDER, Entry
from .memory import Memory, file_key, settling_time

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sums:
    """Size in bytes and hexadecimal checksums of an artifact.

    For an archive they are the file's own. For a folder, `size` is the sum of its files, `md5` is its content_md5 and
    `sha256` that of the same listing made with sha256, with each file's mode.
    """

    size: int
    md5: str
    sha256: str


def content_md5(md5s: t.Mapping[str, str]) -> str:
    """The md5 of what `md5sum` prints for every file, sorted bytewise by name; `md5s` is {relative path: hex md5}.

    A container computes the same with
    `cd DEST && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum | md5sum`.
    """
    lines = sorted((f"./{path}".encode(), value) for path, value in md5s.items())
    listing = b"".join(value.encode() + b"  " + path + b"\n" for path, value in lines)
    return hashlib.md5(listing, usedforsecurity=False).hexdigest()


def file_sums(path: str, option: str = "artifact") -> Sums:
    """Checksums of one file. SlipwayError names `option` when it cannot be read."""
    with FileSums(path, None, option) as sums:
        return sums.all()


def remembered_sums(path: str, memory: Memory) -> Sums:
    """The file's checksums, without reading it where this machine has read this very content before."""
    with FileSums(path, memory) as sums:
        return sums.all()


class FileSums:
    """Checksums of one file, read in the background: from `begin` on, and without that from when they are asked for.

    Each checksum reads the file by itself, side by side: the second reader finds it in the page cache, and whoever needs
    only sha256 (as the question whether there is anything to do) need not wait for md5, which takes twice as long where the
    processor helps with sha256. With `memory` nothing is read that was read before. Use it as a context manager: leaving it
    waits for what still reads.
    """

    def __init__(self, path: str, memory: t.Optional[Memory] = None, option: str = "artifact") -> None:
        self._path = path
        self._memory = memory
        self._option = option
        self._pool = ThreadPoolExecutor(2)
        self._parts: t.Dict[str, Future[_Part]] = {}
        self._all: t.Optional[Sums] = None
        key = file_key(path) if memory else None
        found = memory.get("files", key) if memory and key else None
        if found:
            self._all = Sums(found["size"], found["md5"], found["sha256"])
        elif key:
            self.begin()

    def __enter__(self) -> FileSums:
        return self

    def __exit__(self, *_unused: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, settle: bool = False) -> None:
        """Start reading. With `settle` nobody waits for it: a file that was written just now is read once it can be remembered."""
        if self._all is None and not self._parts:
            pause = settling_time(self._path) if settle else 0.0
            self._parts = {name: self._pool.submit(self._part, name, pause) for name in ("sha256", "md5")}

    @property
    def sha256(self) -> str:
        """As soon as it is known, whether or not the md5 is."""
        return self._all.sha256 if self._all else self._wait("sha256").hexadecimal

    @property
    def md5(self) -> str:
        return self.all().md5

    @property
    def size(self) -> int:
        return self.all().size

    def all(self) -> Sums:
        """Everything, and remembered."""
        if self._all is None:
            md5, sha256 = self._wait("md5"), self._wait("sha256")
            self._all = Sums(md5.size, md5.hexadecimal, sha256.hexadecimal)
            if self._memory and md5.key and md5.key == sha256.key:  # nobody wrote to it meanwhile
                self._memory.put("files", md5.key, asdict(self._all))
        return self._all

    def _wait(self, name: str) -> _Part:
        self.begin()
        try:
            return self._parts[name].result()
        except OSError as error:
            raise SlipwayError(f"{self._option}: {self._path} cannot be read: {error.strerror or error}.") from error

    def _part(self, name: str, pause: float) -> _Part:
        time.sleep(pause)
        key = file_key(self._path)
        size, hexadecimal = _file_sum(self._path, name)
        return _Part(size, hexadecimal, key if key and file_key(self._path) == key else None)


class _Part(t.NamedTuple):
    size: int
    hexadecimal: str
    key: t.Optional[t.List[t.Any]]  # of the file that was read, where it was certain all the time


def _file_sum(path: str, algorithm: str) -> t.Tuple[int, str]:
    digest, size = hashlib.new(algorithm, usedforsecurity=False), 0
    with open(path, "rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def tree_sums(entries: t.Iterable[Entry]) -> t.Tuple[Sums, t.Dict[str, str]]:
    """Checksums of a folder's entries, and the md5 of each file by path."""
    md5s: t.Dict[str, str] = {}
    lines: t.List[bytes] = []
    size = 0
    for entry in entries:
        what = entry.target if entry.kind != FILE else ""
        if entry.kind == FILE:
            md5s[entry.path], what = _content_sums(entry)
            size += entry.size
        lines.append(f"{entry.kind} {entry.mode:o} {what}  ./{entry.path}{'/' * (entry.kind == FOLDER)}\n".encode())
    listing = b"".join(sorted(lines))
    return Sums(size, content_md5(md5s), hashlib.sha256(listing).hexdigest()), md5s


def _content_sums(entry: Entry) -> t.Tuple[str, str]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        with entry.content() as stream:
            while block := stream.read(_BLOCK):
                md5.update(block)
                sha256.update(block)
    except OSError as error:
        raise SlipwayError(f"{entry.path} cannot be read: {error.strerror or error}.") from error
    return md5.hexdigest(), sha256.hexdigest()
