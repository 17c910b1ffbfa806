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
    not what was asked for. A connection that breaks raises RegistryError with `transient` set.
    """

    def __init__(self, response: t.Any, digest: str, size: t.Optional[int], count: t.Callable[[int], None]) -> None:
        self.digest = digest
        self.size = size
        self.received = 0
        self._response = response
        self._count = count
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
        if self._ended:
            return b""
        try:
            data = self._response.raw.read(size, decode_content=False)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise transport_error(error, "GET", self._response.url) from error
        if data:
            self.received += len(data)
            self._hash.update(data)
            self._count(len(data))
            if self.size is not None and self.received > self.size:
                raise IntegrityError(f"{self._where()} is longer than the {self.size} bytes its manifest says.")
            return t.cast(bytes, data)
        self._finish()
        return b""

    def _finish(self) -> None:
        expected = self._response.headers.get("Content-Length")
        if expected and expected.isdigit() and self.received < int(expected):
            failure = RegistryError(f"{self._where()} broke off after {self.received} of {expected} bytes.")
            failure.transient = True
            raise failure
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


class UploadBody:
    """A request body with a known length, hashed while it is sent.

    It has `len` and `__iter__` but no `read`: requests then sends one clean Content-Length, and in large pieces.
    """

    def __init__(self, source: Readable, digest: str, size: int, count: t.Callable[[int], None]) -> None:
        self.len = size
        self._source = source
        self._digest = digest
        self._count = count

    def __iter__(self) -> t.Iterator[bytes]:
        checked = hashlib.new(self._digest.split(":", 1)[0])
        sent = 0
        while True:
            try:
                data = self._source.read(CHUNK)
            except OSError as error:
                raise IntegrityError(f"Blob {self._digest} could not be read for its upload: {error}.") from error
            if not data:
                break
            sent += len(data)
            if sent > self.len:
                raise IntegrityError(f"Blob {self._digest} is longer than the {self.len} bytes announced.")
            checked.update(data)
            if sent == self.len:
                # Checked before the last piece leaves, so a wrong blob is never complete at the registry. For a blob that
                # comes from another registry this read also runs that side's own check.
                self._finish(checked, self._source.read(1))
            yield data
            self._count(len(data))
        if sent < self.len:
            raise IntegrityError(f"Blob {self._digest} ended after {sent} of {self.len} bytes.")

    def _finish(self, checked: t.Any, rest: bytes) -> None:
        actual = f"{self._digest.split(':', 1)[0]}:{checked.hexdigest()}"
        if rest:
            raise IntegrityError(f"Blob {self._digest} is longer than the {self.len} bytes announced.")
        if actual != self._digest:
            raise IntegrityError(f"What was to be uploaded as {self._digest} has the digest {actual}.")
