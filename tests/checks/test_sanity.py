# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, every test of it, on the oldest, the reference and the newest ansible-core of this machine."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from toolbox import cores, run, sanity, trees, venvs


def output_of(core):
    """What ansible-test says on that core: minutes, mostly of one CPU."""
    venv = venvs.for_core(core)
    tree = trees.collection_copy(f"sanity-{core.series}")
    return run.run(sanity.command(venv, core), cwd=tree, env=sanity.environment(venv, tree), timeout=3600)


@pytest.fixture(scope="module")
def answer(request):
    """Asks ansible-test of a core: two cores at a time, or one where another pytest worker keeps the other CPU busy."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        yield output_of
        return
    asked = {
        item.callspec.params["core"] for item in request.session.items if "test_sanity.py::test_sanity[" in item.nodeid
    }
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {core: pool.submit(output_of, core) for core in cores.matrix() if core in asked}
        yield lambda core: running[core].result()


def test_sanity(core, answer, passes):
    output = passes(lambda: answer(core))
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
