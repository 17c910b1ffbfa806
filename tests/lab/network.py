# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridge, namespaces and cables: made, checked to be ours, removed."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any, Iterable, Sequence

from lab.layout import BRIDGE, CONTROLLER, MARK, NODES, SUBNET, Node
from lab.proc import LabError, run

# bridged frames pass FORWARD once another dockerd has loaded br_netfilter and set that chain's policy to DROP
_RULE = ["FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-m", "comment", "--comment", MARK, "-j", "ACCEPT"]


def up() -> bool:
    """Make what is missing; True when something was made. LabError before any change when a name or the subnet is another's."""
    links = _links()
    _refuse_foreign(links)
    absent = [node for node in NODES if not _complete(node, links)]
    cut = [node for node in NODES if node not in absent and "UP" not in links[node.link]["flags"]]
    if BRIDGE not in links:
        _ip(
            [
                f"link add {BRIDGE} type bridge",
                f"link set {BRIDGE} alias {MARK}",
                f"addr add {CONTROLLER}/24 dev {BRIDGE}",
                f"link set {BRIDGE} up",
            ]
        )
    _connect(absent)
    _ip([f"link set {node.link} up" for node in cut])
    rule = _ensure_rule()
    return bool(absent or cut) or BRIDGE not in links or rule


def down() -> None:
    """Remove every namespace, cable, the bridge and the rule that are ours; nothing of anybody else's."""
    links = _links()
    _ip([f"link delete {node.link}" for node in NODES if _ours(links.get(node.link))])
    _ip([f"netns delete {node.namespace}" for node in NODES if _namespace_exists(node) and _namespace_is_ours(node)])
    if _ours(links.get(BRIDGE)):
        _ip([f"link delete {BRIDGE}"])
    while _has_rule():
        _iptables("-D", *_RULE)


def set_link(node: Node, state: str) -> None:
    """Plug the node's cable in (`up`) or pull it (`down`)."""
    _ip([f"link set {node.link} {state}"])


def link_is_up(node: Node) -> bool:
    """Whether its cable is plugged in."""
    link = _links().get(node.link)
    return link is not None and "UP" in link["flags"]


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
    """Whether the node has its namespace and its cable, plugged in or not."""
    return node.link in links and _namespace_exists(node)


def _refuse_foreign(links: dict[str, Any]) -> None:
    """LabError naming everything the lab would need that somebody else has."""
    taken = [
        f"the interface {name}"
        for name in (BRIDGE, *(node.link for node in NODES))
        if name in links and not _ours(links[name])
    ]
    taken += [
        f"the network namespace {node.namespace}"
        for node in NODES
        if _namespace_exists(node) and not _namespace_is_ours(node)
    ]
    subnet = ipaddress.ip_network(SUBNET)
    for link in json.loads(run(["ip", "-json", "-4", "addr", "show"]) or "[]"):
        taken += [
            f"{address['local']}/{address['prefixlen']} on {link['ifname']}"
            for address in link["addr_info"]
            if link["ifname"] != BRIDGE and ipaddress.ip_address(address["local"]) in subnet
        ]
    for route in json.loads(run(["ip", "-json", "-4", "route", "show"]) or "[]"):
        if (
            route["dst"] != "default"
            and route.get("dev") != BRIDGE
            and ipaddress.ip_network(route["dst"]).subnet_of(subnet)
        ):
            taken.append(f"the route to {route['dst']} by {route.get('dev', '?')}")
    if taken:
        raise LabError(
            f"the lab uses {SUBNET} and the names below, and these are somebody else's: "
            + "; ".join(taken)
            + ". Nothing was changed; remove them, or run the lab on another machine."
        )


def _links() -> dict[str, Any]:
    """Interfaces of the root namespace by name."""
    return {link["ifname"]: link for link in json.loads(run(["ip", "-json", "link", "show"]))}


def _ours(link: dict[str, Any] | None) -> bool:
    """Whether an interface carries our mark."""
    return link is not None and link.get("ifalias", "").split(":")[0] == MARK


def _namespace_exists(node: Node) -> bool:
    return Path("/run/netns", node.namespace).exists()


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


def _has_rule() -> bool:
    return f"--comment {MARK}" in run(["iptables", "-w", "10", "-S", "FORWARD"])


def _ensure_rule() -> bool:
    """Let the lab's own frames cross the bridge; True when the rule was missing."""
    if _has_rule():
        return False
    _iptables("-I", *_RULE)
    return True
