# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State ran: one command in a container of its own, with the app's image and run spec, until it ends.

Migrations are the reason: they need the new image and the environment's settings, and none of the serving container's names
and ports. Nothing else looks at the container: it carries no `slipway.name`.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..common.deadline import Deadline
from ..common.errors import ConflictError, DeadlineError, ParameterError, SlipwayError
from ..common.units import seconds
from . import images, labels, payload, why
from .actual import Container
from .desired import Wanted
from .engine import Attrs, stop_timeout
from .task import Outcome, Task

POLL_SECONDS = 0.25
ENDED = ("exited", "dead")
# Of the run spec, what belongs to the container that serves: two cannot have it at once.
_SERVING = ("ports", "hostname", "healthcheck")


def ran(task: Task) -> Outcome:
    """The command ran and ended with 0. SlipwayError with `run` in its facts when it ended otherwise, or did not end."""
    wanted, engine = task.wanted, task.engine
    patience = seconds(task.params["run_deadline"], "run_deadline")
    if patience <= 0:
        raise ParameterError("run_deadline: must be more than nothing.")
    name = labels.part_name(wanted.name, labels.TASK)
    left = _left_behind(task, name)
    auth = images.credentials(engine, task.params, wanted.image) if wanted.image else None
    choice = images.resolve(engine, wanted, auth, (), offline=not task.check_mode)
    after = {"run": wanted.static.get("command") or wanted.static.get("entrypoint") or "the image's own command"}
    if task.check_mode:
        return Outcome("ran", None, None, {}, after)
    with task.timings.measure("pull"):
        choice = images.fetch(engine, choice, auth, may_pull=wanted.pull != "never")
    if left is not None:
        engine.remove(left.id)
    made = _create(task, name, choice)
    try:
        run = _run(task, made, patience)
    finally:
        engine.remove(made)
    return Outcome("ran", None, None, {}, after, run=run)


def _left_behind(task: Task, name: str) -> t.Optional[Container]:
    """The container of a run before this one that was killed. ConflictError while its command still runs."""
    attrs = task.engine.inspect(name)
    if attrs is None:
        return None
    left = Container(attrs)
    if labels.TASK_OF not in left.labels:
        raise ConflictError(
            f"{task.engine.host}: container {name} is not Slipway's, and its name is needed to run a command of "
            f"{task.wanted.name}. Rename it or remove it."
        )
    if left.active:
        raise ConflictError(
            f"{task.engine.host}: a command of {task.wanted.name} still runs there, in container {name} ({left.id[:12]}), "
            f"since {left.state.get('StartedAt')}, for release {left.labels.get(labels.RELEASE) or 'unknown'}: "
            f"{_command(left.attrs)}. Two at once are refused. Wait for its end, or remove that "
            "container if it hangs."
        )
    return left


def of_its_own(wanted: Wanted) -> Wanted:
    """What is wanted, without what belongs to the serving container: its ports, names and fixed addresses."""
    static = {option: value for option, value in wanted.static.items() if option not in _SERVING}
    networks = [{**network, "aliases": [], "ipv4_address": ""} for network in wanted.networks]
    return replace(wanted, static=static, live={**wanted.live, "networks": networks})


def _create(task: Task, name: str, choice: images.Choice) -> str:
    wanted, engine = of_its_own(task.wanted), task.engine
    marks = {
        **wanted.static.get("labels", {}),
        labels.TASK_OF: wanted.name,
        labels.APP: wanted.app,
        labels.ENVIRONMENT: wanted.environment,
        labels.RELEASE: "" if wanted.release is None else str(wanted.release),
        labels.DIGEST: choice.digest or "",
    }
    with task.timings.measure("create"):
        made, warnings = engine.create(name, payload.create_payload(wanted, choice.create_from, marks))
        for warning in warnings:
            task.warn(f"{engine.host}: {warning}")
        try:
            for network in wanted.networks[1:]:
                engine.join(made, network["name"], payload.endpoint(network))
        except SlipwayError:
            engine.remove(made)
            raise
    return made


def _run(task: Task, made: str, patience: float) -> t.Dict[str, t.Any]:
    """Start it and wait for its end: {exit_code, seconds, logs}; SlipwayError with the same for a command that failed."""
    engine, deadline = task.engine, Deadline(patience)
    with task.timings.measure("start"):
        engine.start(made)
    attrs = _end_of(task, made, deadline)
    ended = attrs["State"]["Status"] in ENDED
    if not ended:
        engine.stop(made, stop_timeout(attrs))
    run = {
        "exit_code": int(attrs["State"].get("ExitCode") or 0) if ended else None,
        "seconds": round(deadline.elapsed(), 3),
        "logs": why.masked(engine.logs(made, why.LOG_LINES).splitlines(), task.wanted.secrets),
    }
    if run["exit_code"] == 0:
        return run
    how = (
        f"ended with {run['exit_code']}"
        if ended
        else f"did not end within {patience:g} s (run_deadline); it was stopped"
    )
    oom = ", out of memory" if attrs["State"].get("OOMKilled") else ""
    error = SlipwayError if ended else DeadlineError
    raise error(
        f"{engine.host}: a command of {task.wanted.name} ({_command(attrs)}) {how}{oom}. Its last lines:\n"
        + "\n".join(run["logs"] or ["(none)"]),
        changed=True,
        action="ran",
        run=run,
        timings=task.timings.facts(),
    )


def _end_of(task: Task, made: str, deadline: Deadline) -> Attrs:
    """What the engine says of the container once it ended, or when the deadline has passed."""
    while True:
        attrs = task.engine.inspect(made)
        if attrs is None:
            raise ConflictError(
                f"{task.engine.host}: the container that ran a command of {task.wanted.name} was removed meanwhile."
            )
        if attrs["State"]["Status"] in ENDED or deadline.expired():
            return attrs
        deadline.pause(POLL_SECONDS)


def _command(attrs: Attrs) -> str:
    return " ".join([*(attrs["Config"].get("Entrypoint") or []), *(attrs["Config"].get("Cmd") or [])])
