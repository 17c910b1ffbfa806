# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module release_info: questions to the ledger, answered from one moment."""

from __future__ import annotations

import functools
import typing as t

try:
    import sqlalchemy as sa
except ImportError:
    sa = None

from ..common.errors import ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import arrivals, leases, location, options, outcomes, releases, rules
from .clock import Clock
from .store import Session, open_store
from .tables import tables

SPEC = options.LEDGER + Spec(
    options={
        "app": {"type": "str"},
        "environment_name": {"type": "str"},
        "to": {"type": "str"},
        "version": {"type": "str"},
        "limit": {"type": "int", "default": 20},
        "keep": {"type": "int", "default": 5},
    },
    required_by={"to": ("app", "environment_name"), "version": ("app", "environment_name")},
)
_LISTED = 10  # possible versions that an error names


def run(params: Params, context: Context, clock: t.Optional[Clock] = None) -> Result:
    """Read the ledger. The result is as RETURN of the module documents; ParameterError for an unknown `to` or `version`.

    `clock` replaces the ledger's time.
    """
    given: Params = {name: None if value == "" else value for name, value in params.items()}
    options.check_texts(given)
    for name, least in (("limit", 0), ("keep", 1)):
        if given[name] < least:
            raise ParameterError(f"{name}: {given[name]} is too small; it is {least} or more.")
    with open_store(params["ledger"], clock).reading() as session:
        return {"changed": False, **_answer(session, given)}


class Place:
    """One app in one environment, each question asked of the database once."""

    def __init__(self, session: Session, app: str, environment: str) -> None:
        self._session = session
        self._releases: t.Dict[int, releases.Release] = {}
        self.scope = (app, environment)

    @functools.cached_property
    def entries(self) -> t.List[rules.Entry]:
        return releases.entries(self._session, *self.scope)

    @functools.cached_property
    def arrivals(self) -> t.List[arrivals.Arrival]:
        return arrivals.available(self._session, *self.scope)

    @functools.cached_property
    def lock(self) -> t.Optional[leases.Lease]:
        return leases.in_force(self._session, *self.scope)

    def release(self, entry: t.Optional[rules.Entry]) -> t.Optional[releases.Release]:
        """The whole release of an entry."""
        if entry is None:
            return None
        if entry.number not in self._releases:
            self._releases.update(releases.details(self._session, *self.scope, [entry.number]))
        return self._releases[entry.number]

    def history(self, limit: int) -> t.List[releases.Release]:
        return releases.newest(self._session, *self.scope, limit)

    def hosts(self) -> t.Dict[str, outcomes.Outcome]:
        return outcomes.last_of_hosts(self._session, *self.scope)


def _answer(session: Session, params: Params) -> Result:
    app, environment = params["app"], params["environment_name"]
    places = {scope: Place(session, *scope) for scope in _scopes(session, app)}
    in_use = [item for place in places.values() for item in _in_use(place, params["keep"])]
    one = None
    if app is not None and environment is not None:
        one = places.get((app, environment)) or Place(session, app, environment)
    digests_in_use = {item["digest"] for item in in_use}
    return {
        **(_of_place(one, params) if one else _NOBODY),
        "forgotten_digests": sorted({entry.digest for entry in one.entries} - digests_in_use) if one else [],
        "next_version": _next_version(session, app) if app else None,
        "environments": [_summary(place) for scope, place in places.items() if environment in (None, scope[1])],
        "digests_in_use": sorted(digests_in_use),
        "in_use": in_use,
    }


def _scopes(session: Session, app: t.Optional[str]) -> t.List[t.Tuple[str, str]]:
    """Every app and environment that the ledger knows, or those of one app."""
    scopes = tables().scopes
    query = sa.select(scopes.c.app, scopes.c.environment).order_by(scopes.c.app, scopes.c.environment)
    rows = session.rows(query if app is None else query.where(scopes.c.app == app))
    return [(row["app"], row["environment"]) for row in rows]


def _next_version(session: Session, app: str) -> str:
    built = arrivals.built_versions(session, app)
    return rules.next_version(built[0] if built else None, set(built))


def _in_use(place: Place, keep: int) -> t.List[t.Dict[str, t.Any]]:
    reasons = rules.in_use(place.entries, keep)
    return [
        {
            "app": place.scope[0],
            "environment_name": place.scope[1],
            "release": entry.number,
            "version": entry.version,
            "digest": entry.digest,
            "why": reasons[entry.number],
        }
        for entry in place.entries
        if entry.number in reasons
    ]


def _summary(place: Place) -> t.Dict[str, t.Any]:
    return {
        "app": place.scope[0],
        "environment_name": place.scope[1],
        "current": place.release(rules.current(place.entries)),
        "previous": place.release(rules.previous(place.entries)),
        "open": place.release(rules.open_release(place.entries)),
        "newest": place.arrivals[0] if place.arrivals else None,
        "lock": place.lock,
    }


# What is answered about one app in one environment, where these two are not named.
_NOBODY: Result = {
    "current": None,
    "previous": None,
    "open": None,
    "rollback_target": None,
    "rollback_reason": None,
    "history": [],
    "candidates": [],
    "candidate": None,
    "newest": None,
    "healthy_versions": [],
    "hosts": {},
    "lock": None,
}


def _of_place(place: Place, params: Params) -> Result:
    """The answers about one app in one environment."""
    target = _target(place.entries, params)
    summary = _summary(place)
    return {
        **{name: summary[name] for name in ("current", "previous", "open", "newest", "lock")},
        "rollback_target": place.release(target.entry),
        "rollback_reason": target.reason,
        "history": place.history(params["limit"]),
        "candidates": place.arrivals,
        "candidate": _candidate(place.arrivals, params),
        "healthy_versions": rules.healthy_versions(place.entries),
        "hosts": place.hosts(),
    }


def _target(entries: rules.Entries, params: Params) -> rules.Target:
    name = params["to"]
    if name is None:
        return rules.rollback_target(entries)
    entry = rules.named_target(entries, name)
    if entry is not None:
        return rules.Target(entry, f"Release {entry.label} was asked for.")
    healthy = [item.label for item in reversed(entries) if item.state == rules.HEALTHY]
    possible = f"possible are {', '.join(healthy[:_LISTED])}" if healthy else "no release was ever healthy there"
    where = f"{params['app']} in {params['environment_name']}"
    raise ParameterError(f"to: {name} was never healthy as {where}; {possible}{_more(healthy)}.")


def _candidate(there: t.Sequence[arrivals.Arrival], params: Params) -> t.Optional[arrivals.Arrival]:
    """The arrival of the named version, else the newest."""
    version = params["version"]
    if version is None:
        return there[0] if there else None
    found = [arrival for arrival in there if arrival["version"] == version]
    if found:
        return found[0]
    versions = [arrival["version"] for arrival in there]
    possible = f"there are {', '.join(versions[:_LISTED])}" if versions else "nothing arrived there yet"
    where = f"{params['app']} in {params['environment_name']}"
    raise ParameterError(f"version: {version} of {where} is not known; {possible}{_more(versions)}.")


def _more(names: t.Sequence[str]) -> str:
    return f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""


RELEASE_INFO = Operation("release_info", SPEC, run, requires=("sqlalchemy",), secrets=location.secrets)
