# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis servers that would lose settings are named as such; those that would not are not."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends.redis_risks import redis_risks

SAFE = {
    "role": "master",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
}
SAVES = {"save": "3600 1"}


@pytest.mark.parametrize(
    ("info", "save", "ending", "words"),
    [
        ({}, SAVES, [], []),
        ({"aof_enabled": 0}, SAVES, [], []),
        ({"aof_enabled": 0}, {"save": ""}, [], ["keeps nothing on disk"]),
        ({"aof_enabled": 0}, PermissionError(), [], []),
        ({"aof_last_write_status": "err"}, SAVES, [], ["last write"]),
        ({"maxmemory": 100, "maxmemory_policy": "allkeys-lru"}, SAVES, [], ["memory is full (allkeys-lru)"]),
        ({"maxmemory_policy": "allkeys-lru"}, SAVES, [], []),
        ({"maxmemory": 100, "maxmemory_policy": "volatile-ttl"}, SAVES, [], []),
        ({"role": "slave"}, SAVES, [], ["replica"]),
        ({}, SAVES, ["/a"], ["/a will expire"]),
        ({}, SAVES, [f"/{n}" for n in range(9)], ["/4 and 4 more will expire"]),
        ({"role": "slave", "aof_enabled": 0}, {"save": ""}, ["/a"], ["replica", "nothing on disk", "expire"]),
    ],
)
def test_risks(info, save, ending, words):
    found = redis_risks({**SAFE, **info}, save, ending)
    assert len(found) == len(words)
    assert all(word in message for word, message in zip(words, found)), found


def test_a_server_that_tells_nothing_is_not_judged():
    assert redis_risks({}, None, []) == []
