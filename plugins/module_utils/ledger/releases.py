# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases: opened under the next number, closed with an outcome; which one is current follows from the rows."""

from __future__ import annotations

import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.errors import ConflictError, ParameterError
from ..common.operation import Params, Result
from . import content, rules
from .plan import Plan
from .store import Session
from .tables import tables

Release = t.Dict[str, t.Any]
_COLUMNS = ("number", "version", "digest", "image", "config_revision", "kind", "rollback_of", "reason", "owner")
_MORE_COLUMNS = ("build_url", "state", "message", "attempt", "opened_at", "closed_at", "content")


def entries(session: Session, app: str, environment: str) -> t.List[rules.Entry]:
    """The environment's releases as rules.py takes them, by rising number."""
    releases = tables().releases
    wanted = [releases.c[name] for name in ("number", "version", "content", "digest", "state", "kind")]
    rows = session.rows(sa.select(*wanted).where(*_of(releases, app, environment)).order_by(releases.c.number))
    failed = [row["number"] for row in rows if row["state"] == rules.FAILED]
    left = _left_on_hosts(session, app, environment, failed)
    return [rules.Entry(**row, left=row["number"] in left) for row in rows]


def _of(table: t.Any, app: str, environment: str) -> t.Tuple[t.Any, t.Any]:
    return table.c.app == app, table.c.environment == environment


def _left_on_hosts(session: Session, app: str, environment: str, numbers: t.Sequence[int]) -> t.Set[int]:
    """Which of these releases some host may still run: its last recorded outcome is not "reverted"."""
    if not numbers:
        return set()
    outcomes = tables().outcomes
    query = sa.select(outcomes.c.number, outcomes.c.host, outcomes.c.outcome).where(
        *_of(outcomes, app, environment), outcomes.c.number >= min(numbers)
    )
    last = {(row["number"], row["host"]): row["outcome"] for row in session.rows(query.order_by(outcomes.c.id))}
    return {number for (number, _host), outcome in last.items() if outcome != rules.REVERTED}


def details(session: Session, app: str, environment: str, numbers: t.Iterable[int]) -> t.Dict[int, Release]:
    """The releases of these numbers, by number, as results show them."""
    releases = tables().releases
    query = sa.select(releases).where(*_of(releases, app, environment), releases.c.number.in_(list(numbers)))
    return {row["number"]: _shown(row) for row in session.rows(query)}


def detail(session: Session, app: str, environment: str, entry: t.Optional[rules.Entry]) -> t.Optional[Release]:
    """The release of `entry`, or None."""
    return details(session, app, environment, [entry.number]).get(entry.number) if entry else None


def newest(session: Session, app: str, environment: str, limit: int) -> t.List[Release]:
    """The newest `limit` releases, the newest first."""
    releases = tables().releases
    query = sa.select(releases).where(*_of(releases, app, environment)).order_by(releases.c.number.desc())
    return [_shown(row) for row in session.rows(query.limit(limit))]


def _shown(row: t.Mapping[str, t.Any]) -> Release:
    plain = {name: row[name] for name in (*_COLUMNS, *_MORE_COLUMNS)}
    return {**plain, "run_spec": content.load(row["run_spec"])}


def standing(session: Session, params: Params, after: rules.Entries) -> t.Dict[str, t.Optional[Release]]:
    """`current` and `previous` as `after` has them; both were there before, so their rows can be read."""
    scope = params["app"], params["environment_name"]
    return {
        "current": detail(session, *scope, rules.current(after)),
        "previous": detail(session, *scope, rules.previous(after)),
    }


def plan_opened(session: Session, params: Params) -> Plan:
    """A roll-out begins: the current release again, an interrupted one again, or the next number."""
    app, environment = params["app"], params["environment_name"]
    counters = session.counters(app, environment)
    known = entries(session, app, environment)
    row = _new_row(session, params, counters.release + 1)
    wanted = rules.Entry(**{name: row[name] for name in rules.Entry._fields if name != "left"})
    opening = rules.opening(known, wanted, counters.release)
    now = standing(session, params, known)
    answer: Result = {**now, "reused": False, "resumed": False, "abandoned": opening.abandon}
    stored = details(session, app, environment, [opening.number]).get(opening.number)
    if opening.action == "reuse":
        return Plan(changed=False, answer={**answer, "reused": True, "release": stored})
    if opening.action == "resume" and stored is not None:
        return _plan_resumed(row, stored, answer)
    return Plan(
        changed=True,
        answer={**answer, "release": _shown(row)},
        before=brief(now["current"]),
        after=brief(_shown(row)),
        write=lambda writer: _open(writer, row, opening.abandon),
        warnings=_abandon_warnings(opening, known),
    )


def _new_row(session: Session, params: Params, number: int) -> t.Dict[str, t.Any]:
    run_spec = params["run_spec"] or {}
    return {
        "app": params["app"],
        "environment": params["environment_name"],
        "number": number,
        **{name: params[name] for name in ("version", "digest", "image", "config_revision", "kind", "rollback_of")},
        "run_spec": content.dump(run_spec),
        "content": content.content_hash(params["digest"], params["config_revision"], run_spec),
        **{name: content.scrubbed(params[name]) for name in ("reason", "owner", "build_url")},
        "state": rules.OPEN,
        "message": None,
        "attempt": 1,
        "opened_at": session.now,
        "closed_at": None,
    }


def _plan_resumed(row: t.Mapping[str, t.Any], stored: Release, answer: t.Dict[str, t.Any]) -> Plan:
    """The run that left it is gone; this one goes on under the same number, as the next attempt."""
    news = {name: row[name] for name in ("owner", "build_url", "reason")}
    release = {**stored, **news, "attempt": stored["attempt"] + 1}
    return Plan(
        changed=True,
        answer={**answer, "release": release, "resumed": True},
        before=brief(stored),
        after=brief(release),
        write=lambda writer: _update(writer, row, release["number"], attempt=release["attempt"], **news),
    )


def _abandon_warnings(opening: rules.Opening, known: rules.Entries) -> t.List[str]:
    left = [entry for entry in known if entry.number == opening.abandon]
    return [
        f"Release {entry.label} was left open by a run that did not end; it is closed as abandoned." for entry in left
    ]


def _open(session: Session, row: t.Mapping[str, t.Any], abandon: t.Optional[int]) -> None:
    if abandon is not None:
        message = f"abandoned: release {row['number']} was opened instead"
        _update(session, row, abandon, state=rules.ABANDONED, closed_at=row["opened_at"], message=message)
    session.conn.execute(tables().releases.insert().values(**row))
    session.count(row["app"], row["environment"], last_release=row["number"])


def _update(session: Session, scope: t.Mapping[str, t.Any], number: int, **values: t.Any) -> None:
    releases = tables().releases
    own = _of(releases, scope["app"], scope["environment"])
    session.conn.execute(releases.update().where(*own, releases.c.number == number).values(**values))


def brief(release: t.Optional[Release]) -> t.Optional[t.Dict[str, t.Any]]:
    """What a diff shows of a release."""
    shown = ("number", "version", "digest", "config_revision", "run_spec", "kind", "state", "attempt")
    return release and {name: release[name] for name in shown}


def predicted(number: int, state: str) -> Release:
    """A release of which check mode knows no more than this, because nothing was written when it was opened."""
    return {**dict.fromkeys((*_COLUMNS, *_MORE_COLUMNS, "run_spec")), "number": number, "state": state}


def expected(session: Session, params: Params, check_mode: bool) -> t.Optional[Release]:
    """The release that a task names. ParameterError, listing the newest, when there is none of that number.

    None in check mode for the number that `opened` has just predicted without writing it.
    """
    app, environment, number = params["app"], params["environment_name"], params["release"]
    found = details(session, app, environment, [number]).get(number)
    if found is None and check_mode and number == session.counters(app, environment).release + 1:
        return None
    if found is None:
        there = [f"{item['number']} ({item['version']})" for item in newest(session, app, environment, 5)]
        listed = f"the newest are {', '.join(there)}" if there else "it has none yet"
        raise ParameterError(
            f"release: {app} has no release {number} in {environment}; {listed}. Nothing was recorded."
        )
    return found


def plan_closed(session: Session, params: Params, check_mode: bool) -> Plan:
    """A roll-out ended."""
    app, environment, outcome = params["app"], params["environment_name"], params["outcome"]
    release = expected(session, params, check_mode)
    known = entries(session, app, environment)
    if release is None:
        return _plan_closed_predicted(session, params, known)
    if release["state"] != rules.OPEN:
        return _plan_closed_again(session, params, release, known)
    message = content.scrubbed(params["summary"])
    closed = {**release, "state": outcome, "message": message, "closed_at": session.now}
    after = rules.with_state(known, release["number"], outcome)
    answer = {"release": closed, **standing(session, params, after)}
    if answer["current"] is not None and answer["current"]["number"] == closed["number"]:
        answer["current"] = closed
    scope = {"app": app, "environment": environment}
    values = {"state": outcome, "message": message, "closed_at": closed["closed_at"]}
    return Plan(
        changed=True,
        answer=answer,
        before=brief(release),
        after=brief(closed),
        write=lambda writer: _update(writer, scope, release["number"], **values),
    )


def _plan_closed_predicted(session: Session, params: Params, known: rules.Entries) -> Plan:
    """Check mode after a predicted opening: only the number and the outcome are known here."""
    number, outcome = params["release"], params["outcome"]
    release = predicted(number, outcome)
    answer = {"release": release, **standing(session, params, known)}
    if outcome == rules.HEALTHY:
        answer = {"release": release, "current": release, "previous": answer["current"]}
    before, after = {"number": number, "state": rules.OPEN}, {"number": number, "state": outcome}
    return Plan(changed=True, answer=answer, before=before, after=after)


def _plan_closed_again(session: Session, params: Params, release: Release, known: rules.Entries) -> Plan:
    """A release is closed once. The same outcome again is nothing new, and a later run's trouble leaves a healthy one
    healthy: hosts' outcomes tell of it. Any other outcome comes from a run that no longer owns the release."""
    answer = {"release": release, **standing(session, params, known)}
    label = f"Release {release['number']} ({release['version']})"
    state, outcome = release["state"], params["outcome"]
    if state == outcome:
        return Plan(changed=False, answer=answer)
    if state == rules.HEALTHY:
        warning = (
            f"{label} stays healthy, closed so at {release['closed_at']}: this run ended {outcome}, see its hosts."
        )
        return Plan(changed=False, answer=answer, warnings=[warning])
    raise ConflictError(
        f"{label} of {params['app']} in {params['environment_name']} was closed as {state} at {release['closed_at']}"
        f"{_because(release)}; it cannot be closed as {outcome} now. Nothing was recorded. Open a new release."
    )


def _because(release: Release) -> str:
    return f" ({release['message']})" if release["message"] else ""
