# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's database: engines, transactions, and driver errors as typed ones that name the ledger without password.

SQLite keeps its rollback journal (no WAL): readers then leave no file behind, and it also works on network file systems.
Every writing transaction takes SQLite's one write lock at its start, or the scope's row on a server, so that what it
read is still true when it writes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import typing as t
from pathlib import Path
from urllib.parse import quote

try:
    import sqlalchemy as sa
    from sqlalchemy import pool
except ImportError:
    sa = None
    pool = None

from ansible.module_utils.basic import missing_required_lib

from ..common.errors import DeniedError, MissingLibraryError, ParameterError, SlipwayError, UnreachableError
from . import location as locations
from . import schema
from .clock import Clock, stamp, utc_now
from .failures import translated
from .tables import tables

BUSY_SECONDS = 30.0  # how long a writer waits for another one; a transaction takes milliseconds
_CONNECT_TIMEOUT = {"connect_timeout": 10}  # seconds
_TAKE_IT = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # drivers that know it by this name
_SERVER_TIME = {"postgresql": "SELECT clock_timestamp()"}
_SERVER_TIME.update(dict.fromkeys(("mysql", "mariadb"), "SELECT utc_timestamp(3)"))


class Counters(t.NamedTuple):
    """The last numbers given out in one app and environment; 0 when none was."""

    release: int
    fence: int


class Session:
    """One transaction: the connection, and the time at which it happens."""

    def __init__(self, conn: t.Any, clock: t.Callable[[t.Any], str]) -> None:
        self.conn = conn
        self._clock = clock
        self._now: t.Optional[str] = None

    @property
    def now(self) -> str:
        """The transaction's time as a stamp: asked for once, and only after the scope is locked."""
        if self._now is None:
            self._now = self._clock(self.conn)
        return self._now

    def rows(self, statement: t.Any) -> t.List[t.Dict[str, t.Any]]:
        """All rows of a select, as dicts by column name."""
        return [dict(row) for row in self.conn.execute(statement).mappings()]

    def first(self, statement: t.Any) -> t.Optional[t.Dict[str, t.Any]]:
        """The first row of a select, or None."""
        row = self.conn.execute(statement).mappings().first()
        return None if row is None else dict(row)

    def counters(self, app: str, environment: str, lock: bool = False) -> Counters:
        """The scope's counters. With `lock` every other writer of this scope waits until this transaction ends."""
        scopes = tables().scopes
        query = sa.select(scopes).where(scopes.c.app == app, scopes.c.environment == environment)
        row = self.first(query.with_for_update() if lock else query)
        if row is None and lock:
            self._insert_scope(app, environment)
            row = self.first(query.with_for_update())
        return Counters(row["last_release"], row["last_fence"]) if row else Counters(0, 0)

    def _insert_scope(self, app: str, environment: str) -> None:
        values = {"app": app, "environment": environment, "last_release": 0, "last_fence": 0}
        try:
            with self.conn.begin_nested():
                self.conn.execute(tables().scopes.insert().values(**values))
        except sa.exc.IntegrityError:
            return  # another writer made it first: the caller locks that one

    def count(self, app: str, environment: str, **values: int) -> None:
        """Set `last_release` or `last_fence` of the scope that this transaction holds."""
        scopes = tables().scopes
        self.conn.execute(
            scopes.update().where(scopes.c.app == app, scopes.c.environment == environment).values(**values)
        )


class Store:
    """A ledger by its location. `clock` replaces the time of both machine and database server."""

    def __init__(self, location: locations.Location, clock: t.Optional[Clock] = None) -> None:
        self.location = location
        self._clock = clock

    def exists(self) -> bool:
        """False when the ledger is a file that nobody has made yet; a server answers when it is asked."""
        path = self.location.path
        if path is None:
            return True
        try:
            return os.stat(path).st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise DeniedError(f"Ledger {path} cannot be looked at: {error.strerror}. Nothing was read.") from error

    @contextlib.contextmanager
    def reading(self) -> t.Iterator[Session]:
        """A transaction that sees one moment and writes nothing: a ledger that is not there is an empty one."""
        if not self.exists():
            with self._empty() as session:
                yield session
            return
        with self._connected(write=False) as conn:
            version = schema.found(conn)
            if version:
                schema.check(version, self.location.shown)
                yield self._session(conn)
                return
        with self._empty() as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> t.Iterator[Session]:
        """A transaction that is committed when the block ends and rolled back when it raises; makes what is missing."""
        if self.location.path is not None:
            _make_file(Path(self.location.path))
        else:
            self._upgrade_server()
        with self._connected(write=True) as conn:
            if self.location.path is not None:
                self._upgrade(conn)
            yield self._session(conn)

    def _session(self, conn: t.Any) -> Session:
        return Session(conn, self._time)

    def _time(self, conn: t.Any) -> str:
        """A server's clock is the same for every controller; a file has only the controller's own."""
        if self._clock is not None:
            return stamp(self._clock())
        query = _SERVER_TIME.get(conn.dialect.name)
        return stamp(conn.exec_driver_sql(query).scalar_one() if query else utc_now())

    @contextlib.contextmanager
    def _connected(self, write: bool) -> t.Iterator[t.Any]:
        with translated(self.location):
            engine = self._engine(write)
            try:
                with engine.begin() as conn:
                    yield conn
            finally:
                engine.dispose()

    @contextlib.contextmanager
    def _empty(self) -> t.Iterator[Session]:
        engine = sa.create_engine("sqlite://", poolclass=pool.StaticPool)
        try:
            with engine.connect() as conn:
                tables().metadata.create_all(conn)
                yield Session(conn, lambda _conn: stamp((self._clock or utc_now)()))
        finally:
            engine.dispose()

    def _engine(self, write: bool) -> t.Any:
        if self.location.path is not None:
            return _file_engine(self.location.path, write)
        return _server_engine(self.location, write)

    def _upgrade(self, conn: t.Any) -> None:
        version = schema.found(conn)
        if version > schema.LATEST:
            schema.check(version, self.location.shown)
        schema.upgrade(conn, version)

    def _upgrade_server(self) -> None:
        """In a transaction of its own; when two controllers start a ledger at once, the second finds it made."""
        try:
            with self._connected(write=True) as conn:
                self._upgrade(conn)
        except SlipwayError:
            with self._connected(write=False) as conn:
                if schema.found(conn) != schema.LATEST:
                    raise


def open_store(ledger: str, clock: t.Optional[Clock] = None) -> Store:
    """The Store of a `ledger` option. Nothing is opened or made yet."""
    return Store(locations.parse(ledger), clock)


def _file_engine(path: str, write: bool) -> t.Any:
    """An engine on an existing file. Readers cannot write, and still may finish a killed writer's rollback."""

    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(path)}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        if not write:
            connection.execute("PRAGMA query_only = ON")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool.NullPool)

    @sa.event.listens_for(engine, "begin")
    def begin(conn: t.Any) -> None:  # the driver's own BEGIN would take the write lock only at the first write
        conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _server_engine(location: locations.Location, write: bool) -> t.Any:
    try:
        url = sa.make_url(location.url)
        dialect = url.get_dialect()
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ParameterError(f"ledger: {location.shown} is no database URL that SQLAlchemy knows.") from error
    if dialect.name not in _SERVER_TIME or dialect.is_async:
        raise ParameterError(f"ledger: {location.shown}: a ledger is kept in SQLite, PostgreSQL or MySQL.")
    level = "READ COMMITTED" if write else "REPEATABLE READ"  # writers hold the scope's row, readers see one moment
    try:
        return sa.create_engine(
            url,
            poolclass=pool.NullPool,
            isolation_level=level,
            hide_parameters=True,
            connect_args=_CONNECT_TIMEOUT if dialect.driver in _TAKE_IT and "connect_timeout" not in url.query else {},
        )
    except ImportError as error:
        raise MissingLibraryError(missing_required_lib(error.name or str(error))) from error


def _make_file(path: Path) -> None:
    """The ledger's file, readable by its owner alone, and the folders above it that are missing."""
    try:
        for folder in reversed([parent for parent in path.parents if not parent.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise ParameterError(
                f"ledger: {path} is not a file; give the path of an SQLite file, made if it is missing."
            )
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except PermissionError as error:
        raise DeniedError(f"Ledger {path} cannot be written: {error}. Nothing was recorded.") from error
    except OSError as error:
        raise UnreachableError(f"Ledger {path} cannot be made: {error}. Nothing was recorded.") from error
