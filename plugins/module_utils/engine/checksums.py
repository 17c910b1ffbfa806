# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums of files inside a container, streamed out of the engine: nothing is run in it and nothing is written.

A folder's checksum is its content checksum: the hash of the listing that `md5sum` (or `sha256sum`) prints for all
regular files below it, one line each, `<hex>  ./relative/path`, sorted bytewise by path. In a shell of the container:
`cd FOLDER && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum | md5sum`.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
import typing as t

from ..common.errors import SlipwayError
from .engine import Engine
from .faults import NotFoundError, translated

_BLOCK = 1 << 20
_MAX_LINKS = 16  # symbolic links that lead to one another

Facts = t.Dict[str, t.Any]


def of_path(engine: Engine, container: str, path: str, algorithm: str, files: bool) -> Facts:
    """Facts about one path: path, algorithm, kind (file, directory or absent), checksum, size, and with `files` each
    regular file of a directory by its relative path. Symbolic links are followed for `path` itself alone."""
    result: Facts = {"path": path, "algorithm": algorithm, "kind": "absent", "checksum": None, "size": None}
    target = path
    for _turn in range(_MAX_LINKS):
        try:
            found = _read(engine, container, target, algorithm)
        except NotFoundError:
            return result
        if isinstance(found, str):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(target), found))
            continue
        kind, sums, size = found
        if not kind:
            raise SlipwayError(f"{engine.host}: {path} in container {container[:12]} is neither a file nor a folder.")
        checksum = listing_checksum(sums, algorithm) if kind == "directory" else sums[""]
        result.update(kind=kind, checksum=checksum, size=size)
        if files:
            result["files"] = dict(sorted(sums.items())) if kind == "directory" else {}
        return result
    raise SlipwayError(f"{engine.host}: {path} in container {container[:12]}: more than {_MAX_LINKS} symbolic links.")


def _read(
    engine: Engine, container: str, path: str, algorithm: str
) -> t.Union[str, t.Tuple[str, t.Dict[str, str], int]]:
    """A symbolic link's target, or kind, checksums by path relative to it, and size in bytes."""
    what = f"read {path} in container {container[:12]}"
    pieces, _rest = engine.call(what, engine.client.get_archive, container, path)
    try:
        with translated(engine.host, what), tarfile.open(fileobj=Stream(pieces), mode="r|") as archive:
            return scan(archive, algorithm)
    except tarfile.TarError as error:
        raise SlipwayError(f"{engine.host}: {what}: the engine's answer broke off: {error}.") from error
    finally:
        pieces.close()


def scan(archive: tarfile.TarFile, algorithm: str) -> t.Union[str, t.Tuple[str, t.Dict[str, str], int]]:
    """The checksums in a streamed archive whose first entry is the path that was asked for; the kind is empty for one
    that is neither file nor folder."""
    sums: t.Dict[str, str] = {}
    total = 0
    top: t.Optional[tarfile.TarInfo] = None
    for entry in archive:
        top = top or entry
        if top.issym():
            return top.linkname
        name = _below(entry.name, top.name)
        if entry.isreg():
            sums[name] = _checksum(archive, entry, algorithm)
            total += entry.size
        elif entry.islnk():  # a further name of a file that came before
            sums[name] = sums[_below(entry.linkname, top.name)]
    if top is None or not (top.isreg() or top.isdir()):
        return "", {}, 0
    return ("directory" if top.isdir() else "file"), sums, total


def _below(name: str, top: str) -> str:
    """`name` relative to `top`, both as the archive has them; empty for `top` itself."""
    return posixpath.normpath(name)[len(posixpath.normpath(top)) :].lstrip("/") if top not in ("", ".", "./") else name


def _checksum(archive: tarfile.TarFile, entry: tarfile.TarInfo, algorithm: str) -> str:
    hasher = hashlib.new(algorithm)
    stream = archive.extractfile(entry)
    if stream is None:
        raise SlipwayError(f"{entry.name} cannot be read.")
    while True:
        block = stream.read(_BLOCK)
        if not block:
            return hasher.hexdigest()
        hasher.update(block)


def listing_checksum(sums: t.Mapping[str, str], algorithm: str) -> str:
    """The content checksum of files by relative path, as the module's docstring defines it."""
    lines = sorted((f"./{path}".encode("utf-8", "surrogateescape"), value) for path, value in sums.items())
    listing = b"".join(value.encode() + b"  " + path + b"\n" for path, value in lines)
    return hashlib.new(algorithm, listing).hexdigest()


class Stream(io.RawIOBase):
    """Pieces of bytes as something to read from, so that no archive has to fit into memory."""

    def __init__(self, pieces: t.Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes unless the pieces end before; all of them for -1."""
        parts = [self._rest]
        have = len(self._rest)
        while size < 0 or have < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        wanted = len(data) if size < 0 else size
        self._rest = data[wanted:]
        return data[:wanted]
