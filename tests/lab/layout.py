# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and paths of the lab: the one place that knows them, and does nothing.

SLIPWAY_LAB is the lab's number, 1 if it is not set. Labs of other numbers lie beside it, with names and addresses of their own;
they share the caches, and nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NUMBER = int(os.environ.get("SLIPWAY_LAB") or 1)
_SUFFIX = "" if NUMBER == 1 else str(NUMBER)
_NETWORK = f"10.213.{76 + NUMBER}"

BRIDGE = f"slipway{NUMBER - 1}"
SUBNET = f"{_NETWORK}.0/24"
CONTROLLER = f"{_NETWORK}.1"
MARK = f"slipway-lab{_SUFFIX}"  # on every bridge, link, namespace, iptables rule and folder of ours

RUN = Path("/run") / MARK  # sockets, keys, process ids, logs
DATA = Path("/var/lib") / MARK  # disks of the running lab: Docker data roots, registry storage, redis, etcd
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
        return f"slipway{_SUFFIX}-{self.name}"

    @property
    def link(self) -> str:
        """The bridge's end of its cable (interface names have at most 15 characters)."""
        return f"slw{_SUFFIX}-" + self.address.rsplit(".", 1)[1]

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


HOSTS = tuple(Node(f"h{number}", f"{_NETWORK}.{10 + number}") for number in range(1, 6))
TLS_HOST = SSH_HOST = HOSTS[0]
REGISTRY = Node("registry", f"{_NETWORK}.2")
ETCD = Node("etcd", f"{_NETWORK}.3")
EDGE = Node("edge", f"{_NETWORK}.4")
REDIS = (
    Node("redis-test", f"{_NETWORK}.21"),
    Node("redis-staging", f"{_NETWORK}.22"),
    Node("redis-prod", f"{_NETWORK}.23"),
)
NODES = (*HOSTS, REGISTRY, ETCD, EDGE, *REDIS)

REGISTRY_ADDRESS = f"{REGISTRY.address}:{REGISTRY_PORT}"
REGISTRY_AUTH_ADDRESS = f"{REGISTRY.address}:{REGISTRY_AUTH_PORT}"


def node(name: str) -> Node:
    """The node of that name; KeyError when there is none."""
    return {each.name: each for each in NODES}[name]
