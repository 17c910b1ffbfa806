# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything is, as variables for tests, playbooks and shells."""

from __future__ import annotations

from pathlib import Path

from lab import confd_binaries, python_target, services, tls
from lab.layout import (
    CACHE,
    CONTROLLER,
    DATA,
    DOCKER_PORT,
    DOCKER_TLS_PORT,
    EDGE,
    ETCD,
    ETCD_PORT,
    HOSTS,
    LOGS,
    REDIS,
    REDIS_PORT,
    REGISTRY_ADDRESS,
    REGISTRY_AUTH_ADDRESS,
    REGISTRY_USER,
    RUN,
    SSH_HOST,
    SUBNET,
    TLS_HOST,
)
from lab.proc import LabError


def variables() -> dict[str, str]:
    """Every LAB_ variable; LabError when the lab is not up."""
    if not services.REGISTRY_PASSWORD.exists():
        raise LabError("the lab is not up; `python3 tests/lab up` starts it")
    return {**_machines(), **_services(), **_keys(), **_confd()}


def _machines() -> dict[str, str]:
    return {
        "LAB_CONTROLLER": CONTROLLER,
        "LAB_SUBNET": SUBNET,
        "LAB_HOSTS": " ".join(host.address for host in HOSTS),
        **{f"LAB_{host.name.upper()}": f"tcp://{host.address}:{DOCKER_PORT}" for host in HOSTS},
        "LAB_TLS_HOST": f"tcp://{TLS_HOST.address}:{DOCKER_TLS_PORT}",
        "LAB_SSH_HOST": SSH_HOST.address,
        "LAB_CACHE": str(CACHE),
        "LAB_RUN": str(RUN),
        "LAB_DATA": str(DATA),
        "LAB_LOGS": str(LOGS),
        "LAB_TARGET_PYTHON": str(python_target.PYTHON),
    }


def _services() -> dict[str, str]:
    redis = {f"LAB_{node.name.upper().replace('-', '_')}": f"{node.address}:{REDIS_PORT}" for node in REDIS}
    return {
        "LAB_REGISTRY": REGISTRY_ADDRESS,
        "LAB_REGISTRY_AUTH": REGISTRY_AUTH_ADDRESS,
        "LAB_REGISTRY_USER": REGISTRY_USER,
        "LAB_REGISTRY_PASSWORD": services.REGISTRY_PASSWORD.read_text(),
        **redis,
        "LAB_ETCD": f"{ETCD.address}:{ETCD_PORT}",
        "LAB_EDGE": EDGE.address,
        "LAB_EDGE_CONF": str(services.EDGE_CONF),
        "LAB_EDGE_PID": str(services.EDGE_PID),
    }


def _keys() -> dict[str, str]:
    files: dict[str, Path] = {
        "LAB_CA": tls.CA_CERT,
        "LAB_CLIENT_CERT": tls.CLIENT_CERT,
        "LAB_CLIENT_KEY": tls.CLIENT_KEY,
        "LAB_OTHER_CA": tls.OTHER_CA_CERT,
        "LAB_OTHER_CLIENT_CERT": tls.OTHER_CLIENT_CERT,
        "LAB_OTHER_CLIENT_KEY": tls.OTHER_CLIENT_KEY,
        "LAB_SSH_KEY": services.SSH_KEY,
        "LAB_SSH_KNOWN_HOSTS": services.SSH_KNOWN_HOSTS,
    }
    return {name: str(path) for name, path in files.items()}


def _confd() -> dict[str, str]:
    """Each dialect's binary, or an empty path and the reason."""
    found = {}
    for name, dialect in (("LAB_CONFD", confd_binaries.LEGACY), ("LAB_CONFD_FORK", confd_binaries.FORK)):
        binary = confd_binaries.find(dialect)
        found[name] = str(binary or "")
        if binary is None:
            found[name + "_REASON"] = confd_binaries.reason(dialect)
    return found
