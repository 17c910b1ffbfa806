# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's tables, in types that SQLite, PostgreSQL and MySQL share.

Times are text (clock.py), documents are JSON text (content.py), names compare by their bytes.
"""

from __future__ import annotations

import functools
import typing as t

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql
except ImportError:  # reported by Operation.requires, for both modules alike
    sa = None
    mysql = None

NAME = 128  # characters; four bytes each still fit MySQL's index limit of 3072 for every key below
ENVIRONMENT = 64
VERSION = 128
DIGEST = 160
HOST = 255
TEXT = 512
STAMP = 24

# MySQL compares text without regard to case unless told otherwise: 1.0.0-RC1 and 1.0.0-rc1 are two versions.
_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Tables(t.NamedTuple):
    """Every table, and the MetaData that makes them."""

    metadata: t.Any
    schema: t.Any
    scopes: t.Any
    arrivals: t.Any
    releases: t.Any
    outcomes: t.Any
    leases: t.Any


@functools.cache
def tables() -> Tables:
    """The tables, built at first use: this file must import where SQLAlchemy is not installed."""
    metadata = sa.MetaData()
    return Tables(
        metadata=metadata,
        schema=_schema(metadata),
        scopes=_scopes(metadata),
        arrivals=_arrivals(metadata),
        releases=_releases(metadata),
        outcomes=_outcomes(metadata),
        leases=_leases(metadata),
    )


def _document() -> t.Any:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")  # MySQL's plain TEXT ends at 64 KiB


def _row_id() -> t.Any:
    """Grows and is never given out twice: rows sort by it, whatever a controller's clock says."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)


def _scope(primary_key: bool = False) -> t.Tuple[t.Any, t.Any]:
    """App and environment: what numbers, leases and questions are about."""
    return (
        sa.Column("app", sa.String(NAME), nullable=False, primary_key=primary_key),
        sa.Column("environment", sa.String(ENVIRONMENT), nullable=False, primary_key=primary_key),
    )


def _schema(metadata: t.Any) -> t.Any:
    return sa.Table(
        "slipway_schema",
        metadata,
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("applied_at", sa.String(STAMP), nullable=False),
        **_OPTIONS,
    )


def _scopes(metadata: t.Any) -> t.Any:
    """One row an app and environment: its counters, and the row that every writer of that scope locks first."""
    return sa.Table(
        "slipway_scopes",
        metadata,
        *_scope(primary_key=True),
        sa.Column("last_release", sa.Integer, nullable=False),
        sa.Column("last_fence", sa.Integer, nullable=False),
        **_OPTIONS,
    )


def _arrivals(metadata: t.Any) -> t.Any:
    """Images that became available to an environment. `replaced_at` is set when a version was given another digest."""
    return sa.Table(
        "slipway_arrivals",
        metadata,
        _row_id(),
        *_scope(),
        sa.Column("version", sa.String(VERSION), nullable=False),
        sa.Column("digest", sa.String(DIGEST), nullable=False),
        sa.Column("image", sa.String(TEXT), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("from_environment", sa.String(ENVIRONMENT)),
        sa.Column("artifact", _document()),
        sa.Column("source", _document()),
        sa.Column("build_url", sa.String(TEXT)),
        sa.Column("arrived_at", sa.String(STAMP), nullable=False),
        sa.Column("replaced_at", sa.String(STAMP)),
        sa.Index("slipway_arrivals_version", "app", "environment", "version"),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )


def _releases(metadata: t.Any) -> t.Any:
    return sa.Table(
        "slipway_releases",
        metadata,
        *_scope(primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(VERSION), nullable=False),
        sa.Column("digest", sa.String(DIGEST), nullable=False),
        sa.Column("image", sa.String(TEXT), nullable=False),
        sa.Column("config_revision", sa.String(DIGEST)),
        sa.Column("run_spec", _document(), nullable=False),
        sa.Column("content", sa.String(DIGEST), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rollback_of", sa.Integer),
        sa.Column("reason", _document()),
        sa.Column("owner", sa.String(TEXT)),
        sa.Column("build_url", sa.String(TEXT)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", _document()),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.String(STAMP), nullable=False),
        sa.Column("closed_at", sa.String(STAMP)),
        **_OPTIONS,
    )


def _outcomes(metadata: t.Any) -> t.Any:
    """How a release went on a host: one row a host and attempt; the newest row of a host has the highest id."""
    return sa.Table(
        "slipway_outcomes",
        metadata,
        _row_id(),
        *_scope(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("host", sa.String(HOST), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(DIGEST)),
        sa.Column("container_id", sa.String(NAME)),
        sa.Column("timings", _document()),
        sa.Column("why", _document()),
        sa.Column("recorded_at", sa.String(STAMP), nullable=False),
        sa.UniqueConstraint("app", "environment", "number", "attempt", "host", name="slipway_outcomes_once"),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )


def _leases(metadata: t.Any) -> t.Any:
    """Every lease ever given, by its fencing number; the one in force is the newest, while `ended_at` is empty."""
    return sa.Table(
        "slipway_leases",
        metadata,
        *_scope(primary_key=True),
        sa.Column("fence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lock_owner", sa.String(TEXT), nullable=False),
        sa.Column("owner", sa.String(TEXT), nullable=False),
        sa.Column("host", sa.String(HOST), nullable=False),
        sa.Column("build_url", sa.String(TEXT)),
        sa.Column("since", sa.String(STAMP), nullable=False),
        sa.Column("renewed_at", sa.String(STAMP), nullable=False),
        sa.Column("expires", sa.String(STAMP), nullable=False),
        sa.Column("ended_at", sa.String(STAMP)),
        sa.Column("ending", sa.String(16)),  # released, expired (taken over) or forced
        sa.Column("ended_by", _document()),
        **_OPTIONS,
    )
