# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that go wrong on purpose, one part of the lab at a time, and how it comes back."""

from __future__ import annotations

import signal
from typing import Callable

from lab import engines, network
from lab.layout import HOSTS, NODES, SSH_HOST, Node, node
from lab.proc import Daemon, wait_ready
from lab.services import all_services

_READY_SECONDS = 60
_HOSTS = {host.name: host for host in HOSTS}


def hosts() -> list[str]:
    """Names of what `poweroff` takes."""
    return list(_HOSTS)


def parts() -> list[str]:
    """Names of what can be killed, stopped, frozen and started."""
    return [*_HOSTS, *all_services()]


def cables() -> list[str]:
    """Names of what can be cut off from the network."""
    return [each.name for each in NODES]


def kill(name: str) -> None:
    """SIGKILL to a host's dockerd or to a service"""
    if name in _HOSTS:
        engines.kill_dockerd(_HOSTS[name])
    else:
        Daemon(name).stop(grace=0)


def stop(name: str) -> None:
    """SIGTERM to a host's dockerd or to a service, and wait for its end"""
    if name in _HOSTS:
        engines.stop_dockerd(_HOSTS[name])
    else:
        Daemon(name).stop(grace=30, inner=_is_inside_host(name))


def freeze(name: str) -> None:
    """SIGSTOP: it accepts connections and never answers"""
    Daemon(name).signal(signal.SIGSTOP)


def thaw(name: str) -> None:
    """SIGCONT: a frozen one goes on"""
    Daemon(name).signal(signal.SIGCONT)


def poweroff(name: str) -> None:
    """end everything on a host at once, its disk kept"""
    engines.power_off(_HOSTS[name])


def start(name: str) -> None:
    """start what was killed, stopped or powered off, and wait until it answers"""
    services = all_services()
    waiting: dict[str, Callable[[], bool]] = {}
    host = _HOSTS.get(name) or (SSH_HOST if _is_inside_host(name) else None)
    if host is not None:
        powered_on = engines.start_machines((host,))
        engines.start_dockerd(host)
        waiting[host.name] = _engine_probe(host)
        if host is SSH_HOST and powered_on:
            name = "sshd"
    if name in services:
        services[name].start()
        waiting[name] = services[name].ready
    wait_ready(waiting, _READY_SECONDS)


def cut(name: str) -> None:
    """pull a node's network cable"""
    network.set_link(node(name), "down")


def restore(name: str) -> None:
    """plug a node's network cable in again"""
    network.set_link(node(name), "up")


def _is_inside_host(name: str) -> bool:
    """Whether the process is in a host's own pid namespace, behind the nsenter that the lab knows."""
    return name in _HOSTS or name == "sshd"


def _engine_probe(host: Node) -> Callable[[], bool]:
    return lambda: engines.is_ready(host)
