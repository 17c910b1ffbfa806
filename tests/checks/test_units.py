# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests on the oldest and the newest ansible-core; `make unit` runs them on the reference one."""

from __future__ import annotations

import pytest
from toolbox import cores, run, venvs

OTHERS = [core for core in cores.matrix() if core.series != cores.REFERENCE]


@pytest.mark.parametrize("core", OTHERS, ids=lambda core: f"core-{core.series}")
def test_unit_tests(core, passes):
    venv = passes(lambda: venvs.for_core(core))
    passes(
        [venv.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "tests/unit"], env=run.environment()
    )
