# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python of an ordinary ssh target: a virtual environment with docker-py and nothing of the collection's."""

from __future__ import annotations

import shutil

from lab.layout import CACHE
from lab.proc import run, say

_FOLDER = CACHE / "target-python"
PYTHON = _FOLDER / "bin/python"
_REQUIREMENT = "docker>=7.1"


def ensure() -> None:
    """Make it in the cache if it is not there."""
    stamp = _FOLDER / "slipway-lab.requirement"
    if stamp.exists() and stamp.read_text() == _REQUIREMENT:
        return
    say(f"making the target's Python ({_REQUIREMENT})")
    shutil.rmtree(_FOLDER, ignore_errors=True)
    run(["/usr/bin/python3", "-m", "venv", str(_FOLDER)], timeout=120)
    run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _REQUIREMENT], timeout=300)
    stamp.write_text(_REQUIREMENT)
