# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock: one holder, a lease that runs out, a number that only grows, and no way back for who lost it."""

from __future__ import annotations

import time

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError


def test_taken_renewed_and_given_back(ledger):
    taken = ledger.task("locked", lock_owner="run-1", owner="ann", build_url="https://u:t@ci.example.com/7")
    assert (taken["changed"], taken["fence"]) == (True, 1)
    assert taken["lock"]["expires"] == "2026-03-01T09:40:00.000Z"
    assert taken["lock"]["build_url"] == "https://ci.example.com/7"
    ledger.clock.forward(300)
    renewed = ledger.task("locked", lock_owner="run-1", lease="1h")
    assert (renewed["changed"], renewed["fence"]) == (False, 1)
    assert renewed["lock"]["since"] == "2026-03-01T09:30:00.000Z"
    assert ledger.info()["lock"]["expires"] == "2026-03-01T10:35:00.000Z"
    back = ledger.task("unlocked", lock_owner="run-1")
    assert (back["changed"], back["lock"]) == (True, None)
    assert ledger.info()["lock"] is None
    assert not ledger.task("unlocked", lock_owner="run-1")["changed"]
    assert ledger.task("locked", lock_owner="run-1")["fence"] == 2  # given back by itself: it may begin again


def test_another_run_is_refused_and_told_by_whom(ledger):
    ledger.task("locked", lock_owner="run-1", owner="ann", build_url="https://ci.example.com/7")
    ledger.clock.forward(1)
    with pytest.raises(ConflictError) as refused:
        ledger.task("locked", lock_owner="run-2", owner="bob")
    for word in ("ann on ", "https://ci.example.com/7", "since 2026-03-01T09:30:00.000Z", "until 2026-03-01T09:40:00"):
        assert word in refused.value.msg
    assert refused.value.facts["lock"]["lock_owner"] == "run-1"
    assert ledger.task("locked", lock_owner="run-2", environment_name="test")["changed"]
    assert ledger.task("locked", lock_owner="run-2", app="power")["changed"]


def test_waiting_ends_by_its_deadline(ledger):
    ledger.task("locked", lock_owner="run-1")
    started = time.monotonic()
    with pytest.raises(ConflictError, match=r"Waited 0\.6 s for it"):
        ledger.task("locked", lock_owner="run-2", lock_wait="600ms")
    assert 0.6 <= time.monotonic() - started < 5


def test_an_expired_lease_is_taken_over_and_the_loser_stays_out(ledger):
    ledger.task("locked", lock_owner="run-1", owner="ann")
    ledger.clock.forward(601)
    assert ledger.info()["lock"]["expired"]
    taken = ledger.task("locked", lock_owner="run-2", owner="bob")
    assert (taken["changed"], taken["fence"]) == (True, 2)
    assert "Took over the expired lock of ann on " in ledger.warnings[0]
    for _again in range(2):
        with pytest.raises(ConflictError, match=r"lost the lock .* \(fence 1\) expired and was taken over by bob"):
            ledger.task("locked", lock_owner="run-1")
        with pytest.raises(ConflictError, match="lost the lock"):
            ledger.opened("1.0.0", lock_owner="run-1")
        ledger.task("unlocked", lock_owner="run-2")  # the second time round the lock is free, and still not run-1's


def test_an_expired_lease_that_nobody_took_is_renewed(ledger):
    ledger.task("locked", lock_owner="run-1")
    ledger.clock.forward(3600)
    renewed = ledger.task("locked", lock_owner="run-1")
    assert (renewed["changed"], renewed["fence"], renewed["lock"]["expired"]) == (False, 1, False)


def test_unlocking_what_another_holds(ledger):
    ledger.task("locked", lock_owner="run-1", owner="ann")
    kept = ledger.task("unlocked", lock_owner="run-2")
    assert (kept["changed"], kept["lock"]["lock_owner"]) == (False, "run-1")
    assert "is not this run's; it stays with ann" in ledger.warnings[0]
    forced = ledger.task("unlocked", force=True, owner="carol")
    assert forced["changed"]
    assert forced["diff"]["before"]["lock_owner"] == "run-1"
    with pytest.raises(ConflictError, match="was ended by force by carol"):
        ledger.task("locked", lock_owner="run-1")


def test_opening_asks_for_the_lock_when_it_is_told_whose(ledger):
    ledger.task("locked", lock_owner="run-1", owner="ann")
    with pytest.raises(ConflictError, match="locked by ann"):
        ledger.opened("1.0.0", lock_owner="run-2")
    assert ledger.info()["history"] == []
    assert ledger.opened("1.0.0", lock_owner="run-1")["changed"]


def test_check_mode_neither_takes_nor_renews(ledger):
    ledger.task("locked", lock_owner="run-1")
    ledger.clock.forward(60)
    assert ledger.task("locked", True, lock_owner="run-1")["lock"]["expires"] == "2026-03-01T09:41:00.000Z"
    assert ledger.info()["lock"]["expires"] == "2026-03-01T09:40:00.000Z"
    with pytest.raises(ConflictError, match="is locked by"):
        ledger.task("locked", True, lock_owner="run-2")
    assert ledger.task("unlocked", True, lock_owner="run-1")["changed"]
    assert ledger.info()["lock"]["lock_owner"] == "run-1"


def test_a_lease_without_an_owner_names_the_user(ledger, monkeypatch):
    monkeypatch.setenv("LOGNAME", "dora")
    assert ledger.task("locked", lock_owner="run-1")["lock"]["owner"] == "dora"
