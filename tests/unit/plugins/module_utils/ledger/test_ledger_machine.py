# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories that nobody thought of: the ledger beside a model that keeps a plain pile of what was healthy."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.ledger.ledger_helper import Ledger
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

VERSIONS = st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])
HEALTHY = "healthy"


class Deployments(RuleBasedStateMachine):
    """Deploys, rollbacks, failures and kills of one app in one environment.

    The model: `pile` is what one would go back through, the current version on top; `left` is set while an attempt may
    have left hosts on its release; `open_as` is the version and kind of a release whose run was killed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.ledger = Ledger(str(Path(self.folder) / "ledger.db"))
        self.pile: list[str] = []
        self.healthy: list[int] = []
        self.last = 0
        self.left = False
        self.open_as: tuple[str, str] | None = None
        self.answer = self.ledger.info(limit=1000)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def begin(self, version: str, kind: str) -> int | None:
        """Open a release and compare with what the model expects; None when there is nothing to do."""
        opened = self.ledger.opened(version, kind=kind)
        number = opened["release"]["number"]
        if self.open_as == (version, kind):
            assert (opened["resumed"], number) == (True, self.last)
        elif self.open_as is None and not self.left and self.pile and self.pile[-1] == version:
            assert (opened["reused"], opened["changed"], number) == (True, False, self.healthy[-1])
            return None
        else:
            assert (opened["resumed"], opened["reused"], number) == (False, False, self.last + 1)
            assert opened["abandoned"] == (self.last if self.open_as else None)
            self.left = self.left or self.open_as is not None
            self.last = number
        self.open_as = (version, kind)
        return number

    def end(self, number: int, outcome: str) -> None:
        self.ledger.task("closed", release=number, outcome=outcome)
        version, kind = self.open_as or ("", "")
        self.open_as = None
        if outcome == HEALTHY:
            self.healthy.append(number)
            self.left = False
            if kind == "rollback" and version in self.pile:
                while self.pile[-1] != version:
                    self.pile.pop()
            elif not self.pile or self.pile[-1] != version:
                self.pile.append(version)
        elif outcome == "mixed":
            self.left = True

    @rule(version=VERSIONS, outcome=st.sampled_from([HEALTHY, HEALTHY, HEALTHY, "reverted", "failed", "mixed"]))
    def deploy(self, version: str, outcome: str) -> None:
        number = self.begin(version, "deploy")
        if number is not None:
            self.end(number, outcome)

    @rule(version=VERSIONS)
    def killed_deploy(self, version: str) -> None:
        self.begin(version, "deploy")

    @precondition(lambda self: self.answer["rollback_target"] is not None)
    @rule(outcome=st.sampled_from([HEALTHY, HEALTHY, "reverted", None]))
    def rollback(self, outcome: str | None) -> None:
        """Back to wherever the ledger says; without an outcome the run is killed on its way."""
        number = self.begin(self.answer["rollback_target"]["version"], "rollback")
        if number is not None and outcome is not None:
            self.end(number, outcome)

    @invariant()
    def agree(self) -> None:
        self.answer = self.ledger.info(limit=1000)
        self.numbers_have_no_gap()
        self.current_is_the_last_healthy()
        self.target_lies_under_the_top_of_the_pile()

    def numbers_have_no_gap(self) -> None:
        history = self.answer["history"]
        assert [item["number"] for item in history] == list(range(self.last, 0, -1))
        assert sum(item["state"] == "open" for item in history) == (self.open_as is not None)

    def current_is_the_last_healthy(self) -> None:
        current = self.answer["current"]
        assert (current and current["number"]) == (self.healthy[-1] if self.healthy else None)
        assert (current and current["version"]) == (self.pile[-1] if self.pile else None)

    def target_lies_under_the_top_of_the_pile(self) -> None:
        target = self.answer["rollback_target"]
        if self.pile and not self.left and self.open_as is None:
            below = self.pile[-2] if len(self.pile) > 1 else None
            assert (target and target["version"]) == below
        else:
            assert (target is None) == (not self.pile)
        assert target is None or (target["state"] == HEALTHY and target["number"] in self.healthy)


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(
    max_examples=12, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
