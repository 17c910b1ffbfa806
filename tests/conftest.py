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


def _take_a_lab() -> None:
    """Each pytest-xdist worker has a lab of its own, so that one may break what another one's tests need."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    os.environ["SLIPWAY_LAB"] = str(int(os.environ.get("SLIPWAY_LAB") or 1) + int(worker.removeprefix("gw")))


_link_checkout()
_take_a_lab()
sys.path.insert(0, str(COLLECTIONS))

# What takes minutes, longest first: a worker that began with one of these last would be waited for.
LONG = (
    "tests/integration/test_faults_swap.py",
    "tests/checks/test_sanity.py",
    "tests/integration/test_faults_rollout.py",
    "tests/integration/test_delivery.py",
    "tests/integration/test_rollout_policies.py",
    "tests/integration/test_defects.py",
    "tests/integration/test_edge_moves.py",
    "tests/integration/test_both_ways.py",
    "tests/integration/test_samples.py",
    "tests/checks/test_other_cores.py",
    "tests/integration/",
    "tests/lab/",
    "tests/checks/",
)
EACH_TEST_ALONE = ("tests/checks/test_sanity.py", "tests/checks/test_other_cores.py")

# Whether an example is quick says more about a busy machine than about the code; every wait in the code is bounded.
settings.register_profile("thorough", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)  # the inner loop, and cores after the reference one
settings.load_profile(os.environ.get("SLIPWAY_EXAMPLES") or "thorough")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a rank in the order of collection, which is the same in every worker."""

    def rank(item: pytest.Item) -> int:
        return next((number for number, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """With `--dist loadscope --no-loadscope-reorder` a file is one worker's, as what is dear to make is a file's own fixture,
    and workers take files in the order above.
    """
    return Files(config, log) if config.getvalue("dist") == "loadscope" else None


class Files(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return nodeid if file in EACH_TEST_ALONE else file
