# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container_info: what Slipway runs on one host."""

from __future__ import annotations

import typing as t

from ..common.errors import SlipwayError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from ..common.times import epoch
from ..common.units import seconds
from . import checksums, facts, labels, stats, why
from .actual import Container, from_summary
from .connection import CONNECTION
from .desired import Findings
from .engine import Engine

PARTS = {
    labels.CURRENT: "current",
    labels.CANDIDATE: "candidate",
    labels.RESTORING: "restoring",
    labels.KEPT: "previous",
    labels.OLDER: "older",
}
STRAY = "stray"
_ORDER = (*PARTS.values(), STRAY)

APP_CONTAINER_INFO_SPEC = (
    Spec(
        options={
            "name": {"type": "str"},
            "app": {"type": "str"},
            "environment_name": {"type": "str"},
            "previous": {"type": "bool", "default": False},
            "logs": {
                "type": "dict",
                "options": {"tail": {"type": "int", "default": 100}, "since": {"type": "str"}},
            },
            "stats": {"type": "bool", "default": False},
            "checksums": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "path": {"type": "str", "required": True},
                    "algorithm": {"type": "str", "choices": ["md5", "sha256"], "default": "sha256"},
                    "files": {"type": "bool", "default": False},
                },
            },
        }
    )
    + CONNECTION
)


def run(params: Params, context: Context) -> Result:
    """Facts about the managed containers that match. Changes nothing. Raises SlipwayError."""
    age = _checked(params)
    with Engine.connect(params) as engine:
        found = _find(engine, params)
        result = [{**facts.of(container), "part": part_of(container)} for container in found]
        since = _engine_time(engine) - age if age is not None else None
        for entry, container in zip(result, found):
            if params["logs"]:
                entry["logs"] = _logs(engine, container, params["logs"]["tail"], since)
            if params["checksums"]:
                entry["checksums"] = _checksums(engine, container, params["checksums"])
        if params["stats"]:
            used = stats.measure(engine, [container.id for container in found if container.running])
            for entry in result:
                entry["stats"] = used.get(entry["id"])
    return {"changed": False, "containers": result}


def _checked(params: Params) -> t.Optional[float]:
    """The age in seconds that `logs.since` means, with every wrong option named in one error."""
    findings = Findings()
    for entry in params["checksums"] or []:
        if not entry["path"].startswith("/"):
            findings.add(f"checksums: {entry['path']!r} is no absolute path.")
    logs = params["logs"] or {}
    if logs and logs["tail"] < 0:
        findings.add("logs.tail: cannot be negative; 0 is all lines.")
    age = findings.read(seconds, logs["since"], "logs.since") if logs.get("since") else None
    findings.check()
    return age


def _find(engine: Engine, params: Params) -> t.List[Container]:
    """The managed containers that match, by name and then by part."""
    matching = {labels.NAME: params["name"], labels.APP: params["app"], labels.ENVIRONMENT: params["environment_name"]}
    listed = [from_summary(entry) for entry in engine.containers(label=labels.NAME)]
    found = []
    for container in listed:
        if any(value and container.labels.get(label) != value for label, value in matching.items()):
            continue
        if part_of(container) in (PARTS[labels.KEPT], PARTS[labels.OLDER]) and not params["previous"]:
            continue
        attrs = engine.inspect(container.id)
        if attrs is not None:
            found.append(Container(attrs))
    return sorted(found, key=lambda c: (c.labels[labels.NAME], _ORDER.index(part_of(c)), c.id))


def part_of(container: Container) -> str:
    """Which part it plays for its name: current, candidate, restoring, previous, older; stray under any other name."""
    name = container.labels[labels.NAME]
    return next((word for part, word in PARTS.items() if container.name == labels.part_name(name, part)), STRAY)


def _logs(engine: Engine, container: Container, tail: int, since: t.Optional[float]) -> t.List[str]:
    """The last lines, with the secrets that the container got from us masked."""
    text = engine.logs(container.id, tail or "all", since)
    names = container.spec.get("secret_env", [])
    env = container.env
    return why.masked(text.splitlines(), {name: env.get(name, "") for name in names})


def _checksums(engine: Engine, container: Container, wanted: t.Sequence[Params]) -> t.List[facts.Facts]:
    return [
        checksums.of_path(engine, container.id, entry["path"], entry["algorithm"], entry["files"]) for entry in wanted
    ]


def _engine_time(engine: Engine) -> float:
    """The engine's own clock in epoch seconds: logs are stamped by it, and it may differ from ours."""
    text = engine.info()["SystemTime"]
    try:
        return epoch(text)
    except ValueError as error:
        raise SlipwayError(f"{engine.host}: the engine's clock says {text!r}, which cannot be read.") from error


APP_CONTAINER_INFO = Operation(name="app_container_info", spec=APP_CONTAINER_INFO_SPEC, run=run, requires=("docker",))
