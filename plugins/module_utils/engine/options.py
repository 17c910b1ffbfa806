# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container's own options: the twin of its documentation."""

from __future__ import annotations

import typing as t

from ..common.spec import Spec
from .connection import CONNECTION

STATES = ("started", "pulled", "stopped", "absent", "restarted", "rolled_back", "confirmed", "ran")


def _strings(**more: t.Any) -> t.Dict[str, t.Any]:
    return {"type": "list", "elements": "str", **more}


GATE: t.Dict[str, t.Any] = {
    "type": "dict",
    "apply_defaults": True,
    "options": {
        "http": {
            "type": "dict",
            "options": {
                "port": {"type": "int", "required": True},
                "path": {"type": "str", "default": "/"},
                "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
                "validate_certs": {"type": "bool", "default": True},
                "headers": {"type": "dict"},
                "status": {"type": "list", "elements": "int", "default": [200]},
                "body": {"type": "str"},
            },
        },
        "tcp": {"type": "dict", "options": {"port": {"type": "int", "required": True}}},
        "exec": _strings(),
        "docker": {"type": "bool"},
        "address": {"type": "str"},
        "interval": {"type": "str", "default": "1s"},
        "timeout": {"type": "str", "default": "5s"},
        "successes": {"type": "int", "default": 3},
        "deadline": {"type": "str", "default": "60s"},
        "soak": {"type": "str", "default": "5s"},
    },
}

HEALTHCHECK: t.Dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "test": {"type": "raw"},
        "interval": {"type": "str"},
        "timeout": {"type": "str"},
        "retries": {"type": "int"},
        "start_period": {"type": "str"},
    },
}

# What decides how the container runs.
RUN_SPEC = Spec(
    options={
        "command": {"type": "raw"},
        "entrypoint": {"type": "raw"},
        "env": {"type": "dict"},
        "secret_env": {"type": "dict", "no_log": True},
        "user": {"type": "str"},
        "working_dir": {"type": "str"},
        "hostname": {"type": "str"},
        "labels": {"type": "dict"},
        "ports": _strings(),
        "volumes": _strings(),
        "tmpfs": _strings(),
        "networks": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "aliases": _strings(),
                "ipv4_address": {"type": "str"},
            },
        },
        "network_mode": {"type": "str"},
        "extra_hosts": {"type": "dict"},
        "dns": _strings(),
        "dns_search": _strings(),
        "memory": {"type": "str"},
        "memory_swap": {"type": "str"},
        "memory_reservation": {"type": "str"},
        "cpus": {"type": "float"},
        "cpuset_cpus": {"type": "str"},
        "pids_limit": {"type": "int"},
        "ulimits": _strings(),
        "shm_size": {"type": "str"},
        "restart_policy": {
            "type": "str",
            "choices": ["no", "on-failure", "always", "unless-stopped"],
            "default": "unless-stopped",
        },
        "restart_retries": {"type": "int"},
        "init": {"type": "bool"},
        "read_only": {"type": "bool"},
        "cap_add": _strings(),
        "cap_drop": _strings(),
        "devices": _strings(),
        "groups": _strings(),
        "sysctls": {"type": "dict"},
        "security_opts": _strings(),
        "privileged": {"type": "bool"},
        "log_driver": {"type": "str"},
        "log_options": {"type": "dict"},
        "stop_signal": {"type": "str"},
        "stop_timeout": {"type": "str"},
        "healthcheck": HEALTHCHECK,
    }
)

APP_CONTAINER_SPEC = (
    Spec(
        options={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "default": "started"},
            "image": {"type": "str"},
            "digest": {"type": "str"},
            "pull": {"type": "str", "choices": ["missing", "always", "never"], "default": "missing"},
            "registry_username": {"type": "str"},
            "registry_password": {"type": "str", "no_log": True},
            "registry_auth_file": {"type": "path"},
            "run_deadline": {"type": "str", "default": "15m"},
            "gate": GATE,
            "strategy": {"type": "str", "choices": ["stop_first", "start_first"], "default": "stop_first"},
            "hold": {"type": "bool", "default": False},
            "failure_action": {"type": "str", "choices": ["rollback", "keep", "stop"], "default": "rollback"},
            "keep_previous": {"type": "bool", "default": True},
            "adopt": {"type": "bool", "default": False},
            "release": {"type": "int"},
            "config_revision": {"type": "str"},
            "config_changed": {"type": "bool", "default": False},
            "app": {"type": "str"},
            "environment_name": {"type": "str"},
        },
        required_if=(("state", "started", ("image",)), ("state", "pulled", ("image",)), ("state", "ran", ("image",))),
        required_together=(("registry_username", "registry_password"),),
        mutually_exclusive=(("registry_username", "registry_auth_file"),),
    )
    + RUN_SPEC
    + CONNECTION
)
