# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that change an engine, by name, and the seam at which tests interrupt them.

`step` is called as `steps.step(name)` right after each step has been done. It does nothing; a test puts a kill in its
place and then looks at what the next run makes of it.
"""

from __future__ import annotations

# A swap, in its order.
SWAP = (
    "pulled",
    "created",
    "joined",
    "disarmed",
    "stopped",
    "started",
    "gated",
    "soaked",
    "cleared",
    "retired",
    "promoted",
    "armed",
    "discarded",
)
# State rolled_back begins with this one, and goes on with `disarmed`.
ROLLBACK = ("restoring",)
# Going back, after a failed gate or by the run that finds an interrupted swap.
REVERT = ("reverting", "restarted", "rearmed", "renamed", "removed")


def step(name: str) -> None:
    """The step `name` has been done."""
