# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-lint over roles, playbooks and everything else it knows, with the strictest profile and no rule left out."""

from __future__ import annotations

from toolbox import CACHE


def test_production_profile(development, checkout_copy, passes):
    collections = str(checkout_copy.parents[2])
    env = development.environment(ANSIBLE_COLLECTIONS_PATH=collections, ANSIBLE_HOME=str(CACHE / "ansible-lint"))
    command = [development.tool("ansible-lint"), "--offline", "--profile", "production", "--nocolor", "--strict"]
    output = passes(command, cwd=checkout_copy, env=env)
    assert "Profile 'production' was required, and it passed" in output
