# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What app_image tells: facts of layers and artifact, both sides of the diff, seconds for each step."""

from __future__ import annotations

import time
import typing as t

from ..registry.reference import Reference
from . import config
from .base import Image
from .checksums import FileSums, Sums


class Stopwatch:
    """Seconds between laps, by name."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = clock()
        self._laps: t.Dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under `name`."""
        now = self._clock()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._last
        self._last = now

    def total(self) -> t.Dict[str, float]:
        """All laps and their `total`, rounded to milliseconds."""
        laps = {**self._laps, "total": self._clock() - self._start}
        return {name: round(seconds, 3) for name, seconds in laps.items()}


def artifact_facts(path: str, sums: t.Union[Sums, FileSums, None], content_md5: t.Optional[str]) -> t.Dict[str, t.Any]:
    """The result's `artifact`."""
    facts: t.Dict[str, t.Any] = {"path": path, "content_md5": content_md5}
    if sums is not None:
        facts.update(size=sums.size, md5=sums.md5, sha256=sums.sha256)
    return facts


def layer_facts(made: t.Any) -> t.Dict[str, t.Any]:
    """One item of the result's `layers`."""
    return {
        "kind": made.layer.kind,
        "dest": made.layer.dest,
        "digest": made.digest,
        "diff_id": made.measured.diff_id,
        "size": made.size,
        "files": made.layer.files,
        "reused": made.reused,
    }


def image_view(reference: Reference, image: Image) -> t.Dict[str, t.Any]:
    """An image as the diff shows it: its digest, its layers with what history says of them, how it runs."""
    run = dict(image.config.get("config") or {})
    run["Labels"] = {name: text for name, text in config.labels_of(image.config).items() if name != config.LABEL_SOURCE}
    ids = config.diff_ids(image.config)
    history = [item for item in image.config.get("history") or () if not item.get("empty_layer")]
    notes = [str(item.get("comment") or "") for item in history] if len(history) == len(ids) else [""] * len(ids)
    return {
        "image": str(reference),
        "digest": image.manifest.digest,
        "created": image.config.get("created"),
        "layers": [f"{diff_id} {note}".rstrip() for diff_id, note in zip(ids, notes)],
        "config": run,
    }
