# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State started: bring the engine from what is there to what is wanted."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..common.errors import SlipwayError
from . import facts, images, labels, preflight, recover, steps, swap
from . import plan as planning
from .actual import Actual, Container, read
from .payload import endpoint
from .plan import Change, Plan
from .task import HELD, Outcome, Task


def started(task: Task) -> Outcome:
    """The wanted container runs: created, replaced, started, updated or left alone."""
    wanted, engine = task.wanted, task.engine
    actual = read(engine, wanted.name)
    task.guard(actual)
    reference = wanted.image
    auth = images.credentials(engine, task.params, reference) if reference else None
    known = [container for container in (actual.pending, actual.base) if container is not None]
    choice = images.resolve(engine, wanted, auth, known, offline=not task.check_mode)
    if choice.pull and choice.digest is None and not task.check_mode:
        choice = _fetch(task, choice, auth)  # the registry answers pulls alone: only the pull tells the digest
    plan = _possible(task, planning.started(wanted, actual, choice), actual, choice)
    _foresee(task, plan, actual)
    if task.check_mode:
        return _predicted(task, plan, actual, choice)
    if plan.swaps and plan.recovery != "finish":
        choice = _fetch(task, choice, auth)
    if plan.recovery == "revert":
        actual = recover.revert(task.job, actual)
    return _apply(task, plan, actual, choice)


def pulled(task: Task) -> Outcome:
    """The wanted image is on the engine, verified by its digest; containers are not looked at."""
    wanted, engine = task.wanted, task.engine
    auth = images.credentials(engine, task.params, wanted.image) if wanted.image else None
    choice = images.resolve(engine, wanted, auth, (), offline=not task.check_mode)
    if not choice.pull:
        return Outcome("none", None)
    fetched = choice if task.check_mode else _fetch(task, choice, auth)
    return Outcome("pulled", None, None, {"image": None}, {"image": fetched.digest or choice.pull})


def _fetch(task: Task, choice: images.Choice, auth: images.Auth) -> images.Choice:
    with task.timings.measure("pull"):
        fetched = images.fetch(task.engine, choice, auth, may_pull=task.wanted.pull != "never")
    steps.step("pulled")
    return fetched


def _possible(task: Task, plan: Plan, actual: Actual, choice: images.Choice) -> Plan:
    """The plan without limits that this engine's kernel does not have: it would set them again for ever."""
    limits = [change for change in plan.changes if change.option in planning.SUPPORT]
    if not limits:
        return plan
    can = task.engine.info()
    cannot = [change.option for change in limits if can.get(planning.SUPPORT[change.option]) is False]
    if not cannot:
        return plan
    task.warn(f"{task.engine.host}: the kernel there does not support {', '.join(cannot)}; left as it is.")
    live = {option: value for option, value in task.wanted.live.items() if option not in cannot}
    before = {change.option: change.before for change in limits if change.option in cannot}
    task.wanted = replace(task.wanted, live={**live, **{key: value for key, value in before.items() if value}})
    return planning.started(task.wanted, actual, choice)


def _foresee(task: Task, plan: Plan, actual: Actual) -> None:
    """Say what was found, and fail now for what would fail later."""
    found = recover.story(actual, plan.recovery)
    if found:
        task.warn(found)
    if plan.recovery == "finish" and actual.pending and planning.begins_anew(task.wanted, actual.pending):
        task.warn(
            f"{task.engine.host}: {actual.pending.name} runs already and may have read other settings than those of revision "
            f"{task.wanted.config_revision}: it is started anew, so that it reads these."
        )
    if plan.swaps or (plan.action == "started" and plan.base is not None):
        preflight.check(task.engine, task.wanted, actual)


def _apply(task: Task, plan: Plan, actual: Actual, choice: images.Choice) -> Outcome:
    if plan.swaps:
        return _swap(task, plan, actual, choice)
    current = actual.current
    if current is None:
        raise SlipwayError(f"{task.engine.host}: container {task.wanted.name} disappeared while the task ran.")
    if plan.changes:
        update(task, current, plan.changes)
    gate = None
    if plan.action == "started":
        gate = task.prove(current, plan.action)
    cleaned = _clean(task, actual)
    if not plan.changed and not cleaned:
        return Outcome("none", facts.of(current), facts.previous(actual.kept, True), plan.before, plan.after)
    action = plan.action if plan.changed else "cleaned"
    kept = facts.previous(actual.kept, True) if task.wanted.keep_previous else None
    return Outcome(action, task.facts_now(current), kept, plan.before, plan.after, gate)


def _swap(task: Task, plan: Plan, actual: Actual, choice: images.Choice) -> Outcome:
    job = task.job
    if plan.recovery == "finish":
        old, new, serving = actual.base, actual.pending, True
    else:
        old = actual.current
        new, serving = task.pristine(lambda: swap.create(job, choice, old)), old is not None and old.active
    if new is None:
        raise SlipwayError(f"{task.engine.host}: the new container of {task.wanted.name} disappeared meanwhile.")
    if plan.recovery == "finish" and planning.begins_anew(task.wanted, new):
        task.pristine(lambda: swap.stop(job, new))
    took_over = swap.run(job, actual, old, new, serving)
    return Outcome(
        plan.action if took_over else HELD,
        task.facts_now(new),
        facts.previous(old, task.wanted.keep_previous),
        plan.before,
        plan.after,
        task.wanted.gate.text(new),
        changed=took_over or not new.running,
    )


def update(task: Task, container: Container, changes: t.Sequence[Change]) -> None:
    """Change limits, restart policy and networks of the living container."""
    engine = task.engine
    body = planning.host_config_update(task.wanted, changes)
    if body:
        for warning in engine.update(container.id, body):
            task.warn(f"{engine.host}: {warning}")
    for change in changes:
        if not change.option.startswith("networks."):
            continue
        if change.before is not None:
            engine.leave(container.id, change.before["name"])
        if change.after is not None:
            engine.join(container.id, change.after["name"], endpoint(change.after))


def _clean(task: Task, actual: Actual) -> bool:
    """Remove what is not to be kept any more. True if there was something."""
    too_many = _too_many(task, actual)
    for container in too_many:
        task.engine.remove(container.id)
    return bool(too_many)


def _too_many(task: Task, actual: Actual) -> t.List[Container]:
    """The kept container when none is to be kept, and the one before it, which a run left that was killed at its very end."""
    kept = None if task.wanted.keep_previous else actual.kept
    return [container for container in (actual.older, kept) if container is not None]


def _predicted(task: Task, plan: Plan, actual: Actual, choice: images.Choice) -> Outcome:
    """What the real run would report."""
    wanted = task.wanted
    if plan.swaps:
        return _predicted_swap(task, plan, actual, choice)
    # A swap that is taken back first lets what was kept before it be kept again.
    cleaned = bool(_too_many(task, actual)) and not plan.recovery
    action = "cleaned" if cleaned and not plan.changed else plan.action
    container = plan.base
    expected = facts.of(container) if container else None
    if expected is not None and plan.changed:
        expected = {**expected, "name": wanted.name, "status": "running"}
        if plan.action == "started":  # what only the start decides, as for a container that is not there yet
            expected.update(ports=facts.predicted(wanted, choice)["ports"], ip=None, started_at=None)
    there = actual.kept_after_revert if plan.recovery else actual.kept
    kept = facts.previous(there, True) if wanted.keep_previous else None
    return Outcome(action, expected, kept, plan.before, plan.after)


def _predicted_swap(task: Task, plan: Plan, actual: Actual, choice: images.Choice) -> Outcome:
    """A container that is already on its way can be shown as it is; of a new one, what is asked for."""
    wanted, old = task.wanted, plan.base
    held = swap.holds(wanted, old)
    expected = facts.predicted(wanted, choice)
    there = actual.pending if plan.recovery == "finish" else None
    if held:
        name = there.name if there else labels.part_name(wanted.name, labels.CANDIDATE)
        expected = facts.of(there) if there and there.running else {**expected, "name": name}
    return Outcome(
        HELD if held else plan.action,
        expected,
        facts.previous(old, wanted.keep_previous),
        plan.before,
        plan.after,
        changed=not (held and there and there.running),
    )
