# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, every test of it, on the oldest, the reference and the newest ansible-core; and the unit tests."""

from __future__ import annotations

import pytest
from toolbox import cores, sanity


def test_sanity(core, core_venv, checkout_copy, passes):
    env = sanity.environment(core_venv, checkout_copy)
    output = passes(sanity.command(core_venv), cwd=checkout_copy, env=env, timeout=1800)
    # ansible-test only warns, and ends with 0, when a test could not run.
    unexpected = [line for line in output.splitlines() if sanity.unexpected_warning(line)]
    if unexpected:
        pytest.fail("\n".join([output, "Warnings that are not expected:", *unexpected]), pytrace=False)


def test_no_rule_is_ignored(checkout_copy):
    ignores = {path: path.read_text().splitlines() for path in checkout_copy.glob("tests/sanity/ignore-*.txt")}
    without_reason = [f"{path.name}: {line}" for path, lines in ignores.items() for line in lines if " # " not in line]
    assert not without_reason


def test_the_machine_covers_the_whole_range():
    """Not a defect of the collection, so a skip; but the reader is told."""
    gaps = cores.missing_from_matrix()
    if gaps:
        pytest.skip(f"{'; '.join(gaps)}; tested instead: {', '.join(map(str, cores.matrix()))}")
