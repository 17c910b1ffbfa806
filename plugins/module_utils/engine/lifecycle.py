# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states that need no image: stopped, absent, restarted, rolled_back, confirmed."""

from __future__ import annotations

import typing as t

from ..common.errors import SlipwayError
from . import facts, labels, preflight, recover, steps, swap
from .actual import NO_POLICY, Actual, Container, own_policy, read
from .plan import image_text, state_word
from .task import HELD, Outcome, Task


def stopped(task: Task) -> Outcome:
    """Nothing of this name runs; the containers stay. A restart of the daemon does not start them either."""
    actual = _recovered(task, read(task.engine, task.wanted.name), start=False)
    current = actual.current
    if current is None:
        return Outcome("none", None, facts.previous(actual.kept, True))
    wakes = current.restart_policy["Name"] in ("always", "on-failure")
    if not current.active and not wakes:
        return Outcome("none", facts.of(current), facts.previous(actual.kept, True))
    before, after = {"state": state_word(current)}, {"state": "exited" if current.active else state_word(current)}
    if wakes:
        before["restart_policy"], after["restart_policy"] = labels.policy_text(current.restart_policy), "no:0"
    expected = {**facts.of(current), "status": after["state"]}
    if not task.check_mode:
        if wakes:
            task.engine.update(current.id, {"RestartPolicy": dict(NO_POLICY)})
        if current.active:
            swap.stop(task.job, current)
        expected = task.facts_now(current)
    return Outcome("stopped", expected, facts.previous(actual.kept, True), before, after)


def absent(task: Task) -> Outcome:
    """No container that Slipway made for this name is left, the kept one included; the serving one goes last."""
    actual = read(task.engine, task.wanted.name)
    task.guard(actual)
    doomed = [
        c for c in (*actual.strays, actual.older, actual.kept, actual.restoring, actual.candidate, actual.current) if c
    ]
    if not doomed:
        return Outcome("none", None)
    before = {container.name: f"{state_word(container)}, {image_text(container)}" for container in doomed}
    if not task.check_mode:
        for container in doomed:
            if container is actual.current and container.active:
                swap.stop(task.job, container)
            task.engine.remove(container.id)
    return Outcome("removed", None, facts.previous(actual.current, False), before, {})


def restarted(task: Task) -> Outcome:
    """The container as it is, stopped and started again, and through its gate."""
    actual = _recovered(task, read(task.engine, task.wanted.name), start=True)
    current = actual.current
    if current is None:
        raise _nothing(task, "restart")
    preflight.check_gate_of(task.engine, task.wanted, current)
    before = {"state": state_word(current), "started_at": current.state.get("StartedAt")}
    after = {"state": "running", "started_at": "<now>"}
    kept = facts.previous(actual.kept, True)
    if task.check_mode:
        expected = {**facts.of(current), "status": "running", "restart_count": 0, "started_at": None}
        return Outcome("restarted", expected, kept, before, after)
    if current.active:
        task.timings.went_down()
        swap.stop(task.job, current)
    gate = task.prove(current, "restarted")
    if current.restart_policy["Name"] == "no":  # state stopped took it
        swap.arm(task.job, current, own_policy(current, None))
    return Outcome("restarted", task.facts_now(current), kept, before, after, gate)


def rolled_back(task: Task) -> Outcome:
    """The kept container serves again, and the current one is kept instead.

    With a release number it goes back from that one alone: where no container of it is, nothing is left to do. So a host
    whose swap was cut off at an unknown point can be asked to go back, without going back too far.
    """
    actual = read(task.engine, task.wanted.name, full=True)
    task.guard(actual)
    if actual.restoring is not None:
        found = recover.story(actual, "finish")
        task.warn(found or "")
        return _restore(task, actual, actual.restoring, actual.base, interrupted=True)
    if actual.candidate is not None and actual.base is not None:
        return _taken_back(task, actual, actual.candidate, actual.base)
    found = recover.story(actual, "revert")
    actual = _recovered(task, actual, start=True)
    current, kept = actual.current, actual.kept
    if task.wanted.release is not None and (current is None or current.release != task.wanted.release):
        return _not_here(task, actual, recovered=found is not None)
    if current is not None and kept is not None and kept.labels.get(labels.REPLACES) == current.id and current.running:
        return _done_already(task, current, kept)
    if kept is None:
        raise SlipwayError(
            f"{task.engine.host}: there is no kept container of {task.wanted.name} to go back to. Deploy the release you "
            "want with state started, its image and its digest."
        )
    return _restore(task, actual, kept, current, interrupted=False)


def _not_here(task: Task, actual: Actual, recovered: bool) -> Outcome:
    """The release to go back from is not what is here: it never came so far, or has gone back already."""
    found = facts.of(actual.current) if actual.current else None
    return Outcome("recovered" if recovered else "none", found, facts.previous(actual.kept, True))


def _taken_back(task: Task, actual: Actual, candidate: Container, base: Container) -> Outcome:
    """A swap that did not come to its end is what there is to go back from: the container before it serves again."""
    task.warn(recover.story(actual, "revert") or "")
    before = {"state": state_word(base), "candidate": image_text(candidate)}
    after = {"state": "running"}
    if task.check_mode:
        return Outcome(
            "rolled_back", {**facts.of(base), "name": task.wanted.name, "status": "running"}, None, before, after
        )
    back = recover.revert(task.job, actual, start=True).current
    if back is None:
        raise SlipwayError(f"{task.engine.host}: container {base.described()} disappeared meanwhile.")
    doubt = swap.doubts(task.job, back)
    if doubt:
        raise SlipwayError(
            f"{task.engine.host}: {task.wanted.name} went back to container {back.described()}, but {doubt}. It is left as it "
            "is; look at it now.",
            changed=True,
            action="rolled_back",
            container=facts.of(back),
        )
    return Outcome("rolled_back", task.facts_now(back), None, before, after)


def _done_already(task: Task, current: Container, kept: Container) -> Outcome:
    """The names are swapped already: nothing is left to do but to give the current one its restart policy, had the run been
    interrupted just before that."""
    previous = facts.previous(kept, True)
    policy = own_policy(current, kept)
    if current.restart_policy["Name"] != "no" or policy["Name"] == "no":
        return Outcome("none", facts.of(current), previous)
    if not task.check_mode:
        swap.arm(task.job, current, policy)
    before, after = {"restart_policy": "no:0"}, {"restart_policy": labels.policy_text(policy)}
    return Outcome("updated", facts.of(current), previous, before, after)


def _restore(task: Task, actual: Actual, back: Container, current: t.Optional[Container], interrupted: bool) -> Outcome:
    """Swap `back` in for `current`; `interrupted` when a run before this one began it."""
    preflight.check_gate_of(task.engine, task.wanted, back)
    before: t.Dict[str, t.Any] = {"state": state_word(current), "image": image_text(current) if current else None}
    after: t.Dict[str, t.Any] = {"state": "running", "image": image_text(back)}
    if (current.release if current else None) != back.release:
        before["release"], after["release"] = current.release if current else None, back.release
    previous = facts.previous(current, task.wanted.keep_previous)
    if task.check_mode:
        held = swap.holds(task.wanted, current)
        name = labels.part_name(task.wanted.name, labels.RESTORING) if held else task.wanted.name
        expected = {**facts.of(back), "name": name, "status": "running"}
        changed = not (held and back.running)
        return Outcome(HELD if held else "rolled_back", expected, previous, before, after, changed=changed)
    if not interrupted:
        task.engine.rename(back.id, labels.part_name(task.wanted.name, labels.RESTORING))
        steps.step("restoring")
        back = _again(task, back)
    serving = interrupted or (current is not None and current.active)
    took_over = swap.run(task.job, actual, current, back, serving)
    action, changed = ("rolled_back", True) if took_over else (HELD, not back.running)
    asked = task.wanted.gate.text(back)
    return Outcome(action, task.facts_now(back), previous, before, after, asked, changed)


def confirmed(task: Task) -> Outcome:
    """What a held swap brought up is the current container, and the one before it is stopped."""
    actual = read(task.engine, task.wanted.name, full=True)
    task.guard(actual)
    new, old = actual.pending, actual.base
    if new is None:
        current, kept = actual.current, actual.kept
        if current is not None and kept is not None and current.running:
            return _done_already(task, current, kept)
        return Outcome("none", facts.of(current) if current else None, facts.previous(kept, True))
    if not new.running:
        raise SlipwayError(
            f"{task.engine.host}: container {new.described()} is what a swap of {task.wanted.name} was bringing up, and it "
            "does not run, so it cannot be confirmed. Nothing was changed. Run the deployment again, or take it away with "
            "state rolled_back."
        )
    preflight.check_gate_of(task.engine, task.wanted, new)
    before: t.Dict[str, t.Any] = {"state": state_word(old), "image": image_text(old) if old else None}
    after: t.Dict[str, t.Any] = {"state": "running", "image": image_text(new)}
    previous = facts.previous(old, task.wanted.keep_previous)
    if task.check_mode:
        return Outcome("confirmed", {**facts.of(new), "name": task.wanted.name}, previous, before, after)
    swap.confirm(task.job, actual, old, new)
    return Outcome("confirmed", task.facts_now(new), previous, before, after, task.wanted.gate.text(new))


def _again(task: Task, container: Container) -> Container:
    attrs = task.engine.inspect(container.id)
    if attrs is None:
        raise SlipwayError(f"{task.engine.host}: container {container.described()} disappeared meanwhile.")
    return Container(attrs)


def _recovered(task: Task, actual: Actual, start: bool) -> Actual:
    """Guarded, and with an interrupted swap taken back; in check mode only as far as looking goes."""
    task.guard(actual)
    found = recover.story(actual, "revert")
    if found is None:
        return actual
    task.warn(found)
    if task.check_mode:
        return Actual(actual.name, current=actual.base, kept=actual.kept_after_revert, strays=actual.strays)
    return recover.revert(task.job, actual, start)


def _nothing(task: Task, verb: str) -> SlipwayError:
    return SlipwayError(
        f"{task.engine.host}: there is no container {task.wanted.name} to {verb}. Deploy it with state started."
    )
