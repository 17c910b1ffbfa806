# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of app_container share: tasks against one of the lab's engines, looked at through docker-py."""

from __future__ import annotations

import os
import signal
import urllib.request
import uuid

import docker
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.engine import steps
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container_info import APP_CONTAINER_INFO

# Answers on 8080 with the content of $V, quickly, and ends when it is asked to.
SERVE = 'mkdir -p /www && echo "$V" > /www/index.html && exec httpd -f -p 8080 -h /www'
GATE = {"interval": "50ms", "successes": 2, "soak": "100ms", "deadline": "5s", "timeout": "2s"}


def call(operation, check_mode=False, **options):
    """One task: its result, with `warned` as the list of its warnings."""
    spec = operation.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages, validated.error_messages
    context = Context(check_mode=check_mode)
    return {**operation.execute(validated.validated_parameters, context), "warned": context.warnings}


class App:
    """One container name on one engine, with a port of its own."""

    def __init__(self, lab, host="LAB_H4", port=0, name=None):
        self.host = lab[host]
        self.address = self.host.split("//")[1].split(":")[0]
        self.registry = lab["LAB_REGISTRY"]
        self.image = f"{self.registry}/base/busybox:1"
        self.name = name or f"eng-{uuid.uuid4().hex[:8]}"
        self.port = port
        self.docker = self.client(self.host)

    @staticmethod
    def client(host):
        return docker.APIClient(base_url=host, version="auto", timeout=60)

    def options(self, version="1", **more):
        """The task of version `version`, serving on the fixed port and gated over HTTP."""
        return {
            "docker_host": self.host,
            "name": self.name,
            "image": self.image,
            "command": ["sh", "-c", SERVE],
            "env": {"V": version},
            "init": True,
            "stop_timeout": "3s",
            "ports": [f"{self.port}:8080"],
            "gate": {**GATE, "http": {"port": 8080, "body": version}},
            **more,
        }

    def deploy(self, version="1", check_mode=False, **more):
        return call(APP_CONTAINER, check_mode, **self.options(version, **more))

    def state(self, state, check_mode=False, **more):
        return call(APP_CONTAINER, check_mode, docker_host=self.host, name=self.name, state=state, **more)

    def back(self, **more):
        return self.state("rolled_back", gate={**GATE, "http": {"port": 8080}}, **more)

    def info(self, **more):
        return call(APP_CONTAINER_INFO, docker_host=self.host, **{"name": self.name, **more})["containers"]

    def inspect(self, suffix=""):
        return self.docker.inspect_container(self.name + suffix)

    def ours(self):
        """{container name without our own: state} of everything that carries our name in its label or its name."""
        listed = self.docker.containers(all=True)
        mine = [
            entry
            for entry in listed
            if entry["Labels"].get("slipway.name") == self.name or entry["Names"][0].startswith(f"/{self.name}")
        ]
        return {entry["Names"][0][1:].removeprefix(self.name): entry["State"] for entry in mine}

    def answer(self):
        """What the app says on its fixed port."""
        with urllib.request.urlopen(f"http://{self.address}:{self.port}/", timeout=5) as response:
            return response.read().decode().strip()

    def clean(self):
        for entry in self.docker.containers(all=True):
            named = any(name.startswith(f"/{self.name}") for name in entry["Names"])
            if named or entry["Labels"].get("slipway.name") == self.name:
                self.docker.remove_container(entry["Id"], force=True, v=True)
        self.docker.close()


def killed_at(name, work, times=1):
    """Do `work()` in a process of its own that kills itself with SIGKILL at the `times`th step called `name`.

    True if it was killed there, False if it came to its end without ever reaching the step.
    """
    child = os.fork()
    if child == 0:
        left = [times]

        def step(reached):
            left[0] -= reached == name
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        steps.step = step
        try:
            work()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def foretold(app, version, **more):
    """The real result, after check mode said the same and wrote nothing."""
    before = app.ours()
    check = app.deploy(version, check_mode=True, **more)
    assert app.ours() == before
    real = app.deploy(version, **more)
    assert (check["action"], check["diff"], check["previous"]) == (real["action"], real["diff"], real["previous"])
    if real["action"] in ("created", "replaced", "started", "updated", "none"):
        same = ("name", "image", "digest", "status", "restart_count", "ports", "release", "config_revision", "app")
        assert {key: check["container"][key] for key in same} == {key: real["container"][key] for key in same}
    return real
