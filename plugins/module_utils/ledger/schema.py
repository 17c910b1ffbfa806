# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables' version, and the way forward from an older one."""

from __future__ import annotations

import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.errors import ConflictError
from .clock import stamp, utc_now
from .tables import tables

Step = t.Callable[[t.Any], None]


def _create(conn: t.Any) -> None:
    """Version 1. Once another version exists, this step keeps its own copy of version 1's tables."""
    tables().metadata.create_all(conn)


# Version -> the step that leads to it from the one before. A step is never edited after its release, only followed.
STEPS: t.Dict[int, Step] = {1: _create}
LATEST = max(STEPS)


def found(conn: t.Any) -> int:
    """The version of the tables in this database; 0 when there are none."""
    schema = tables().schema
    if not sa.inspect(conn).has_table(schema.name):
        return 0
    return conn.execute(sa.select(sa.func.max(schema.c.version))).scalar() or 0


def check(version: int, shown: str) -> None:
    """ConflictError when the tables are of another version than this code reads."""
    if version > LATEST:
        raise ConflictError(
            f"Ledger {shown} has tables of version {version}, and this Slipway knows versions up to {LATEST}: another "
            "controller has a newer one. Nothing was written. Install that version of slipway.delivery here, too."
        )
    if version < LATEST:
        raise ConflictError(
            f"Ledger {shown} has tables of version {version}, and this Slipway reads version {LATEST}. The next release "
            "task that writes (outside check mode) brings them forward; until then they cannot be read."
        )


def upgrade(conn: t.Any, version: int) -> None:
    """Run the steps after `version`, in order, inside the caller's transaction."""
    for number in sorted(step for step in STEPS if step > version):
        STEPS[number](conn)
        conn.execute(tables().schema.insert().values(version=number, applied_at=stamp(utc_now())))
