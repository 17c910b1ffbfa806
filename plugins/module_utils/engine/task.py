# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of app_container: what it works with, the guards every state shares, and the result it gives."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..common.errors import ConflictError, SlipwayError
from ..common.operation import Context, Params, Result
from . import facts, labels, swap, why
from .actual import Actual, Container, refuse_foreign
from .desired import Wanted
from .engine import Engine
from .gate import GateError
from .timings import Timings

T = t.TypeVar("T")
HELD = "held"  # the action of a swap that ended with both containers running


@dataclass
class Outcome:
    """What a state's function found or did. `gate` says what was asked of the container, None if nothing was; `run` how
    a one-off command ended.

    A swap that was held already is `held` again, and the one action that may have changed nothing.
    """

    action: str
    container: t.Optional[facts.Facts]
    previous: t.Optional[facts.Facts] = None
    before: t.Dict[str, t.Any] = field(default_factory=dict)
    after: t.Dict[str, t.Any] = field(default_factory=dict)
    gate: t.Optional[str] = None
    changed: t.Optional[bool] = None
    run: t.Optional[t.Dict[str, t.Any]] = None

    def result(self, timings: Timings) -> Result:
        run = {} if self.run is None else {"run": self.run}
        return {
            **run,
            "changed": self.action != "none" if self.changed is None else self.changed,
            "action": self.action,
            "container": self.container,
            "previous": self.previous,
            "gate": self.gate,
            "diff": {"before": self.before, "after": self.after},
            "timings": timings.facts(),
        }


class Task:
    """The engine, what is wanted, and how the task was called."""

    def __init__(self, engine: Engine, wanted: Wanted, params: Params, context: Context) -> None:
        self.engine = engine
        self.wanted = wanted
        self.params = params
        self.timings = Timings()
        self._context = context

    @property
    def check_mode(self) -> bool:
        return self._context.check_mode

    @property
    def job(self) -> swap.Job:
        """What swap.py and recover.py need of this task."""
        return swap.Job(self.engine, self.wanted, self.timings, self.warn)

    def warn(self, message: str) -> None:
        self._context.warn(message)

    def guard(self, actual: Actual) -> None:
        """ConflictError for containers that this task must leave alone: foreign, of another environment, newer, astray."""
        refuse_foreign(actual, self.engine.host, self.wanted.adopt)
        self._refuse_other_owner(actual)
        swap.refuse_newer(self.job, ((container.id, container.release) for container in actual.all()))
        astray = [f"{container.name} ({container.id[:12]})" for container in actual.strays if container.active]
        if astray:
            raise ConflictError(
                f"{self.engine.host}: {', '.join(astray)} was made by Slipway for {self.wanted.name} and runs under "
                f"another name. Rename it to {self.wanted.name}, or remove it."
            )

    def _refuse_other_owner(self, actual: Actual) -> None:
        """Two apps or environments on one host that chose the same container name would replace each other."""
        owners = (
            (labels.ENVIRONMENT, "environment_name", self.wanted.environment),
            (labels.APP, "app", self.params["app"] or ""),
        )
        for container in actual.all():
            for label, option, ours in owners:
                theirs = container.labels.get(label, "")
                if ours and theirs and ours != theirs and not self.wanted.adopt:
                    raise ConflictError(
                        f"{self.engine.host}: container {container.name} ({container.id[:12]}) belongs to {option} "
                        f"{theirs}, not {ours}. Give each its own name, or set adopt to true to take it over."
                    )

    def prove(self, container: Container, action: str) -> str:
        """Start an existing container and have it pass its gate; what was asked of it. SlipwayError with the facts, of
        which `action` is the word for what was done."""
        job = self.job
        try:
            if container.state.get("Restarting"):
                swap.stop(job, container)  # in a crash loop: begin afresh, so that the gate sees it
            swap.prove(job, container)
        except SlipwayError as error:
            raise self._not_proven(container, error, action) from error
        return self.wanted.gate.text(container)

    def _not_proven(self, container: Container, error: SlipwayError, action: str) -> SlipwayError:
        """The error for an existing container that was started and is not well; it is left as it is."""
        did = f"did not pass its gate: {error.msg}." if isinstance(error, GateError) else f"failed: {error.msg}"
        message = f"{self.engine.host}: container {self.wanted.name} {container.described()} {did} It is left as it is."
        return SlipwayError(
            why.masked(message, self.wanted.secrets),
            changed=True,
            action=action,
            why=why.facts(self.engine, container, error, self.wanted.secrets),
            timings=self.timings.facts(),
        )

    def pristine(self, action: t.Callable[[], T]) -> T:
        """Do something before anything was changed, and let its failure say so."""
        try:
            return action()
        except SlipwayError as error:
            error.msg += " The container that ran before was not touched."
            error.facts.setdefault("action", "none")
            raise

    def facts_now(self, container: Container) -> facts.Facts:
        """The container's facts, asked again after it was changed."""
        attrs = self.engine.inspect(container.id)
        if attrs is None:
            raise SlipwayError(f"{self.engine.host}: container {container.described()} disappeared meanwhile.")
        return facts.of(Container(attrs))
