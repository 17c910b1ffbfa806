# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers use, from two samples of the engine's counters. The arithmetic is pure."""

from __future__ import annotations

import time
import typing as t

from .engine import Attrs, Engine
from .faults import NotFoundError

INTERVAL = 1.0  # seconds between the samples: CPU use is a difference

Facts = t.Dict[str, t.Any]


def measure(
    engine: Engine, containers: t.Sequence[str], sleep: t.Callable[[float], None] = time.sleep
) -> t.Dict[str, Facts]:
    """Facts by container id for the running `containers`, all sampled in the same second."""
    if not containers:
        return {}
    first = _samples(engine, containers)
    sleep(INTERVAL)
    second = _samples(engine, containers)
    return {container: facts(first[container], second[container]) for container in second if container in first}


def _samples(engine: Engine, containers: t.Sequence[str]) -> t.Dict[str, Attrs]:
    found = {}
    for container in containers:
        try:
            sample = engine.call(
                f"read the counters of {container[:12]}", engine.client.stats, container, stream=False, one_shot=True
            )
        except NotFoundError:
            continue  # it was removed meanwhile
        found[container] = sample
    return found


def facts(before: Attrs, after: Attrs) -> Facts:
    """cpu_percent (100 is one CPU), memory {usage, limit, percent}, network {received, sent} (null without a network of
    its own), disk {read, written}, pids; sizes in bytes, network and disk since the start."""
    memory = after.get("memory_stats") or {}
    usage = memory_usage(memory)
    limit = int(memory.get("limit") or 0)
    return {
        "cpu_percent": cpu_percent(before.get("cpu_stats") or {}, after.get("cpu_stats") or {}),
        "memory": {
            "usage": usage,
            "limit": limit,
            "percent": round(100.0 * usage / limit, 2) if limit else 0.0,
        },
        "network": network(after.get("networks")),
        "disk": disk((after.get("blkio_stats") or {}).get("io_service_bytes_recursive")),
        "pids": int((after.get("pids_stats") or {}).get("current") or 0),
    }


def cpu_percent(before: Attrs, after: Attrs) -> float:
    """Share of the time between the samples, times the CPUs: what `docker stats` shows."""
    used = _total(after) - _total(before)
    passed = int(after.get("system_cpu_usage") or 0) - int(before.get("system_cpu_usage") or 0)
    if used <= 0 or passed <= 0:
        return 0.0
    cpus = after.get("online_cpus") or len(after["cpu_usage"].get("percpu_usage") or []) or 1
    return round(100.0 * used / passed * cpus, 2)


def _total(sample: Attrs) -> int:
    return int((sample.get("cpu_usage") or {}).get("total_usage") or 0)


def memory_usage(memory: Attrs) -> int:
    """Without the page cache that the kernel gives back when asked (cgroup v1 and v2 name it differently)."""
    usage = int(memory.get("usage") or 0)
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    return usage - cache if cache < usage else usage


def network(interfaces: t.Optional[t.Mapping[str, Attrs]]) -> t.Optional[Facts]:
    if interfaces is None:
        return None
    return {
        "received": sum(int(entry.get("rx_bytes") or 0) for entry in interfaces.values()),
        "sent": sum(int(entry.get("tx_bytes") or 0) for entry in interfaces.values()),
    }


def disk(entries: t.Optional[t.Sequence[Attrs]]) -> Facts:
    sums = {"read": 0, "write": 0}
    for entry in entries or []:
        operation = str(entry.get("op", "")).lower()
        if operation in sums:
            sums[operation] += int(entry.get("value") or 0)
    return {"read": sums["read"], "written": sums["write"]}
