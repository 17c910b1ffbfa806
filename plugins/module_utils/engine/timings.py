# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the steps of a task took, in seconds."""

from __future__ import annotations

import contextlib
import time
import typing as t

STEPS = ("pull", "create", "stop", "start", "gate", "outage")


class Timings:
    """Seconds by step; a step that was not needed is 0.0. Steps measured twice add up."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = dict.fromkeys(STEPS, 0.0)
        self._down_since: t.Optional[float] = None

    @contextlib.contextmanager
    def measure(self, step: str) -> t.Iterator[None]:
        start = self._clock()
        try:
            yield
        finally:
            self._seconds[step] += self._clock() - start

    def went_down(self) -> None:
        """From now on nothing serves."""
        if self._down_since is None:
            self._down_since = self._clock()

    def came_up(self, since: t.Optional[float] = None) -> None:
        """It serves again, since that time of the monotonic clock or since now."""
        if self._down_since is not None:
            moment = self._clock() if since is None else since
            self._seconds["outage"] += max(0.0, moment - self._down_since)
            self._down_since = None

    def facts(self) -> t.Dict[str, float]:
        """For the result, to the millisecond; an outage that has not ended counts up to now."""
        seconds = dict(self._seconds)
        if self._down_since is not None:
            seconds["outage"] += self._clock() - self._down_since
        return {step: round(value, 3) for step, value in seconds.items()}
