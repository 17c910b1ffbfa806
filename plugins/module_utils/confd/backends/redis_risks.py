# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a redis server forget settings that nobody removed."""

from __future__ import annotations

import typing as t

_NAMED = 5  # keys that a message names


def redis_risks(info: t.Mapping[str, t.Any], save: t.Any, ending: t.Sequence[str]) -> t.List[str]:
    """Each risk as a sentence.

    `info` is the answer to INFO and `save` that to CONFIG GET save, anything else where it was refused; `ending` are
    keys that expire.
    """
    found = []
    if info.get("role") == "slave":
        found.append("it is a replica, whose settings are its master's. Name the master in nodes.")
    if info.get("aof_enabled") == 0 and isinstance(save, dict) and save.get("save") == "":
        found.append("it keeps nothing on disk, so a restart loses all settings. Set appendonly yes, or save.")
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        found.append("its last write to the append-only file failed. Look at its disk.")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if info.get("maxmemory") and policy.startswith("allkeys-"):
        found.append(f"it throws settings away when its memory is full ({policy}). Set maxmemory-policy noeviction.")
    if ending:
        more = f" and {len(ending) - _NAMED} more" if len(ending) > _NAMED else ""
        found.append(f"{', '.join(ending[:_NAMED])}{more} will expire: somebody set a time to live. PERSIST them.")
    return found
