# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes at once: numbers stay unique, one run holds the lock, a killed writer leaves no trace."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError
from ansible_collections.slipway.delivery.plugins.module_utils.ledger import schema, tables
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.store import open_store
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.ledger.ledger_helper import Ledger, image

PROCESSES = 20
FORK = multiprocessing.get_context("fork")


def at_once(url, work):
    """`work(ledger, place)` in 20 processes that start together; what each of them returned."""
    barrier, answers = FORK.Barrier(PROCESSES), FORK.Queue()

    def body(place):
        ledger = Ledger(url)
        barrier.wait(30)
        try:
            answers.put(work(ledger, place))
        except BaseException as error:  # told to the test, which fails on it
            answers.put(error)
            raise

    workers = [FORK.Process(target=body, args=(place,)) for place in range(PROCESSES)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _worker in workers]
    for worker in workers:
        worker.join(60)
    return found


def test_opening_at_once_gives_unique_numbers(ledger):
    """On a ledger that does not exist yet: making it is part of the race."""
    numbers = at_once(ledger.url, lambda own, place: own.opened(f"1.{place}.0")["release"]["number"])
    assert sorted(numbers) == list(range(1, PROCESSES + 1))
    states = [item["state"] for item in ledger.info(limit=100)["history"]]
    assert states == ["open"] + ["abandoned"] * (PROCESSES - 1)


def test_locking_at_once_gives_one_holder(ledger):
    def take(own, place):
        try:
            return own.task("locked", lock_owner=f"run-{place}")["fence"]
        except ConflictError as error:
            return error.facts["lock"]["lock_owner"]

    answers = at_once(ledger.url, take)
    assert [answer for answer in answers if isinstance(answer, int)] == [1]
    assert {answer for answer in answers if isinstance(answer, str)} == {ledger.info()["lock"]["lock_owner"]}


def test_waiting_runs_hold_the_lock_one_after_another(ledger, tmp_path):
    """Each holder makes a file that must not be there yet: two holders at once would collide."""
    mark = str(tmp_path / "held")

    def take(own, place):
        fence = own.task("locked", lock_owner=f"run-{place}", lock_wait="60s")["fence"]
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        os.unlink(mark)
        own.task("unlocked", lock_owner=f"run-{place}")
        return fence

    assert sorted(at_once(ledger.url, take)) == list(range(1, PROCESSES + 1))


def test_recording_at_once_loses_nothing(ledger):
    number = ledger.opened("1.0.0")["release"]["number"]

    def record(own, place):
        return own.task("recorded", release=number, host=f"h{place}", outcome="switched")["changed"]

    assert at_once(ledger.url, record) == [True] * PROCESSES
    assert len(ledger.info()["hosts"]) == PROCESSES


def test_a_writer_killed_in_its_transaction_leaves_nothing(ledger):
    ledger.released("1.0.0")
    opened = FORK.Event()

    def hang():
        with open_store(ledger.url).writing() as session:
            session.counters("webapi", "prod", lock=True)
            session.count("webapi", "prod", last_release=7)
            session.conn.execute(tables.tables().releases.delete())
            session.conn.exec_driver_sql("PRAGMA cache_spill = 1")
            opened.set()
            signal.pause()

    writer = FORK.Process(target=hang)
    writer.start()
    assert opened.wait(30)
    assert ledger.info()["current"]["number"] == 1  # a reader does not wait for it, nor sees it
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(30)
    assert ledger.info()["current"]["number"] == 1
    assert ledger.released("1.1.0") == 2


def test_a_journal_that_a_killed_writer_left_is_rolled_back_even_by_a_reader(ledger, tmp_path):
    """The file half written, its journal beside it, as after a power cut: `release_info` reads the old state."""
    ledger.released("1.0.0")
    path = ledger.url
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    for number in range(2, 200):
        writer.execute(
            "INSERT INTO slipway_outcomes (app, environment, number, attempt, host, outcome, why, recorded_at)"
            " VALUES ('webapi', 'prod', ?, 1, 'h', 'switched', ?, 'x')",
            (number, "x" * 4000),
        )
    wreck = tmp_path / "wreck"
    wreck.mkdir()
    for name in ("ledger.db", "ledger.db-journal"):
        (wreck / name).write_bytes((tmp_path / "state" / name).read_bytes())
    writer.close()
    torn = Ledger(str(wreck / "ledger.db"))
    assert os.path.getsize(torn.url) > os.path.getsize(path)
    assert torn.info()["hosts"] == {}
    assert torn.info()["current"]["number"] == 1
    assert not (wreck / "ledger.db-journal").exists()


def test_tables_are_made_once(ledger):
    at_once(ledger.url, lambda own, place: own.task("built", **image(f"1.{place}.0"))["changed"])
    rows = sqlite3.connect(ledger.url).execute("SELECT version FROM slipway_schema").fetchall()
    assert rows == [(schema.LATEST,)]
    assert len(ledger.info()["candidates"]) == PROCESSES


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_writer_that_never_ends_is_named_by_the_deadline(ledger, monkeypatch, check_mode):
    ledger.released("1.0.0")
    holder = sqlite3.connect(ledger.url, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("ansible_collections.slipway.delivery.plugins.module_utils.ledger.store.BUSY_SECONDS", 0.2)
    with pytest.raises(Exception, match=f"Ledger {ledger.url}: database is locked") as failed:
        ledger.opened("1.1.0", check_mode=check_mode)
    assert type(failed.value).__name__ == "DeadlineError"
    holder.execute("ROLLBACK")
    assert ledger.opened("1.1.0", check_mode=check_mode)["release"]["number"] == 2
