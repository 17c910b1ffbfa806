# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver errors as Slipway's: which ledger, what its database said, what to do next."""

from __future__ import annotations

import contextlib
import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.errors import ConflictError, DeadlineError, DeniedError, SlipwayError, UnreachableError
from .location import Location

# What SQLite's library, PostgreSQL and MySQL say, in lower case, and what it means. The first match counts.
_MEANINGS: t.Tuple[t.Tuple[str, t.Type[SlipwayError], str], ...] = (
    ("database is locked", DeadlineError, "Another process has held it for longer than the busy timeout; see who."),
    ("readonly database", DeniedError, "Give this user write access to the file and its folder."),
    ("not a database", ConflictError, "The file is something else; name the ledger's file, or move this one away."),
    ("malformed", ConflictError, "The file is damaged; restore it from a copy before anything is deployed."),
    ("is full", UnreachableError, "Free some space on its disk."),
    ("authentication failed", DeniedError, "Check user and password of the URL."),
    ("access denied", DeniedError, "Check user, password and grants of the URL's user."),
    ("permission denied", DeniedError, "Check the grants of the URL's user."),
    ("deadlock", ConflictError, "Another controller wrote at the same moment; run it again."),
)


@contextlib.contextmanager
def translated(location: Location) -> t.Iterator[None]:
    """Turn what SQLAlchemy raises in the block into typed errors that name `location`, never its password."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _typed(error, location) from error
    except sa.exc.SQLAlchemyError as error:
        raise SlipwayError(f"Ledger {location.shown}: {_censored(str(error), location)}") from error


def _typed(error: t.Any, location: Location) -> SlipwayError:
    said = _censored(str(error.orig), location)
    for mark, kind, advice in _MEANINGS:
        if mark in said.lower():
            return kind(f"Ledger {location.shown}: {said}. Nothing was recorded. {advice}")
    if isinstance(error, sa.exc.IntegrityError):
        return ConflictError(
            f"Ledger {location.shown}: another controller recorded the same at the same moment ({said}). "
            "Nothing was recorded by this task; run it again."
        )
    if isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)):
        return UnreachableError(
            f"Ledger {location.shown} cannot be used: {said}. Nothing was recorded. Check that it is there and reachable."
        )
    return SlipwayError(f"Ledger {location.shown}: {said}. Nothing was recorded.")


def _censored(text: str, location: Location) -> str:
    for secret in sorted(location.secrets, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text.strip().rstrip(".")
