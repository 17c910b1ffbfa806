# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A team's site in a temporary folder: inventory, apps and one small app, driven by the playbooks as a user drives them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import docker
import redis
import requests
import yaml
from lab_command import NETWORK, layout
from warm_playbook import warm

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".work" / "collections"
REGISTRY = layout.REGISTRY_ADDRESS
HOSTS = {host.name: host.address for host in layout.HOSTS}
DIFF = re.compile(r"^--- .*?(?=^(?:changed|ok|fatal|included|skipping|failed):|\Z)", re.MULTILINE | re.DOTALL)
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass
class Run:
    """One command: its exit code, its whole output and the recap per host."""

    code: int
    output: str
    recap: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, code: int, output: str) -> Run:
        """A command that has ended."""
        names = ("ok", "changed", "unreachable", "failed")
        return cls(code, output, {row[0]: dict(zip(names, map(int, row[1:]))) for row in RECAP.findall(output)})

    @property
    def changed(self) -> dict[str, int]:
        return {host: counts["changed"] for host, counts in self.recap.items()}

    @property
    def diffs(self) -> dict[str, list[str]]:
        """What `--diff` showed, by task, in one order: hosts come in any."""
        tasks = [part.partition("]") for part in self.output.split("\nTASK [")[1:]]
        found = {
            name.rpartition(" : ")[2]: sorted(map(str.strip, DIFF.findall(rest))) for name, _bracket, rest in tasks
        }
        return {name: shown for name, shown in found.items() if shown}

    @property
    def flat(self) -> str:
        """The output with its line breaks folded, to look for sentences in."""
        return " ".join(self.output.split())


class Site:
    """`name` is the app and keeps this site's containers, repositories and keys apart from everybody else's; `port` is
    the fixed port that its containers publish; `confd` is the image's confd, and the controller's."""

    def __init__(self, folder: Path, name: str, port: int, environments: dict[str, list[str]], confd: str = "") -> None:
        self.folder = folder
        self.name = name
        self.port = port
        self.environments = environments
        self.confd = confd
        self.source = folder / "source"
        self.ansible = Path(sys.executable).parent
        self.repositories = f"it-{name}-{secrets.token_hex(3)}"  # a registry keeps the tags of earlier runs
        self.clean()
        self.write_source()
        self.write_app()
        previous = ""
        for env, hosts in environments.items():
            self.write_environment(env, hosts, promote_from=previous)
            previous = env

    # -- files -----------------------------------------------------------------------------------------------------
    def write_source(self) -> None:
        (self.source / "www").mkdir(parents=True)  # served as /app, beside the settings that confd writes
        (self.source / "www" / "healthy").write_text("ok\n")
        (self.source / "www" / "odd name.txt").write_text("a name with a blank\n")
        lines = ["#!/bin/sh", "set -e"]
        if self.confd:
            shutil.copy(self.confd, self.source / "confd-binary")
            conf = self.source / "confd"
            (conf / "conf.d").mkdir(parents=True)
            (conf / "templates").mkdir()
            (conf / "conf.d" / "app.toml").write_text(
                f'[template]\nsrc = "app.tmpl"\ndest = "/www/settings"\nprefix = "/{self.name}"\n'
                'keys = ["/greeting", "/password"]\nmode = "0644"\n'
            )
            (conf / "templates" / "app.tmpl").write_text('{{getv "/greeting"}}/{{getv "/password" | len}}\n')
            lines.append("confd -onetime -backend redis -node configCenter:6379")
        else:
            lines.append("mkdir -p /www; echo none >/www/settings")
        lines += ["trap 'exit 0' TERM", "httpd -f -p 8080 -h /www &", "wait $!"]
        (self.source / "start.sh").write_text("\n".join(lines) + "\n")

    def app(self) -> dict:
        files = [{"src": "start.sh", "dest": "/start.sh", "mode": "0755"}]
        if self.confd:
            files += [
                {"src": "confd-binary", "dest": "/bin/confd", "mode": "0755"},
                {"src": "confd", "dest": "/etc/confd", "mode": "0644"},
            ]
        app = {
            "name": self.name,
            "repository": f"apps/{self.name}",
            "environments": list(self.environments),
            "build": {
                "chdir": "../source",
                "command": "printf '%s' '{{ version }}' > www/version",
                "image": {
                    "method": "layers",
                    "base": f"{REGISTRY}/base/busybox:1",
                    "artifact": "www",
                    "dest": "/www/app",
                    "files": files,
                    "cmd": ["/start.sh"],
                    "ports": ["8080"],
                },
            },
            "container": {
                "ports": [f"{self.port}:8080"],
                "extra_hosts": {"configCenter": "{{ config_center.address }}"},
                "stop_timeout": 2,
                "gate": {
                    "http": {"port": 8080, "path": "/app/healthy"},
                    "interval": "200ms",
                    "successes": 2,
                    "deadline": "6s",
                    "soak": "500ms",
                },
            },
        }
        if self.confd:
            app["config"] = {
                "confdir": "../source/confd",
                "keys": ["config/common.yml", "config/{{ env }}.yml"],
                "secret_keys": ["/password"],
            }
        return app

    def write_app(self, **changes: object) -> None:
        (self.folder / "apps" / "config").mkdir(parents=True, exist_ok=True)
        app = {**self.app(), **changes}
        (self.folder / "apps" / f"{self.name}.yml").write_text(yaml.safe_dump({"app": app}, sort_keys=False))
        if self.confd:
            self.write_keys("common", {"password": "{{ app_password }}"})

    def write_keys(self, file: str, keys: dict) -> None:
        (self.folder / "apps" / "config" / f"{file}.yml").write_text(yaml.safe_dump(keys))

    def write_environment(self, env: str, hosts: list[str], promote_from: str = "", **more: object) -> None:
        redis = f"{NETWORK}.2{1 + list(self.environments).index(env)}"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ledger": str(self.folder / "ledger.db"),
            "registry": {"url": f"{REGISTRY}/{self.repositories}/{env}", "insecure": True},
            "config_center": {"backend": "redis", "nodes": [f"{redis}:6379"], "address": redis},
            "app_password": f"secret-of-{env}",
            "batches": [1, "100%"],
            **({"promote_from": promote_from} if promote_from else {}),
            **more,
        }
        group = {
            env: {"hosts": {f"{env}-{h}": {"docker_host": f"tcp://{HOSTS[h]}:2375"} for h in hosts}, "vars": variables}
        }
        (self.folder / "inventory").mkdir(exist_ok=True)
        (self.folder / "inventory" / f"{env}.yml").write_text(yaml.safe_dump(group, sort_keys=False))
        self.write_keys(env, {"greeting": f"hello from {env}"})

    # -- commands --------------------------------------------------------------------------------------------------
    def play(self, playbook: str, *arguments: str, ok: bool | None = True, **variables: object) -> Run:
        """Run `slipway.delivery.<playbook>`. `ok` is what the exit code must say; None for either."""
        command, env = self.command(playbook, *arguments, **variables)
        code, output = warm(self.ansible / "python").run(command, self.folder, env, 300)
        if ok is not None:
            assert (code == 0) == ok, f"{' '.join(command)} ended with {code}\n{output[-8000:]}"
        return Run.of(code, output)

    def command(self, playbook: str, *arguments: str, **variables: object) -> tuple[list[str], dict[str, str]]:
        """The command line of a play and its environment; it has to be started in the site's folder."""
        command = [str(self.ansible / "ansible-playbook"), "-i", "inventory", f"slipway.delivery.{playbook}"]
        for name, value in variables.items():
            command += ["-e", json.dumps({name: value})]
        env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        env.update(
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_CALLBACK_RESULT_FORMAT="yaml",
            ANSIBLE_FORCE_COLOR="0",
            ANSIBLE_HOME=str(self.folder / ".ansible"),
            COLUMNS="400",
        )
        env.pop("CONFD", None)  # the confd of this site, and none that happens to be set where the tests run
        if self.confd:
            env["CONFD"] = self.confd
        return [*command, *arguments], env

    def arrive(self, version: str, upto: str) -> None:
        """Build, then deploy and promote until the version has come to `upto`, without deploying it there."""
        previous = ""
        for env in self.environments:
            if previous:
                self.play("deploy", env=previous, app=self.name, version=version)
                self.play("promote", app=self.name, version=version, **{"from": previous, "to": env})
            else:
                self.play("build", app=self.name, version=version)
            if env == upto:
                return
            previous = env

    # -- what is there ---------------------------------------------------------------------------------------------
    def addresses(self, env: str) -> list[str]:
        return [HOSTS[host] for host in self.environments[env]]

    def get(self, address: str, path: str) -> str:
        answer = requests.get(f"http://{address}:{self.port}/{path}", timeout=5)
        answer.raise_for_status()
        return answer.text

    def versions(self, env: str) -> list[str]:
        return [self.get(address, "app/version") for address in self.addresses(env)]

    def settings(self, env: str) -> set[str]:
        return {self.get(address, "settings").strip() for address in self.addresses(env)}

    def containers(self, env: str, running_only: bool = True) -> list[dict]:
        """The engines' own facts of this app's containers, over all hosts of the environment."""
        found = []
        for address in self.addresses(env):
            client = docker.DockerClient(base_url=f"tcp://{address}:2375")
            labels = [f"slipway.app={self.name}", f"slipway.environment={env}"]
            found += [c.attrs for c in client.containers.list(all=not running_only, filters={"label": labels})]
            client.close()
        return found

    def ids(self, env: str) -> list[str]:
        return [container["Id"] for container in self.containers(env)]

    def tags(self, env: str) -> list[str]:
        answer = requests.get(f"http://{REGISTRY}/v2/{self.repositories}/{env}/apps/{self.name}/tags/list", timeout=5)
        return sorted(answer.json().get("tags") or []) if answer.ok else []

    def clean(self) -> None:
        """Remove this site's containers and images from every host, and its settings from every config centre."""
        for number in range(1, 4):
            center = redis.Redis(host=f"{NETWORK}.2{number}")
            for key in center.scan_iter(f"*{self.name}*"):
                center.delete(key)
            center.close()
        for address in HOSTS.values():
            client = docker.DockerClient(base_url=f"tcp://{address}:2375")
            for container in client.containers.list(all=True, filters={"label": [f"slipway.app={self.name}"]}):
                container.remove(force=True)
            for image in client.images.list():
                if any(f"/it-{self.name}-" in tag for tag in image.attrs.get("RepoDigests") or []):
                    client.images.remove(image.id, force=True)
            client.close()
