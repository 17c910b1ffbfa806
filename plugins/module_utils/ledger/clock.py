# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times in the ledger: UTC, as ISO 8601 text of one width, so that they sort as text in every database."""

from __future__ import annotations

import datetime
import typing as t

Clock = t.Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The machine's time, aware, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(moment: datetime.datetime) -> str:
    """`2026-03-01T09:30:00.000Z`: milliseconds, always 24 characters. A moment without a zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
    utc = aware.astimezone(datetime.timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime.datetime:
    """The other way round: a stamp as an aware datetime."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)


def later(text: str, seconds: float) -> str:
    """The stamp `seconds` after the stamp `text`."""
    return stamp(moment(text) + datetime.timedelta(seconds=seconds))
