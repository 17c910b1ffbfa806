# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest and the newest ansible-core; everything else runs on the reference one.

All unit tests, and real plays with a module that only reads of engine, registry and ledger, in the controller and as
ordinary modules. Properties are tried with fewer examples than on the reference core: what depends on the core shows with few.
"""

from __future__ import annotations

import os

import pytest
from toolbox import cores, run, venvs

OTHERS = [core for core in cores.matrix() if core.series != cores.REFERENCE]
on_others = pytest.mark.parametrize("core", OTHERS, ids=lambda core: f"core-{core.series}")


@pytest.fixture
def pytest_of(passes):
    def call(core, *words):
        venv = passes(lambda: venvs.for_core(core))
        env = run.environment(SLIPWAY_EXAMPLES="quick")
        passes([venv.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words], env=env)

    return call


@on_others
def test_unit_tests(core, pytest_of):
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    pytest_of(core, *(["-n", "2"] if alone else []), "tests/unit")


@pytest.mark.lab
@on_others
def test_plays(core, pytest_of):
    pytest_of(
        core,
        "tests/integration/test_both_ways.py",
        "-k",
        "(container_info or image_info or release_info) and not argument",
    )
