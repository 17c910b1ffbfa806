# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and sizes."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common import units
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30.0), (5, 5.0), (0.5, 0.5), ("1m30s", 90.0), ("500ms", 0.5), ("2h", 7200.0), ("1h1m1s1ms", 3661.001)],
)
def test_seconds(text, expected):
    assert units.seconds(text, "deadline") == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1x", "5 s", "1s30m", None])
def test_seconds_names_the_option(text):
    with pytest.raises(ParameterError, match=r"gate\.deadline"):
        units.seconds(text, "gate.deadline")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_seconds_adds_up(hours, minutes, secs):
    assert units.seconds(f"{hours}h{minutes}m{secs}s", "x") == hours * 3600 + minutes * 60 + secs


@pytest.mark.parametrize(
    ("text", "expected"),
    [("512m", 512 * 1024**2), ("1g", 1024**3), (1024, 1024), ("1.5k", 1536), ("2GiB", 2 * 1024**3), ("0", 0)],
)
def test_size(text, expected):
    assert units.size(text, "memory") == expected


@pytest.mark.parametrize("text", ["", "lots", "-1m", "1x", None])
def test_size_names_the_option(text):
    with pytest.raises(ParameterError, match="memory"):
        units.size(text, "memory")
