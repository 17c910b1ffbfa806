# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.slipway.delivery` importable from any checkout, whatever its folder is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2 --dist loadgroup` one worker has the lab, test by test as without it, and the other everything else.

    A check's file shares what is dear to make (a copy of the collection, ansible-test's environments): it stays together.
    """
    for item in items:
        folder = item.path.relative_to(ROOT).parts[1]
        if folder in ("integration", "lab"):
            item.add_marker(pytest.mark.xdist_group("lab"))
        elif folder == "checks":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
