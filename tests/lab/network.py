# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridge, namespaces and cables: made, checked to be ours, removed."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import Any, Iterable, Sequence

from lab.layout import BRIDGE, CONTROLLER, MARK, NODES, RUN, SUBNET, Node
from lab.proc import LabError, run

_COMMENT = ["-m", "comment", "--comment", MARK]
_RULES = (
    # plain Docker ports have no lock: nobody who routes through this machine reaches them
    ["FORWARD", "-o", BRIDGE, "!", "-i", BRIDGE, *_COMMENT, "-j", "DROP"],
    # bridged frames pass FORWARD once another dockerd has loaded br_netfilter and set that chain's policy to DROP
    ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, *_COMMENT, "-j", "ACCEPT"],
)
_NAMESPACES = Path("/run/netns")
_FIRST = RUN / "first-namespaces"  # there was no such folder before the lab


def check() -> None:
    """LabError when there are no namespaces to be had, or naming everything that the lab needs and somebody else has."""
    try:
        run(["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "true"])
    except LabError as exc:
        raise LabError(
            f"this machine does not let root make namespaces (a container without privileges?): {exc}"
        ) from exc
    taken = _foreign_names() + _foreign_addresses()
    if taken:
        raise LabError(
            f"the lab needs {SUBNET} and names of its own, and these are somebody else's: {'; '.join(taken)}. "
            "They are left as they are: remove them, or run the lab on another machine."
        )


def _foreign_names() -> list[str]:
    """Interfaces and namespaces that have a name of ours without our mark."""
    links = _links()
    names = (BRIDGE, *(node.link for node in NODES))
    spaces = [node for node in NODES if _namespace_exists(node) and not _namespace_is_ours(node)]
    return [
        *(f"the interface {name}" for name in names if name in links and not _ours(links[name])),
        *(f"the network namespace {node.namespace}" for node in spaces),
    ]


def _foreign_addresses() -> list[str]:
    """Addresses and routes within our subnet on interfaces that are not our bridge."""
    subnet = ipaddress.ip_network(SUBNET)
    found = []
    for link in json.loads(run(["ip", "-json", "-4", "addr", "show"])):
        for address in link["addr_info"] if link["ifname"] != BRIDGE else ():
            if ipaddress.ip_address(address["local"]) in subnet:
                found.append(f"{address['local']}/{address['prefixlen']} on {link['ifname']}")
    for route in json.loads(run(["ip", "-json", "-4", "route", "show"]) or "[]"):
        elsewhere = route["dst"] != "default" and route.get("dev") != BRIDGE
        if elsewhere and ipaddress.ip_network(route["dst"]).subnet_of(subnet):
            found.append(f"the route to {route['dst']} by {route.get('dev', 'no interface')}")
    return found


def up() -> list[Node]:
    """Make what is missing; the nodes that got a new network."""
    links = _links()
    first = not _NAMESPACES.exists()
    if BRIDGE not in links:
        _make_bridge()
    absent = [node for node in NODES if not _complete(node, links)]
    _connect(absent)
    if first:
        _FIRST.touch()
    _ip([f"link set {node.link} up" for node in NODES if node not in absent and "UP" not in links[node.link]["flags"]])
    for rule in _RULES:
        if not _has_rule(rule):
            _iptables("-I", *rule)
    return absent


def down() -> None:
    """Remove every namespace, cable, the bridge and the rule that are ours; nothing of anybody else's."""
    links = _links()
    _ip([f"link delete {node.link}" for node in NODES if _ours(links.get(node.link))])
    _ip([f"netns delete {node.namespace}" for node in NODES if _namespace_exists(node) and _namespace_is_ours(node)])
    if _FIRST.exists() and not any(_NAMESPACES.iterdir()):
        run(["umount", str(_NAMESPACES)])  # ip mounted the folder on itself
        _NAMESPACES.rmdir()
    if _ours(links.get(BRIDGE)):
        _ip([f"link delete {BRIDGE}"])
    for rule in _RULES:
        while _has_rule(rule):
            _iptables("-D", *rule)


def set_link(node: Node, state: str) -> None:
    """Plug the node's cable in (`up`) or pull it (`down`)."""
    _ip([f"link set {node.link} {state}"])


def link_is_up(node: Node) -> bool:
    """Whether its cable is plugged in."""
    link = _links().get(node.link)
    return link is not None and "UP" in link["flags"]


def _make_bridge() -> None:
    _ip(
        [
            f"link add {BRIDGE} type bridge",
            f"link set {BRIDGE} alias {MARK}",
            f"addr add {CONTROLLER}/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ]
    )


def _connect(nodes: Iterable[Node]) -> None:
    """A namespace and a cable to the bridge for each node; a half-made one is made anew."""
    nodes = list(nodes)
    links = _links()
    _ip([f"link delete {node.link}" for node in nodes if node.link in links])
    _ip([f"netns delete {node.namespace}" for node in nodes if _namespace_exists(node)])
    _ip([f"netns add {node.namespace}" for node in nodes])
    outside = []
    for node in nodes:
        outside += [
            f"link add {node.link} type veth peer name eth0 netns {node.namespace}",
            f"link set {node.link} alias {MARK}:{node.name}",
            f"link set {node.link} master {BRIDGE} up",
        ]
    _ip(outside)
    for node in nodes:
        _ip(
            [f"link set lo alias {MARK}", "link set lo up", f"addr add {node.address}/24 dev eth0", "link set eth0 up"],
            node.namespace,
        )


def _complete(node: Node, links: dict[str, Any]) -> bool:
    """Whether the node has its namespace and a cable to the bridge, cut or not."""
    return links.get(node.link, {}).get("master") == BRIDGE and _namespace_exists(node)


def _links() -> dict[str, Any]:
    """Interfaces of the root namespace by name."""
    return {link["ifname"]: link for link in json.loads(run(["ip", "-json", "link", "show"]))}


def _ours(link: dict[str, Any] | None) -> bool:
    """Whether an interface carries our mark."""
    return link is not None and link.get("ifalias", "").split(":")[0] == MARK


def _namespace_exists(node: Node) -> bool:
    return (_NAMESPACES / node.namespace).exists()


def _namespace_is_ours(node: Node) -> bool:
    """Whether the namespace's loopback carries our mark."""
    links = json.loads(run(["ip", "-json", "-netns", node.namespace, "link", "show", "lo"]))
    return _ours(links[0])


def _ip(commands: Sequence[str], namespace: str | None = None) -> None:
    """Several ip commands in one process."""
    if commands:
        where = ["-netns", namespace] if namespace else []
        run(["ip", *where, "-batch", "-"], stdin="\n".join(commands) + "\n")


def _iptables(action: str, *rule: str) -> None:
    run(["iptables", "-w", "10", action, *rule])


def _has_rule(rule: Sequence[str]) -> bool:
    """Whether the chain has that rule; iptables prints negation and order in a way of its own, so it is asked, not read."""
    asked = subprocess.run(["iptables", "-w", "10", "-C", *rule], capture_output=True, check=False)
    return asked.returncode == 0
