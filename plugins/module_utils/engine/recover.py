# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a swap that was interrupted: back to the container that served before it.

(Carrying it on is the ordinary swap with the container that is already there; the plan decides which.)
"""

from __future__ import annotations

import typing as t

from ..common.errors import SlipwayError
from . import kept, labels, steps, swap
from .actual import Actual, Container, own_policy, read
from .engine import stop_timeout
from .swap import Job


def revert(job: Job, actual: Actual, start: bool = True) -> Actual:
    """Let the container that served before be the current one again, running if `start`; what is there then.

    Order as in every revert: the one that was coming up is taken away last, since its presence is what tells. With
    start_first it also serves until the other one runs: it may have all the traffic.
    """
    pending, base = actual.pending, actual.base
    if pending is None:
        return actual
    swap.refuse_newer(job, ((container.id, container.release) for container in actual.all()))
    try:
        _revert(job, actual, pending, base, start)
    except SlipwayError as error:
        error.facts.update(changed=True, action="interrupted")
        raise
    return read(job.engine, job.wanted.name, full=True)


def _revert(job: Job, actual: Actual, pending: Container, base: t.Optional[Container], start: bool) -> None:
    side_by_side = start and job.wanted.strategy == "start_first"
    if base is not None and side_by_side:
        _bring_back(job, base, pending, start)
    if pending.active:
        swap.stop(job, pending)
    steps.step("reverting")
    if base is not None and not side_by_side:
        _bring_back(job, base, pending, start)
    kept.put_away(job.engine, actual, pending)
    steps.step("removed")


def _bring_back(job: Job, base: Container, pending: Container, start: bool) -> None:
    engine = job.engine
    if start and not base.active:
        engine.start(base.id)
    elif start and base.state.get("Paused"):
        engine.unpause(base.id)
    elif not start and base.active:
        engine.stop(base.id, stop_timeout(base.attrs))
    steps.step("restarted")
    if base.restart_policy["Name"] == "no":
        swap.arm(job, base, own_policy(base, pending))
    steps.step("rearmed")
    if base.name != job.wanted.name:
        engine.rename(base.id, job.wanted.name)
    steps.step("renamed")


def story(actual: Actual, recovery: str) -> t.Optional[str]:
    """For the user: what was found, and what is done about it."""
    pending = actual.pending
    if pending is None:
        return None
    doing = "it is carried on" if recovery == "finish" else "it is taken back"
    kind = "a rollback" if pending is actual.restoring else "a swap"
    return (
        f"An interrupted run left {kind} of {actual.name} half done (container {pending.described()} as "
        f"{labels.part_name(actual.name, labels.RESTORING if pending is actual.restoring else labels.CANDIDATE)}); {doing}."
    )
