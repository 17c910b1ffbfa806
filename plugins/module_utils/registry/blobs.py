# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs on the wire: downloads checked byte by byte, uploads of a known length."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .answers import display_url, transport_error
from .errors import IntegrityError, RegistryError

try:
    import requests
    import urllib3
except ImportError:  # reported by the Operation's `requires`
    requests = None

CHUNK = 256 * 1024


class Readable(t.Protocol):
    """What an upload reads from."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end."""


@dataclass(frozen=True)
class Upload:
    """An upload session that the registry has opened; `location` is empty where none could be."""

    location: str = ""


class BlobStream:
    """A blob as it comes from a registry; a context manager and a `Readable`.

    At the end, size and digest have been checked: the read that would return b"" raises IntegrityError when they are
    not what was asked for. A connection that breaks is taken up where it broke, by `reopen` (the answer to a request for
    what lies behind so many bytes, None where the registry gives no parts); RegistryError with `transient` set when
    that brings nothing more.
    """

    def __init__(
        self,
        response: t.Any,
        digest: str,
        size: t.Optional[int],
        count: t.Callable[[int], None],
        reopen: t.Callable[[int], t.Any] = lambda _offset: None,
    ) -> None:
        self.digest = digest
        self.size = size
        self.received = 0
        self._response = response
        self._count = count
        self._reopen = reopen
        self._reopened_at = 0
        self._length = _content_length(response)
        self._hash = hashlib.new(digest.split(":", 1)[0])
        self._ended = False

    def __enter__(self) -> BlobStream:
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back, or drop it when there is more to come."""
        if not self._ended:
            self._response.raw.close()
        self._response.close()

    def read(self, size: int = CHUNK) -> bytes:
        while not self._ended:
            try:
                data = self._piece(size)
            except RegistryError as error:
                if not error.transient or not self._take_up():
                    raise
                continue
            if not data:
                self._finish()
                break
            self.received += len(data)
            self._hash.update(data)
            self._count(len(data))
            if self.size is not None and self.received > self.size:
                raise IntegrityError(f"{self._where()} is longer than the {self.size} bytes its manifest says.")
            return data
        return b""

    def _piece(self, size: int) -> bytes:
        """The next bytes, b"" at the end; a transient RegistryError when the connection broke."""
        try:
            data = self._response.raw.read(size, decode_content=False)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise transport_error(error, "GET", self._response.url) from error
        if not data and self._length is not None and self.received < self._length:
            failure = RegistryError(f"{self._where()} broke off after {self.received} of {self._length} bytes.")
            failure.transient = True
            raise failure
        return t.cast(bytes, data)

    def _take_up(self) -> bool:
        """Go on behind what was received; False when that brought nothing the last time, or cannot be done."""
        if self.received == self._reopened_at:
            return False
        response = self._reopen(self.received)
        if response is None:
            return False
        self._response.raw.close()
        self._response = response
        self._reopened_at = self.received
        return True

    def _finish(self) -> None:
        if self.size is not None and self.received != self.size:
            raise IntegrityError(f"{self._where()} has {self.received} bytes, its manifest says {self.size}.")
        actual = f"{self.digest.split(':', 1)[0]}:{self._hash.hexdigest()}"
        if actual != self.digest:
            raise IntegrityError(
                f"{self._where()} came with the digest {actual}.",
                advice="The registry's storage or something on the way is damaged: nothing of it was used.",
            )
        self._ended = True

    def _where(self) -> str:
        return f"Blob {self.digest} from {display_url(self._response.url)}"


def _content_length(response: t.Any) -> t.Optional[int]:
    text = response.headers.get("Content-Length") or ""
    return int(text) if text.isdigit() else None


class UploadBody:
    """A request body with a known length, hashed while it is sent; `offset` bytes are hashed only, as they are there.

    It has `len` and `__iter__` but no `read`: requests then sends one clean Content-Length, and in large pieces.
    """

    def __init__(
        self, source: Readable, digest: str, size: int, count: t.Callable[[int], None], offset: int = 0
    ) -> None:
        self.len = size - offset
        self._source = source
        self._digest = digest
        self._size = size
        self._offset = offset
        self._count = count

    def __iter__(self) -> t.Iterator[bytes]:
        # What comes from another registry checks itself; to hash it twice would be most of a copy's work.
        checks_itself = isinstance(self._source, BlobStream) and self._source.digest == self._digest
        checked = None if checks_itself else hashlib.new(self._digest.split(":", 1)[0])
        read = 0
        while True:
            try:
                data = self._source.read(CHUNK)
            except OSError as error:
                raise IntegrityError(f"Blob {self._digest} could not be read for its upload: {error}.") from error
            if not data:
                break
            read += len(data)
            if read > self._size:
                raise IntegrityError(f"Blob {self._digest} is longer than the {self._size} bytes announced.")
            if checked is not None:
                checked.update(data)
            if read == self._size:
                # Checked before the last piece leaves, so a wrong blob is never complete at the registry. For a blob that
                # comes from another registry this read runs that side's own check.
                self._finish(checked, self._source.read(1))
            piece = data[max(0, self._offset - (read - len(data))) :]
            if piece:
                yield piece
                self._count(len(piece))
        if read < self._size:
            raise IntegrityError(f"Blob {self._digest} ended after {read} of {self._size} bytes.")

    def _finish(self, checked: t.Any, rest: bytes) -> None:
        if rest:
            raise IntegrityError(f"Blob {self._digest} is longer than the {self._size} bytes announced.")
        if checked is None:
            return
        actual = f"{self._digest.split(':', 1)[0]}:{checked.hexdigest()}"
        if actual != self._digest:
            raise IntegrityError(f"What was to be uploaded as {self._digest} has the digest {actual}.")
