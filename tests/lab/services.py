# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is not a Docker engine: registries, redis, etcd, the edge's nginx and the sshd."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from lab import engines, probes, tls
from lab.layout import (
    CONTROLLER,
    EDGE,
    ETCD,
    ETCD_PORT,
    REDIS,
    REDIS_PORT,
    REGISTRY,
    REGISTRY_AUTH_PORT,
    REGISTRY_PORT,
    REGISTRY_USER,
    RUN,
    SSH_HOST,
    Node,
)
from lab.proc import Daemon, Probe, run

SSH = RUN / "ssh"
SSH_KEY, SSH_KNOWN_HOSTS = SSH / "id_ed25519", SSH / "known_hosts"
REGISTRY_PASSWORD = RUN / "registry" / "password"
EDGE_CONF = EDGE.run / "conf.d"
EDGE_PID = EDGE.run / "nginx.pid"


@dataclass(frozen=True)
class Service:
    """One daemon: `prepare` writes its files and returns its command line, `ready` asks whether it answers."""

    name: str
    node: Node
    prepare: Callable[[], list[str]]
    ready: Probe

    def start(self) -> bool:
        """Start it if it does not run; True when it was started."""
        daemon = Daemon(self.name)
        if daemon.pid is not None:
            return False
        self.node.run.mkdir(parents=True, exist_ok=True)
        self.node.data.mkdir(parents=True, exist_ok=True)
        daemon.start(self.prepare())
        return True


def all_services() -> dict[str, Service]:
    """Every service by name."""
    services = [
        Service("registry", REGISTRY, _registry_open, lambda: probes.http_ok(REGISTRY.address, REGISTRY_PORT, "/v2/")),
        Service(
            "registry-auth",
            REGISTRY,
            _registry_auth,
            lambda: probes.http_ok(REGISTRY.address, REGISTRY_AUTH_PORT, "/v2/", status=401, ca=str(tls.CA_CERT)),
        ),
        Service("etcd", ETCD, _etcd, lambda: probes.http_ok(ETCD.address, ETCD_PORT, "/health")),
        Service("edge", EDGE, _edge, lambda: probes.http_ok(EDGE.address, 80, "/lab-health")),
        Service("sshd", SSH_HOST, _sshd, lambda: probes.tcp_ok(SSH_HOST.address, 22)),
    ]
    for node in REDIS:
        services.append(Service(node.name, node, _redis(node), _redis_probe(node)))
    return {service.name: service for service in services}


def _registry_config(storage: Path, http: dict[str, Any], **more: Any) -> str:
    """distribution's configuration; JSON is YAML too."""
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "info", "fields": {"service": "registry"}},
            "storage": {
                "filesystem": {"rootdirectory": str(storage)},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"headers": {"X-Content-Type-Options": ["nosniff"]}, **http},
            **more,
        },
        indent=2,
    )


def registry_command(config: Path, storage: Path, address: str) -> list[str]:
    """The command line of an open registry in the registry's network."""
    config.write_text(_registry_config(storage, {"addr": address}))
    return [*REGISTRY.enter, "docker-registry", "serve", str(config)]


def _registry_open() -> list[str]:
    return registry_command(REGISTRY.run / "open.yml", REGISTRY.data / "open", f"{REGISTRY.address}:{REGISTRY_PORT}")


def _registry_auth() -> list[str]:
    config, accounts = REGISTRY.run / "auth.yml", REGISTRY.run / "htpasswd"
    if not REGISTRY_PASSWORD.exists():
        REGISTRY_PASSWORD.write_text(secrets.token_urlsafe(12))
        REGISTRY_PASSWORD.chmod(0o600)
        run(["htpasswd", "-icBC", "5", str(accounts), REGISTRY_USER], stdin=REGISTRY_PASSWORD.read_text())
    http = {
        "addr": f"{REGISTRY.address}:{REGISTRY_AUTH_PORT}",
        "tls": {"certificate": str(tls.REGISTRY_CERT), "key": str(tls.REGISTRY_KEY)},
    }
    auth = {"htpasswd": {"realm": "Slipway lab", "path": str(accounts)}}
    config.write_text(_registry_config(REGISTRY.data / "auth", http, auth=auth))
    return [*REGISTRY.enter, "docker-registry", "serve", str(config)]


def _redis(node: Node) -> Callable[[], list[str]]:
    def prepare() -> list[str]:
        config = node.run / "redis.conf"
        config.write_text(
            f"bind {node.address} 127.0.0.1\nport {REDIS_PORT}\nprotected-mode no\ndir {node.data}\n"
            'appendonly yes\nsave ""\ndaemonize no\n'
        )
        return [*node.enter, "redis-server", str(config)]

    return prepare


def _redis_probe(node: Node) -> Probe:
    return lambda: probes.redis_ok(node.address, REDIS_PORT)


def _etcd() -> list[str]:
    url = f"http://{ETCD.address}:{ETCD_PORT}"
    return [
        *ETCD.enter,
        "etcd",
        "--name",
        "lab",
        "--data-dir",
        str(ETCD.data / "etcd"),
        "--listen-client-urls",
        f"{url},http://127.0.0.1:{ETCD_PORT}",
        "--advertise-client-urls",
        url,
        "--listen-peer-urls",
        "http://127.0.0.1:2380",
        "--initial-advertise-peer-urls",
        "http://127.0.0.1:2380",
        "--initial-cluster",
        "lab=http://127.0.0.1:2380",
        "--log-level",
        "warn",
    ]


def _edge() -> list[str]:
    """nginx with an empty conf.d: whoever routes writes a file there and sends SIGHUP."""
    EDGE_CONF.mkdir(parents=True, exist_ok=True)
    config = EDGE.run / "nginx.conf"
    config.write_text(f"""daemon off;
user root;
worker_processes 1;
pid {EDGE_PID};
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    access_log {EDGE.run}/access.log;
    client_body_temp_path {EDGE.data}/body;
    proxy_temp_path {EDGE.data}/proxy;
    fastcgi_temp_path {EDGE.data}/fastcgi;
    uwsgi_temp_path {EDGE.data}/uwsgi;
    scgi_temp_path {EDGE.data}/scgi;
    server {{
        listen 80 default_server;
        location = /lab-health {{ return 200 "ok\\n"; }}
        location / {{ return 404 "no such site on this edge\\n"; }}
    }}
    include {EDGE_CONF}/*.conf;
}}
""")
    return [*EDGE.enter, "nginx", "-c", str(config), "-p", str(EDGE.run)]


def _ssh_keys() -> None:
    """A key for the client, one for the host, and the files by which each knows the other."""
    SSH.mkdir(parents=True, exist_ok=True)
    for name in ("id_ed25519", "host_key"):
        if not (SSH / name).exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"slipway-lab {name}", "-f", str(SSH / name)])
    host_key = " ".join((SSH / "host_key.pub").read_text().split()[:2])
    SSH_KNOWN_HOSTS.write_text(f"{SSH_HOST.address},{SSH_HOST.name} {host_key}\n")
    (SSH / "authorized_keys").write_text(f'from="{CONTROLLER}" ' + (SSH / "id_ed25519.pub").read_text())


def _sshd() -> list[str]:
    _ssh_keys()
    config = SSH / "sshd_config"
    config.write_text(f"""ListenAddress {SSH_HOST.address}:22
HostKey {SSH}/host_key
AuthorizedKeysFile {SSH}/authorized_keys
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
""")
    return engines.inside(SSH_HOST, ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)])
