# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check finds, and how people read it."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

ERROR, WARNING, INFO = "error", "warning", "info"
_ORDER = {ERROR: 0, WARNING: 1, INFO: 2}


@dataclass(frozen=True)
class Finding:
    """`check` is the rule's name; `file` and `line` (from 1) are None where a finding is about the environment's keys."""

    check: str
    severity: str
    message: str
    key: t.Optional[str] = None
    file: t.Optional[str] = None
    line: t.Optional[int] = None

    def as_dict(self) -> t.Dict[str, t.Any]:
        return asdict(self)


def ordered(findings: t.Iterable[Finding]) -> t.List[Finding]:
    """Errors first, then by place."""
    return sorted(
        dict.fromkeys(findings),
        key=lambda found: (_ORDER[found.severity], found.file or "", found.line or 0, found.key or "", found.message),
    )


def table(findings: t.Iterable[Finding]) -> str:
    """One line a finding: severity, place, key, message."""
    rows = [(found.severity, _place(found), found.key or "", found.message) for found in findings]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths) if width), row[3]]) for row in rows
    )


def _place(found: Finding) -> str:
    if found.file is None:
        return "environment"
    return f"{found.file}:{found.line}" if found.line else found.file
