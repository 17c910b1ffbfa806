# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums of artifacts: of the file that was built, and of its content as a container can recompute it."""

from __future__ import annotations

import hashlib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ..common.errors import SlipwayError
from .artifact import FILE, FOLDER, Entry
from .memory import Memory, file_key

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
    """Checksums of one file. SlipwayError names `option` when it cannot be read.

    Each checksum reads the file by itself, side by side: the second reader finds it in the page cache, and a no-op build
    spends most of its time here.
    """
    try:
        with ThreadPoolExecutor(2) as pool:
            other = pool.submit(_file_sum, path, "sha256")
            size, md5 = _file_sum(path, "md5")
            return Sums(size, md5, other.result()[1])
    except OSError as error:
        raise SlipwayError(f"{option}: {path} cannot be read: {error.strerror or error}.") from error


def remembered_sums(path: str, memory: Memory) -> Sums:
    """The file's checksums, without reading it where this machine has read this very content before."""
    key = file_key(path)
    found = memory.get("files", key) if key else None
    if found:
        return Sums(found["size"], found["md5"], found["sha256"])
    sums = file_sums(path)
    if key and file_key(path) == key:  # nobody wrote to it meanwhile
        memory.put("files", key, asdict(sums))
    return sums


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
