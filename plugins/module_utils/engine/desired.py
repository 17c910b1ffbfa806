# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container's parameters as one normalised value. Pure; every wrong option is named in one error."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from ..common.errors import ParameterError
from ..common.units import seconds, size
from . import labels, parse
from .gate import GateSpec, HttpCheck

Spec = t.Dict[str, t.Any]

# Options of the run spec that only a new container can change, each with the reader of its short form.
_STATIC: t.Dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "command": parse.words,
    "entrypoint": parse.words,
    "env": parse.environment,
    "user": parse.scalar,
    "working_dir": parse.scalar,
    "hostname": parse.scalar,
    "labels": parse.mapping,
    "ports": parse.ports,
    "volumes": parse.volumes,
    "tmpfs": parse.tmpfs,
    "extra_hosts": parse.mapping,
    "dns": parse.texts,
    "dns_search": parse.texts,
    "ulimits": lambda value, option: sorted((parse.ulimit(item, option) for item in value), key=lambda u: u["name"]),
    "shm_size": size,
    "cap_add": lambda value, option: sorted({parse.capability(item, option) for item in value}),
    "cap_drop": lambda value, option: sorted({parse.capability(item, option) for item in value}),
    "devices": parse.devices,
    "groups": lambda value, option: sorted(set(parse.texts(value, option))),
    "sysctls": parse.mapping,
    "security_opts": lambda value, option: sorted(set(value)),
    "log_driver": parse.scalar,
    "log_options": parse.mapping,
    "stop_signal": parse.scalar,
    "stop_timeout": parse.whole_seconds,
    "healthcheck": parse.healthcheck,
}
_FLAGS = ("read_only", "privileged")
# What Docker changes on a living container.
_LIVE: t.Dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "memory": size,
    "memory_swap": parse.swap_size,
    "memory_reservation": size,
    "cpus": parse.nano_cpus,
    "cpuset_cpus": parse.scalar,
    "pids_limit": lambda value, _option: value if value > 0 else -1,
}
_WITHOUT_NETWORK = ("host", "none")


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `static` needs a new container, `live` does not; `secrets` are kept out of both."""

    name: str
    state: str
    image: t.Optional[parse.Reference]
    digest: t.Optional[str]
    static: Spec
    live: Spec
    secrets: t.Dict[str, str]
    gate: GateSpec
    pull: str
    strategy: str
    hold: bool
    failure_action: str
    keep_previous: bool
    adopt: bool
    release: t.Optional[int]
    config_revision: t.Optional[str]
    config_changed: bool
    app: str
    environment: str

    @property
    def spec_hash(self) -> str:
        """sha256 of the static part in canonical JSON."""
        return hashlib.sha256(canonical(self.static).encode()).hexdigest()

    @property
    def restart_policy(self) -> t.Dict[str, t.Any]:
        return dict(self.live["restart_policy"])

    @property
    def network_mode(self) -> str:
        return self.static["network_mode"]

    @property
    def networks(self) -> t.List[t.Dict[str, t.Any]]:
        """Networks to be on, the one the container is created with first; none for host, none and container modes."""
        return self.live["networks"]

    @property
    def fixed_ports(self) -> t.List[t.Dict[str, t.Any]]:
        """Published ports whose port on the host is given."""
        return [entry for entry in self.static.get("ports", []) if entry["host_port"]]


class Findings:
    """Collects what is wrong, so that the reader gets everything at once."""

    def __init__(self) -> None:
        self.messages: t.List[str] = []

    def read(self, parser: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        """`parser(*arguments)`, or None with its ParameterError noted."""
        try:
            return parser(*arguments)
        except ParameterError as error:
            self.messages.append(error.msg)
            return None

    def add(self, message: str) -> None:
        self.messages.append(message)

    def check(self) -> None:
        if self.messages:
            raise ParameterError(" ".join(self.messages))


def canonical(value: t.Any) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def read(params: t.Mapping[str, t.Any]) -> Wanted:
    """Validated module parameters as Wanted. Raises one ParameterError with all that is wrong."""
    findings = Findings()
    findings.read(parse.container_name, params["name"], "name")
    image = findings.read(parse.image, params["image"], "image") if params["image"] else None
    digest = _digest(params, image, findings)
    static = _static(params, findings)
    live = _live(params, findings)
    networks = _networks(params, static, findings)
    secrets = _secrets(params, static, findings)
    gate = _gate(params["gate"], findings)
    _rules(params, static, live, networks, findings)
    findings.check()
    return Wanted(
        name=params["name"],
        state=params["state"],
        image=image,
        digest=digest,
        static=static,
        live={**live, "networks": networks},
        secrets=secrets,
        gate=gate,
        pull=params["pull"],
        strategy=params["strategy"],
        hold=params["hold"],
        failure_action=params["failure_action"],
        keep_previous=params["keep_previous"],
        adopt=params["adopt"],
        release=params["release"],
        config_revision=params["config_revision"],
        config_changed=params["config_changed"],
        app=params["app"] or params["name"],
        environment=params["environment_name"] or "",
    )


def _digest(params: t.Mapping[str, t.Any], image: t.Optional[parse.Reference], findings: Findings) -> t.Optional[str]:
    given = params["digest"]
    if given and findings.read(parse.digest, given, "digest") and image and image.digest not in ("", given):
        findings.add(f"digest: {given} is not the digest in image, {image.digest}.")
    return given or (image.digest if image else "") or None


def _static(params: t.Mapping[str, t.Any], findings: Findings) -> Spec:
    static: Spec = {}
    for option, parser in _STATIC.items():
        if params[option] in (None, "", [], {}):
            continue
        value = findings.read(parser, params[option], option)
        if value not in (None, "", [], {}):
            static[option] = value
    static.update({flag: True for flag in _FLAGS if params[flag]})
    if params["init"] is not None:
        static["init"] = params["init"]
    return static


def _live(params: t.Mapping[str, t.Any], findings: Findings) -> Spec:
    given = {option: params[option] for option in _LIVE if params[option] not in (None, "")}
    live = {option: findings.read(_LIVE[option], value, option) for option, value in given.items()}
    live["restart_policy"] = {
        "Name": params["restart_policy"],
        "MaximumRetryCount": params["restart_retries"] or 0,
    }
    if params["restart_retries"] and params["restart_policy"] != "on-failure":
        findings.add("restart_retries: counts only with restart_policy on-failure.")
    return live


def _networks(params: t.Mapping[str, t.Any], static: Spec, findings: Findings) -> t.List[t.Dict[str, t.Any]]:
    """Puts `network_mode` into `static` and returns every network, the first one first."""
    listed = [findings.read(parse.network, entry, "networks") for entry in params["networks"] or []]
    networks = [entry for entry in listed if entry]
    names = [entry["name"] for entry in networks]
    if len(set(names)) != len(names):
        findings.add(f"networks: {', '.join(sorted({n for n in names if names.count(n) > 1}))} is listed twice.")
    mode = params["network_mode"] or (names[0] if names else "bridge")
    mode = "bridge" if mode == "default" else mode
    static["network_mode"] = mode
    if mode in _WITHOUT_NETWORK or mode.startswith("container:"):
        if networks:
            findings.add(f"networks: cannot be joined with network_mode {mode}.")
        return []
    first = next((entry for entry in networks if entry["name"] == mode), None)
    others = sorted((entry for entry in networks if entry["name"] != mode), key=lambda entry: entry["name"])
    return [first or {"name": mode, "aliases": [], "ipv4_address": ""}, *others]


def _secrets(params: t.Mapping[str, t.Any], static: Spec, findings: Findings) -> t.Dict[str, str]:
    """The secret variables; their names alone go into the spec."""
    secrets = findings.read(parse.environment, params["secret_env"] or {}, "secret_env", True) or {}
    if secrets:
        static["secret_env"] = sorted(secrets)
    both = sorted(set(secrets) & set(static.get("env", {})))
    if both:
        findings.add(f"secret_env: {', '.join(both)} is in env too.")
    return secrets


def _gate(options: t.Mapping[str, t.Any], findings: Findings) -> GateSpec:
    http = options["http"]
    times = {name: findings.read(seconds, options[name], f"gate.{name}") for name in _GATE_TIMES}
    for name in ("interval", "timeout", "deadline"):
        if times[name] is not None and times[name] <= 0:
            findings.add(f"gate.{name}: must be more than nothing.")
    if options["successes"] < 1:
        findings.add("gate.successes: at least 1.")
    ports = [("gate.http.port", (http or {}).get("port")), ("gate.tcp.port", (options["tcp"] or {}).get("port"))]
    for option, port in ports:
        if port is not None and not 1 <= port <= 65535:
            findings.add(f"{option}: {port} is no port.")
    headers = findings.read(parse.mapping, (http or {}).get("headers") or {}, "gate.http.headers") or {}
    return GateSpec(
        http=_http(http, headers) if http else None,
        tcp_port=options["tcp"]["port"] if options["tcp"] else None,
        command=tuple(options["exec"] or ()),
        docker=options["docker"],
        address=options["address"] or "",
        successes=options["successes"],
        **{name: value for name, value in times.items() if value is not None},
    )


_GATE_TIMES = ("interval", "timeout", "deadline", "soak")


def _http(http: t.Mapping[str, t.Any], headers: t.Mapping[str, str]) -> HttpCheck:
    return HttpCheck(
        port=http["port"],
        path=http["path"],
        scheme=http["scheme"],
        validate_certs=http["validate_certs"],
        headers=tuple(headers.items()),
        status=tuple(http["status"]),
        body=http["body"] or "",
    )


def _rules(
    params: t.Mapping[str, t.Any],
    static: Spec,
    live: Spec,
    networks: t.List[t.Dict[str, t.Any]],
    findings: Findings,
) -> None:
    """What options say about each other."""
    mode = static["network_mode"]
    ports = static.get("ports", [])
    if ports and (mode in _WITHOUT_NETWORK or mode.startswith("container:")):
        findings.add(f"ports: cannot be published with network_mode {mode}.")
    memory, swap = live.get("memory"), live.get("memory_swap")
    if swap is not None and swap >= 0 and (not memory or swap < memory):
        findings.add("memory_swap: is memory and swap together, so it needs memory and cannot be less.")
    if memory and (live.get("memory_reservation") or 0) > memory:
        findings.add("memory_reservation: cannot be more than memory.")
    reserved = sorted(key for key in static.get("labels", {}) if key.startswith(labels.PREFIX))
    if reserved:
        findings.add(f"labels: {', '.join(reserved)} is Slipway's own.")
    if params["strategy"] == "start_first":
        _start_first_rules(mode, ports, networks, findings)
    elif params["hold"]:
        findings.add("hold: lets old and new run side by side, so it needs strategy start_first.")


def _start_first_rules(
    mode: str, ports: t.List[t.Dict[str, t.Any]], networks: t.List[t.Dict[str, t.Any]], findings: Findings
) -> None:
    """Two containers side by side cannot share a port or an address."""
    fixed = sorted({str(entry["host_port"]) for entry in ports if entry["host_port"]})
    if fixed:
        findings.add(
            f"strategy: start_first runs old and new side by side, and both cannot have port {', '.join(fixed)} of the "
            'host; publish without a fixed port (ports: ["8080"]) or use stop_first.'
        )
    if mode == "host":
        findings.add("strategy: start_first is not possible on the host's network; use stop_first.")
    if any(entry["ipv4_address"] for entry in networks):
        findings.add("strategy: start_first is not possible with a fixed ipv4_address; use stop_first.")
