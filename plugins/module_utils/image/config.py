# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image config: the base's own JSON, patched where an option says so and left alone everywhere else.

StopSignal, Shell, OnBuild, Healthcheck and whatever a later engine invents come through because nothing is re-modelled.
"""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import asdict, dataclass, field

Config = t.Dict[str, t.Any]

# Image labels, which every container of the image inherits; the container's own ones are in engine/labels.py.
# What this image was built from, all of it in one digest: equal means that building again would change nothing.
LABEL_SOURCE = "slipway.build.source_digest"
# For whoever has only a container and wants to know whether it still holds what was built.
LABEL_DEST = "slipway.build.dest"
LABEL_CONTENT = "slipway.build.content_md5"
LABEL_BASE_NAME = "org.opencontainers.image.base.name"
LABEL_BASE_DIGEST = "org.opencontainers.image.base.digest"
# Differ between builds that give the same image: another archive file with the same content, for one.
_UNCOMPARED_LABELS = (LABEL_SOURCE,)
_BUILDER = "slipway.delivery app_image"
# What Docker's builder left about the container it built the base in; it says nothing about the new image.
_LEFTOVERS = ("container", "container_config", "id", "parent")


@dataclass(frozen=True)
class Settings:
    """What an app image changes in its base's config. None, and an empty mapping or list, leave the base's value."""

    env: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    ports: t.Tuple[str, ...] = ()  # "8080/tcp"
    volumes: t.Tuple[str, ...] = ()
    entrypoint: t.Optional[t.Tuple[str, ...]] = None
    cmd: t.Optional[t.Tuple[str, ...]] = None
    user: t.Optional[str] = None
    working_dir: t.Optional[str] = None
    stop_signal: t.Optional[str] = None
    healthcheck: t.Optional[t.Mapping[str, t.Any]] = None  # as Docker's API has it, durations in nanoseconds

    def plain(self) -> t.Dict[str, t.Any]:
        """As JSON data, for digests."""
        return t.cast("dict[str, t.Any]", json.loads(json.dumps(asdict(self))))


@dataclass(frozen=True)
class Added:
    """One layer on top of the base: its diff_id, and what history says about it."""

    diff_id: str
    comment: str


def patched(base: Config, settings: Settings, layers: t.Sequence[Added], created: str) -> Config:
    """The new image's config. `base` is not changed; `created` is an RFC 3339 time."""
    new = copy.deepcopy(base)
    for name in _LEFTOVERS:
        new.pop(name, None)
    new["config"] = _run_config(new.get("config") or {}, settings)
    new["created"] = created
    old_ids = diff_ids(base)
    new["history"] = [
        *_base_history(base.get("history") or [], len(old_ids)),
        *({"created": created, "created_by": _BUILDER, "comment": layer.comment} for layer in layers),
    ]
    new["rootfs"] = {"type": "layers", "diff_ids": [*old_ids, *(layer.diff_id for layer in layers)]}
    return new


def diff_ids(config: Config) -> t.List[str]:
    """The digests of an image's uncompressed layers, lowest first."""
    return list((config.get("rootfs") or {}).get("diff_ids") or ())


def env_of(config: Config) -> t.Dict[str, str]:
    """An image's environment variables."""
    pairs = (str(item).partition("=") for item in (config.get("config") or {}).get("Env") or ())
    return {name: value for name, _equals, value in pairs}


def labels_of(config: Config) -> t.Dict[str, str]:
    """An image's labels."""
    return dict((config.get("config") or {}).get("Labels") or {})


def _run_config(run: t.Dict[str, t.Any], settings: Settings) -> t.Dict[str, t.Any]:
    if settings.env:
        run["Env"] = _merged_env(run.get("Env") or [], settings.env)
    for name, added in (
        ("Labels", dict(settings.labels)),
        ("ExposedPorts", {port: {} for port in settings.ports}),
        ("Volumes", {volume: {} for volume in settings.volumes}),
    ):
        if added:
            run[name] = {**(run.get(name) or {}), **added}
    if settings.entrypoint is not None:
        run["Entrypoint"] = list(settings.entrypoint)
        run.pop("Cmd", None)  # the base's Cmd are arguments for the base's Entrypoint
    if settings.cmd is not None:
        run["Cmd"] = list(settings.cmd)
    for name, value in (
        ("User", settings.user),
        ("WorkingDir", settings.working_dir),
        ("StopSignal", settings.stop_signal),
        ("Healthcheck", settings.healthcheck),
    ):
        if value is not None:
            run[name] = dict(value) if isinstance(value, t.Mapping) else value
    return run


def _merged_env(old: t.Sequence[str], new: t.Mapping[str, str]) -> t.List[str]:
    """Replaced where the base has the name, in its place; the others behind, sorted."""
    names = [item.partition("=")[0] for item in old]
    kept = [f"{name}={new[name]}" if name in new else item for name, item in zip(names, old)]
    return kept + [f"{name}={new[name]}" for name in sorted(new) if name not in names]


def _base_history(history: t.List[t.Dict[str, t.Any]], layers: int) -> t.List[t.Dict[str, t.Any]]:
    """The base's history, made to count its layers as the OCI spec demands: some tools leave it out or short."""
    counted = sum(not item.get("empty_layer") for item in history)
    if counted > layers:
        history, counted = [], 0
    return history + [{"comment": "layer of the base image"}] * (layers - counted)


def comparable(config: Config, with_created: bool) -> Config:
    """`config` without what may differ between two builds of the same image: history, and `created` unless asked for."""
    kept = {name: value for name, value in config.items() if name != "history" and (name != "created" or with_created)}
    run = dict(kept.get("config") or {})
    run["Labels"] = {name: text for name, text in labels_of(config).items() if name not in _UNCOMPARED_LABELS}
    kept["config"] = run
    return kept


def serialised(config: Config) -> bytes:
    """The config's bytes: one way to write the same data."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
