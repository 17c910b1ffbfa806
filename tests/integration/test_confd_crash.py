# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks in the middle of a change: the writer, killed again and again, and one of three etcd servers."""

from __future__ import annotations

import base64
import contextlib
import itertools
import multiprocessing
import random
import time
import typing as t
from pathlib import Path

import confd_helper
import pytest
import requests
from ansible_collections.slipway.delivery.plugins.module_utils.confd import revision
from confd_helper import BACKENDS, CONFD_CONFIG, CONFD_CONFIG_INFO, Center, execute
from confd_servers import etcd_cluster, make_certificates

pytestmark = pytest.mark.lab

KILLS = 12
KEYS = 40


@pytest.fixture(params=BACKENDS)
def center(request: t.Any, lab: dict[str, str], tmp_path: Path) -> t.Iterator[Center]:
    found = confd_helper.center(request.param, lab, tmp_path)
    yield found
    found.hand.forget(found.prefix)


def write_on(center: Center, start: int, wrote: t.Any) -> None:
    for number in itertools.count(start):
        center.config(keys={f"group{index % 5}/key{index}": number for index in range(KEYS)}, history_limit=5)
        wrote.set()


def test_killed_at_any_moment_the_store_holds_one_whole_revision(center, monkeypatch):
    """SIGKILL after a random while of writing, over and over: what is there is whole, known to the history, and restorable."""
    monkeypatch.setattr(revision, "_ROUNDS", 1)  # the time goes into writing, where a kill can hurt
    revision._stretched.cache_clear()
    moments = random.Random(5)
    seen = set()
    processes = multiprocessing.get_context("fork")
    for turn in range(KILLS):
        wrote = processes.Event()
        writer = processes.Process(target=write_on, args=(center, 1000 * turn, wrote))
        writer.start()
        if turn % 3:  # every third one is killed before it has written, or in its first change
            assert wrote.wait(timeout=60)
        time.sleep(moments.uniform(0.0, 0.1))
        writer.kill()
        writer.join(timeout=20)
        info = center.info()
        values = set(info["keys"].values())
        assert len(values) <= 1 and len(info["keys"]) in (0, KEYS) and not info["drifted"], (turn, info)
        if values:
            assert center.info(revision=info["revision"])["record"]["keys"] == info["keys"]
            seen |= values
    assert len(seen) >= KILLS * 2 // 3
    assert center.config(keys={"after": 1})["changed"] and center.keys() == {"/after": "1"}
    older = center.info()["history"][1]["revision"]
    assert center.config(state="restored", revision=older)["revision"] == older and len(center.keys()) == KEYS
    revision._stretched.cache_clear()


def test_one_of_three_etcd_servers_dies_in_the_middle(lab, tmp_path):
    """With users, TLS and client certificates: every change is made, once, whichever server it was sent to."""
    certificates = make_certificates(tmp_path)
    servers = etcd_cluster(tmp_path, certificates)
    tls = {
        "ca_path": certificates["ca"],
        "client_cert": certificates["nameless"],
        "client_key": certificates["nameless-key"],
    }
    args = {
        "backend": "etcd",
        "nodes": [server.node for server in servers],
        "prefix": "/webapi",
        "timeout": "120s",
        **tls,
    }
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)
        _add_users(servers[0].node, certificates)
        login = {**args, "username": "ann", "password": "ann-word"}
        for number in range(12):
            if number == 4:
                servers[0].kill()
            if number == 8:  # back, and another one goes
                servers[0].start()
                servers[1].kill()
            done = execute(CONFD_CONFIG, {**login, "keys": {f"k{key}": number for key in range(200)}})
            assert done["changed"] and not done.get("failed"), done
        info = execute(CONFD_CONFIG_INFO, login)
        assert [entry["number"] for entry in info["history"]] == list(range(12, 0, -1))
        assert set(info["keys"].values()) == {"11"} and len(info["keys"]) == 200 and not info["drifted"]
        refused = execute(CONFD_CONFIG, {**login, "password": "wrong", "keys": {"a": 1}})
        assert refused["failed"] and "refuses the login of ann" in refused["msg"]
        named = {"client_cert": certificates["client"], "client_key": certificates["client-key"]}
        refused = execute(CONFD_CONFIG, {**login, **named, "keys": {"a": 1}, "nodes": args["nodes"][2:]})
        assert refused["failed"] and "no client certificate with a common name" in refused["msg"]


def _add_users(node: str, certificates: t.Mapping[str, str]) -> None:
    def call(method: str, **message: t.Any) -> None:
        pair = (certificates["client"], certificates["client-key"])
        answer = requests.post(
            f"https://{node}/v3/auth/{method}", json=message, timeout=20, verify=certificates["ca"], cert=pair
        )
        answer.raise_for_status()

    for name in ("root", "ann"):
        call("user/add", name=name, password=f"{name}-word")
        call("role/add", name=name)
        call("user/grant", user=name, role=name)
    for first in ("/webapi", "slipway!/webapi!"):
        key, end = (base64.b64encode(text.encode()).decode() for text in (first, first[:-1] + chr(ord(first[-1]) + 1)))
        call("role/grant", name="ann", perm={"permType": "READWRITE", "key": key, "range_end": end})
    call("enable")
