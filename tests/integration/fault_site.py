# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose plays are broken on purpose, and the one question that is asked afterwards: where do all hosts stand?"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import docker
import redis
from faults_helper import CONTROLLER, eventually
from lab_command import LAB
from site_helper import HOSTS, Run, Site
from warm_playbook import kill_tree, warm

CALLBACKS = Path(__file__).with_name("callback_plugins")
CENTER_PORT = 18290
LAB_SHELL = " ".join(shlex.quote(word) for word in LAB)
GATE = {
    "http": {"port": 8080, "path": "/app/healthy"},
    "interval": "100ms",
    "successes": 2,
    "deadline": "4s",
    "soak": "200ms",
}


class Center:
    """A redis of our own, where controller and containers see it, which keeps its keys when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "start-center.sh"
        options = f"--bind {CONTROLLER} --port {CENTER_PORT} --dir {folder} --appendonly yes --appendfsync always"
        self.script.write_text(
            f"#!/bin/sh\nredis-server {options} --protected-mode no --save '' --daemonize yes "
            f"--pidfile {folder}/center.pid --logfile {folder}/center.log </dev/null >/dev/null 2>&1\n"
            f"timeout 10 sh -c 'until redis-cli -h {CONTROLLER} -p {CENTER_PORT} ping | grep -q PONG; do sleep 0.05; done' 2>/dev/null\n"
        )
        self.script.chmod(0o755)
        self.kill_shell = f"kill -9 $(cat {folder}/center.pid)"

    def start(self) -> None:
        subprocess.run([str(self.script)], check=True, timeout=20)
        eventually(lambda: self.client().ping())

    def kill(self) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.folder / "center.pid").read_text()), signal.SIGKILL)
        eventually(lambda: not self.up())

    def up(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.exceptions.ConnectionError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(host=CONTROLLER, port=CENTER_PORT, socket_timeout=5)


class Play:
    """A play that runs beside the test, with everything that it started."""

    def __init__(self, site: Site, prefix: list[str], command: list[str], env: dict[str, str], cwd: Path) -> None:
        self.log = site.folder / f"play-{time.monotonic_ns()}.log"
        if not prefix:
            self.process = warm(site.ansible / "python").start(command, cwd, env, self.log)
            return
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*prefix, *command], cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def end(self, ok: bool | None = None, timeout: float = 280) -> Run:
        """Wait for its end; `ok` as in Site.play."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        output = self.log.read_text()
        assert ok is None or (code == 0) == ok, f"ended with {code}\n{output[-8000:]}"
        return Run.of(code, output)

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        kill_tree(self.process)

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)


class Breakable(Site):
    """A site whose plays run beside the test, and are broken at chosen instants."""

    sabotages = 0

    def write_source(self) -> None:
        super().write_source()
        (self.folder / "ansible.cfg").write_text(
            f"[defaults]\ncallback_plugins = {CALLBACKS}\ncallbacks_enabled = saboteur\n"
        )

    def begin(
        self, playbook: str, *arguments: str, acts: list[dict] = (), prefix: list[str] = (), cwd=None, **variables
    ) -> Play:
        """Start a play; `acts` as the callback plugin saboteur has them."""
        command, env = self.command(playbook, *arguments, **variables)
        if acts:
            self.sabotages += 1
            plan = self.folder / f"sabotage-{self.sabotages}.json"
            plan.write_text(json.dumps(list(acts)))
            env["SLIPWAY_SABOTAGE"] = str(plan)
        env["HOME"] = str(cwd or self.folder)
        return Play(self, list(prefix), command, env, cwd or self.folder)

    def reached(self, name: str) -> tuple[dict, Path]:
        """An act that stops a play until it is killed or the file is removed, and the file that says it is there."""
        mark = self.folder / f"reached-{name}"
        return {"run": f"touch {mark}; while [ -e {mark} ]; do sleep 0.05; done"}, mark


class FaultSite(Breakable):
    """One environment `prod` on h1, h2 and h4, one host first; its config centre is `center`."""

    def __init__(self, folder: Path, name: str, port: int, confd: str, hosts: list[str]) -> None:
        self.center = Center(folder)
        self.center.start()
        self.greeting = ""  # in the settings as files have them
        self.greetings: dict[str, str] = {}  # by config revision
        super().__init__(folder, name, port, {"prod": hosts}, confd)

    # -- files -----------------------------------------------------------------------------------------------------
    def write_source(self) -> None:
        super().write_source()
        start = self.source / "start.sh"
        start.write_text(start.read_text().replace("configCenter:6379", f"configCenter:{CENTER_PORT}"))

    def write_app(self, **changes: object) -> None:
        container = {**self.app()["container"], "gate": GATE, "stop_timeout": 1}
        super().write_app(**{"container": container, **changes})

    def write_environment(self, env: str, hosts: list[str], promote_from: str = "", **more: object) -> None:
        self.environments[env] = hosts
        given = {
            "config_center": {"backend": "redis", "nodes": [f"{CONTROLLER}:{CENTER_PORT}"], "address": CONTROLLER},
            "docker_connection": {"timeout": 5},
            "lock_lease": "4s",
            **more,
        }
        super().write_environment(env, hosts, promote_from, **given)
        self.greet(self.greeting or "one")  # the file was written anew

    def greet(self, greeting: str) -> None:
        """Change the settings as files have them; the next deploy applies them."""
        self.greeting = greeting
        self.write_keys("prod", {"greeting": greeting})

    def elsewhere(self, name: str, source: bool = False) -> Path:
        """Another controller's folder: inventory and app files, without git and unless `source` without the app's sources."""
        folder = self.folder / name
        for part in ("inventory", "apps"):
            shutil.copytree(self.folder / part, folder / part)
        if source:
            (folder / "source").symlink_to(self.source)
        shutil.copy(self.folder / "ansible.cfg", folder)
        return folder

    # -- plays -----------------------------------------------------------------------------------------------------
    def begin(self, playbook: str, *arguments: str, **more) -> Play:
        if (self.folder / "ledger.db").exists():
            self.greets()
        return super().begin(playbook, *arguments, **more)

    def deploy(self, version: str, ok: bool | None = True, **more) -> Run:
        return self.begin("deploy", env="prod", app=self.name, version=version, **more).end(ok)

    def other(self) -> str:
        """The version that does not run now."""
        return "1.1.0" if self.current() == "1.0.0" else "1.0.0"

    def bring(self, version: str) -> None:
        """Have that version run, with new settings, after the other one."""
        if self.current() != version:
            self.greet(f"greeting {time.monotonic_ns()}")
            self.deploy(version)
            self.stands(None)

    def rollback(self, ok: bool | None = True, **more) -> Run:
        return self.begin("rollback", env="prod", app=self.name, **more).end(ok)

    # -- where everything stands -----------------------------------------------------------------------------------
    def ledger(self, query: str, *values: object) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.db")) as ledger:
            return ledger.execute(query, values).fetchall()

    def releases(self) -> list[tuple[int, str, str]]:
        return self.ledger(
            "select number, version, state from slipway_releases where app = ? order by number", self.name
        )

    def current(self) -> str:
        """The version that the ledger says the environment runs."""
        return [version for _number, version, state in self.releases() if state == "healthy"][-1]

    def greets(self) -> str:
        """The greeting in the settings of the ledger's current release. Each revision was seen first with the files of then."""
        rows = self.ledger(
            "select config_revision, state from slipway_releases where app = ? order by number", self.name
        )
        for revision, _state in rows:
            self.greetings.setdefault(revision, self.greeting)
        healthy = [revision for revision, state in rows if state == "healthy"]
        return self.greetings[healthy[-1]] if healthy else ""

    def there(self, address: str) -> dict[str, str]:
        """{part: state} of the app's containers on one host."""
        client = docker.APIClient(base_url=f"tcp://{address}:2375", version="1.41", timeout=20)
        found = client.containers(all=True, filters={"label": f"slipway.app={self.name}"})
        client.close()
        return {entry["Names"][0][1:].removeprefix(self.name): entry["State"] for entry in found}

    def stands(self, run: Run | None, away: tuple[str, ...] = ()) -> str:
        """Assert that the environment is in one of its two states and that everybody says so; the version.

        All hosts run the ledger's current release, with its settings, nothing half done on them; those in `away`,
        which could not be reached, are named. The run's exit code and recap say whether it was that one that was brought.
        """
        version, greeting = self.current(), self.greets()
        for host in self.environments["prod"]:
            if host in away:
                assert run is not None
                assert f"prod-{host}" in run.output
                continue
            address = HOSTS[host]
            eventually(lambda address=address: self.get(address, "app/version"), 10)
            assert self.get(address, "app/version") == version, host
            assert self.get(address, "settings").split("/")[0] == greeting, host
            parts = self.there(address)
            assert parts.pop("") == "running", (host, parts)
            assert set(parts.items()) <= {(".previous", "exited")}, (host, parts)
        if run is not None:
            number, wanted, state = self.releases()[-1]
            bad = [host for host, counts in run.recap.items() if counts["failed"] or counts["unreachable"]]
            assert bool(bad) == (run.code != 0), run.output[-4000:]
            if run.code == 0:
                assert (wanted, state) == (version, "healthy")
            else:
                assert state in (("mixed",) if away else ("reverted", "failed", "healthy")), (number, state)
        return version

    def close(self) -> None:
        self.clean()
        self.center.kill()
