# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mypy over the plugins, strict about what has no annotations."""

from __future__ import annotations

from toolbox import CACHE, COLLECTION


def test_plugins_are_typed(development, checkout_copy, passes):
    # From above the collection, so that every file has one module name, the one it is imported by.
    settings = ["--config-file", checkout_copy / "pyproject.toml", "--cache-dir", CACHE / "mypy"]
    passes([development.python, "-m", "mypy", *settings, COLLECTION / "plugins"], cwd=checkout_copy.parents[2])
