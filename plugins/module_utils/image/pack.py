# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers as blobs: hashed, and compressed into a file that an upload can read as often as it has to."""

from __future__ import annotations

import hashlib
import io
import tempfile
import typing as t
from dataclasses import dataclass, field
from functools import cache

from ..common.errors import SlipwayError
from ..registry import manifest as types
from .artifact import FILE
from .compress import GZIP, NONE, ZSTD, compressor
from .layering import Layer
from .memory import Memory
from .tarball import tar_pieces, with_parents

_FORMAT = b"slipway.delivery layer 1\n"  # another one whenever tarball.py makes other streams
_SHA_FLAGS = {"sha_ni", "sha2"}  # as the kernel calls them on x86 and on arm64
_FIRST_PROCESSOR = 8192  # characters that tell of it; large machines have hundreds of the same
# Layers up to this many bytes stay in memory until they are uploaded; larger ones go to the temporary folder.
IN_MEMORY = 8 * 1024 * 1024
_OCI = {GZIP: types.OCI_LAYER_GZIP, NONE: types.OCI_LAYER, ZSTD: types.OCI_LAYER_ZSTD}
_DOCKER = {GZIP: types.DOCKER_LAYER_GZIP, NONE: types.DOCKER_LAYER}
# The same bytes under their OCI name, for layers of a Docker base in an OCI image.
_AS_OCI = {
    types.DOCKER_LAYER_GZIP: types.OCI_LAYER_GZIP,
    types.DOCKER_LAYER: types.OCI_LAYER,
    types.DOCKER_LAYER_ZSTD: types.OCI_LAYER_ZSTD,
}


@dataclass(frozen=True)
class Measured:
    """What a layer is, whatever its compression: the digest of its tar stream, and the md5 of each file in it."""

    diff_id: str
    md5s: t.Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Packed:
    """A layer as it is stored: digest and size in bytes of its compressed form."""

    measured: Measured
    digest: str
    size: int


@dataclass(frozen=True)
class Ahead:
    """A small layer in its compressed form."""

    packed: Packed
    content: bytes = field(repr=False)


Count = t.Callable[[int], None]  # told of the bytes of each piece that was read


def measure(layer: Layer, count: t.Optional[Count] = None) -> Measured:
    """Read the whole layer once and compress nothing."""
    md5s: t.Dict[str, str] = {}
    diff = hashlib.sha256()
    for piece in tar_pieces(layer.entries, md5s):
        diff.update(piece)
        if count:
            count(len(piece))
    return Measured(f"sha256:{diff.hexdigest()}", md5s)


def fingerprint(layer: Layer) -> t.Optional[str]:
    """A digest that two layers share only if their content is the same; None where finding it is no quicker than measuring.

    It is taken over what is stored in an archive, so nothing is unpacked. Unlike a diff_id it may differ for equal content.
    """
    digest = hashlib.new(quickest_hash(), _FORMAT)
    for entry in with_parents(layer.entries):
        digest.update(f"{entry.kind} {entry.mode:o} {entry.size} {entry.target!r} {entry.path!r}\n".encode())
        if entry.kind == FILE:
            if entry.raw is None:
                return None
            try:
                entry.raw(digest.update)
            except (OSError, EOFError):
                return None  # reading the content tells what is wrong with it
    return f"{digest.name}:{digest.hexdigest()}"


@cache
def quickest_hash(processor: str = "/proc/cpuinfo") -> str:
    """sha256 where the processor has instructions for it, else blake2b, which is as strong and then twice as fast.

    Only for what this machine remembers: another one may choose otherwise.
    """
    try:
        with open(processor, encoding="utf-8", errors="replace") as stream:
            return "sha256" if _SHA_FLAGS & set(stream.read(_FIRST_PROCESSOR).split()) else "blake2b"
    except OSError:
        return "blake2b"


def recall(layer: Layer, memory: Memory) -> t.Tuple[t.Optional[str], t.Optional[Measured]]:
    """The layer's fingerprint, and what it measured when this machine read the same before."""
    key = fingerprint(layer)
    found = memory.get("layers", key) if key else None
    return key, Measured(found["diff_id"], found["md5s"]) if found else None


def remember(key: t.Optional[str], measured: Measured, memory: Memory) -> None:
    """Keep what a layer of this fingerprint measured."""
    if key:
        memory.put("layers", key, {"diff_id": measured.diff_id, "md5s": dict(measured.md5s)})
        memory.put("diff_ids", measured.diff_id, {})


def seen(diff_id: str, memory: Memory) -> bool:
    """Whether this machine remembers a layer of that diff_id, by some fingerprint."""
    return memory.get("diff_ids", diff_id) is not None


def pack_ahead(layer: Layer, method: str, count: t.Optional[Count] = None) -> Ahead:
    """Pack a layer of at most IN_MEMORY bytes, and keep it: for one that is probably new, this saves reading it twice."""
    out = io.BytesIO()
    packed = pack(layer, method, out, count)
    return Ahead(packed, out.getvalue())


def pack(layer: Layer, method: str, out: t.Optional[t.IO[bytes]], count: t.Optional[Count] = None) -> Packed:
    """Read the whole layer once and write its compressed form to `out` (None: only say what it would be)."""
    md5s: t.Dict[str, str] = {}
    diff, digest, size = hashlib.sha256(), hashlib.sha256(), 0
    squeeze = compressor(method, layer.entries)

    def take(data: bytes) -> int:
        digest.update(data)
        if out is not None:
            _write(out, data)
        return len(data)

    for piece in tar_pieces(layer.entries, md5s):
        diff.update(piece)
        size += take(squeeze.compress(piece))
        if count:
            count(len(piece))
    size += take(squeeze.flush())
    return Packed(Measured(f"sha256:{diff.hexdigest()}", md5s), f"sha256:{digest.hexdigest()}", size)


def _write(out: t.IO[bytes], data: bytes) -> None:
    try:
        out.write(data)
    except OSError as error:
        raise SlipwayError(
            f"{tempfile.gettempdir()} cannot take a layer until it is uploaded: {error.strerror or error}. Make room, or set "
            "TMPDIR to another folder. Nothing was pushed under the image's name."
        ) from error


def scratch() -> t.IO[bytes]:
    """A nameless file for one layer, gone when it is closed or the process ends."""
    return t.cast("t.IO[bytes]", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))


class FromStart:
    """A file's content once more, for one try of an upload, which leaves the file open."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        stream.seek(0)
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


def layer_type(method: str, docker: bool) -> str:
    """The media type of a layer; zstd exists only in OCI images."""
    return _DOCKER[method] if docker else _OCI[method]


def method_of(media_type: str) -> t.Optional[str]:
    """The compression that a layer's media type names, None for one that Slipway never makes."""
    for names in (_OCI, _DOCKER):
        for method, name in names.items():
            if name == media_type:
                return method
    return None


def as_oci(descriptor: types.Descriptor) -> t.Dict[str, t.Any]:
    """A layer's descriptor for an OCI manifest."""
    data = descriptor.to_dict()
    data["mediaType"] = _AS_OCI.get(descriptor.media_type, descriptor.media_type)
    return data
