# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: what the lab needs, installed without letting their services start."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab.proc import LabError, run, say

# package -> a file it brings; the look at files costs nothing on a warm start, dpkg would cost a process
NEEDED = {
    "docker.io": "/usr/sbin/dockerd",
    "docker-registry": "/usr/bin/docker-registry",
    "redis-server": "/usr/bin/redis-server",
    "etcd-server": "/usr/bin/etcd",
    "nginx-light": "/usr/sbin/nginx",
    "libnginx-mod-stream": "/usr/lib/nginx/modules/ngx_stream_module.so",
    "openssh-server": "/usr/sbin/sshd",
    "openssh-client": "/usr/bin/ssh-keygen",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "apache2-utils": "/usr/bin/htpasswd",
    "openssl": "/usr/bin/openssl",
    "iptables": "/usr/sbin/iptables",
    "iproute2": "/usr/sbin/ip",
    "python3-venv": "/usr/lib/python3/dist-packages/setuptools/__init__.py",
    "skopeo": "/usr/bin/skopeo",
    "wrk": "/usr/bin/wrk",
    "faketime": "/usr/bin/faketime",
}
SERVICES = ("docker", "docker.socket", "containerd", "docker-registry", "redis-server", "etcd", "nginx", "ssh")
_POLICY = Path("/usr/sbin/policy-rc.d")


def check_machine() -> None:
    """LabError, in one message, for everything about this machine that the lab cannot work with."""
    problems = []
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    facts = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    version = facts.get("VERSION_ID", "").strip('"')
    if facts.get("ID", "").strip('"') != "debian" or not version.isdigit() or int(version) < 12:
        problems.append(f"it needs Debian 12 or newer, and this is {facts.get('PRETTY_NAME', 'not Debian')}")
    if os.geteuid() != 0:
        problems.append(
            f"it needs root (network namespaces, mounts, Docker engines), and this is user id {os.geteuid()}: try sudo"
        )
    if problems:
        raise LabError("the lab cannot run on this machine: " + "; ".join(problems))


def missing() -> list[str]:
    """Packages whose files are not there."""
    return [name for name, path in NEEDED.items() if not Path(path).exists()]


def install() -> bool:
    """Install what is missing; True when something was. Services already on the machine are left as they are."""
    wanted = missing()
    if not wanted:
        return False
    say("installing Debian packages: " + " ".join(wanted))
    before = _enabled_services()
    with _no_service_starts():
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *wanted)
    _disable(_enabled_services() - before)
    still = missing()
    if still:
        raise LabError(
            "apt-get ended well, but these are still missing: "
            + ", ".join(f"{name} ({NEEDED[name]})" for name in still)
        )
    return True


def _apt(*arguments: str) -> None:
    """One apt-get call, waiting up to five minutes for another one's lock."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    try:
        run(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments], env=env, timeout=1200)
    except LabError as exc:
        raise LabError(
            f"{exc}\nThe lab needs Debian packages ({', '.join(missing())}); is a Debian mirror reachable, "
            "and are the sources in /etc/apt right?"
        ) from exc


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian starts a service when its package is installed, unless policy-rc.d says 101; a policy of the machine's own is put back."""
    kept = _POLICY.with_name("policy-rc.d.slipway-lab")
    if _POLICY.exists():
        shutil.move(str(_POLICY), str(kept))
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
        if kept.exists():
            shutil.move(str(kept), str(_POLICY))


def _enabled_services() -> set[str]:
    """Which of the packages' services would start at the next boot (none, on a machine without systemctl)."""
    if not shutil.which("systemctl"):
        return set()
    wants = Path("/etc/systemd/system")
    units = {name if "." in name else name + ".service" for name in SERVICES}
    return {unit for unit in units if any(wants.glob(f"*.wants/{unit}"))}


def _disable(units: set[str]) -> None:
    """Keep the services that the packages just brought from starting at the next boot: the lab runs its own."""
    for unit in sorted(units):
        run(["systemctl", "disable", unit])
    if units:
        say("left disabled (the lab starts its own): " + " ".join(sorted(units)))
