# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of settings share."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd import revision


@pytest.fixture(scope="module", autouse=True)
def quick_revisions(request):
    """Revisions are slow on purpose. Tests that make thousands of them go without that."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.module.__name__.endswith("test_confd_revision"):
            patch.setattr(revision, "_ROUNDS", 1)
        revision._stretched.cache_clear()
        yield
    revision._stretched.cache_clear()
