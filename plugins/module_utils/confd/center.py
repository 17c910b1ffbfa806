# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that name a config centre (doc fragment `confd`), and the backend that they name."""

from __future__ import annotations

import os
import typing as t

from ..common.deadline import Deadline
from ..common.errors import ParameterError
from ..common.operation import Params, require
from ..common.spec import Spec
from .backends.base import Backend
from .backends.etcd import EtcdBackend
from .backends.file import FileBackend
from .backends.gateway import Gateway, Login
from .backends.redis import RedisBackend

CENTER = Spec(
    options={
        "backend": {"type": "str", "choices": ["file", "redis", "etcd"], "default": "file"},
        "path": {"type": "path"},
        "nodes": {"type": "list", "elements": "str", "default": []},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "db": {"type": "int", "default": 0},
        "tls": {"type": "bool"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "timeout": {"type": "str", "default": "10s"},
    },
)


def problems(params: Params) -> t.List[str]:
    """What is wrong with the options that name the config centre, all of it."""
    backend, found = params["backend"], []
    if backend == "file":
        if not params["path"]:
            found.append("path: backend file needs the path of its JSON file.")
        if params["nodes"]:
            found.append("nodes: backend file has none; say backend: redis or etcd, or leave nodes out.")
    else:
        if not params["nodes"]:
            found.append(f"nodes: backend {backend} needs at least one, for example {_EXAMPLE[backend]}.")
        if params["path"]:
            found.append(f"path: is the JSON file of backend file; backend {backend} has nodes.")
    if backend == "etcd" and bool(params["username"]) != bool(params["password"]):
        found.append("username: etcd takes a user name and a password together.")
    if params["client_key"] and not params["client_cert"]:
        found.append("client_key: needs client_cert.")
    return found + [problem for name in _FILES for problem in _unreadable(name, params[name])]


def _unreadable(name: str, path: t.Optional[str]) -> t.Iterator[str]:
    """The libraries say of such a file that the server does not answer, or nothing that names the option."""
    if not path or (name == "ca_path" and os.path.isdir(path)):
        return
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        yield f"{name}: {path} cannot be read: {error.strerror}."


_FILES = ("ca_path", "client_cert", "client_key")
_EXAMPLE = {"redis": "10.0.0.5:6379", "etcd": "10.0.0.5:2379"}


def open_center(params: Params, deadline: Deadline) -> Backend:
    """The backend, not yet contacted. ParameterError for options that cannot work, MissingLibraryError for a package."""
    found = problems(params)
    if found:
        raise ParameterError("\n".join(found))
    if params["backend"] == "file":
        return FileBackend(params["path"], deadline)
    if params["backend"] == "redis":
        require("redis")
        return RedisBackend(params["nodes"], deadline, params["db"], _redis_options(params))
    require("requests")
    login = Login(params["username"], params["password"]) if params["username"] else None
    return EtcdBackend(Gateway(params["nodes"], deadline, login, _etcd_tls(params)))


def _tls(params: Params) -> bool:
    """As confd decides: a CA or a client certificate means TLS, unless `tls` says otherwise."""
    return bool(params["ca_path"] or params["client_cert"]) if params["tls"] is None else bool(params["tls"])


def _redis_options(params: Params) -> t.Dict[str, t.Any]:
    options = {"username": params["username"], "password": params["password"]}
    secure = _tls(params) or any(node.startswith("rediss://") for node in params["nodes"])
    if not secure:
        return options
    return {
        **options,
        "ssl": _tls(params),
        "ssl_ca_certs": params["ca_path"],
        "ssl_certfile": params["client_cert"],
        "ssl_keyfile": params["client_key"],
        "ssl_cert_reqs": "required" if params["validate_certs"] else "none",
        "ssl_check_hostname": params["validate_certs"],
    }


def _etcd_tls(params: Params) -> t.Dict[str, t.Any]:
    certificate = params["client_cert"]
    return {
        "on": _tls(params),
        "verify": (params["ca_path"] or True) if params["validate_certs"] else False,
        "cert": (certificate, params["client_key"]) if certificate and params["client_key"] else certificate,
    }
