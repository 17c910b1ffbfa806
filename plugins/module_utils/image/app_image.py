# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image: build an app image and push it. Its options, and which of the two methods does the work."""

from __future__ import annotations

import contextlib

from ..common.operation import Context, Operation, Params, Result, require
from ..common.spec import Options, Spec
from ..engine.connection import CONNECTION
from ..registry.access import REGISTRY_SPEC, Access, access_from, given, registry_spec
from ..registry.client import RegistryClient
from .build_layers import build_layers
from .compress import METHODS
from .dockerfile import build_dockerfile, read_dockerfile_order
from .options import DOCKERFILE, LAYERS, read_order

BASE = "base_"
# Docker's options have community.docker's names, except where a registry option has that name already.
ENGINE_PREFIX = "docker_"

_OPTIONS: Options = {
    "image": {"type": "str", "required": True},
    "tags": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str", "choices": [LAYERS, DOCKERFILE], "default": LAYERS},
    "chdir": {"type": "path"},
    "artifact": {"type": "path"},
    "overwrite": {"type": "bool", "default": True},
    "labels": {"type": "dict", "default": {}},
    "platform": {"type": "str"},
    # method layers
    "base": {"type": "str"},
    "dest": {"type": "str"},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "src": {"type": "path", "required": True},
            "dest": {"type": "str", "required": True},
            "mode": {"type": "raw"},
        },
    },
    "entrypoint": {"type": "raw"},
    "cmd": {"type": "raw"},
    "env": {"type": "dict", "default": {}},
    "ports": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str"},
    "working_dir": {"type": "str"},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "healthcheck": {
        "type": "dict",
        "options": {
            "test": {"type": "raw", "required": True},
            "interval": {"type": "str"},
            "timeout": {"type": "str"},
            "start_period": {"type": "str"},
            "retries": {"type": "int"},
        },
    },
    "stop_signal": {"type": "str"},
    "created": {"type": "str", "default": "source"},
    "compression": {"type": "str", "choices": list(METHODS), "default": METHODS[0]},
    # method dockerfile
    "context": {"type": "path"},
    "dockerfile": {"type": "path"},
    "build_args": {"type": "dict", "default": {}},
    "target": {"type": "str"},
    "pull": {"type": "bool", "default": False},
    "no_cache": {"type": "bool", "default": False},
    "cache_from": {"type": "list", "elements": "str", "default": []},
    "network": {"type": "str"},
    "build_timeout": {"type": "str", "default": "1h"},
}


def engine_option(name: str) -> str:
    """What an engine connection option is called here."""
    return f"{ENGINE_PREFIX}{name}" if name in REGISTRY_SPEC.options else name


def _engine_spec() -> Spec:
    """The engine's connection options under this module's names; aliases only where the name itself is unchanged."""
    options = {
        engine_option(name): {
            key: value for key, value in option.items() if name == engine_option(name) or key != "aliases"
        }
        for name, option in CONNECTION.options.items()
    }
    together = tuple(tuple(engine_option(name) for name in group) for group in CONNECTION.required_together)
    return Spec(options=options, required_together=together)


SPEC = Spec(options=_OPTIONS) + REGISTRY_SPEC + registry_spec(BASE) + _engine_spec()


def run(params: Params, context: Context) -> Result:
    """Build and push. Raises SlipwayError."""
    if params["method"] == DOCKERFILE:
        require("docker")
        order = read_dockerfile_order(params)
        engine = {name: params[engine_option(name)] for name in CONNECTION.options}
        access = access_from(params)
        with RegistryClient(order.image.registry, access) as target:
            return build_dockerfile(order, target, engine, context)
    plan = read_order(params)
    access = access_from(params)
    base_access = _base_access(params, access, plan.base.registry == plan.image.registry)
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(RegistryClient(plan.image.registry, access))
        base_client = target
        if base_access is not access:
            base_client = stack.enter_context(RegistryClient(plan.base.registry, base_access))
        return build_layers(plan, target, base_client, context)


def _base_access(params: Params, access: Access, same_registry: bool) -> Access:
    """How the base's registry is reached: by the base_ options, or, in the same registry and without them, as the image's.

    Another registry never hears the image's login.
    """
    if same_registry and not given(params, BASE):
        return access
    return access_from(params, BASE)


APP_IMAGE = Operation("app_image", SPEC, run, requires=("requests",), long=True)
