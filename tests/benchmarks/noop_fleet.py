# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long tasks with nothing to do take over 50 inventory hosts: ten names on each of the lab's five Docker hosts.

All tasks stand in one run of ansible-playbook, in turn, several rounds; a task lasts from its start to its last host's
result, so Ansible's own start is in none of them. Wanted: app_container in at most a quarter of ping and a tenth of
community.docker's docker_container. The second table says where app_container's time above the floor goes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
import zipfile
from pathlib import Path

import bench

HERE = Path(__file__).parent
CACHE = bench.ROOT / ".cache" / "benchmarks"
COMMUNITY = "ansible~=12.0"  # carries community.docker, for the ansible-core of .venv
FLEET = 50
ENGINES = 5
NAME = "slipway-bench"


def community_collections() -> Path:
    """community.docker and the collection it depends on, from the `ansible` package; downloaded once."""
    target = CACHE / "collections"
    wanted = ("community/docker/", "community/library_inventory_filtering_v1/")
    if not (target / "ansible_collections" / wanted[0]).is_dir():
        print(f"downloading {COMMUNITY} (about 50 MB, once) ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*pip, "--dest", folder, COMMUNITY], check=True)
            with zipfile.ZipFile(next(Path(folder).glob("ansible-*.whl"))) as wheel:
                prefixes = tuple(f"ansible_collections/{name}" for name in wanted)
                wheel.extractall(target, [name for name in wheel.namelist() if name.startswith(prefixes)])
    return target


def inventory(facts: t.Mapping[str, str]) -> t.Dict[str, t.Any]:
    engines = [facts[f"LAB_H{number}"] for number in range(1, ENGINES + 1)]
    hosts = {f"fleet-{number:02}": {"docker_host": engines[number % ENGINES]} for number in range(FLEET)}
    return {
        "all": {"hosts": hosts, "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    }


def tasks(image: str) -> t.Dict[str, t.Dict[str, t.Any]]:
    """Row of the table -> task."""
    where = {"docker_host": "{{ docker_host }}"}
    ours = {
        **where,
        "name": NAME + "-{{ inventory_hostname }}",
        "image": image,
        "command": ["sleep", "86400"],
        "init": True,
        "env": {"GREETING": "hello"},
        "memory": "16m",
        "gate": {"soak": "0s", "successes": 1, "interval": "100ms"},
    }
    theirs = {key: ours[key] for key in ("docker_host", "image", "command", "init", "env", "memory")}
    theirs["name"] = NAME + "-community-{{ inventory_hostname }}"
    return {
        "an action that does nothing": {"nothing": {}},
        "inspect in the worker (floor)": {"inspect_floor": {**where, "name": ours["name"]}},
        "app_container, nothing to do": {"slipway.delivery.app_container": ours},
        "app_container as a module": {"slipway.delivery.app_container": ours, "vars": {"slipway_execution": "module"}},
        "ping": {"ansible.builtin.ping": {}},
        "community.docker.docker_container": {"community.docker.docker_container": {**theirs, "state": "started"}},
    }


def play(steps: t.Sequence[t.Dict[str, t.Any]]) -> t.List[t.Dict[str, t.Any]]:
    return [{"name": "fleet", "hosts": "all", "gather_facts": False, "tasks": list(steps)}]


def run(folder: Path, name: str, steps: t.Sequence[t.Dict[str, t.Any]], forks: int) -> t.List[t.Dict[str, t.Any]]:
    """Times of the steps; SystemExit with Ansible's own words when one failed."""
    book, times = folder / f"{name}.yml", folder / f"{name}.jsonl"
    book.write_text(json.dumps(play(steps)))
    times.touch()
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(bench.COLLECTIONS), str(CACHE / "collections")]),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_time",
        "ANSIBLE_DISPLAY_OK_HOSTS": "0",
        "SLIPWAY_TIMES": str(times),
    }
    command = [
        Path(sys.executable).parent / "ansible-playbook",
        "-i",
        folder / "inventory.json",
        "-f",
        str(forks),
        book,
    ]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return [json.loads(line) for line in times.read_text().splitlines()]


def removal() -> t.List[t.Dict[str, t.Any]]:
    """Everything that the benchmark made, away again."""
    docker_host = {"docker_host": "{{ docker_host }}", "state": "absent"}
    name = NAME + "-community-{{ inventory_hostname }}"
    return [
        {"name": "ours", "slipway.delivery.app_container": {**docker_host, "name": NAME + "-{{ inventory_hostname }}"}},
        {"name": "theirs", "community.docker.docker_container": {**docker_host, "name": name, "force_kill": True}},
    ]


def measure(folder: Path, image: str, rounds: int, forks: int) -> t.Dict[str, t.List[float]]:
    rows = tasks(image)
    steps = [{"name": name, **task} for name, task in rows.items()]
    print(f"making {2 * FLEET} containers ...", flush=True)
    run(folder, "make", [step for step in steps if step["name"].startswith(("app_container,", "community"))], forks)
    print(f"{rounds} rounds of {len(steps)} tasks over {FLEET} hosts with {forks} forks ...", flush=True)
    times = run(folder, "measure", steps * rounds, forks)
    changed = [entry for entry in times if entry["changed"]]
    if changed:
        raise SystemExit(f"no such thing as nothing to do: {changed}")
    return {name: [entry["seconds"] for entry in times if entry["task"] == name] for name in rows}


def report(measured: t.Mapping[str, t.Sequence[float]]) -> None:
    median = {name: statistics.median(seconds) for name, seconds in measured.items()}
    ping, theirs = median["ping"], median["community.docker.docker_container"]
    rows = [
        [
            name,
            f"{median[name]:.2f}",
            f"{min(seconds):.2f}-{max(seconds):.2f}",
            f"{1000 * median[name] / FLEET:.0f}",
            f"{median[name] / ping:.2f}",
            f"{median[name] / theirs:.2f}",
        ]
        for name, seconds in measured.items()
    ]
    head = ["task", "median s", "range s", "ms/host", "of ping", "of docker_container"]
    bench.show(f"{FLEET} hosts, nothing to do", head, rows)


def breakdown(facts: t.Mapping[str, str], image: str) -> None:
    """Where a no-op goes, one host after the other in one process: requests to the engine, and everything else."""
    import requests
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
    from ansible_collections.slipway.delivery.plugins.action.app_container import ActionModule
    from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context

    operation = ActionModule.operation
    spent: t.List[t.Tuple[str, float]] = []
    send = requests.Session.send

    def timed(session: t.Any, request: t.Any, **options: t.Any) -> t.Any:
        start = time.perf_counter()
        try:
            return send(session, request, **options)
        finally:
            spent.append((request.path_url.split("?")[0], time.perf_counter() - start))

    requests.Session.send = timed
    validating = total = 0.0
    fleet = inventory(facts)["all"]["hosts"]
    for host, variables in fleet.items():
        args = json.loads(
            json.dumps(tasks(image)["app_container, nothing to do"]["slipway.delivery.app_container"])
            .replace("{{ inventory_hostname }}", host)
            .replace("{{ docker_host }}", variables["docker_host"])
        )
        start = time.perf_counter()
        validated = ArgumentSpecValidator(operation.spec.options, **operation.spec.rules()).validate(args)
        validating += time.perf_counter() - start
        answer = operation.execute(validated.validated_parameters, Context())
        total += time.perf_counter() - start
        if answer.get("failed") or answer["changed"]:
            raise SystemExit(f"{host}: {answer}")
    requests.Session.send = send
    asking = sum(seconds for _path, seconds in spent)
    per_host = 1000 / len(fleet)
    rows = [
        ["arguments", "", f"{validating * per_host:.1f}"],
        ["the engine's answers", f"{len(spent) / len(fleet):.1f}", f"{asking * per_host:.1f}"],
        ["client, comparison, result", "", f"{(total - validating - asking) * per_host:.1f}"],
        ["app_container in all", "", f"{total * per_host:.1f}"],
    ]
    bench.show("app_container with nothing to do, in one process", ["part", "requests", "ms/host"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--forks", type=int, default=20)
    options = parser.parse_args()
    facts = bench.lab()
    image = f"{facts['LAB_REGISTRY']}/base/busybox:1"
    community_collections()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "inventory.json").write_text(json.dumps(inventory(facts)))
        try:
            report(measure(folder, image, options.rounds, options.forks))
            breakdown(facts, image)
        finally:
            run(folder, "remove", removal(), options.forks)


if __name__ == "__main__":
    main()
