# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the engine for one name: which container plays which part, as the engine says it now."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..common.errors import ConflictError
from . import labels
from .engine import Attrs, Engine

NO_POLICY = {"Name": "no", "MaximumRetryCount": 0}


@dataclass(frozen=True)
class Container:
    """One container, over what the engine says about it (`docker inspect`)."""

    attrs: Attrs

    @property
    def id(self) -> str:
        return self.attrs["Id"]

    @property
    def name(self) -> str:
        return self.attrs["Name"].lstrip("/")

    @property
    def labels(self) -> t.Dict[str, str]:
        return self.attrs["Config"].get("Labels") or {}

    @property
    def managed(self) -> bool:
        """True when Slipway made it."""
        return labels.NAME in self.labels

    @property
    def state(self) -> Attrs:
        return self.attrs["State"]

    @property
    def running(self) -> bool:
        """True when its process runs and is not frozen."""
        return bool(self.state["Running"]) and not self.state.get("Paused") and not self.state.get("Restarting")

    @property
    def active(self) -> bool:
        """True when it runs, is paused or is about to be restarted: everything that `docker stop` would end."""
        return bool(self.state["Running"] or self.state.get("Restarting"))

    @property
    def ever_started(self) -> bool:
        return self.state["Status"] != "created"

    @property
    def health(self) -> t.Optional[str]:
        """`healthy`, `unhealthy`, `starting`, or None without a HEALTHCHECK."""
        status = (self.state.get("Health") or {}).get("Status")
        return None if status in (None, "", "none") else status

    @property
    def has_healthcheck(self) -> bool:
        test = (self.attrs["Config"].get("Healthcheck") or {}).get("Test") or []
        return bool(test) and test[0] != "NONE"

    @property
    def release(self) -> t.Optional[int]:
        return release_of(self.labels)

    @property
    def digest(self) -> str:
        return self.labels.get(labels.DIGEST, "")

    @property
    def restart_policy(self) -> t.Dict[str, t.Any]:
        policy = self.attrs["HostConfig"].get("RestartPolicy") or {}
        return {"Name": policy.get("Name") or "no", "MaximumRetryCount": int(policy.get("MaximumRetryCount") or 0)}

    @property
    def spec(self) -> t.Dict[str, t.Any]:
        """The normalised spec from its label, empty for a container that Slipway did not make."""
        return json.loads(self.labels.get(labels.SPEC) or "{}")

    @property
    def env(self) -> t.Dict[str, str]:
        pairs = (entry.partition("=") for entry in self.attrs["Config"].get("Env") or [])
        return {key: value for key, _sep, value in pairs}

    def described(self) -> str:
        """For messages: short id, and the release or image it is."""
        release = f"release {self.release}, " if self.release is not None else ""
        image = self.labels.get(labels.IMAGE) or self.attrs["Config"].get("Image", "")
        return f"{self.id[:12]} ({release}{image})"


@dataclass(frozen=True)
class Actual:
    """The containers of one name by the part they play; `strays` are ours under a name that no swap gives."""

    name: str
    current: t.Optional[Container] = None
    candidate: t.Optional[Container] = None
    restoring: t.Optional[Container] = None
    kept: t.Optional[Container] = None
    older: t.Optional[Container] = None
    strays: t.Tuple[Container, ...] = ()

    @property
    def pending(self) -> t.Optional[Container]:
        """What an interrupted swap was bringing up."""
        return self.candidate or self.restoring

    @property
    def base(self) -> t.Optional[Container]:
        """What an interrupted swap was replacing; without one, the current container."""
        if self.current is None and self.pending is not None:
            return self.kept
        return self.current

    @property
    def kept_after_revert(self) -> t.Optional[Container]:
        """What is kept once an interrupted swap has been taken back: what was kept before it."""
        kept = None if self.kept is self.base else self.kept
        return self.restoring or kept or self.older

    def all(self) -> t.List[Container]:
        parts = (self.current, self.candidate, self.restoring, self.kept, self.older, *self.strays)
        return [container for container in parts if container is not None]


def read(engine: Engine, name: str, full: bool = False) -> Actual:
    """Ask the engine for everything that belongs to `name`.

    In the ordinary case that is two requests, a listing and one inspect: the kept container then comes from the
    listing, without its HostConfig, unless `full`. A container called `name` that carries no label of ours is
    `current` too, and `managed` is False.
    """
    parts, strays = _by_part(engine.containers(label=f"{labels.NAME}={name}"), name)
    settled = labels.CURRENT in parts and set(parts) <= {labels.CURRENT, labels.KEPT}
    for part, container in list(parts.items()):
        if full or part != labels.KEPT or not settled:
            _fill(engine, parts, part, container.id)
    if labels.CURRENT not in parts:
        _fill(engine, parts, labels.CURRENT, labels.part_name(name, labels.CURRENT))
    _add_adopted(engine, parts, name)
    if labels.OLDER in parts and not {labels.CANDIDATE, labels.RESTORING, labels.KEPT} & set(parts):
        parts[labels.KEPT] = parts.pop(labels.OLDER)  # whatever became of the others, it can be gone back to
    return Actual(
        name=name,
        current=parts.get(labels.CURRENT),
        candidate=parts.get(labels.CANDIDATE),
        restoring=parts.get(labels.RESTORING),
        kept=parts.get(labels.KEPT),
        older=parts.get(labels.OLDER),
        strays=strays,
    )


def _by_part(summaries: t.List[Attrs], name: str) -> t.Tuple[t.Dict[str, Container], t.Tuple[Container, ...]]:
    """Listed containers by the part that their name says, and the others."""
    by_name = {labels.part_name(name, part): part for part in labels.PARTS}
    listed = [from_summary(summary) for summary in summaries]
    parts = {by_name[container.name]: container for container in listed if container.name in by_name}
    return parts, tuple(container for container in listed if container.name not in by_name)


def from_summary(summary: Attrs) -> Container:
    """A container as a listing shows it: enough for its identity, labels and state, not for its configuration."""
    names = [name.lstrip("/") for name in summary.get("Names") or [""]]
    running = summary["State"] in ("running", "paused", "restarting")
    return Container(
        {
            "Id": summary["Id"],
            "Name": next((name for name in names if "/" not in name), names[0]),
            "Image": summary["ImageID"],
            "State": {"Status": summary["State"], "Running": running, "Paused": summary["State"] == "paused"},
            "Config": {"Labels": summary.get("Labels") or {}, "Image": summary["Image"]},
            "HostConfig": {},
        }
    )


def _fill(engine: Engine, parts: t.Dict[str, Container], part: str, reference: str) -> None:
    """Put the inspected container in its part; one that was removed since the listing leaves it empty."""
    parts.pop(part, None)
    attrs = engine.inspect(reference)
    if attrs is not None and reference in (attrs["Id"], attrs["Name"].lstrip("/")):
        parts[part] = Container(attrs)  # the engine also answers to the start of an id; that is not our container


def _add_adopted(engine: Engine, parts: t.Dict[str, Container], name: str) -> None:
    """The container that was adopted has no label to be found by: its successor's label has its id."""
    by_name = {labels.part_name(name, part): part for part in labels.PARTS}
    successors = [parts[part] for part in (labels.CURRENT, labels.CANDIDATE) if part in parts]
    for successor in successors:
        if successor.labels.get(labels.ADOPTED) != "true":
            continue
        attrs = engine.inspect(successor.labels[labels.REPLACES])
        part = by_name.get(attrs["Name"].lstrip("/")) if attrs else None
        if attrs is not None and part is not None:
            parts.setdefault(part, Container(attrs))


def release_of(container_labels: t.Mapping[str, str]) -> t.Optional[int]:
    """The release number in a container's labels, or None."""
    text = container_labels.get(labels.RELEASE, "")
    return int(text) if text.isdigit() else None


def own_policy(container: Container, successor: t.Optional[Container]) -> t.Dict[str, t.Any]:
    """The policy a disarmed container had: noted by the one that replaced it, else in its spec, else what it has."""
    marks = successor.labels if successor else {}
    if marks.get(labels.REPLACES) == container.id and container.restart_policy["Name"] == "no":
        noted = labels.policy_from_text(marks.get(labels.REPLACED_POLICY, ""))
        if noted["Name"] not in ("", "no"):
            return noted
    return container.spec.get("restart_policy") or container.restart_policy


def rearmed(container: Container, successor: Container) -> Container:
    """The container as it will be once an interrupted swap to `successor` has been taken back: with its own policy."""
    if container.restart_policy["Name"] != "no":
        return container
    config = {**container.attrs["HostConfig"], "RestartPolicy": own_policy(container, successor)}
    return Container({**container.attrs, "HostConfig": config})


def refuse_foreign(actual: Actual, host: str, adopt: bool) -> None:
    """ConflictError unless the current container is ours or `adopt` says to take it over."""
    current = actual.current
    if current is None or current.managed:
        return
    if not adopt:
        raise ConflictError(
            f"{host}: container {actual.name} ({current.id[:12]}, image {current.attrs['Config'].get('Image')}) was not "
            "made by Slipway, so it is left alone. Set adopt to true to have it replaced, or choose another name."
        )
    if current.attrs["HostConfig"].get("AutoRemove"):
        raise ConflictError(
            f"{host}: container {actual.name} ({current.id[:12]}) was started with --rm: stopping it would remove it, "
            "and there would be nothing to go back to. Start it without --rm before it is adopted."
        )
