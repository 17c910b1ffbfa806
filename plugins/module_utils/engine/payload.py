# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of `POST /containers/create` for a wanted container. Pure."""

from __future__ import annotations

import typing as t

from . import labels
from .actual import NO_POLICY, Container
from .desired import Wanted, canonical

Json = t.Dict[str, t.Any]

# Keys of Config and HostConfig that take the normalised value as it is.
_CONFIG = {
    "command": "Cmd",
    "entrypoint": "Entrypoint",
    "user": "User",
    "working_dir": "WorkingDir",
    "hostname": "Hostname",
    "stop_signal": "StopSignal",
    "stop_timeout": "StopTimeout",
    "healthcheck": "Healthcheck",
}
_HOST_CONFIG = {
    "tmpfs": "Tmpfs",
    "dns": "Dns",
    "dns_search": "DnsSearch",
    "shm_size": "ShmSize",
    "init": "Init",
    "read_only": "ReadonlyRootfs",
    "privileged": "Privileged",
    "cap_add": "CapAdd",
    "cap_drop": "CapDrop",
    "groups": "GroupAdd",
    "sysctls": "Sysctls",
    "security_opts": "SecurityOpt",
}
_LIMITS = {
    "memory": "Memory",
    "memory_swap": "MemorySwap",
    "memory_reservation": "MemoryReservation",
    "cpus": "NanoCpus",
    "cpuset_cpus": "CpusetCpus",
    "pids_limit": "PidsLimit",
}


def container_labels(wanted: Wanted, image: str, digest: str, replaced: t.Optional[Container]) -> t.Dict[str, str]:
    """The user's labels and ours. `image` is the reference asked for; nothing here is secret."""
    ours = {
        labels.NAME: wanted.name,
        labels.APP: wanted.app,
        labels.ENVIRONMENT: wanted.environment,
        labels.IMAGE: image,
        labels.DIGEST: digest,
        labels.SPEC: canonical({**wanted.static, **wanted.live}),
        labels.SPEC_HASH: wanted.spec_hash,
        labels.CONFIG_REVISION: wanted.config_revision or "",
    }
    if wanted.release is not None:
        ours[labels.RELEASE] = str(wanted.release)
    if replaced is not None:
        ours[labels.REPLACES] = replaced.id
        ours[labels.REPLACED_POLICY] = labels.policy_text(replaced.restart_policy)
        if not replaced.managed:
            ours[labels.ADOPTED] = "true"
    return {**wanted.static.get("labels", {}), **ours}


def create_payload(wanted: Wanted, image: str, container_labels: t.Mapping[str, str]) -> Json:
    """What to create: no restart policy yet, so that a restart of the daemon cannot start it beside the old one."""
    static = wanted.static
    ports = static.get("ports", [])
    payload: Json = {key: static[option] for option, key in _CONFIG.items() if option in static}
    payload.update(
        Image=image,
        Env=[f"{key}={value}" for key, value in sorted({**static.get("env", {}), **wanted.secrets}.items())],
        Labels=dict(container_labels),
        ExposedPorts={f"{entry['container']}/{entry['protocol']}": {} for entry in ports},
        Volumes={entry["path"]: {} for entry in static.get("volumes", []) if not entry["source"]},
        HostConfig=_host_config(wanted),
    )
    if wanted.networks:
        first = wanted.networks[0]
        payload["NetworkingConfig"] = {"EndpointsConfig": {first["name"]: endpoint(first)}}
    return payload


def endpoint(network: t.Mapping[str, t.Any]) -> Json:
    """EndpointsConfig for one of the wanted networks."""
    result: Json = {}
    if network["aliases"]:
        result["Aliases"] = list(network["aliases"])
    if network["ipv4_address"]:
        result["IPAMConfig"] = {"IPv4Address": network["ipv4_address"]}
    return result


def limits(live: t.Mapping[str, t.Any]) -> Json:
    """HostConfig's resource limits of the live part."""
    return {key: live[option] for option, key in _LIMITS.items() if option in live}


def _host_config(wanted: Wanted) -> Json:
    static = wanted.static
    config: Json = {key: static[option] for option, key in _HOST_CONFIG.items() if option in static}
    config.update(limits(wanted.live), NetworkMode=wanted.network_mode, RestartPolicy=dict(NO_POLICY))
    if "ports" in static:
        config["PortBindings"] = _bindings(static["ports"])
    if "volumes" in static:
        config["Binds"] = [_bind(entry) for entry in static["volumes"] if entry["source"]]
    if "extra_hosts" in static:
        config["ExtraHosts"] = [f"{name}:{address}" for name, address in static["extra_hosts"].items()]
    if "ulimits" in static:
        config["Ulimits"] = [{"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in static["ulimits"]]
    if "devices" in static:
        config["Devices"] = [
            {"PathOnHost": d["host"], "PathInContainer": d["inside"], "CgroupPermissions": d["mode"]}
            for d in static["devices"]
        ]
    if "log_driver" in static or "log_options" in static:
        config["LogConfig"] = {"Type": static.get("log_driver", ""), "Config": static.get("log_options", {})}
    return config


def _bindings(ports: t.Sequence[Json]) -> t.Dict[str, t.List[t.Dict[str, str]]]:
    bindings: t.Dict[str, t.List[t.Dict[str, str]]] = {}
    for entry in ports:
        binding = {"HostIp": entry["host_ip"], "HostPort": str(entry["host_port"] or "")}
        bindings.setdefault(f"{entry['container']}/{entry['protocol']}", []).append(binding)
    return bindings


def _bind(entry: t.Mapping[str, str]) -> str:
    return ":".join(part for part in (entry["source"], entry["path"], entry["mode"]) if part)
