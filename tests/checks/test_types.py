# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mypy over the plugins, strict about what has no annotations."""

from __future__ import annotations

from toolbox import CACHE
from toolbox.run import environment


def test_plugins_are_typed(development, checkout_copy, passes):
    env = environment(MYPYPATH=str(checkout_copy.parents[2]))
    passes([development.python, "-m", "mypy", "--cache-dir", CACHE / "mypy", "plugins"], cwd=checkout_copy, env=env)
