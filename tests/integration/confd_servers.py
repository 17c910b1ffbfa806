# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis and etcd of a test's own: processes on the loopback that the test starts and stops, and certificates for them."""

from __future__ import annotations

import socket
import subprocess
import time
import typing as t
from contextlib import closing
from pathlib import Path


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on a port of the loopback, started and stopped by the test."""

    def __init__(self, command: t.List[str], port: int, wait: bool = True) -> None:
        self.command, self.port = command, port
        self.start(wait)

    @property
    def node(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, wait: bool = True) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait:
            self.wait_for_it()

    def wait_for_it(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, f"{self.command[0]} ended by itself"
            time.sleep(0.05)
        raise AssertionError(f"{self.command[0]} does not listen")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


def make_certificates(folder: Path) -> t.Dict[str, str]:
    """A CA, a server certificate for 127.0.0.1 and a client's, by name; `other` is a stranger."""

    def made(name: str, *words: str) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", folder / f"{name}-key.pem"]
        command = [
            "openssl",
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            *key,
            "-out",
            folder / f"{name}.pem",
            *words,
        ]
        subprocess.run(command, check=True, capture_output=True)

    made("ca")
    signed = [
        "-CA",
        str(folder / "ca.pem"),
        "-CAkey",
        str(folder / "ca-key.pem"),
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    made("server", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    made("client", *signed, "-addext", "extendedKeyUsage=clientAuth")
    made("nameless", *signed, "-addext", "extendedKeyUsage=clientAuth", "-subj", "/O=nobody")
    made("other")
    return {path.stem: str(path) for path in folder.glob("*.pem")}


def etcd_command(folder: Path, url: str, peer: int, *more: str) -> t.List[str]:
    peers = f"http://127.0.0.1:{peer}"
    listen = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers]
    cluster = ["--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"]
    return ["etcd", "--data-dir", str(folder / "data"), *listen, *cluster, *more]


def etcd_cluster(folder: Path, certificates: t.Mapping[str, str]) -> t.List[Server]:
    """Three members that speak TLS and want client certificates."""
    ports = [(free_port(), free_port()) for _member in range(3)]
    peers = ",".join(f"m{number}=http://127.0.0.1:{peer}" for number, (_port, peer) in enumerate(ports))
    tls = ["--cert-file", certificates["server"], "--key-file", certificates["server-key"]]
    tls += ["--client-cert-auth", "--trusted-ca-file", certificates["ca"]]
    commands = []
    for number, (port, peer) in enumerate(ports):
        url, own = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        listen = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", own]
        cluster = ["--initial-advertise-peer-urls", own, "--initial-cluster", peers, "--initial-cluster-state", "new"]
        quick = ["--heartbeat-interval", "100", "--election-timeout", "1000"]
        commands.append(
            ["etcd", "--name", f"m{number}", "--data-dir", str(folder / f"m{number}"), *listen, *cluster, *quick, *tls]
        )
    waiting = [Server(command, port, wait=False) for command, (port, _peer) in zip(commands, ports)]
    for server in waiting:  # a member listens when there is a leader, so all of them start first
        server.wait_for_it()
    return waiting
