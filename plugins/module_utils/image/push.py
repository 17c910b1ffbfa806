# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting an image's blobs to where its manifest can name them, each by the cheapest way there is.

In this order: what an image of the repository has already costs nothing; what another repository of the registry has is
mounted; what is there for whatever reason is found by one HEAD; the rest is sent.
"""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

from ..common.progress import QUIET, Meter
from ..registry.client import RegistryClient
from ..registry.manifest import Descriptor, digest_of
from ..registry.reference import Reference
from .layering import Layer
from .pack import FromStart, Packed, pack, scratch


@dataclass
class Destination:
    """The repository an image is pushed to, and where its base comes from.

    `known` are digests of blobs that an image of the repository names. With `dry` nothing is written, and `foreseen` is the
    bytes that would have been sent; otherwise the client counts them. `reading` and `sending` follow the bytes of layers that
    are made, and of blobs that are sent.
    """

    client: RegistryClient
    repository: str
    base_client: RegistryClient
    base: Reference
    known: t.FrozenSet[str] = frozenset()
    dry: bool = False
    foreseen: int = 0
    warnings: t.List[str] = field(default_factory=list)
    reading: Meter = field(default_factory=lambda: QUIET.meter("build"))
    sending: Meter = field(default_factory=lambda: QUIET.meter("push"))
    _sent: t.Set[str] = field(default_factory=set, repr=False)  # small blobs that are there by now
    _lock: t.Any = field(default_factory=threading.Lock, repr=False)

    def bring_base(self, layer: Descriptor) -> None:
        """Make one layer of the base exist in the repository. Its bytes pass through unread, if they have to move at all."""
        same_registry = self.base.registry == self.client.host
        if layer.digest in self.known or layer.foreign or (same_registry and self.base.repository == self.repository):
            return
        upload = None
        if same_registry:
            if self.dry:
                return  # a mount is expected to work
            upload = self.client.mount_blob(self.repository, layer.digest, self.base.repository)
            if upload is None:
                return
        if self.client.has_blob(self.repository, layer.digest):
            if upload is not None:
                self.client.cancel_upload(self.repository, upload)
            return
        if self.dry:
            self._foresee(layer.size)
            return
        if same_registry:
            self.warnings.append(
                f"{self.client.host} would not mount a layer of {self.base} into {self.repository}, so {layer.size} bytes "
                "were sent instead. Let this login read the base's repository."
            )

        def stream() -> t.Any:
            return self.base_client.open_blob(self.base.repository, layer.digest, layer.size)

        self.sending.expect(layer.size)
        self.client.upload_blob(self.repository, layer.digest, layer.size, stream, upload)

    def bring_layer(self, layer: Layer, method: str) -> Packed:
        """Pack one layer and make it exist in the repository."""
        self.reading.expect(layer.bytes)
        if self.dry:
            packed = pack(layer, method, None, self.reading.add)
            if packed.digest not in self.known and not self.client.has_blob(self.repository, packed.digest):
                self._foresee(packed.size)
            return packed
        with scratch() as file:
            packed = pack(layer, method, file, self.reading.add)
            self._send(packed.digest, packed.size, lambda: FromStart(file))
        return packed

    def bring_bytes(self, raw: bytes, digest: str = "") -> str:
        """Make a small blob (a config) exist in the repository; its digest."""
        digest = digest or digest_of(raw)
        if digest in self._sent:
            return digest
        if not self.dry:
            self._send(digest, len(raw), lambda: _Bytes(raw))
        elif digest not in self.known and not self.client.has_blob(self.repository, digest):
            self._foresee(len(raw))
        self._sent.add(digest)
        return digest

    def _foresee(self, size: int) -> None:
        with self._lock:
            self.foreseen += size

    def _send(self, digest: str, size: int, stream: t.Callable[[], t.Any]) -> None:
        if digest not in self.known and not self.client.has_blob(self.repository, digest):
            self.sending.expect(size)
            self.client.upload_blob(self.repository, digest, size, stream)


class _Bytes:
    def __init__(self, raw: bytes) -> None:
        self._rest = raw

    def read(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
