# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time as other systems write them."""

from __future__ import annotations

import datetime
import re

_RFC3339 = re.compile(r"^(?P<second>[\d-]{10}[Tt ][\d:]{8})(?P<rest>\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)$")


def epoch(text: str) -> float:
    """An RFC 3339 time, with any number of digits after the second, in epoch seconds. ValueError if it is none."""
    match = _RFC3339.match(text)
    if not match:
        raise ValueError(text)
    offset = "+00:00" if match.group("offset") in "Zz" else match.group("offset")
    whole = datetime.datetime.fromisoformat(match.group("second").upper() + offset)
    return whole.timestamp() + float(match.group("rest") or 0)
