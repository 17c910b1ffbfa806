# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the lab's facts, the collection on the path, and a table."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".work" / "collections"
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "/usr/bin/python3"), str(ROOT / "tests" / "lab")]

sys.path.insert(0, str(COLLECTIONS))


def lab() -> t.Dict[str, str]:
    """The KEY=VALUE facts of the running lab."""
    printed = subprocess.run([*LAB, "env"], check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(printed))


def show(title: str, head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}")
    for line in [head, ["-" * width for width in widths], *rows]:
        first, *numbers = (cell.rjust(width) for cell, width in zip(line, widths))
        print("  " + "  ".join([first.strip().ljust(widths[0]), *numbers]))
