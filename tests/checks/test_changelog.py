# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""antsibull-changelog: fragments, the changelog itself, and that a release could be made from them today."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def tool(development, checkout_copy, passes):
    def call(*words, cwd=checkout_copy):
        return passes([development.tool("antsibull-changelog"), *words], cwd=cwd, env=development.environment())

    return call


def test_fragments(tool):
    tool("lint")


def test_changelog(tool):
    tool("lint-changelog-yaml", "--strict", "changelogs/changelog.yaml")


def test_a_release_can_be_made(tool, checkout_copy, tmp_path):
    copy = tmp_path / "ansible_collections" / "slipway" / "delivery"
    shutil.copytree(checkout_copy, copy)
    tool("release", "--version", "99.0.0", "--date", "2026-01-01", cwd=copy)
    assert "v99.0.0" in (copy / "CHANGELOG.rst").read_text()
