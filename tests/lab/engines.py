# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker hosts: each a small machine (own network, processes, host name and root file system) with a dockerd in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from lab import probes, tls
from lab.layout import (
    CACHE,
    CONTROLLER,
    DOCKER_PORT,
    DOCKER_TLS_PORT,
    HOSTS,
    MARK,
    REGISTRY_ADDRESS,
    REGISTRY_AUTH_ADDRESS,
    RUN,
    SSH_HOST,
    TLS_HOST,
    Node,
)
from lab.proc import Daemon, LabError, wait_until

_HERE = Path(__file__).resolve().parent
# Percent by which a heap grows before its garbage is collected; Go's own choice is 100. dockerd runs itself twice for each
# container, and both times it would collect while it starts. With this a container takes a seventh less processor time
# (measured), and a dockerd twice the memory.
GOGC = 400


def start_machines(hosts: tuple[Node, ...] = HOSTS) -> list[Node]:
    """Start process 1 of each host that has none; the hosts started."""
    started = [host for host in hosts if Daemon(_machine(host)).pid is None]
    for host in started:
        _write_disk(host)
        (host.run / "init.pid").unlink(missing_ok=True)
        command = [
            "unshare",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "sh",
            str(_HERE / "machine.sh"),
            host.name,
            str(RUN),
            str(host.data),
            str(CACHE),
        ]
        Daemon(_machine(host)).start([*host.enter, *command])
    for host in started:
        if not wait_until((host.run / "init.pid").exists, 10):
            daemon = Daemon(_machine(host))
            raise LabError(
                f"the lab host {host.name} does not come up; does this machine allow namespaces and overlay mounts? "
                f"The end of {daemon.log}:\n{daemon.last_words()}"
            )
    return started


def start_dockerd(host: Node) -> bool:
    """Start the host's dockerd, and what stands before it, if they do not run; True when something was started."""
    wanted = [Daemon(host.name)] if host is not TLS_HOST else [Daemon(host.name), Daemon(_front(host))]
    absent = [daemon for daemon in wanted if daemon.pid is None]
    for daemon in absent:
        if daemon.name == host.name:
            daemon.start(inside(host, ["sh", "-c", f"rm -f /run/docker.pid; exec env GOGC={GOGC} dockerd"]))
        else:
            daemon.start(_plain_front(host))
    return bool(absent)


def kill_dockerd(host: Node) -> None:
    """SIGKILL to dockerd (its containers' shims live on, as on a machine whose dockerd crashed)."""
    Daemon(_front(host)).stop(grace=0)
    Daemon(host.name).stop(grace=0)


def stop_dockerd(host: Node) -> None:
    """SIGTERM to dockerd, which stops its containers first."""
    Daemon(host.name).stop(grace=30, inner=True)
    Daemon(_front(host)).stop()


def power_off(host: Node) -> None:
    """End everything in the host at once."""
    Daemon(_front(host)).stop(grace=0)
    Daemon(_machine(host)).stop(grace=0)
    within = [Daemon(name) for name in ((host.name, "sshd") if host is SSH_HOST else (host.name,))]
    wait_until(lambda: all(daemon.pid is None for daemon in within), 5)


def is_ready(host: Node) -> bool:
    """Whether the engine answers where its users ask."""
    plain = probes.http_ok(host.address, DOCKER_PORT, "/_ping")
    return plain and (host is not TLS_HOST or probes.tcp_ok(host.address, DOCKER_TLS_PORT))


def inside(host: Node, argv: list[str]) -> list[str]:
    """The command that runs `argv` in the running host."""
    pid = (host.run / "init.pid").read_text().strip()
    return ["nsenter", f"--target={pid}", "--net", "--mount", "--uts", "--ipc", "--pid", "--", *argv]


def _machine(host: Node) -> str:
    return host.name + "-machine"


def _front(host: Node) -> str:
    return host.name + "-plain"


def _write_disk(host: Node) -> None:
    """The host's own files under /etc; its Docker disk stays what it is."""
    etc = host.data / "etc"
    shutil.rmtree(etc, ignore_errors=True)
    trust = etc / "docker" / "certs.d" / REGISTRY_AUTH_ADDRESS
    trust.mkdir(parents=True)
    host.run.mkdir(parents=True, exist_ok=True)
    shutil.copy(tls.CA_CERT, trust / "ca.crt")
    (etc / "docker" / "daemon.json").write_text(json.dumps(_daemon_json(host), indent=2))
    (etc / "hostname").write_text(host.name + "\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{host.address} {host.name}\n")
    (etc / "resolv.conf").write_text(f"# the lab has no name server: refused at once\nnameserver {host.address}\n")
    # a home of its own, and a password that is neither set nor locked: sshd refuses keys for a locked account
    (etc / "passwd").write_text(
        re.sub(r"^root:.*$", "root:x:0:0:root:/home/root:/bin/bash", Path("/etc/passwd").read_text(), flags=re.M)
    )
    (etc / "shadow").write_text(re.sub(r"^root:[^:]*:", "root:*:", Path("/etc/shadow").read_text(), flags=re.M))
    (etc / "shadow").chmod(0o600)


def _daemon_json(host: Node) -> dict[str, Any]:
    """dockerd's configuration on that host."""
    config: dict[str, Any] = {
        "hosts": ["unix:///var/run/docker.sock", f"unix://{host.run}/docker.sock"],
        "insecure-registries": [REGISTRY_ADDRESS, f"{CONTROLLER}/32"],  # tests stand before a registry there
        "max-download-attempts": 1,  # a registry that is gone is told at once, not after the fifth time, 50 s later
        "dns": [host.address],  # nobody listens there: a look-up fails at once, not after the resolver's patience
        "cgroup-parent": f"/{MARK}/{host.name}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
    }
    if host is TLS_HOST:
        config["hosts"].append(f"tcp://{host.address}:{DOCKER_TLS_PORT}")
        config.update(
            tlsverify=True, tlscacert=str(tls.CA_CERT), tlscert=str(tls.DOCKER_CERT), tlskey=str(tls.DOCKER_KEY)
        )
    else:
        config["hosts"].append(f"tcp://{host.address}:{DOCKER_PORT}")
        config["tls"] = False  # said explicitly, or dockerd punishes plain TCP with a start that takes 15 s longer
    return config


def _plain_front(host: Node) -> list[str]:
    """dockerd has either TLS or plain TCP, never both: the command line of a forwarder of bytes that gives the TLS host its plain port."""
    config = host.run / "plain.conf"
    config.write_text(
        "daemon off; worker_processes 1; user root; error_log stderr warn;\n"
        f"pid {host.run}/plain.pid;\n"
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
        "events { worker_connections 1024; }\n"
        f"stream {{ server {{ listen {host.address}:{DOCKER_PORT}; proxy_pass unix:{host.run}/docker.sock;"
        " proxy_half_close on; proxy_timeout 24h; } }\n"
    )
    return [*host.enter, "nginx", "-c", str(config), "-p", str(host.run)]
