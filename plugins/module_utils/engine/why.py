# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container did not pass: what the reader of a failed task needs to see, without a secret in it."""

from __future__ import annotations

import typing as t

from ..common.errors import SlipwayError
from .actual import Container
from .engine import Engine
from .gate import GateError

LOG_LINES = 50
MASK = "********"
SHORTEST_LINE = 4  # characters: a shorter line of a secret of several lines says nothing, and is found everywhere


def facts(
    engine: Engine, container: Container, error: SlipwayError, secrets: t.Mapping[str, str]
) -> t.Dict[str, t.Any]:
    """The `why` of the result: probe, status, body, said, exit_code, oom_killed, logs.

    Asks the engine for the container's end and its last lines; an engine that does not answer leaves those empty, as
    the failure itself has to be told in any case.
    """
    result: t.Dict[str, t.Any] = {"probe": "start", "said": error.msg, "status": None, "body": ""}
    if isinstance(error, GateError):
        last = error.last
        result = {"probe": last.probe, "said": last.said, "status": last.status, "body": last.body}
    result.update(exit_code=None, oom_killed=False, logs=[])
    try:
        attrs = engine.inspect(container.id)
        lines = engine.logs(container.id, LOG_LINES).splitlines() if attrs else []
    except SlipwayError as second:
        return masked({**result, "logs": [f"(the logs cannot be read: {second.msg})"]}, secrets)
    if attrs:
        state = attrs["State"]
        ended = state["Status"] in ("exited", "dead")
        result.update(exit_code=state.get("ExitCode") if ended else None, oom_killed=bool(state.get("OOMKilled")))
    return masked({**result, "logs": lines[-LOG_LINES:]}, secrets)


def masked(value: t.Any, secrets: t.Mapping[str, str]) -> t.Any:
    """`value` with every secret in its texts replaced, line by line for secrets of several lines."""
    return _masked(value, pieces(secrets))


def pieces(secrets: t.Mapping[str, str]) -> t.List[str]:
    """What to look for, longest first: a log shows a secret of several lines as several lines."""
    found = {secret for secret in secrets.values() if secret}
    for secret in list(found):
        lines = [line.strip() for line in secret.splitlines()]
        found.update(line for line in lines if len(lines) > 1 and len(line) >= SHORTEST_LINE)
    return sorted(found, key=lambda piece: (-len(piece), piece))


def _masked(value: t.Any, secret_pieces: t.Sequence[str]) -> t.Any:
    if isinstance(value, dict):
        return {key: _masked(item, secret_pieces) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secret_pieces) for item in value]
    if isinstance(value, str):
        for piece in secret_pieces:
            value = value.replace(piece, MASK)
    return value
