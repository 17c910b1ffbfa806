# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits that end: every loop that waits for another system holds one of these."""

from __future__ import annotations

import time
import typing as t


class Deadline:
    """`seconds` from now on the monotonic clock, which a wrong wall clock cannot move."""

    def __init__(self, seconds: float, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._start = clock()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed())

    def expired(self) -> bool:
        return self.remaining() <= 0.0

    def pause(self, seconds: float) -> None:
        """Sleep `seconds`, or what is left of the deadline if that is less."""
        time.sleep(min(seconds, self.remaining()))
