# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""antsibull-docs: the documentation of every module and role is valid, and every reference in it leads somewhere."""

from __future__ import annotations


def test_collection_documentation(development, checkout_copy, passes):
    env = development.environment(ANSIBLE_COLLECTIONS_PATH=str(checkout_copy.parents[2]))
    strict = ["--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs"]
    passes([development.tool("antsibull-docs"), "lint-collection-docs", *strict, "."], cwd=checkout_copy, env=env)
