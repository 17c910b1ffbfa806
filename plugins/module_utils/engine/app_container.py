# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container: one app's container on one host."""

from __future__ import annotations

import typing as t

from ..common.errors import SlipwayError
from ..common.operation import Context, Operation, Params, Result
from . import deploy, desired, lifecycle, oneoff, why
from .engine import Engine
from .options import APP_CONTAINER_SPEC
from .task import Outcome, Task

STATES: t.Dict[str, t.Callable[[Task], Outcome]] = {
    "started": deploy.started,
    "pulled": deploy.pulled,
    "stopped": lifecycle.stopped,
    "absent": lifecycle.absent,
    "restarted": lifecycle.restarted,
    "rolled_back": lifecycle.rolled_back,
    "confirmed": lifecycle.confirmed,
    "ran": oneoff.ran,
}


def run(params: Params, context: Context) -> Result:
    """Bring the container into its state. Raises SlipwayError; its facts are the rest of the failed result, in which `action`
    is `none` for a failure that changed nothing."""
    wanted = desired.read(params)
    try:
        with Engine.connect(params, context.progress) as engine:
            task = Task(engine, wanted, params, context)
            return {**STATES[wanted.state](task).result(task.timings), "bytes_pulled": engine.bytes_pulled}
    except SlipwayError as error:
        error.msg = why.masked(error.msg, wanted.secrets)
        error.facts.setdefault("action", "none")
        raise


APP_CONTAINER = Operation(name="app_container", spec=APP_CONTAINER_SPEC, run=run, requires=("docker",), long=True)
