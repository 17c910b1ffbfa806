# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.slipway.delivery` importable from any checkout, whatever its folder is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """With `-n 2 --dist loadscope` one worker has the lab, test by test as without it, and the other everything else.

    Other files stay together too: what is dear to make (ansible-test's environments) is a file's own fixture. The marker
    xdist_group would say the same, but pytest-xdist 3.8 does not heed it under pytest 9.2.
    """
    return Halves(config, log) if config.getvalue("dist") == "loadscope" else None


class Halves(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "lab" if file.startswith(("tests/integration/", "tests/lab/")) else file
