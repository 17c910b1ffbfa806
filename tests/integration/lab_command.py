# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab is commanded, by the machine's own Python, which has made it; and where it is."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "/usr/bin/python3"), str(ROOT / "tests" / "lab")]


def _layout() -> ModuleType:
    """The lab's own page of names and addresses, which needs nothing else of it."""
    spec = importlib.util.spec_from_file_location("lab_layout", ROOT / "tests" / "lab" / "layout.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


layout = _layout()
NETWORK = layout.SUBNET.rsplit(".", 1)[0]  # 10.213.77 of the first lab
