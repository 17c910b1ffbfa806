# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers on their way to or from a registry, as the engine's stream of a pull, a push or a build tells of them."""

from __future__ import annotations

import typing as t

from ..common.progress import Meter

_MOVES = ("Downloading", "Pushing")
_UNPACKS = "Extracting"
_MOVED = ("Download complete", "Pull complete", "Pushed")


class Transfers:
    """Adds up what the engine says of each layer, and tells `meter`.

    An engine speaks of bytes only while a layer is on its way, so the total grows as layers begin. What it unpacks has the
    size of what it fetched, which counts a layer whose download was too quick to be told of.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._done: t.Dict[str, int] = {}
        self._size: t.Dict[str, int] = {}

    @property
    def fetched(self) -> int:
        """Bytes that were moved so far."""
        return sum(self._done.values())

    def take(self, message: t.Mapping[str, t.Any]) -> None:
        """One object of the stream; those about something else are passed over."""
        layer, status = str(message.get("id") or ""), str(message.get("status") or "")
        if not layer:
            return
        detail = message.get("progressDetail") or {}
        current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
        if status in _MOVES and current:
            self._move(layer, current, total)
        elif status == _UNPACKS and total:
            self._move(layer, total, total)
        elif status in _MOVED and layer in self._size:
            self._done[layer] = self._size[layer]
        else:
            return
        unpacking = f"unpacking {layer}" if status == _UNPACKS else ""
        self._meter.set(self.fetched, sum(self._size.values()))
        self._meter.note(unpacking)

    def _move(self, layer: str, current: int, total: int) -> None:
        # A pushed layer is measured unpacked, by a total that may be short of what comes.
        self._size[layer] = max(total, current, self._size.get(layer, 0))
        self._done[layer] = max(current, self._done.get(layer, 0))
