# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the edge reaches a container, from the facts that app_container gives of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

EVERYWHERE = ("", "0.0.0.0", "::")


def edge_port(spec: t.Mapping[str, t.Any]) -> int:
    """The container's port that requests go to, as options of app_container tell it: the one that the gate asks, else the
    first that is published. 0 for an app that has none."""
    gate = spec.get("gate") or {}
    for probe in ("http", "tcp"):
        if (gate.get(probe) or {}).get("port"):
            return int(gate[probe]["port"])
    for entry in spec.get("ports") or []:
        port, _slash, protocol = str(entry).rpartition(":")[2].partition("/")
        if protocol in ("", "tcp"):
            return int(port.partition("-")[0])
    return 0


def edge_server(container: t.Optional[t.Mapping[str, t.Any]], host: str, address: str, port: int) -> t.Dict[str, t.Any]:
    """`container` is the facts of a container, `host` its host as the inventory calls it, `address` where the edge reaches
    that host, `port` the container's own.

    Returns an entry for the option `servers` of edge_upstream; an empty one when the container does not run or the engine
    has not yet chosen its port.
    """
    if not container or container.get("status") != "running":
        return {}
    where = _where(container, address, int(port), host)
    if where is None:
        return {}
    return {
        "host": host,
        "address": where[0],
        "port": where[1],
        "release": container.get("release"),
        "container": container.get("id") or "",
    }


def _where(container: t.Mapping[str, t.Any], address: str, port: int, host: str) -> t.Optional[t.Tuple[str, int]]:
    """The published address, IPv4 before IPv6; else the container's own; on the host's network the host's."""
    published = [
        entry for entry in container.get("ports") or [] if entry["container"] == port and entry["protocol"] == "tcp"
    ]
    if published:
        entry = min(published, key=lambda one: ":" in (one.get("host_ip") or ""))
        if entry.get("host_port") is None:
            return None
        bound = entry.get("host_ip") or ""
        return (address if bound in EVERYWHERE else bound), int(entry["host_port"])
    if container.get("ports"):
        raise AnsibleFilterError(
            f"{host}: container {container.get('name')} publishes no port {port}, so the edge cannot reach it. Say which "
            "port it is (edge.port in the app file), or publish it."
        )
    return (container.get("ip") or address), port


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"edge_port": edge_port, "edge_server": edge_server}
