# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outcomes: how each host came through a release, attempt by attempt."""

from __future__ import annotations

import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.operation import Params
from . import content, releases, rules
from .plan import Plan
from .store import Session
from .tables import tables

SWITCHED, UNCHANGED, ROLLED_BACK = "switched", "unchanged", "rolled_back"
OUTCOMES = (SWITCHED, UNCHANGED, "reverted", "failed", "unreachable", ROLLED_BACK)
_FACTS = ("outcome", "digest", "container_id", "timings", "why")
Outcome = t.Dict[str, t.Any]


def last_of_hosts(session: Session, app: str, environment: str) -> t.Dict[str, Outcome]:
    """The newest outcome of every host that ever took part, by host name."""
    outcomes = tables().outcomes
    own = (outcomes.c.app == app, outcomes.c.environment == environment)
    last = sa.select(sa.func.max(outcomes.c.id)).where(*own).group_by(outcomes.c.host)
    rows = session.rows(sa.select(outcomes).where(outcomes.c.id.in_(last)).order_by(outcomes.c.host))
    return {row["host"]: _shown(row) for row in rows}


def _shown(row: t.Mapping[str, t.Any]) -> Outcome:
    return {
        "host": row["host"],
        "release": row["number"],
        "attempt": row["attempt"],
        "outcome": row["outcome"],
        "digest": row["digest"],
        "container_id": row["container_id"],
        "timings": content.load(row["timings"]),
        "why": content.load(row["why"]),
        "at": row["recorded_at"],
    }


def plan_recorded(session: Session, params: Params, check_mode: bool) -> Plan:
    """One host's outcome: a row of this attempt, in the place of what the attempt said of the host before."""
    found = releases.expected(session, params, check_mode)
    release = found or releases.predicted(params["release"], rules.OPEN)
    attempt = release["attempt"] or 1
    known = _last(session, params)
    row = _new_row(session, params, attempt)
    answer = {"release": release, "host": _shown(row)}
    if known is not None and _says_nothing_new(known, _shown(row)):
        return Plan(changed=False, answer={**answer, "host": known})
    return Plan(
        changed=True,
        answer=answer,
        before=known and {params["host"]: _facts(known)},
        after={params["host"]: _facts(_shown(row))},
        write=lambda writer: _replace(writer, row),
    )


def _facts(outcome: Outcome) -> t.Dict[str, t.Any]:
    return {"release": outcome["release"], **{name: outcome[name] for name in _FACTS}}


def _last(session: Session, params: Params) -> t.Optional[Outcome]:
    outcomes = tables().outcomes
    own = {"app": params["app"], "environment": params["environment_name"], "host": params["host"]}
    query = sa.select(outcomes).where(*[outcomes.c[name] == value for name, value in own.items()])
    row = session.first(query.where(outcomes.c.number == params["release"]).order_by(outcomes.c.id.desc()))
    return None if row is None else _shown(row)


def _says_nothing_new(known: Outcome, new: Outcome) -> bool:
    """True for the same again, and for "unchanged" on a host that is known to run this very container."""
    if known["attempt"] == new["attempt"] and all(known[name] == new[name] for name in _FACTS):
        return True
    arrived = known["outcome"] in (SWITCHED, UNCHANGED, ROLLED_BACK)
    same = all(new[name] in (None, known[name]) for name in ("digest", "container_id"))
    return new["outcome"] == UNCHANGED and arrived and same


def _new_row(session: Session, params: Params, attempt: int) -> t.Dict[str, t.Any]:
    return {
        "app": params["app"],
        "environment": params["environment_name"],
        "number": params["release"],
        "attempt": attempt,
        "host": params["host"],
        "outcome": params["outcome"],
        "digest": params["digest"],
        "container_id": params["container_id"],
        "timings": content.dump(params["timings"]),
        "why": content.dump(content.scrubbed(params["why"])),
        "recorded_at": session.now,
    }


def _replace(session: Session, row: t.Mapping[str, t.Any]) -> None:
    """A new row instead of an update: ids tell which outcome of a host is the last, over all releases."""
    outcomes = tables().outcomes
    key = [outcomes.c[name] == row[name] for name in ("app", "environment", "number", "attempt", "host")]
    session.conn.execute(outcomes.delete().where(*key))
    session.conn.execute(outcomes.insert().values(**row))
