# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a swap fail, found before the old container is touched. Only reads."""

from __future__ import annotations

import re
import typing as t

from ..common.errors import ConflictError, ParameterError
from .actual import Actual, Container
from .desired import Wanted
from .engine import Attrs, Engine
from .probes import EVERYWHERE, is_l2, seen_from_here, unreachable

_TAKEN = re.compile(
    r"Bind for \S*:(\d+) failed: port is already allocated|listen tcp\S* \S*:(\d+): bind: address already in use"
)


def check(engine: Engine, wanted: Wanted, actual: Actual) -> None:
    """Raises ParameterError for networks that are not there and for a gate that cannot reach its port, ConflictError for
    ports that others hold."""
    check_networks(engine, wanted)
    check_gate(engine, wanted)
    if wanted.fixed_ports:
        ours = {container.id for container in actual.all()}
        others = [summary for summary in engine.containers(stopped=False) if summary["Id"] not in ours]
        conflicts = port_conflicts(wanted.fixed_ports, others)
        if conflicts:
            raise ConflictError(f"{engine.host}: {wanted.name}: {'; '.join(conflicts)}. Nothing was changed.")


def check_networks(engine: Engine, wanted: Wanted) -> None:
    """Every network exists: of the first one, the engine would find that only at the start."""
    names = [network["name"] for network in wanted.networks if network["name"] != "bridge"]
    missing = [name for name in names if engine.network(name) is None]
    if missing:
        raise ParameterError(
            f"{engine.host}: networks: {', '.join(missing)} does not exist there. Create it first. Nothing was changed."
        )


def check_gate(engine: Engine, wanted: Wanted) -> None:
    """Every probed port can be reached from here: by `gate.address`, host network, publication or a macvlan address."""
    ports = wanted.gate.ports
    if not ports or wanted.gate.address or wanted.network_mode == "host":
        return
    published = {
        entry["container"]
        for entry in wanted.static.get("ports", [])
        if entry["protocol"] == "tcp" and seen_from_here(entry["host_ip"], engine.address)
    }
    missing = {option: port for option, port in ports.items() if port not in published}
    if missing and not any(is_l2(engine, network["name"]) for network in wanted.networks):
        option = next(iter(missing))
        raise unreachable(option, missing[option], engine.host)


def check_gate_of(engine: Engine, wanted: Wanted, container: Container) -> None:
    """The same for a container that is there already and whose options are not at hand."""
    if not wanted.gate.ports or wanted.gate.address:
        return
    config = container.attrs["HostConfig"]
    if config.get("NetworkMode") == "host":
        return
    bindings = config.get("PortBindings") or {}
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    for option, port in wanted.gate.ports.items():
        published = [binding.get("HostIp") or "" for binding in bindings.get(f"{port}/tcp") or []]
        seen = any(seen_from_here(address, engine.address) for address in published)
        if not seen and not any(is_l2(engine, name) for name in networks):
            raise unreachable(option, port, engine.host)


def held_by_nobody(engine: Engine, said: str) -> str:
    """What to do about a port that the engine calls taken, when no container has it: a dockerd that was killed while it
    started a container goes on holding that container's ports until it is stopped in order. Empty when that is not so."""
    found = _TAKEN.search(said)
    if found is None:
        return ""
    port = int(found.group(1) or found.group(2))
    running = engine.containers(stopped=False)
    ports = {held.get("PublicPort") for summary in running for held in summary.get("Ports") or []}
    if port in ports:
        return ""
    return (
        f" No container on {engine.host} has port {port}: a process of the host has it, or the engine itself, which "
        "an engine does that was killed while it started a container. Restart its dockerd, then run the same task again."
    )


def port_conflicts(wanted: t.Sequence[t.Mapping[str, t.Any]], others: t.Sequence[Attrs]) -> t.List[str]:
    """For each wanted port of the host that another running container holds, one sentence. Pure."""
    found = []
    for entry in wanted:
        for summary in others:
            for held in summary.get("Ports") or []:
                if _same_port(entry, held):
                    name = (summary.get("Names") or [summary["Id"][:12]])[0].lstrip("/")
                    found.append(f"port {entry['host_port']}/{entry['protocol']} is in use by container {name}")
    return sorted(set(found))


def _same_port(entry: t.Mapping[str, t.Any], held: Attrs) -> bool:
    same = held.get("PublicPort") == entry["host_port"] and held.get("Type") == entry["protocol"]
    address = held.get("IP") or ""
    return same and (entry["host_ip"] in EVERYWHERE or address in EVERYWHERE or address == entry["host_ip"])
