# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.slipway.delivery` importable from any checkout, whatever its folder is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".work" / "collections"


def _link_checkout() -> None:
    link = COLLECTIONS / "ansible_collections" / "slipway" / "delivery"
    if link.resolve() == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    os.symlink(ROOT, link, target_is_directory=True)


_link_checkout()
sys.path.insert(0, str(COLLECTIONS))

# Whether an example is quick says more about a busy machine than about the code; every wait in the code is bounded.
settings.register_profile("slipway", deadline=None)
settings.load_profile("slipway")
