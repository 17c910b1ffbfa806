# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module in the controller and as an ordinary module: same result, diff, check mode, warnings, secrets, errors."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import ways

pytestmark = pytest.mark.lab

TABLES = ways.tables()
CASES = [pytest.param(name, case, id=f"{name}: {case.name}") for name, table in TABLES.items() for case in table.cases]
MODULES = sorted(path.stem for path in (ways.ROOT / "plugins" / "modules").glob("*.py"))


@pytest.fixture(scope="module")
def records(request, lab, tmp_path_factory):
    """Both runs of a module's cases that were asked for. Modules keep out of each other's way, so two run at a time."""
    asked = {}
    for item in request.session.items:
        if item.nodeid.startswith("tests/integration/test_both_ways.py::test_case["):
            asked.setdefault(item.callspec.params["module"], []).append(item.callspec.params["case"])

    def both(module, cases, folder):
        return {way: ways.run(module, cases, way, folder, lab) for way in ways.WAYS}

    with ThreadPoolExecutor(max_workers=2) as pool:
        made = {
            module: pool.submit(both, module, cases, tmp_path_factory.mktemp(module)) for module, cases in asked.items()
        }
        yield lambda module: made[module].result()


def test_every_module_has_cases():
    assert sorted(TABLES) == MODULES


@pytest.mark.parametrize(("module", "case"), CASES)
def test_case(lab, records, module, case):
    both = records(module)
    for step, expected in case.expect.items():
        answers = {way: both[way].of(case.name, step) for way in ways.WAYS}
        for way, answer in answers.items():
            assert_expected(answer, expected, f"{step}, {way}")
        differs = TABLES[module].differs
        controller, ordinary = (ways.comparable(answers[way], way, differs) for way in ways.WAYS)
        unlike = list(ways.unlike(controller, ordinary))
        assert not unlike, "\n".join([f"{step} differs", *unlike])
    assert_check_mode_told_the_truth(both, case, TABLES[module].differs)
    assert_no_secret(both, case, [ways.filled(secret, lab) for secret in case.secrets])


def assert_expected(answer, expected, where):
    """`answer` has what the table says; a case that fails for another reason than meant must not pass."""
    said = json.dumps(answer, indent=1, default=str)
    assert answer["failed"] == expected.get("failed", False), f"{where}: {said}"
    assert re.search(expected.get("msg", ""), answer.get("msg", "")), f"{where}: {said}"
    assert re.search(expected.get("warns", ""), "\n".join(answer.get("warnings", []))), f"{where}: {said}"
    assert ("warns" in expected) == bool(answer.get("warnings")), f"{where}: {said}"
    for key in set(expected) - {"failed", "msg", "warns"}:
        assert answer[key] == expected[key], f"{where}: {key}: {said}"


def assert_check_mode_told_the_truth(both, case, differs):
    """A run right after check mode does what check mode said."""
    steps = list(case.expect)
    if "check" not in steps or steps[steps.index("check") + 1 :][:1] != ["run"]:
        return
    for way in ways.WAYS:
        foretold, real = (ways.comparable(both[way].of(case.name, step), way, differs) for step in ("check", "run"))
        assert [foretold.get(key) for key in ("changed", "diff", "failed")] == [
            real.get(key) for key in ("changed", "diff", "failed")
        ], way


def assert_no_secret(both, case, secrets):
    for way, record in both.items():
        results = json.dumps([record.of(case.name, step) for step in case.expect])
        for secret in secrets:
            assert secret not in results, f"{way}: a secret stands in a result"
            assert secret not in record.output, f"{way}: a secret stands in the output"
