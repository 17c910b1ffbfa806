# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each lab command does, in terms of the other rooms. A command's docstring is its line in the help."""

from __future__ import annotations

import os
import shlex
import signal
from typing import Callable

from lab import (
    cgroups,
    confd_binaries,
    engines,
    environment,
    faults,
    images,
    network,
    packages,
    python_target,
    state,
    tls,
)
from lab.layout import HOSTS, NODES, Node
from lab.proc import Daemon, LabError, Probe, say, wait_ready, wait_until
from lab.services import all_services

_READY_SECONDS = 60


def up() -> None:
    """start whatever does not run; a second later when all of it does"""
    with state.locked(state.CACHES):
        _up()


def _up() -> None:
    state.check_folders()
    packages.install()
    network.check()
    state.make_folders()
    _end_those_on(network.up())
    tls.up()
    images.lay_out_store()
    started = _start_all()
    python_target.ensure()
    confd_binaries.ensure()
    images.ensure()
    say("the lab is up" if started else "the lab is up; every part was running")


def _end_those_on(nodes: list[Node]) -> None:
    """End what still runs in a network that is no longer the node's: only a start in the new one helps."""
    for host in HOSTS:
        if host in nodes:
            engines.power_off(host)
    for service in all_services().values():
        if service.node in nodes:
            Daemon(service.name).stop(grace=0)


def _start_all() -> list[str]:
    """Start every machine and daemon that does not run, all at once, and wait until each answers; the names started."""
    engines.start_machines()
    services = all_services()
    for name in faults.parts():
        faults.thaw(name)
    started = [host.name for host in HOSTS if engines.start_dockerd(host)]
    started += [service.name for service in services.values() if service.start()]
    if started:
        say("starting " + " ".join(started))
    waiting: dict[str, Probe] = {name: service.ready for name, service in services.items()}
    waiting.update({host.name: _engine_probe(host) for host in HOSTS})
    wait_ready(waiting, _READY_SECONDS)
    if started:
        say("all parts answer")
    return started


def _engine_probe(host: Node) -> Probe:
    return lambda: engines.is_ready(host)


def down() -> None:
    """stop everything and remove every trace but the caches"""
    _stop_all()
    state.remove_folders(caches=False)
    say("the lab is down; its caches stay for the next start")


def clean() -> None:
    """down, and remove the caches too (installed Debian packages stay)"""
    with state.locked(state.CACHES):
        users = state.cache_users()
        _stop_all()
        state.remove_folders(caches=not users)
    if users:
        say(f"the lab is down; its caches stay, since {', '.join(users)} runs on them")
    else:
        say("every trace of the lab is gone; the Debian packages that it installed stay")


def reset() -> None:
    """give every part an empty disk: no containers, no keys, base images only"""
    state.check_folders()
    _stop_all()
    state.empty_disks()
    up()


def _stop_all() -> None:
    """End every process and remove the network; all at once, since nothing that they would save is kept."""
    services = [Daemon(name) for name in all_services()]
    for daemon in services:
        daemon.signal(signal.SIGTERM)
    for host in HOSTS:
        engines.power_off(host)
    for daemon in services:
        daemon.stop(grace=3)
    _kill_rest()
    network.down()
    cgroups.remove()
    say("everything is stopped")


def _kill_rest() -> None:
    """End what is still in the lab's control groups: children of daemons that were killed before."""
    for pid in cgroups.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if not wait_until(lambda: not cgroups.processes(), 10):
        raise LabError(f"these processes do not die: {sorted(cgroups.processes())}")


def status() -> int:
    """one line for each part; exit code 1 unless all of them answer"""
    probes: dict[str, tuple[Node, Probe]] = {host.name: (host, _engine_probe(host)) for host in HOSTS}
    probes.update({name: (service.node, service.ready) for name, service in all_services().items()})
    cut = {node.name for node in NODES if not network.link_is_up(node)}
    well = True
    for name, (node, probe) in probes.items():
        pid = Daemon(name).pid
        answers = pid is not None and node.name not in cut and probe()
        well = well and answers
        word = (
            "answers"
            if answers
            else "is not running"
            if pid is None
            else "is cut off"
            if node.name in cut
            else "does not answer"
        )
        print(f"{name:<14} {node.address:<13} {word}" + (f" (pid {pid})" if pid else ""))
    return 0 if well else 1


def env() -> None:
    """where everything is, as KEY=VALUE lines for a shell"""
    for name, value in environment.variables().items():
        print(f"{name}={shlex.quote(value)}")


CHANGING: dict[str, Callable[[], None]] = {"up": up, "down": down, "clean": clean, "reset": reset}
ASKING: dict[str, Callable[[], int | None]] = {"status": status, "env": env}
