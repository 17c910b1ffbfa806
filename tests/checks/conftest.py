# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the checks: the environments, and a runner whose failure is the tool's own output."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from toolbox import cores, run, trees, venvs

Result = t.TypeVar("Result")


def pytest_report_header() -> t.List[str]:
    lines = [f"checks: {', '.join(map(str, cores.matrix()))}"]
    return lines + [f"checks: not covered on this machine: {gap}" for gap in cores.missing_from_matrix()]


def _or_fail(step: t.Callable[[], Result]) -> Result:
    try:
        return step()
    except run.ToolFailed as failure:
        said = str(failure)
    pytest.fail(said, pytrace=False)  # outside the except, or pytest prints the output a second time as its cause


@pytest.fixture(scope="session")
def passes() -> t.Callable[..., str]:
    """Run a command, or call what runs one, and return its output; a failure is all that the tool said."""

    def call(command: t.Union[t.Sequence[t.Union[str, Path]], t.Callable[[], str]], **options: t.Any) -> str:
        return _or_fail(command if callable(command) else lambda: run.run(command, **options))

    return call


@pytest.fixture(scope="session")
def development() -> venvs.Venv:
    return _or_fail(venvs.development)


@pytest.fixture(scope="session", params=cores.matrix(), ids=lambda core: f"core-{core.series}")
def core(request: pytest.FixtureRequest) -> cores.Core:
    """Each ansible-core of the matrix in turn."""
    return request.param


@pytest.fixture(scope="session")
def checkout_copy() -> Path:
    """The collection under a path that tools accept, without anything that the checks or a developer left behind."""
    return trees.collection_copy("-".join(["checks", *filter(None, [os.environ.get("PYTEST_XDIST_WORKER")])]))
