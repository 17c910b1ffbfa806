# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long 500 settings take in one step over each backend: the first time, again with nothing to do, and with one change.

Beside it stand the ways without Slipway that keep nothing and guard nothing: redis-cli once a key, as a task a key would,
redis-cli once for all, and one request a key to etcd's JSON gateway. The last column counts what was asked of the server:
redis by its own statistics, etcd by its requests. The last table is confd_check over as many keys, with and without
rendering.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import bench  # puts the collection on the path
import redis
import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context, Operation
from ansible_collections.slipway.delivery.plugins.module_utils.confd import revision
from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends.gateway import Gateway
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config import CONFD_CONFIG

KEYS = 500
PREFIX = "/slipway-bench"
Row = t.Tuple[float, t.Optional[float], str]  # milliseconds, those of this process's CPU, what was asked


class Took(t.NamedTuple):
    wall: float
    cpu: float


def work(operation: Operation, **args: t.Any) -> Took:
    """A task's milliseconds, by the clock and by the CPU; SystemExit when it fails."""
    spec = operation.spec
    params = ArgumentSpecValidator(spec.options, **spec.rules()).validate(args).validated_parameters
    revision._stretched.cache_clear()  # as in a new process
    start, used = time.perf_counter(), time.process_time()
    answer = operation.execute(params, Context())
    took = Took(1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used))
    if answer.get("failed"):
        raise SystemExit(answer["msg"])
    return took


def settings(changed: bool = False) -> t.Dict[str, str]:
    found = {
        f"group{number % 25:02}/key{number:03}": f"value {number} " + "x" * (1 + number % 60) for number in range(KEYS)
    }
    return {**found, "group07/key007": "another value"} if changed else found


class Counted:
    """What a step asked of its server."""

    def __init__(self, backend: str, client: redis.Redis) -> None:
        self.backend, self.client = backend, client
        self.sent = 0

    @contextlib.contextmanager
    def counting(self) -> t.Iterator[t.Callable[[], str]]:
        before = self.commands()
        original = Gateway._send

        def send(gateway: Gateway, *args: t.Any) -> t.Any:
            self.sent += 1
            return original(gateway, *args)

        Gateway._send, self.sent = send, 0  # type: ignore[method-assign]
        try:
            yield lambda: self.said(before)
        finally:
            Gateway._send = original  # type: ignore[method-assign]

    def commands(self) -> t.Dict[str, int]:
        found = self.client.info("commandstats") if self.backend == "redis" else {}
        return {name.replace("cmdstat_", ""): facts["calls"] for name, facts in found.items()}

    def said(self, before: t.Mapping[str, int]) -> str:
        if self.backend == "etcd":
            return f"{self.sent} requests"
        now = self.commands()
        sets = now.get("set", 0) - before.get("set", 0)
        return f"{sets} SET" if self.backend == "redis" else "-"


def rounds_of(backend: str, options: t.Mapping[str, t.Any], counted: Counted, number: int) -> t.Dict[str, t.List[Row]]:
    """Row of the table -> what each round gave."""
    args = {"backend": backend, "prefix": PREFIX, **options}
    steps = {
        "applied": {"keys": settings()},
        "again, nothing to do": {"keys": settings()},
        "one value changed": {"keys": settings(changed=True)},
        "removed": {"state": "absent"},
    }
    measured: t.Dict[str, t.List[Row]] = {}
    for _round in range(number):
        for name, step in steps.items():
            with counted.counting() as said:
                took = work(CONFD_CONFIG, **args, **step)
                measured.setdefault(f"{backend}: {name}", []).append((*took, said()))
    return measured


def timed(function: t.Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def by_hand(redis_node: str, etcd_node: str, number: int) -> t.Dict[str, t.List[Row]]:
    host, port = redis_node.split(":")
    command = ["redis-cli", "-h", host, "-p", port]
    pairs = [(f"{PREFIX}/{key}", value) for key, value in settings().items()]

    def each() -> None:
        for key, value in pairs:
            subprocess.run([*command, "set", key, value], check=True, stdout=subprocess.DEVNULL)

    def at_once() -> None:
        lines = "".join(f'set "{key}" "{value}"\n' for key, value in pairs)
        subprocess.run(command, input=f"multi\n{lines}exec\n", text=True, check=True, stdout=subprocess.DEVNULL)

    def puts() -> None:
        with requests.Session() as session:
            for key, value in pairs:
                coded = {
                    "key": base64.b64encode(key.encode()).decode(),
                    "value": base64.b64encode(value.encode()).decode(),
                }
                session.post(f"http://{etcd_node}/v3/kv/put", json=coded, timeout=10).raise_for_status()

    ways = {
        "redis: redis-cli once a key": (each, f"{KEYS} SET"),
        "redis: redis-cli once for all": (at_once, f"{KEYS} SET"),
        "etcd: one put a key": (puts, f"{KEYS} requests"),
    }
    return {name: [(timed(way), None, said) for _round in range(number)] for name, (way, said) in ways.items()}


def checks(confd: str, folder: Path, number: int) -> t.Dict[str, t.List[Row]]:
    """confd_check over a template that reads every key."""
    for part in ("conf.d", "templates"):
        (folder / part).mkdir()
    reads = "\n".join(f'{key}={{{{getv "/{key}"}}}}' for key in settings())
    (folder / "templates" / "t.tmpl").write_text(reads)
    (folder / "conf.d" / "t.toml").write_text(
        f'[template]\nsrc = "t.tmpl"\ndest = "/t"\nprefix = "{PREFIX}"\nkeys = ["/"]\n'
    )
    args = {"confdir": str(folder), "prefix": PREFIX, "keys": settings(), "secret_keys": ["/group07"]}
    other = {"against": {"name": "other", "keys": settings(changed=True)}}
    ways: t.Dict[str, t.Dict[str, t.Any]] = {"read alone": {}}
    if confd:
        ways["rendered"] = {"render": True, "confd": confd}
        ways["rendered beside another environment"] = {"render": True, "confd": confd, **other}
    return {
        name: [(*work(CONFD_CHECK, **args, **more), "-") for _round in range(number)] for name, more in ways.items()
    }


def show(title: str, measured: t.Mapping[str, t.List[Row]]) -> None:
    rows = []
    for name, answers in measured.items():
        walls, used = [row[0] for row in answers], [row[1] for row in answers if row[1] is not None]
        cpu = f"{statistics.median(used):.0f}" if used else "-"
        rows.append([name, f"{statistics.median(walls):.0f}", f"{max(walls):.0f}", cpu, answers[-1][2]])
    bench.show(title, ["step", "median ms", "longest ms", "own CPU ms", "asked"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    number = parser.parse_args().rounds
    lab = bench.lab()
    host, port = lab["LAB_REDIS_TEST"].split(":")
    client = redis.Redis(host=host, port=int(port))
    print(f"{KEYS} keys; this machine's load is {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        places: t.Dict[str, t.Dict[str, t.Any]] = {
            "file": {"path": f"{folder}/values.json"},
            "redis": {"nodes": [lab["LAB_REDIS_TEST"]]},
            "etcd": {"nodes": [lab["LAB_ETCD"]]},
        }
        measured = {}
        try:
            for backend, options in places.items():
                measured.update(rounds_of(backend, options, Counted(backend, client), number))
            show("confd_config", measured)
            show(
                "Without it, and without history, check or diff",
                by_hand(lab["LAB_REDIS_TEST"], lab["LAB_ETCD"], number),
            )
        finally:
            for backend, options in places.items():
                work(CONFD_CONFIG, backend=backend, prefix=PREFIX, state="absent", **options)
            names = [*client.scan_iter(f"slipway!{PREFIX}!*")]
            client.delete(*names, b"-") if names else None
            forget_etcd(lab["LAB_ETCD"])
        (Path(folder) / "confd").mkdir()
        show("confd_check", checks(lab.get("LAB_CONFD", ""), Path(folder) / "confd", number))


def forget_etcd(node: str) -> None:
    first = f"slipway!{PREFIX}!"
    interval = {"key": first, "range_end": first[:-1] + chr(ord(first[-1]) + 1)}
    coded = {name: base64.b64encode(value.encode()).decode() for name, value in interval.items()}
    requests.post(f"http://{node}/v3/kv/deleterange", json=coded, timeout=10).raise_for_status()


if __name__ == "__main__":
    main()
