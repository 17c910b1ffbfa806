# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module release: one state, one plan, one transaction."""

from __future__ import annotations

import typing as t

from ..common.errors import ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import arrivals, leases, location, options, outcomes, releases, rules
from .clock import Clock
from .plan import Plan, settle
from .store import Session, Store, open_store

_IMAGE = ("version", "image", "digest")
_OUTCOMES = tuple(dict.fromkeys((*outcomes.OUTCOMES, *rules.ENDINGS)))
_ALLOWED = {"recorded": outcomes.OUTCOMES, "closed": rules.ENDINGS}

SPEC = options.LEDGER + Spec(
    options={
        "app": {"type": "str", "required": True},
        "environment_name": {"type": "str", "required": True},
        "state": {
            "type": "str",
            "required": True,
            "choices": ["built", "promoted", "opened", "recorded", "closed", "locked", "unlocked"],
        },
        "version": {"type": "str"},
        "image": {"type": "str"},
        "digest": {"type": "str"},
        "from_environment": {"type": "str"},
        "artifact": {"type": "dict"},
        "source": {"type": "dict"},
        "replace": {"type": "bool", "default": False},
        "config_revision": {"type": "str"},
        "run_spec": {"type": "dict"},
        "kind": {"type": "str", "choices": [rules.DEPLOY, rules.ROLLBACK], "default": rules.DEPLOY},
        "rollback_of": {"type": "int"},
        "reason": {"type": "str"},
        "owner": {"type": "str"},
        "build_url": {"type": "str"},
        "release": {"type": "int"},
        "host": {"type": "str"},
        "outcome": {"type": "str", "choices": list(_OUTCOMES)},
        "container_id": {"type": "str"},
        "timings": {"type": "dict"},
        "why": {"type": "raw"},
        "summary": {"type": "str"},  # the column's name, message, is one that Ansible keeps for itself
        "lock_owner": {"type": "str"},
        "lease": {"type": "str", "default": leases.DEFAULT_LEASE},
        "lock_wait": {"type": "str", "default": "0"},
        "force": {"type": "bool", "default": False},
    },
    required_if=(
        ("state", "built", _IMAGE),
        ("state", "promoted", (*_IMAGE, "from_environment")),
        ("state", "opened", _IMAGE),
        ("state", "recorded", ("release", "host", "outcome")),
        ("state", "closed", ("release", "outcome")),
        ("state", "locked", ("lock_owner",)),
    ),
)

# Every answer has all of these keys, so that a playbook can look at any of them.
_ANSWER = ("release", "current", "previous", "arrival", "host", "lock", "fence", "abandoned")


def run(params: Params, context: Context, clock: t.Optional[Clock] = None) -> Result:
    """Carry out `state` on the ledger. The result is as RETURN of the module documents.

    `clock` replaces the ledger's time.
    """
    given = _without_blanks(params)
    _check(given)
    store = open_store(given["ledger"], clock)
    plan = _carry_out(store, given, context)
    for warning in plan.warnings:
        context.warn(warning)
    answer: Result = {**dict.fromkeys(_ANSWER), "reused": False, "resumed": False, **plan.answer}
    return {"changed": plan.changed, **answer, "diff": plan.diff()}


def _without_blanks(params: Params) -> Params:
    """Optional texts that came out of a template empty are not given: `build_url: "{{ lookup('env', 'BUILD_URL') }}"`."""
    optional = ("build_url", "owner", "reason", "summary", "config_revision", "container_id", "lock_owner", "why")
    return {name: None if name in optional and value == "" else value for name, value in params.items()}


def _check(params: Params) -> None:
    options.check_texts(params)
    state, outcome = params["state"], params["outcome"]
    allowed = _ALLOWED.get(state)
    if allowed and outcome not in allowed:
        raise ParameterError(f"outcome: {outcome} does not go with state={state}; it takes {', '.join(allowed)}.")
    if state == "locked" and params["lock_owner"] is None:
        raise ParameterError("lock_owner: is empty; give a token that no other run has.")


def _carry_out(store: Store, params: Params, context: Context) -> Plan:
    if params["state"] == "locked":
        return leases.lock(store, params, context)
    return settle(store, _planner(params["state"], context.check_mode), params, context)


def _planner(state: str, check_mode: bool) -> t.Callable[[Session, Params], Plan]:
    planners: t.Dict[str, t.Callable[[Session, Params], Plan]] = {
        "built": arrivals.plan_built,
        "promoted": arrivals.plan_promoted,
        "opened": _plan_opened,
        "recorded": lambda session, params: outcomes.plan_recorded(session, params, check_mode),
        "closed": lambda session, params: releases.plan_closed(session, params, check_mode),
        "unlocked": leases.plan_unlocked,
    }
    return planners[state]


def _plan_opened(session: Session, params: Params) -> Plan:
    leases.check_holder(session, params)
    return releases.plan_opened(session, params)


RELEASE = Operation("release", SPEC, run, requires=("sqlalchemy",), secrets=location.secrets)
