# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrivals: an image was built for an environment, or promoted into it."""

from __future__ import annotations

import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.errors import ConflictError
from ..common.operation import Params
from . import content, releases
from .plan import Plan
from .store import Session
from .tables import tables

BUILT, PROMOTED = "built", "promoted"
Arrival = t.Dict[str, t.Any]


def available(session: Session, app: str, environment: str) -> t.List[Arrival]:
    """What can be deployed in an environment, the newest arrival first; a replaced one is no longer among them."""
    arrivals = tables().arrivals
    query = (
        sa.select(arrivals)
        .where(arrivals.c.app == app, arrivals.c.environment == environment, arrivals.c.replaced_at.is_(None))
        .order_by(arrivals.c.id.desc())
    )
    return [_shown(row) for row in session.rows(query)]


def of_version(session: Session, app: str, environment: str, version: str) -> t.Optional[Arrival]:
    """The arrival that this version means in this environment, or None."""
    arrivals = tables().arrivals
    row = session.first(
        sa.select(arrivals).where(
            arrivals.c.app == app,
            arrivals.c.environment == environment,
            arrivals.c.version == version,
            arrivals.c.replaced_at.is_(None),
        )
    )
    return None if row is None else _shown(row)


def built_versions(session: Session, app: str) -> t.List[str]:
    """Every version of the app that was ever built, in any environment, the newest build first."""
    arrivals = tables().arrivals
    query = sa.select(arrivals.c.version).where(arrivals.c.app == app, arrivals.c.how == BUILT)
    return [row["version"] for row in session.rows(query.order_by(arrivals.c.id.desc()))]


def _origin(session: Session, app: str, environment: str, digest: str) -> t.Optional[Arrival]:
    arrivals = tables().arrivals
    query = (
        sa.select(arrivals)
        .where(arrivals.c.app == app, arrivals.c.environment == environment, arrivals.c.digest == digest)
        .order_by(arrivals.c.id.desc())
    )
    row = session.first(query)
    return None if row is None else _shown(row)


def _shown(row: t.Mapping[str, t.Any]) -> Arrival:
    return {
        "version": row["version"],
        "digest": row["digest"],
        "image": row["image"],
        "how": row["how"],
        "from_environment": row["from_environment"],
        "artifact": content.load(row["artifact"]),
        "source": content.load(row["source"]),
        "build_url": row["build_url"],
        "at": row["arrived_at"],
    }


def plan_built(session: Session, params: Params) -> Plan:
    """A build for this environment."""
    return _plan_arrival(session, params, BUILT, params)


def plan_promoted(session: Session, params: Params) -> Plan:
    """A promotion: refused unless this digest was healthy where it comes from. What was built comes along."""
    app, source = params["app"], params["from_environment"]
    entries = releases.entries(session, app, source)
    if not any(entry.digest == params["digest"] and entry.state == "healthy" for entry in entries):
        raise ConflictError(
            f"{app} {params['version']} ({params['digest']}) was never healthy in {source}, so it is not promoted to "
            f"{params['environment_name']}. {_what_is_there(entries, source)} Deploy it to {source} first."
        )
    origin = _origin(session, app, source, params["digest"]) or {}
    details = {name: params[name] if params[name] is not None else origin.get(name) for name in ("artifact", "source")}
    return _plan_arrival(session, params, PROMOTED, {**params, **details})


def _what_is_there(entries: t.Sequence[t.Any], environment: str) -> str:
    if not entries:
        return f"{environment} has no release at all."
    newest = {entry.digest: entry for entry in entries}.values()
    listed = ", ".join(f"{entry.version} {entry.digest} ({entry.state})" for entry in list(newest)[-5:])
    return f"In {environment} there are: {listed}."


def _plan_arrival(session: Session, params: Params, how: str, details: t.Mapping[str, t.Any]) -> Plan:
    app, environment, version = params["app"], params["environment_name"], params["version"]
    known = of_version(session, app, environment, version)
    if known is not None and known["digest"] == params["digest"]:
        return Plan(changed=False, answer={"arrival": known})
    if known is not None and not params["replace"]:
        raise ConflictError(
            f"{app} {version} in {environment} is {known['digest']} since {known['at']}, not {params['digest']}. "
            "Nothing was recorded. Take another version, or say replace: true if this version is meant to change."
        )
    row = {
        "app": app,
        "environment": environment,
        "version": version,
        "digest": params["digest"],
        "image": params["image"],
        "how": how,
        "from_environment": params["from_environment"] if how == PROMOTED else None,
        "artifact": content.dump(content.scrubbed(details["artifact"])),
        "source": content.dump(content.scrubbed(details["source"])),
        "build_url": content.scrubbed(params["build_url"]),
        "arrived_at": session.now,
        "replaced_at": None,
    }
    return Plan(
        changed=True,
        answer={"arrival": _shown(row)},
        before=_brief(known),
        after=_brief(row),
        write=lambda writer: _insert(writer, row),
    )


def _brief(arrival: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[t.Dict[str, t.Any]]:
    return None if arrival is None else {name: arrival[name] for name in ("version", "digest", "image", "how")}


def _insert(session: Session, row: t.Mapping[str, t.Any]) -> None:
    arrivals = tables().arrivals
    same = [arrivals.c[name] == row[name] for name in ("app", "environment", "version")]
    replaced = arrivals.update().where(*same, arrivals.c.replaced_at.is_(None))
    session.conn.execute(replaced.values(replaced_at=row["arrived_at"]))
    session.conn.execute(arrivals.insert().values(**row))
