# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger of its own for every test."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.ledger.ledger_helper import Ledger


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(str(tmp_path / "state" / "ledger.db"))
