# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer content as a tar stream whose bytes depend on names, modes and content alone.

Machine, user, umask, time zone, order of the input and dates leave no trace: the sha256 of the stream (the layer's
diff_id) is how an unchanged layer is recognised.
"""

from __future__ import annotations

import hashlib
import tarfile
import typing as t
import zipfile
import zlib

from ..common.errors import SlipwayError
from .artifact import FILE, FOLDER, LINK, Entry, parents

# One second after the epoch, for every entry: a rebuilt app with the same content must give the same layer. Not 0,
# which some programs take for "no date".
MTIME = 1
# Bytes per piece of the stream. Part of the format: compressors see the same pieces everywhere.
PIECE = 1 << 18
_TYPES = {FILE: tarfile.REGTYPE, FOLDER: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}
_PLAIN_SIZE = 0o77777777777  # what eleven octal digits can say
_END = b"\0" * (2 * tarfile.BLOCKSIZE)
# Folders above a destination are written too (engines make missing ones with modes of their own), and these are not
# 0755 in any base image.
_PARENT_MODES = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}


def with_parents(entries: t.Iterable[Entry]) -> t.List[Entry]:
    """`entries` and every folder above them, sorted bytewise by path, so that a folder comes before its content."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in parents(path):
            if parent not in by_path:
                by_path[parent] = Entry(parent, FOLDER, mode=_PARENT_MODES.get(parent, 0o755))
    return sorted(by_path.values(), key=lambda entry: entry.path.encode())


def tar_pieces(entries: t.Iterable[Entry], md5s: t.Optional[t.Dict[str, str]] = None) -> t.Iterator[bytes]:
    """The tar stream in pieces of PIECE bytes, the last one shorter. `md5s` receives each file's md5 by its path.

    Raises SlipwayError when a file cannot be read or is not as long as it was when it was listed.
    """
    pending = bytearray()
    for block in _blocks(with_parents(entries), md5s):
        pending += block
        while len(pending) >= PIECE:
            yield bytes(pending[:PIECE])
            del pending[:PIECE]
    yield bytes(pending)


def _blocks(entries: t.Iterable[Entry], md5s: t.Optional[t.Dict[str, str]]) -> t.Iterator[bytes]:
    for entry in entries:
        yield header(entry)
        if entry.kind == FILE:
            digest = None if md5s is None else hashlib.md5(usedforsecurity=False)
            for block in _content(entry):
                if digest is not None:
                    digest.update(block)
                yield block
            yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)
            if md5s is not None and digest is not None:
                md5s[entry.path] = digest.hexdigest()
    yield _END


def header(entry: Entry) -> bytes:
    """The tar header: plain USTAR where the name fits, with a PAX record where it does not; root, no names, no dates."""
    name = f"{entry.path}/" if entry.kind == FOLDER else entry.path
    if entry.target or not name.isascii() or len(name) > tarfile.LENGTH_NAME or entry.size > _PLAIN_SIZE:
        return _any_header(entry)
    return _plain_header(name, entry.kind, entry.mode, entry.size if entry.kind == FILE else 0)


def _any_header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _TYPES[entry.kind]
    info.mode = entry.mode
    info.size = entry.size if entry.kind == FILE else 0
    info.mtime = MTIME
    info.linkname = entry.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _plain_header(name: str, kind: str, mode: int, size: int) -> bytes:
    """What tarfile makes for such an entry, in a sixth of its time: layers have thousands of them."""
    buffer = bytearray(_BLANK[kind])
    buffer[: len(name)] = name.encode()
    buffer[100:107] = b"%07o" % (mode & 0o7777)
    buffer[124:135] = b"%011o" % size
    buffer[148:155] = b"%06o\0" % sum(buffer)
    return bytes(buffer)


def _blank(kind: str) -> bytes:
    """A header without name, mode and size, its checksum blanks as they count in the sum."""
    empty = _any_header(Entry("", kind, mode=0))
    return b"\0" * 100 + empty[100:148] + b" " * 8 + empty[156:]


_BLANK = {kind: _blank(kind) for kind in (FILE, FOLDER)}


def _content(entry: Entry) -> t.Iterator[bytes]:
    length = 0
    try:
        with entry.content() as stream:
            while block := stream.read(PIECE):
                length += len(block)
                yield block
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise SlipwayError(
            f"{entry.path} cannot be read: {error}. Nothing was pushed under the image's name."
        ) from error
    if length != entry.size:
        raise SlipwayError(
            f"{entry.path} was {entry.size} bytes long when it was listed and {length} when it was read: something "
            "writes to the artifact while it is packed. Nothing was pushed under the image's name."
        )
