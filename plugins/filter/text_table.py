# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as a table for a terminal."""

from __future__ import annotations

import typing as t


def text_table(
    rows: t.Sequence[t.Mapping[str, t.Any]], columns: t.Sequence[str], cut: t.Optional[t.Mapping[str, int]] = None
) -> t.List[str]:
    """One line for the headings and one for each row, columns padded to their widest cell.

    `cut` gives the columns that are cut short, digests and the like, and after how many characters.
    """
    cells = [[name.upper().replace("_", " ") for name in columns]]
    cells += [[_cell(row.get(name))[: (cut or {}).get(name)] for name in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def _cell(value: t.Any) -> str:
    if value is None or value == "":
        return "-"
    return " ".join(str(value).split())


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"text_table": text_table}
