# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ruff: what it finds, and its format."""

from __future__ import annotations


def test_ruff_finds_nothing(development, passes):
    passes([development.tool("ruff"), "check", "--no-cache", "."])


def test_ruff_would_format_nothing(development, passes):
    passes([development.tool("ruff"), "format", "--no-cache", "--diff", "."])
