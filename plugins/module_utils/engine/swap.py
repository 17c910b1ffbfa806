# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing a container so that at every instant one is serving or can be started.

The order: create the new one under a temporary name, take the old one's restart policy and stop it, start the new one,
gate, soak, put aside what was kept before, and the old one, give the new one the name and its restart policy, remove what was
kept before. The rename to the plain name is the commit: a container of that name has passed its gate. Whoever finds another part of the
play filled (labels.CANDIDATE, labels.RESTORING) has found an interrupted swap; recover.py says what becomes of it.

Side by side (start_first) the old one is stopped after the soak. A swap that is to be held ends just before that, with both
running: what an interrupt at that step leaves, and is as safe. `confirm` does what is left.

Each step is told to steps.py, where tests interrupt.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..common.deadline import Deadline
from ..common.errors import ConflictError, ParameterError, SlipwayError, UnreachableError
from . import facts, kept, labels, payload, preflight, probes, steps, why
from .actual import NO_POLICY, Actual, Container, own_policy, release_of
from .desired import Wanted
from .engine import Engine, stop_timeout
from .gate import Gate, GateError, GateSpec, Passed
from .images import Choice
from .timings import Timings

REVERT_PATIENCE = 30.0  # seconds that a revert waits for an engine that does not answer
REVERT_SOAK = 2.0  # seconds that the old container has to run again


@dataclass
class Job:
    """What a swap works with."""

    engine: Engine
    wanted: Wanted
    timings: Timings
    warn: t.Callable[[str], None]


@dataclass(frozen=True)
class Ending:
    """How a failed swap ended: `action` is the word in the result, `text` says what runs now, `facts` go along."""

    action: str
    text: str
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)


def create(job: Job, image: Choice, replaced: t.Optional[Container]) -> Container:
    """The new container under its temporary name, on all its networks, not started. A bad spec fails here, removed."""
    engine, wanted = job.engine, job.wanted
    reference = wanted.image.text if wanted.image else image.create_from
    marks = payload.container_labels(wanted, reference, image.digest or "", replaced)
    name = labels.part_name(wanted.name, labels.CANDIDATE)
    with job.timings.measure("create"):
        made, warnings = engine.create(name, payload.create_payload(wanted, image.create_from, marks))
        for warning in warnings:
            job.warn(f"{engine.host}: {warning}")
        steps.step("created")
        try:
            return _complete(job, made, image)
        except SlipwayError:
            engine.remove(made)
            raise


def _complete(job: Job, made: str, image: Choice) -> Container:
    """Connect the created container to its other networks, and check that it is what was asked for."""
    engine, wanted = job.engine, job.wanted
    for network in wanted.networks[1:]:
        engine.join(made, network["name"], payload.endpoint(network))
    attrs = engine.inspect(made)
    if attrs is None:
        raise ConflictError(f"{engine.host}: the new container of {wanted.name} was removed while it was made.")
    new = Container(attrs)
    if attrs["Image"] != image.id:
        raise ConflictError(
            f"{engine.host}: {image.create_from} became {attrs['Image']} while {wanted.name} was created from it, instead "
            f"of {image.id}. Somebody moved the tag; run it again."
        )
    if wanted.gate.docker and not new.has_healthcheck:
        raise ParameterError(
            f"{engine.host}: gate.docker is true, but neither the image nor the healthcheck option has a HEALTHCHECK."
        )
    steps.step("joined")
    return new


def run(job: Job, actual: Actual, old: t.Optional[Container], new: Container, serving: bool) -> bool:
    """Let `new` take over from `old`, and give it the name. `serving`: the old one has to run again after a failure.

    False when the swap is held: both run, and nothing was stopped or renamed. Raises the failure after having dealt with it
    as `failure_action` says; its facts have action, why and timings.
    """
    try:
        still_ours(job, actual, new)
    except ConflictError:
        if labels.part_name(job.wanted.name, labels.CANDIDATE) == new.name and not new.active:
            job.engine.remove(new.id)
        raise
    try:
        if old is not None and job.wanted.strategy == "stop_first":
            retire(job, old)
        prove(job, new)
    except SlipwayError as failure:
        raise failed(job, failure, actual, old, new, serving) from failure
    if job.wanted.strategy == "start_first" and holds(job.wanted, old):
        return False
    commit(job, actual, old, new, stopped=job.wanted.strategy == "stop_first")
    return True


def holds(wanted: Wanted, old: t.Optional[Container]) -> bool:
    """True when a swap for `wanted` ends with both running: there is traffic on `old` to be moved first."""
    return wanted.hold and old is not None and old.active


def confirm(job: Job, actual: Actual, old: t.Optional[Container], new: Container) -> None:
    """Finish a held swap: stop `old`, give `new` the name. SlipwayError, with both left running, unless `new` is well."""
    still_ours(job, actual, new)
    try:
        with job.timings.measure("gate"):
            open_gate(job, job.wanted.gate, new.id).run()
    except SlipwayError as failure:
        raise SlipwayError(
            why.masked(
                f"{job.engine.host}: {job.wanted.name}: the held container {new.described()} is not well any more: "
                f"{failure.msg}. Nothing was stopped. Send the traffic to the old container, and take this one away with "
                "state rolled_back.",
                job.wanted.secrets,
            ),
            action="none",
            why=why.facts(job.engine, new, failure, job.wanted.secrets),
            timings=job.timings.facts(),
        ) from failure
    commit(job, actual, old, new, stopped=False)


def still_ours(job: Job, actual: Actual, new: t.Optional[Container]) -> None:
    """ConflictError when the containers are no longer the ones that were planned with: the last look before the switch."""
    listed = job.engine.containers(label=f"{labels.NAME}={job.wanted.name}")
    refuse_newer(job, ((summary["Id"], release_of(summary.get("Labels") or {})) for summary in listed))
    known = {container.id for container in actual.all()} | ({new.id} if new else set())
    unknown = sorted({summary["Id"][:12] for summary in listed if summary["Id"] not in known})
    if unknown:
        raise ConflictError(
            f"{job.engine.host}: another container of {job.wanted.name} ({', '.join(unknown)}) appeared meanwhile: "
            "somebody else is deploying it. The old container was left alone."
        )


def refuse_newer(job: Job, releases: t.Iterable[t.Tuple[str, t.Optional[int]]]) -> None:
    """Fencing: ConflictError when any of the containers is of a newer release than this deployer's."""
    ours = job.wanted.release
    for container, release in releases:
        if ours is not None and release is not None and release > ours:
            raise ConflictError(
                f"{job.engine.host}: container {container[:12]} of {job.wanted.name} is of release {release}, and this is "
                f"the deployer of release {ours}: a newer release is never replaced by an older one. To go back, deploy "
                "the older image as a new release."
            )


def retire(job: Job, old: Container) -> None:
    """Take the old container's restart policy, so that no daemon restart starts it beside the new one, and stop it."""
    if old.restart_policy["Name"] != "no":
        job.engine.update(old.id, {"RestartPolicy": dict(NO_POLICY)})
    steps.step("disarmed")
    if old.active:
        if job.wanted.strategy == "stop_first":
            job.timings.went_down()
        stop(job, old)
    steps.step("stopped")


def stop(job: Job, container: Container) -> None:
    with job.timings.measure("stop"):
        if container.state.get("Paused"):
            job.engine.unpause(container.id)  # a frozen process cannot end by itself
        job.engine.stop(container.id, stop_timeout(container.attrs))


def prove(job: Job, new: Container) -> Passed:
    """Start the container, and have it pass gate and soak."""
    with job.timings.measure("start"):
        if new.state.get("Paused"):
            job.engine.unpause(new.id)
        try:
            job.engine.start(new.id)
        except SlipwayError as error:
            error.msg += preflight.held_by_nobody(job.engine, error.msg)
            raise
    steps.step("started")
    with job.timings.measure("gate"):
        gate = open_gate(job, job.wanted.gate, new.id)
        passed = gate.run()
        job.timings.came_up(passed.serving_since)
        steps.step("gated")
        gate.soak()
    steps.step("soaked")
    return passed


def open_gate(job: Job, spec: GateSpec, container: str) -> Gate:
    """The gate for a started container, with its probes aimed at where it is now."""
    attrs = job.engine.inspect(container)
    if attrs is None:
        raise SlipwayError(f"{job.engine.host}: container {container[:12]} is gone.")
    started = Container(attrs)

    def look() -> t.Optional[Container]:
        now = job.engine.inspect(container)
        return Container(now) if now else None

    aimed = probes.build(spec, job.engine, started) if started.running else []
    return Gate(spec, look, aimed)


def commit(job: Job, actual: Actual, old: t.Optional[Container], new: Container, stopped: bool) -> None:
    """Stop the old one unless it is `stopped`, and swap the names.

    An error here never stops the new container, which has passed its gate and may have all the traffic; the next run
    finishes.
    """
    engine, wanted = job.engine, job.wanted
    kept_name = labels.part_name(wanted.name, labels.KEPT)
    try:
        if old is not None and not stopped:
            retire(job, old)
        before = kept.put_aside(engine, actual, old, new, wanted.keep_previous)
        steps.step("cleared")
        if old is not None and old.name != kept_name:
            engine.rename(old.id, kept_name)
        steps.step("retired")
        engine.rename(new.id, wanted.name)
        steps.step("promoted")
        arm(job, new, policy_of(job, new, old))
        steps.step("armed")
        for container in (before, None if wanted.keep_previous else old):
            if container is not None:
                engine.remove(container.id)
        steps.step("discarded")
    except SlipwayError as error:
        raise SlipwayError(
            f"{error.msg} The new container {new.described()} has passed its gate and serves; what is left is to put the "
            "old one aside and to swap the names. Run the same task again to finish that.",
            changed=True,
            action="interrupted",
            timings=job.timings.facts(),
            **away(error),
        ) from error


def policy_of(job: Job, new: Container, old: t.Optional[Container]) -> t.Dict[str, t.Any]:
    """The restart policy a promoted container gets: what is wanted, or for a restored one what it had."""
    if job.wanted.state == "started":
        return job.wanted.restart_policy
    return own_policy(new, old)


def arm(job: Job, container: Container, policy: t.Mapping[str, t.Any]) -> None:
    """Give it its restart policy, now that it is the one to be kept alive."""
    job.engine.update(container.id, {"RestartPolicy": dict(policy)})


def failed(
    job: Job, failure: SlipwayError, actual: Actual, old: t.Optional[Container], new: Container, serving: bool
) -> SlipwayError:
    """Deal with a failed swap as `failure_action` says; the error to raise, saying why, and what runs now."""
    reason = why.facts(job.engine, new, failure, job.wanted.secrets)
    action = job.wanted.failure_action
    try:
        if action == "rollback":
            ending = revert(job, actual, old, new, serving)
        elif action == "stop":
            job.engine.stop(new.id, stop_timeout(new.attrs))
            rest = "the old container goes on" if job.wanted.strategy == "start_first" and old else "nothing serves now"
            ending = Ending("stopped", f"It was stopped and is left for inspection as {new.name}; {rest}.")
        else:
            rest = "the old container goes on" if job.wanted.strategy == "start_first" else "the old one stays stopped"
            ending = Ending(
                "kept", f"It is left as it is, as {new.name}; {rest if old else 'there was none before it'}."
            )
    except SlipwayError as second:
        text = f"Going back failed too: {second.msg} Run the same task again: it goes on from there."
        ending = Ending("interrupted", text, away(second))
    head = f"{job.engine.host}: {job.wanted.name}: the new container {new.described()} "
    said = f"did not pass its gate: {failure.msg}." if isinstance(failure, GateError) else f"failed: {failure.msg}"
    return SlipwayError(
        why.masked(f"{head}{said} {ending.text}", job.wanted.secrets),
        changed=True,
        action=ending.action,
        why=reason,
        container=_there_now(job),
        timings=job.timings.facts(),
        **ending.facts,
    )


def away(error: SlipwayError) -> t.Dict[str, t.Any]:
    """`reachable: false` where the engine did not answer any more: nobody knows what runs there."""
    return {"reachable": False} if isinstance(error, UnreachableError) else {}


def _there_now(job: Job) -> t.Optional[t.Dict[str, t.Any]]:
    """Facts of the container that has the name after a failure; None without one, or when the engine does not answer."""
    try:
        attrs = job.engine.inspect(job.wanted.name)
    except SlipwayError:
        return None
    return facts.of(Container(attrs)) if attrs else None


def revert(job: Job, actual: Actual, old: t.Optional[Container], new: Container, serving: bool) -> Ending:
    """Stop the new container, let the old one serve again, and only then take the new one away.

    While the new one is there, whoever comes after a crash sees an unfinished swap and goes on from here.
    """
    engine = job.engine
    _insist(lambda: engine.stop(new.id, stop_timeout(new.attrs)))
    steps.step("reverting")
    text = "It was removed; there was none before it, so nothing runs now."
    if old is not None:
        text = _bring_back(job, old, new, serving)
    kept.put_away(engine, actual, new)
    steps.step("removed")
    return Ending("reverted", text)


def _bring_back(job: Job, old: Container, new: Container, serving: bool) -> str:
    """Start the old container if it served, check it, give it back its policy and name; what runs now, as text."""
    engine = job.engine
    doubt = ""
    if serving:
        _insist(lambda: engine.start(old.id))
        steps.step("restarted")
        doubt = doubts(job, old)
    arm(job, old, own_policy(old, new) if old.restart_policy["Name"] == "no" else old.restart_policy)
    steps.step("rearmed")
    if old.name != job.wanted.name:
        engine.rename(old.id, job.wanted.name)
    steps.step("renamed")
    if not serving:
        return f"Reverted: the old container {old.described()} is back, stopped as it was before."
    if doubt:
        return f"Reverted: the old container {old.described()} was started again, but {doubt}. Look at it now."
    return f"Reverted: the old container {old.described()} runs again."


def doubts(job: Job, old: Container) -> str:
    """What speaks against the old container serving again, or nothing. It is asked what any release can answer."""
    spec = replace(job.wanted.gate.of_any_release(), soak=min(job.wanted.gate.soak, REVERT_SOAK))
    try:
        try:
            gate = open_gate(job, spec, old.id)
        except ParameterError:  # the new release's gate asks a port that the old one does not have
            gate = open_gate(job, replace(spec, http=None, tcp_port=None), old.id)
        passed = gate.run()
        job.timings.came_up(passed.serving_since)
        gate.soak()
    except SlipwayError as error:
        return error.msg
    return ""


def _insist(action: t.Callable[[], None]) -> None:
    """Do it, trying again for a while when the engine does not answer: a revert is worth waiting for."""
    deadline = Deadline(REVERT_PATIENCE)
    while True:
        try:
            return action()
        except UnreachableError:
            if deadline.expired():
                raise
            deadline.pause(1.0)
