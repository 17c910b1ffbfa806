# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker engine in memory, as far as app_container asks one, that can die at any of its writes."""

from __future__ import annotations

import copy
import itertools

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError, SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.common.progress import QUIET
from ansible_collections.slipway.delivery.plugins.module_utils.engine import app_container
from ansible_collections.slipway.delivery.plugins.module_utils.engine.faults import NotFoundError

IMAGE_ID = "sha256:" + "1" * 64
DIGEST = "sha256:" + "d" * 64


class Killed(BaseException):
    """What SIGKILL is to a process: nothing of ours may catch it."""


class FakeEngine:
    """Containers as `docker inspect` shows them. `die_at` n raises Killed in the nth write, done or not as `done` says."""

    host = "tcp://engine:2375"
    address = "engine"
    progress = QUIET
    bytes_pulled = 0

    def __init__(self):
        self.attrs = {}
        self.images = {
            "shop/webapi:1": {
                "Id": IMAGE_ID,
                "RepoTags": ["shop/webapi:1"],
                "RepoDigests": [f"shop/webapi@{DIGEST}"],
            }
        }
        self.images[f"shop/webapi@{DIGEST}"] = self.images[IMAGE_ID] = self.images["shop/webapi:1"]
        self.networks = {"bridge": "bridge", "app-net": "bridge", "lan": "macvlan"}
        self.facts = {}
        self.client = self
        self.writes = []
        self.reads = []
        self.die_at = 0
        self.done = True
        self._ids = itertools.count(1)

    # --- as a context manager and for docker-py's own methods ---------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        return None

    def call(self, _what, method, *args, **kwargs):
        return method(*args, **kwargs)

    def inspect_distribution(self, image, _auth):
        self.reads.append("distribution")
        if image not in self.images:
            raise NotFoundError(f"{self.host}: ask the registry for {image}: manifest unknown.")
        return {"Descriptor": {"digest": self.images[image]["RepoDigests"][0].split("@")[1]}}

    # --- reading --------------------------------------------------------------------------------------------------------

    def containers(self, label=None, stopped=True):
        self.reads.append("list")
        key, _sep, value = (label or "").partition("=")
        found = []
        for attrs in self.attrs.values():
            labels = attrs["Config"]["Labels"]
            if (label and (key not in labels or (value and labels[key] != value))) or not (
                stopped or attrs["State"]["Running"]
            ):
                continue
            held = attrs["NetworkSettings"]["Ports"] if attrs["State"]["Running"] else {}
            found.append(
                {
                    "Id": attrs["Id"],
                    "Names": [attrs["Name"]],
                    "Labels": dict(labels),
                    "State": attrs["State"]["Status"],
                    "Image": attrs["Config"]["Image"],
                    "ImageID": attrs["Image"],
                    "Ports": [
                        {"IP": b["HostIp"], "PublicPort": int(b["HostPort"]), "Type": port.split("/")[1]}
                        for port, bindings in held.items()
                        for b in bindings
                    ],
                }
            )
        return found

    def inspect(self, container):
        self.reads.append("inspect")
        for attrs in self.attrs.values():
            if container in (attrs["Id"], attrs["Name"][1:]):
                return copy.deepcopy(attrs)
        return None

    def image(self, reference):
        self.reads.append("image")
        return copy.deepcopy(self.images.get(reference))

    def network(self, name):
        self.reads.append("network")
        return {"Name": name, "Driver": self.networks[name]} if name in self.networks else None

    def info(self):
        self.reads.append("info")
        return dict(self.facts)

    def logs(self, container, tail, since=None):
        return "Starting\n" + "\n".join(self.attrs[container]["Config"]["Env"]) + "\n"

    # --- writing --------------------------------------------------------------------------------------------------------

    def _write(self, name, change):
        self.writes.append(name)
        dies = self.die_at == len(self.writes)
        if dies and not self.done:
            raise Killed(name)
        result = change()
        if dies:
            raise Killed(name)
        return result

    def create(self, name, payload):
        def change():
            if any(attrs["Name"] == f"/{name}" for attrs in self.attrs.values()):
                raise ConflictError(f"{self.host}: create container {name}: the name is in use (HTTP 409).")
            made = f"{next(self._ids):064x}"
            config = payload["HostConfig"]
            self.attrs[made] = {
                "Id": made,
                "Name": f"/{name}",
                "Image": self.images[payload["Image"]]["Id"],
                "RestartCount": 0,
                "State": {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z", "ExitCode": 0},
                "Config": {key: payload.get(key) for key in ("Env", "Labels", "Healthcheck", "Image", "StopTimeout")},
                "HostConfig": config,
                "NetworkSettings": {
                    "Ports": {},
                    "Networks": copy.deepcopy((payload.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}),
                },
            }
            return made, []

        return self._write("create", change)

    def start(self, container):
        def change():
            attrs = self.attrs[container]
            if attrs["State"]["Running"]:
                return
            self._bind(attrs)
            version = next((e[2:] for e in attrs["Config"]["Env"] if e.startswith("V=")), "")
            runs = not version.startswith("bad")
            status = "running" if runs else "exited"
            attrs["State"] = {
                "Status": status,
                "Running": runs,
                "StartedAt": f"t{len(self.writes)}",
                "ExitCode": 0 if runs else 3,
            }

        self._write("start", change)

    def _bind(self, attrs):
        wanted = attrs["HostConfig"].get("PortBindings") or {}
        ports = {
            port: [{"HostIp": b["HostIp"] or "0.0.0.0", "HostPort": b["HostPort"] or "49153"} for b in bindings]
            for port, bindings in wanted.items()
        }
        fixed = {b["HostPort"] for bindings in wanted.values() for b in bindings if b["HostPort"]}
        for other in self.attrs.values():
            taken = {b["HostPort"] for bindings in other["NetworkSettings"]["Ports"].values() for b in bindings}
            if other["State"]["Running"] and fixed & taken:
                raise SlipwayError(f"{self.host}: start container: port is already allocated (HTTP 500).")
        attrs["NetworkSettings"]["Ports"] = ports

    def unpause(self, container):
        self._write("unpause", lambda: self.attrs[container]["State"].update(Paused=False, Status="running"))

    def stop(self, container, timeout):
        def change():
            attrs = self.attrs[container]
            if attrs["State"]["Running"]:
                attrs["State"] = {**attrs["State"], "Status": "exited", "Running": False, "ExitCode": 143}
                attrs["NetworkSettings"]["Ports"] = {}

        self._write("stop", change)

    def rename(self, container, name):
        def change():
            if any(attrs["Name"] == f"/{name}" for attrs in self.attrs.values()):
                raise ConflictError(f"{self.host}: rename: the name {name} is in use (HTTP 409).")
            self.attrs[container]["Name"] = f"/{name}"

        self._write("rename", change)

    def remove(self, container):
        self._write("remove", lambda: self.attrs.pop(container, None))

    def update(self, container, changes):
        self._write("update", lambda: self.attrs[container]["HostConfig"].update(copy.deepcopy(changes)))
        return []

    def join(self, container, network, endpoint):
        def change():
            self.attrs[container]["NetworkSettings"]["Networks"][network] = copy.deepcopy(endpoint)

        self._write("join", change)

    def leave(self, container, network):
        self._write("leave", lambda: self.attrs[container]["NetworkSettings"]["Networks"].pop(network))

    # --- for the tests --------------------------------------------------------------------------------------------------

    def named(self):
        """{container name: (version, status)}."""
        return {
            attrs["Name"][1:]: (
                next((e[2:] for e in attrs["Config"]["Env"] if e[:2] == "V="), ""),
                attrs["State"]["Status"],
            )
            for attrs in self.attrs.values()
        }

    def policies(self):
        return {attrs["Name"][1:]: attrs["HostConfig"]["RestartPolicy"]["Name"] for attrs in self.attrs.values()}


def task(engine, monkeypatch, check_mode=False, **options):
    """One app_container task against the fake: its result, with `warned` as the list of its warnings."""
    monkeypatch.setattr(app_container.Engine, "connect", lambda _params, _progress: engine)
    spec = app_container.APP_CONTAINER_SPEC
    given = {"name": "webapi", **options}
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(given)
    assert not validated.error_messages, validated.error_messages
    context = Context(check_mode=check_mode)
    result = app_container.APP_CONTAINER.execute(validated.validated_parameters, context)
    assert "exception" not in result, result["exception"]
    return {**result, "warned": context.warnings}


def options(version="1", **more):
    """A deployment of version `version`, gated by the soak alone, which takes no time."""
    return {
        "image": "shop/webapi:1",
        "env": {"V": version},
        "ports": ["8080:8080"],
        "gate": {"soak": "0s", "interval": "1ms", "deadline": "1s"},
        **more,
    }


def deployed(run, version="1", **more):
    result = run(**options(version, **more))
    assert "msg" not in result, result["msg"]
    return result


def current(engine):
    return next(attrs for attrs in engine.attrs.values() if attrs["Name"] == "/webapi")


def no_writes(engine, run, **wanted):
    engine.writes.clear()
    result = run(**wanted)
    assert engine.writes == []
    return result
