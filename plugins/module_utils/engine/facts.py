# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts about a container that results carry. Pure."""

from __future__ import annotations

import typing as t

from . import labels
from .actual import Container
from .desired import Wanted
from .images import Choice

Facts = t.Dict[str, t.Any]
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time, the engine's word for "not yet"


def of(container: Container) -> Facts:
    """The `container` of a result, from an inspected container."""
    attrs = container.attrs
    network = attrs.get("NetworkSettings") or {}
    started = container.state.get("StartedAt")
    return {
        "id": container.id,
        "name": container.name,
        "image": container.labels.get(labels.IMAGE) or attrs["Config"].get("Image"),
        "digest": container.digest or None,
        "status": container.state["Status"],
        "health": container.health,
        "restart_count": int(attrs.get("RestartCount") or 0),
        "ports": ports(network.get("Ports") or {}),
        "ip": address(network, attrs.get("HostConfig") or {}),
        "started_at": None if started in (None, "", NEVER) else started,
        "release": container.release,
        "config_revision": container.labels.get(labels.CONFIG_REVISION) or None,
        "app": container.labels.get(labels.APP) or None,
        "environment_name": container.labels.get(labels.ENVIRONMENT) or None,
    }


def previous(container: t.Optional[Container], kept: bool) -> t.Optional[Facts]:
    """The `previous` of a result: the container that was replaced, and whether it is kept to go back to."""
    if container is None:
        return None
    return {
        "id": container.id,
        "image": container.labels.get(labels.IMAGE) or container.attrs["Config"].get("Image"),
        "digest": container.digest or None,
        "release": container.release,
        "config_revision": container.labels.get(labels.CONFIG_REVISION) or None,
        "kept": kept,
    }


def ports(bindings: t.Mapping[str, t.Any]) -> t.List[Facts]:
    """The published ports in NetworkSettings.Ports: container, protocol, host_ip, host_port.

    A port published everywhere is one entry, although Docker lists it once more for IPv6.
    """
    entries = []
    for exposed, published in bindings.items():
        number, _sep, protocol = exposed.partition("/")
        everywhere = {binding["HostPort"] for binding in published or [] if binding["HostIp"] == "0.0.0.0"}
        for binding in published or []:
            if binding["HostIp"] == "::" and binding["HostPort"] in everywhere:
                continue
            port = int(binding["HostPort"])
            entries.append(
                {"container": int(number), "protocol": protocol, "host_ip": binding["HostIp"], "host_port": port}
            )
    return sorted(entries, key=lambda e: (e["container"], e["protocol"], e["host_ip"], e["host_port"]))


def address(network: t.Mapping[str, t.Any], host_config: t.Mapping[str, t.Any]) -> t.Optional[str]:
    """The container's own address: on the network it was created with, else on the first that gives it one."""
    networks = network.get("Networks") or {}
    mode = host_config.get("NetworkMode") or "bridge"
    first = networks.get("bridge" if mode == "default" else mode) or {}
    others = (networks[name].get("IPAddress") for name in sorted(networks))
    return first.get("IPAddress") or next((ip for ip in others if ip), None)


def predicted(wanted: Wanted, image: Choice) -> Facts:
    """The `container` of a result in check mode, for one that is not there yet; what only its start decides is null."""
    entries: t.List[Facts] = []
    for entry in wanted.static.get("ports", []):
        entries.append({**entry, "host_ip": entry["host_ip"] or "0.0.0.0", "host_port": entry["host_port"] or None})
    return {
        "id": None,
        "name": wanted.name,
        "image": image.reference.text,
        "digest": image.digest,
        "status": "running",
        "health": None,
        "restart_count": 0,
        "ports": entries,
        "ip": None,
        "started_at": None,
        "release": wanted.release,
        "config_revision": wanted.config_revision,
        "app": wanted.app,
        "environment_name": wanted.environment or None,
    }
