# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: one run at a time in an app and environment, for as long as it renews, with a number that only grows.

The fencing number of a lease is higher than that of every lease before it: whoever acts on an environment can refuse a
run whose lease was taken over while it slept.
"""

from __future__ import annotations

import getpass
import socket
import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.deadline import Deadline
from ..common.errors import ConflictError, ParameterError
from ..common.operation import Context, Params
from ..common.units import seconds
from . import content
from .clock import later
from .plan import Plan, settle
from .store import Session, Store
from .tables import tables

POLL_SECONDS = 0.5
DEFAULT_LEASE = "10m"
_SHOWN = ("owner", "host", "build_url", "lock_owner", "since", "renewed_at", "expires", "fence")
Lease = t.Dict[str, t.Any]


class HeldError(ConflictError):
    """Another run holds the lease."""


def in_force(session: Session, app: str, environment: str) -> t.Optional[Lease]:
    """The newest lease, unless it was given back. Its `expired` tells whether the next run may take it."""
    row = _newest(session, app, environment)
    if row is None or row["ended_at"] is not None:
        return None
    return shown(row, session.now)


def _newest(session: Session, app: str, environment: str) -> t.Optional[t.Dict[str, t.Any]]:
    leases = tables().leases
    own = (leases.c.app == app, leases.c.environment == environment)
    return session.first(sa.select(leases).where(*own).order_by(leases.c.fence.desc()).limit(1))


def shown(row: t.Mapping[str, t.Any], now: str) -> Lease:
    """A lease as results show it."""
    return {**{name: row[name] for name in _SHOWN}, "expired": row["expires"] <= now}


def holder(lease: t.Mapping[str, t.Any]) -> str:
    """`ann on ci-7 (https://…), since …, until …`: who to ask."""
    build = f" ({lease['build_url']})" if lease["build_url"] else ""
    return f"{lease['owner']} on {lease['host']}{build}, since {lease['since']}, until {lease['expires']}"


def lock(store: Store, params: Params, context: Context) -> Plan:
    """Take or renew the lease, waiting up to `lock_wait` while another run holds it. ConflictError names that run."""
    deadline = Deadline(seconds(params["lock_wait"], "lock_wait"))
    if seconds(params["lease"], "lease") < 1:
        raise ParameterError(f"lease: {params['lease']} is too short; a lease lasts a second or more.")
    while True:
        try:
            return settle(store, plan_locked, params, context)
        except HeldError as error:
            if deadline.expired():
                waited = f" Waited {deadline.seconds:g} s for it (lock_wait)." if deadline.seconds else ""
                raise ConflictError(f"{error.msg}{waited}", **error.facts) from error
        deadline.pause(POLL_SECONDS)


def plan_locked(session: Session, params: Params) -> Plan:
    """Take a free or expired lease, renew one's own, refuse when another run holds it or has taken it over."""
    app, environment = params["app"], params["environment_name"]
    newest = _newest(session, app, environment)
    held = newest if newest is not None and newest["ended_at"] is None else None
    if held is not None and held["lock_owner"] == params["lock_owner"]:
        return _plan_renewed(session, params, held)
    _refuse_the_dispossessed(session, params)
    expired = held is not None and held["expires"] <= session.now
    if held is not None and not expired:
        raise HeldError(
            f"{app} in {environment} is locked by {holder(held)}. Nothing was done. Wait for it (lock_wait), or give its "
            "lock back by force if that run is dead.",
            lock=shown(held, session.now),
        )
    return _plan_taken(session, params, held)


def _lost(session: Session, app: str, environment: str, lock_owner: str) -> t.Optional[t.Dict[str, t.Any]]:
    """The lease of this run that another run or a person ended, if there is one."""
    leases = tables().leases
    own = (leases.c.app == app, leases.c.environment == environment, leases.c.lock_owner == lock_owner)
    query = sa.select(leases).where(*own, leases.c.ending.in_(("expired", "forced")))
    return session.first(query.order_by(leases.c.fence.desc()))


def _refuse_the_dispossessed(session: Session, params: Params) -> None:
    """A run whose lease was ended by others must not start again where it was: the world moved on without it."""
    app, environment = params["app"], params["environment_name"]
    lost = _lost(session, app, environment, params["lock_owner"])
    if lost is None:
        return
    how = "expired and was taken over" if lost["ending"] == "expired" else "was ended by force"
    raise ConflictError(
        f"This run lost the lock of {app} in {environment}: its lease (fence {lost['fence']}) {how} by "
        f"{lost['ended_by']} at {lost['ended_at']}. Nothing was done. See what runs there now, then start a new run."
    )


def check_holder(session: Session, params: Params) -> None:
    """ConflictError when `lock_owner` is given and another run holds the lease, or took it from this one."""
    if params["lock_owner"] is None:
        return
    newest = in_force(session, params["app"], params["environment_name"])
    if newest is not None and newest["lock_owner"] == params["lock_owner"]:
        return
    _refuse_the_dispossessed(session, params)
    if newest is not None and not newest["expired"]:
        raise HeldError(
            f"{params['app']} in {params['environment_name']} is locked by {holder(newest)}. Nothing was recorded.",
            lock=newest,
        )


def _plan_renewed(session: Session, params: Params, held: t.Mapping[str, t.Any]) -> Plan:
    """A later end is no change: the run holds the lock before and after."""
    now = session.now
    times = {"renewed_at": now, "expires": later(now, seconds(params["lease"], "lease"))}
    return Plan(
        changed=False,
        answer={"lock": shown({**held, **times}, now), "fence": held["fence"]},
        write=lambda writer: _update(writer, held, **times),
    )


def _plan_taken(session: Session, params: Params, expired: t.Optional[t.Mapping[str, t.Any]]) -> Plan:
    now = session.now
    row = {
        "app": params["app"],
        "environment": params["environment_name"],
        "fence": session.counters(params["app"], params["environment_name"]).fence + 1,
        "lock_owner": params["lock_owner"],
        "owner": content.scrubbed(params["owner"]) or _user(),
        "host": socket.gethostname(),
        "build_url": content.scrubbed(params["build_url"]),
        "since": now,
        "renewed_at": now,
        "expires": later(now, seconds(params["lease"], "lease")),
    }
    lease = shown(row, now)
    warnings = [] if expired is None else [f"Took over the expired lock of {holder(expired)}: that run did not end."]
    return Plan(
        changed=True,
        answer={"lock": lease, "fence": row["fence"]},
        before=None if expired is None else shown(expired, now),
        after=lease,
        write=lambda writer: _take(writer, row, expired),
        warnings=warnings,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def _take(session: Session, row: t.Mapping[str, t.Any], expired: t.Optional[t.Mapping[str, t.Any]]) -> None:
    if expired is not None:
        _end(session, expired, "expired", holder(row))
    session.conn.execute(tables().leases.insert().values(**row))
    session.count(row["app"], row["environment"], last_fence=row["fence"])


def plan_unlocked(session: Session, params: Params) -> Plan:
    """Give the lease back: one's own, or anybody's with `force`. A lock that is not there is not missed."""
    app, environment = params["app"], params["environment_name"]
    if params["lock_owner"] is None and not params["force"]:
        raise ParameterError("state=unlocked needs lock_owner, the token the lock was taken with, or force: true.")
    newest = _newest(session, app, environment)
    if newest is None or newest["ended_at"] is not None:
        return Plan(changed=False)
    lease = shown(newest, session.now)
    own = newest["lock_owner"] == params["lock_owner"]
    if not own and not params["force"]:
        warning = f"The lock of {app} in {environment} is not this run's; it stays with {holder(newest)}."
        return Plan(changed=False, answer={"lock": lease}, warnings=[warning])
    by = content.scrubbed(params["owner"]) or _user()
    return Plan(
        changed=True,
        before=lease,
        write=lambda writer: _end(writer, newest, "released" if own else "forced", by),
        warnings=[] if own else [f"Ended the lock of {holder(newest)}: that run stops before its next switch."],
    )


def _end(session: Session, lease: t.Mapping[str, t.Any], ending: str, by: str) -> None:
    _update(session, lease, ended_at=session.now, ending=ending, ended_by=by)


def _update(session: Session, lease: t.Mapping[str, t.Any], **values: t.Any) -> None:
    leases = tables().leases
    key = [leases.c[name] == lease[name] for name in ("app", "environment", "fence")]
    session.conn.execute(leases.update().where(*key).values(**values))
