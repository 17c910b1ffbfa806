# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab is commanded: by the machine's own Python, which has made it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "/usr/bin/python3"), str(ROOT / "tests" / "lab")]
