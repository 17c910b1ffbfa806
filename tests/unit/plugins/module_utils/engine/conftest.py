# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in memory, and app_container asked of it."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine, task


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def run(engine, monkeypatch):
    def go(check_mode=False, **wanted):
        return task(engine, monkeypatch, check_mode, **wanted)

    return go
