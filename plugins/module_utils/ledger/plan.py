# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, then apply: what a task of the ledger found, means to write, and answers."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..common.operation import Context, Params, Result
from .store import Session, Store


def nothing(session: Session) -> None:
    """The writes of a plan that changes nothing."""


@dataclass
class Plan:
    """`answer` are the result's keys that this state fills; `before` and `after` are its diff; `write` does it.

    A plan with `changed` false has nothing to show as a difference. `write` may still renew what it is not a change to
    renew, the end of a lease.
    """

    changed: bool
    answer: Result = field(default_factory=dict)
    before: t.Any = None
    after: t.Any = None
    write: t.Callable[[Session], None] = nothing
    warnings: t.Sequence[str] = ()

    def diff(self) -> t.Dict[str, t.Any]:
        """Ansible's diff: both sides always there, equal when nothing changes, and an empty text where there is nothing."""
        if not self.changed:
            return {"before": "", "after": ""}
        return {"before": self.before or "", "after": self.after or ""}


Planner = t.Callable[[Session, Params], Plan]


def settle(store: Store, planner: Planner, params: Params, context: Context) -> Plan:
    """Make the plan and, outside check mode, carry it out in the transaction that it was made in.

    A ledger that is not there yet is made only for a plan that writes: a refused task leaves no file behind.
    """
    if context.check_mode or not store.exists():
        with store.reading() as session:
            plan = planner(session, params)
        if context.check_mode or plan.write is nothing:
            return plan
    with store.writing() as session:
        session.counters(params["app"], params["environment_name"], lock=True)
        plan = planner(session, params)
        plan.write(session)
    return plan
