# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error tree: every failure that Slipway foresees is one of these, and the shells turn it into fail_json."""

from __future__ import annotations

import typing as t


class SlipwayError(Exception):
    """A foreseen failure.

    `msg` says what was tried, where, what came back, what is running now and what to do next; `facts` are further
    keys of the task's result (`why`, `container`, `timings`, ...), plain JSON data.
    """

    def __init__(self, msg: str, **facts: t.Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.facts = facts


class ParameterError(SlipwayError):
    """An option's value cannot work, whatever the systems say: found before anything is contacted."""


class UnreachableError(SlipwayError):
    """A system could not be talked to: no address, no route, refused, timed out, TLS not trusted.

    The failed task's result says `reachable: false`, so that a play can tell a host that is away from one that is ill.
    """

    def __init__(self, msg: str, **facts: t.Any) -> None:
        super().__init__(msg, **{"reachable": False, **facts})


class DeniedError(SlipwayError):
    """A system answered, and refused who we are or what we asked for."""


class ConflictError(SlipwayError):
    """Somebody else holds, changed or owns what this task would change; nothing was overwritten."""


class DeadlineError(SlipwayError):
    """A wait ended by its deadline."""


class MissingLibraryError(SlipwayError):
    """A Python package that this task needs is not installed where it runs."""
