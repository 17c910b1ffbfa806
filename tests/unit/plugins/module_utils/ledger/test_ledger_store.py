# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's troubles: each is one typed error that names the ledger, and no password."""

from __future__ import annotations

import os
import sqlite3
import sys

import pytest
import sqlalchemy as sa
from ansible_collections.slipway.delivery.plugins.module_utils.common import errors
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.ledger import (
    failures,
    location,
    release,
    schema,
    store,
    tables,
)
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.ledger.ledger_helper import Ledger, image


def test_a_newer_ledger_is_left_alone(ledger):
    ledger.released("1.0.0")
    with sqlite3.connect(ledger.url) as raw:
        raw.execute("INSERT INTO slipway_schema VALUES (?, 'x')", (schema.LATEST + 1,))
    for task in (ledger.info, lambda: ledger.opened("1.1.0")):
        with pytest.raises(errors.ConflictError, match=f"tables of version {schema.LATEST + 1}.*newer one"):
            task()


def test_an_older_ledger_is_brought_forward_by_a_writer_alone(ledger, monkeypatch):
    ledger.released("1.0.0")
    added = schema.LATEST + 1
    steps = {**schema.STEPS, added: lambda conn: conn.exec_driver_sql("CREATE TABLE slipway_more (x INTEGER)")}
    monkeypatch.setattr(schema, "LATEST", added)
    monkeypatch.setattr(schema, "STEPS", steps)
    with pytest.raises(errors.ConflictError, match="The next release task that writes"):
        ledger.info()
    assert ledger.released("1.1.0") == 2
    assert ledger.info()["current"]["number"] == 2
    with sqlite3.connect(ledger.url) as raw:
        assert raw.execute("SELECT count(*) FROM slipway_more").fetchone() == (0,)
        assert raw.execute("SELECT max(version) FROM slipway_schema").fetchone() == (added,)


def test_an_upgrade_runs_only_what_is_missing(monkeypatch):
    ran = []
    engine = sa.create_engine("sqlite://")
    with engine.begin() as conn:
        tables.tables().metadata.create_all(conn)
        steps = {number: lambda _conn, number=number: ran.append(number) for number in (3, 1, 2)}
        monkeypatch.setattr(schema, "STEPS", steps)
        schema.upgrade(conn, 1)
        assert ran == [2, 3]
        assert schema.found(conn) == 3
        schema.upgrade(conn, 3)
    assert ran == [2, 3]


def test_an_upgrade_that_fails_leaves_the_old_tables(ledger, monkeypatch):
    def broken(conn):
        conn.exec_driver_sql("CREATE TABLE slipway_more (x INTEGER)")
        raise errors.SlipwayError("broken")

    ledger.released("1.0.0")
    monkeypatch.setattr(schema, "STEPS", {**schema.STEPS, schema.LATEST + 1: broken})
    with pytest.raises(errors.SlipwayError, match="broken"):
        ledger.opened("1.1.0")
    with sqlite3.connect(ledger.url) as raw:
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master")]
    assert "slipway_more" not in names
    assert ledger.info()["current"]["number"] == 1


def test_the_tables_are_the_same_in_every_database():
    """Each table can be written in each database's language, so the ledger has no type of one database alone."""
    from sqlalchemy.dialects import mysql, postgresql, sqlite
    from sqlalchemy.schema import CreateTable

    for dialect in (mysql.dialect(), postgresql.dialect(), sqlite.dialect()):
        for table in tables.tables().metadata.sorted_tables:
            assert f"CREATE TABLE {table.name}" in str(CreateTable(table).compile(dialect=dialect))


def test_mysql_index_limit():
    """Four bytes a character, 3072 bytes an index: InnoDB refuses a table whose key is longer."""
    for table in tables.tables().metadata.sorted_tables:
        keys = [
            table.primary_key,
            *table.indexes,
            *[c for c in table.constraints if isinstance(c, sa.UniqueConstraint)],
        ]
        for key in keys:
            assert (
                sum(
                    4 * getattr(column.type, "length", None) or 8
                    for column in key.columns
                    if isinstance(column.type, sa.String)
                )
                <= 3000
            )


def test_a_file_that_is_something_else(ledger):
    os.makedirs(os.path.dirname(ledger.url))
    with open(ledger.url, "w") as other:
        other.write("not a database at all, but a text that is long enough to be read as a header " * 4)
    for task in (ledger.info, lambda: ledger.opened("1.0.0")):
        with pytest.raises(errors.ConflictError, match=f"Ledger {ledger.url}: file is not a database.*something else"):
            task()


def test_a_folder_is_no_file(ledger):
    os.makedirs(ledger.url)
    with pytest.raises(errors.ParameterError, match="is not a file"):
        ledger.opened("1.0.0")
    with pytest.raises(errors.UnreachableError, match=f"Ledger {ledger.url} cannot be used"):
        ledger.info()


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "state").write_text("x")
    ledger = Ledger(str(tmp_path / "state" / "ledger.db"))
    assert ledger.info()["current"] is None
    with pytest.raises(errors.UnreachableError, match=r"cannot be made.*Nothing was recorded"):
        ledger.opened("1.0.0")


def test_a_disk_that_is_full(ledger):
    ledger.released("1.0.0")
    with store.open_store(ledger.url)._connected(write=True) as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        error = None
        try:
            with failures.translated(location.parse(ledger.url)):
                for _row in range(99):
                    conn.exec_driver_sql(
                        "INSERT INTO slipway_arrivals (app, environment, version, digest, image, how, arrived_at) VALUES (?, 'e', 'v', 'd', 'i', 'h', 'a')",
                        ("x" * 4000,),
                    )
        except errors.SlipwayError as raised:
            error = raised
    assert isinstance(error, errors.UnreachableError)
    assert "database or disk is full" in error.msg
    assert "Free some space" in error.msg


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://slipway:s3cr%2Ft@127.0.0.1:1/slipway",
        "mysql+pymysql://slipway:s3cr%2Ft@127.0.0.1:1/slipway",
        "oracle://slipway:s3cr%2Ft@127.0.0.1/x",
        "nosuch://slipway:s3cr%2Ft@127.0.0.1/x",
        "postgresql+asyncpg://slipway:s3cr%2Ft@127.0.0.1:1/slipway",
        "postgresql+nosuch://slipway:s3cr%2Ft@127.0.0.1:1/slipway",
        "postgresql://slipway:s3cr%2Ft@127.0.0.1:noport/slipway",
    ],
)
def test_a_server_that_cannot_be_used_keeps_its_password(url):
    """With its driver installed or not: refused, missing or unknown, one typed error that names the address."""
    given = {"app": "webapi", "environment_name": "prod", "state": "opened", **image("1.0.0"), "ledger": url}
    params = {name: given.get(name, option.get("default")) for name, option in release.SPEC.options.items()}
    answer = release.RELEASE.execute(params, Context())
    assert answer["failed"]
    assert "defect" not in answer["msg"], answer["msg"]
    assert "s3cr" not in repr(answer)
    assert "127.0.0.1" in answer["msg"] or "Failed to import the required Python library" in answer["msg"]


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        (sa.exc.OperationalError, 'FATAL: password authentication failed for user "u"', errors.DeniedError),
        (sa.exc.OperationalError, "(1045, \"Access denied for user 'u'@'h'\")", errors.DeniedError),
        (sa.exc.ProgrammingError, "permission denied for table slipway_leases", errors.DeniedError),
        (sa.exc.OperationalError, "attempt to write a readonly database", errors.DeniedError),
        (sa.exc.OperationalError, "connection refused for secret%40x and secret@x", errors.UnreachableError),
        (sa.exc.InterfaceError, "connection already closed", errors.UnreachableError),
        (sa.exc.IntegrityError, "UNIQUE constraint failed: slipway_releases.number", errors.ConflictError),
        (sa.exc.OperationalError, "deadlock detected", errors.ConflictError),
        (sa.exc.ProgrammingError, 'column "x" does not exist', errors.SlipwayError),
    ],
)
def test_what_drivers_say_is_typed(kind, said, expected):
    where = location.parse("postgresql://u:secret%40x@db/slipway")
    with pytest.raises(errors.SlipwayError) as raised, failures.translated(where):
        raise kind("SELECT 1", {}, Exception(said))
    assert raised.value.__class__ == expected
    assert raised.value.msg.startswith("Ledger postgresql://u@db/slipway")
    assert "secret" not in raised.value.msg


def test_a_folder_without_write_access(ledger, monkeypatch):
    """Root may write everywhere, so the refusal is the system call's, not the folder's."""

    def refused(path, *_flags):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(store.os, "open", refused)
    with pytest.raises(errors.DeniedError, match=f"Ledger {ledger.url} cannot be written: .*Permission denied"):
        ledger.opened("1.0.0")


def test_without_sqlalchemy_the_package_imports_and_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    answer = release.RELEASE.execute({}, Context())
    assert answer["failed"]
    assert "sqlalchemy" in answer["msg"]
