# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and paths of the lab: the one place that knows them, and does nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "slipway0"
SUBNET = "10.213.77.0/24"
CONTROLLER = "10.213.77.1"
MARK = "slipway-lab"  # on every bridge, link, namespace, iptables rule and folder of ours

RUN = Path("/run/slipway-lab")  # sockets, keys, process ids, logs
DATA = Path("/var/lib/slipway-lab")  # disks of the running lab: Docker data roots, registry storage, redis, etcd
CACHE = Path(os.environ.get("SLIPWAY_LAB_CACHE") or "/var/cache/slipway-lab")  # survives `down`
LOGS = RUN / "log"

REGISTRY_PORT = 5000
REGISTRY_AUTH_PORT = 5443
REGISTRY_USER = "slipway"
DOCKER_PORT = 2375
DOCKER_TLS_PORT = 2376
REDIS_PORT = 6379
ETCD_PORT = 2379


@dataclass(frozen=True)
class Node:
    """One network namespace on the lab's bridge."""

    name: str
    address: str

    @property
    def namespace(self) -> str:
        """Its name for `ip netns`."""
        return "slipway-" + self.name

    @property
    def link(self) -> str:
        """The bridge's end of its cable (interface names have at most 15 characters)."""
        return "slw-" + self.address.rsplit(".", 1)[1]

    @property
    def run(self) -> Path:
        """Its sockets and generated configuration."""
        return RUN / self.name

    @property
    def data(self) -> Path:
        """Its disk."""
        return DATA / self.name

    @property
    def enter(self) -> list[str]:
        """Command prefix that runs something in its network."""
        return ["nsenter", "--net=/run/netns/" + self.namespace, "--"]


HOSTS = tuple(Node(f"h{number}", f"10.213.77.{10 + number}") for number in range(1, 6))
TLS_HOST = SSH_HOST = HOSTS[0]
REGISTRY = Node("registry", "10.213.77.2")
ETCD = Node("etcd", "10.213.77.3")
EDGE = Node("edge", "10.213.77.4")
REDIS = (
    Node("redis-test", "10.213.77.21"),
    Node("redis-staging", "10.213.77.22"),
    Node("redis-prod", "10.213.77.23"),
)
NODES = (*HOSTS, REGISTRY, ETCD, EDGE, *REDIS)

REGISTRY_ADDRESS = f"{REGISTRY.address}:{REGISTRY_PORT}"
REGISTRY_AUTH_ADDRESS = f"{REGISTRY.address}:{REGISTRY_AUTH_PORT}"


def node(name: str) -> Node:
    """The node of that name; KeyError when there is none."""
    return {each.name: each for each in NODES}[name]
