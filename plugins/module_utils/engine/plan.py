# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done: wanted against actual. Pure; check mode stops here, and swap.py carries it out."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from . import labels
from .actual import Actual, Container, rearmed
from .desired import Wanted
from .images import Choice

SECRET = "<secret>"
SECRET_CHANGED = "<secret changed>"

# Live options: HostConfig's key, the value that means "not set", and whether an update can go back to it.
_LIMITS: t.Dict[str, t.Tuple[str, t.Any, bool]] = {
    "memory": ("Memory", 0, False),
    "memory_swap": ("MemorySwap", None, False),
    "memory_reservation": ("MemoryReservation", 0, False),
    "cpus": ("NanoCpus", 0, False),
    "cpuset_cpus": ("CpusetCpus", "", False),
    "pids_limit": ("PidsLimit", -1, True),
}
# Which of the engine's facts says that the kernel can do it.
SUPPORT = {
    "memory": "MemoryLimit",
    "memory_swap": "SwapLimit",
    "memory_reservation": "MemoryLimit",
    "cpus": "CpuCfsQuota",
    "cpuset_cpus": "CPUSet",
    "pids_limit": "PidsLimit",
}


@dataclass(frozen=True)
class Change:
    """One difference. `live` can be done on the living container; the others need a new one."""

    option: str
    before: t.Any
    after: t.Any
    live: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do: `action` is the word in the result.

    `recovery` is what happens first to an interrupted swap: `finish` carries it on (it was bringing up what is wanted),
    `revert` goes back to `base`, the container that served before. `before` and `after` are the diff.
    """

    action: str
    base: t.Optional[Container] = None
    changes: t.Tuple[Change, ...] = ()
    recovery: str = ""
    before: t.Dict[str, t.Any] = field(default_factory=dict)
    after: t.Dict[str, t.Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return self.action != "none"

    @property
    def swaps(self) -> bool:
        return self.action in ("created", "replaced")


def started(wanted: Wanted, actual: Actual, image: Choice) -> Plan:
    """The plan for state started."""
    pending = actual.pending
    base = rearmed(actual.base, pending) if actual.base and pending else actual.base
    if pending is not None and is_becoming(wanted, pending, image):
        return _plan("replaced" if base else "created", wanted, base, image, recovery="finish")
    recovery = "revert" if pending is not None else ""
    if base is None:
        return _plan("created", wanted, None, image, recovery=recovery)
    changes = tuple(drift(wanted, base, image))
    if any(not change.live for change in changes):
        return _plan("replaced", wanted, base, image, changes, recovery)
    if not base.running and not recovery:
        action = "started"
    elif changes:
        action = "updated"
    else:
        action = "recovered" if recovery else "none"
    return _plan(action, wanted, base, image, changes, recovery)


def is_becoming(wanted: Wanted, pending: Container, image: Choice) -> bool:
    """True when an interrupted swap was bringing up just what is wanted; its restart policy is set at the end."""
    return all(change.option == "restart_policy" for change in drift(wanted, pending, image))


def begins_anew(wanted: Wanted, pending: Container) -> bool:
    """True when what an interrupted swap left running cannot be taken as it is: it was made for these settings, but may have read
    others at its start. They were brought only now, or it is another release's, and between releases they are others."""
    if wanted.config_revision is None or not pending.active:
        return False
    return wanted.config_changed or pending.release != wanted.release


def drift(wanted: Wanted, container: Container, image: Choice) -> t.List[Change]:
    """Every difference between what is wanted and this container."""
    changes: t.List[Change] = []
    if not container.managed:
        changes.append(Change("managed", False, True))
    if not image.is_of(container):
        changes.append(Change("image", image_text(container), choice_text(image)))
    if wanted.config_revision is not None:
        before = container.labels.get(labels.CONFIG_REVISION, "")
        if before != wanted.config_revision:
            changes.append(Change("config_revision", before, wanted.config_revision))
    changes += _static_changes(wanted, container)
    changes += _limit_changes(wanted, container)
    changes += _network_changes(wanted, container)
    return changes


def _static_changes(wanted: Wanted, container: Container) -> t.List[Change]:
    """By hash first; the single options only when something differs."""
    changes: t.List[Change] = []
    if container.labels.get(labels.SPEC_HASH) != wanted.spec_hash:
        before = container.spec
        options = sorted((set(before) | set(wanted.static)) - set(wanted.live) - set(_LIMITS) - {"networks"})
        options = [option for option in options if option != "restart_policy"]
        changes = [
            Change(option, before.get(option), wanted.static.get(option))
            for option in options
            if before.get(option) != wanted.static.get(option)
        ]
        changes = changes or [Change("spec", container.labels.get(labels.SPEC_HASH), wanted.spec_hash)]
    env = container.env if wanted.secrets else {}
    different = sorted(key for key, value in wanted.secrets.items() if key in env and env[key] != value)
    if different:
        changes.append(Change("secret_env", dict.fromkeys(different, SECRET), dict.fromkeys(different, SECRET_CHANGED)))
    return changes


def _limit_changes(wanted: Wanted, container: Container) -> t.List[Change]:
    config = container.attrs["HostConfig"]
    changes = []
    for option, (key, unset, can_unset) in _LIMITS.items():
        after = wanted.live.get(option, unset)
        if option == "memory_swap" and after is None and option in container.spec:
            after = 2 * wanted.live.get("memory", 0)  # no longer asked for: what Docker derives from memory
        if after is None:
            continue
        before = config.get(key)
        before = unset if before in (None, 0, "") or (option == "pids_limit" and before < 0) else before
        if before != after:
            changes.append(
                Change(option, shown(option, before), shown(option, after), live=can_unset or after != unset)
            )
    if container.restart_policy != wanted.restart_policy:
        before_policy = labels.policy_text(container.restart_policy)
        changes.append(Change("restart_policy", before_policy, labels.policy_text(wanted.restart_policy), live=True))
    return changes


def _network_changes(wanted: Wanted, container: Container) -> t.List[Change]:
    """Networks by name. The first one belongs to the container's creation; the others can be joined and left."""
    connected = container.attrs["NetworkSettings"].get("Networks") or {}
    if not wanted.networks:
        return []  # host, none or another container's: part of the static spec
    after = {network["name"]: network for network in wanted.networks}
    before = {
        name: _connection(container, name, facts or {}, after.get(name, {}).get("aliases", ()))
        for name, facts in connected.items()
    }
    first = wanted.networks[0]["name"]
    names = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    return [Change(f"networks.{name}", before.get(name), after.get(name), live=name != first) for name in names]


def _connection(
    container: Container, name: str, facts: t.Mapping[str, t.Any], asked: t.Collection[str]
) -> t.Dict[str, t.Any]:
    """A connected network in the form of the option.

    The engine adds the short id and the host name to the aliases by itself; one of them may be `asked` for all the same.
    """
    own = {container.id[:12], container.name, container.attrs["Config"].get("Hostname")} - set(asked)
    address = (facts.get("IPAMConfig") or {}).get("IPv4Address") or ""
    return {"name": name, "aliases": sorted(set(facts.get("Aliases") or []) - own), "ipv4_address": address}


def host_config_update(wanted: Wanted, changes: t.Sequence[Change]) -> t.Dict[str, t.Any]:
    """The body of POST /update for the changed limits and restart policy, empty if there are none."""
    options = {change.option for change in changes}
    update = {
        _LIMITS[option][0]: wanted.live.get(option, _LIMITS[option][1]) for option in options if option in _LIMITS
    }
    if "Memory" in update and "MemorySwap" not in update:
        # Docker refuses a limit above the swap limit it derived from the old one: it is twice the memory by default.
        update["MemorySwap"] = wanted.live.get("memory_swap", 2 * update["Memory"])
    if "restart_policy" in options:
        update["RestartPolicy"] = wanted.restart_policy
    return update


def image_text(container: Container) -> str:
    """A container's image with its digest, for the diff."""
    image = container.labels.get(labels.IMAGE) or container.attrs["Config"].get("Image", "")
    digest = container.digest or container.attrs.get("Image", "")
    return image if "@" in image else f"{image}@{digest}"


def choice_text(choice: Choice) -> str:
    """The chosen image with its digest; what the digest of an image is that nobody has asked for yet stays open."""
    text = choice.reference.text
    digest = choice.digest or choice.id
    return text if "@" in text or not digest else f"{text}@{digest}"


def _plan(
    action: str,
    wanted: Wanted,
    base: t.Optional[Container],
    image: Choice,
    changes: t.Tuple[Change, ...] = (),
    recovery: str = "",
) -> Plan:
    """With its diff: a new container shows its whole spec, a changed one what changes."""
    if recovery == "finish" and base is not None:
        changes = tuple(drift(wanted, base, image))
    before: t.Dict[str, t.Any] = {"state": state_word(base)}
    after: t.Dict[str, t.Any] = {"state": "running"}
    if base is None:
        after.update(creation(wanted, image))
    before.update({change.option: change.before for change in changes})
    after.update({change.option: change.after for change in changes})
    if action == "replaced" and base is not None and base.release != wanted.release:
        before["release"], after["release"] = base.release, wanted.release
    if action == "none":
        before = after = {}
    return Plan(action, base, changes, recovery, before, after)


def shown(option: str, value: t.Any) -> t.Any:
    """A limit as people write it, for the diff: CPUs as a number of them."""
    return value / 1_000_000_000 if option == "cpus" else value


def state_word(container: t.Optional[Container]) -> str:
    if container is None:
        return "absent"
    return str(container.state["Status"])


def creation(wanted: Wanted, image: Choice) -> t.Dict[str, t.Any]:
    """The whole of a new container for the diff, secrets by name alone."""
    spec: t.Dict[str, t.Any] = {**wanted.static, **wanted.live}
    spec["restart_policy"] = labels.policy_text(wanted.restart_policy)
    if "cpus" in spec:
        spec["cpus"] = shown("cpus", spec["cpus"])
    if wanted.secrets:
        spec["secret_env"] = dict.fromkeys(sorted(wanted.secrets), SECRET)
    spec.update(image=choice_text(image), config_revision=wanted.config_revision, release=wanted.release)
    return {key: value for key, value in spec.items() if value not in (None, "", [], {})}
