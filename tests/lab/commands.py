# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each lab command does, in terms of the other rooms."""

from __future__ import annotations

import os
import signal
from typing import Callable, Sequence

from lab import cgroups, engines, images, network, packages, state, tls
from lab.layout import HOSTS, SSH_HOST, Node
from lab.proc import Daemon, LabError, Probe, say, wait_ready, wait_until
from lab.services import all_services

_READY_SECONDS = 60


def up() -> None:
    """start whatever does not run; nothing to do when all of it does"""
    packages.check_machine()
    with state.locked():
        _up()


def _up() -> None:
    packages.install()
    state.make_folders()
    made = network.up()
    tls.up()
    images.lay_out_store()
    if _start_all() or made:
        say("all parts answer")
    images.ensure()
    say("the lab is up")


def _start_all() -> list[str]:
    """Start every machine and daemon that does not run, all at once, and wait until each answers; the names started."""
    powered = engines.start_machines()
    services = all_services()
    if SSH_HOST in powered:
        Daemon("sshd").stop(grace=0)
    started = [host.name for host in HOSTS if engines.start_dockerd(host)]
    started += [service.name for service in services.values() if service.start()]
    if started:
        say("starting " + " ".join(started))
    waiting: dict[str, Probe] = {name: service.ready for name, service in services.items()}
    waiting.update({host.name: _engine_probe(host) for host in HOSTS})
    wait_ready(waiting, _READY_SECONDS)
    return started


def _engine_probe(host: Node) -> Probe:
    return lambda: engines.is_ready(host)


def down() -> None:
    """stop everything and remove every trace but the caches"""
    packages.check_machine()
    with state.locked():
        _down()
    say("the lab is down")


def _down() -> None:
    for service in all_services().values():
        Daemon(service.name).signal(signal.SIGTERM)
    for host in HOSTS:
        engines.power_off(host)
    for service in all_services().values():
        Daemon(service.name).stop(grace=3)
    _kill_rest()
    network.down()
    cgroups.remove()
    state.remove_folders(caches=False)


def _kill_rest() -> None:
    """End what is still in the lab's control groups: children of daemons that were killed before."""
    for pid in cgroups.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if not wait_until(lambda: not cgroups.processes(), 10):
        raise LabError(f"these processes do not die: {sorted(cgroups.processes())}")


def clean() -> None:
    """down, and remove the caches too (Debian packages stay installed)"""
    packages.check_machine()
    with state.locked():
        _down()
        state.remove_folders(caches=True)
    say("every trace of the lab is gone; the Debian packages it installed stay")


def reset() -> None:
    """give every part an empty disk: no containers, no keys, base images only"""
    packages.check_machine()
    with state.locked():
        _down()
        _up()


COMMANDS: dict[str, tuple[Callable[..., None], Callable[[], Sequence[str]] | None]] = {
    "up": (up, None),
    "down": (down, None),
    "clean": (clean, None),
    "reset": (reset, None),
}
