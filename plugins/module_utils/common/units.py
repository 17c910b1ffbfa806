# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and sizes as people write them."""

from __future__ import annotations

import re
import typing as t

from .errors import ParameterError

_DURATION = re.compile(
    r"^(?:(?P<d>\d+(?:\.\d+)?)d)?(?:(?P<h>\d+(?:\.\d+)?)h)?"
    r"(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+(?:\.\d+)?)ms)?$"
)
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SIZE = re.compile(r"^(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)(?:i?b)?$", re.IGNORECASE)
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def seconds(value: t.Any, option: str) -> float:
    """`1m30s`, `500ms`, `2h`, `30d` or a number of seconds, as seconds. ParameterError names `option`."""
    text = str(value).strip()
    if re.match(r"^\d+(\.\d+)?$", text):
        return float(text)
    match = _DURATION.match(text)
    if not text or not match:
        raise ParameterError(
            f"{option}: {value!r} is no duration; write for example 1m30s, 500ms or a number of seconds."
        )
    return sum(float(number) * _SECONDS[unit] for unit, number in match.groupdict().items() if number)


def size(value: t.Any, option: str) -> int:
    """`512m`, `1g` (powers of 1024, as Docker reads them) or a number of bytes, as bytes. ParameterError names `option`."""
    match = _SIZE.match(str(value).strip())
    if not match:
        raise ParameterError(f"{option}: {value!r} is no size; write for example 512m, 1g or a number of bytes.")
    return int(float(match.group("number")) * _BYTES[match.group("unit").lower()])
