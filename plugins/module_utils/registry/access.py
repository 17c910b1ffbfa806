# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry is reached: the options every registry module shares, as a spec and as a value."""

from __future__ import annotations

import glob
import os
import ssl
import typing as t
from dataclasses import dataclass, field
from ipaddress import ip_address

from ..common.errors import ParameterError
from ..common.spec import Spec
from ..common.units import seconds

DEFAULT_TIMEOUT = "1m"
CERTS_D = "/etc/docker/certs.d"


@dataclass(frozen=True)
class Access:
    """Credentials and transport for one registry. `timeout` is seconds without a byte, not the length of the work."""

    username: t.Optional[str] = None
    password: t.Optional[str] = field(default=None, repr=False)
    auth_file: t.Optional[str] = None
    validate_certs: bool = True
    ca_path: t.Optional[str] = None
    client_cert: t.Optional[str] = None
    client_key: t.Optional[str] = None
    insecure: bool = False
    timeout: float = 60.0


def registry_spec(prefix: str = "") -> Spec:
    """The options of the doc fragment `registry`, each name with `prefix` before it."""
    options: t.Dict[str, t.Dict[str, t.Any]] = {
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "auth_file": {"type": "path", "no_log": False},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "insecure": {"type": "bool", "default": False},
        "timeout": {"type": "str", "default": DEFAULT_TIMEOUT},
    }
    return Spec(
        options={prefix + name: option for name, option in options.items()},
        required_together=((f"{prefix}username", f"{prefix}password"),),
        required_by={f"{prefix}client_key": (f"{prefix}client_cert",)},
    )


REGISTRY_SPEC = registry_spec()
SOURCE_SPEC = registry_spec("source_")


def access_from(params: t.Mapping[str, t.Any], prefix: str = "") -> Access:
    """The Access that a task's validated parameters describe; ParameterError for files that cannot be read."""
    access = Access(
        username=params.get(f"{prefix}username"),
        password=params.get(f"{prefix}password"),
        auth_file=params.get(f"{prefix}auth_file"),
        validate_certs=params.get(f"{prefix}validate_certs") is not False,
        ca_path=params.get(f"{prefix}ca_path"),
        client_cert=params.get(f"{prefix}client_cert"),
        client_key=params.get(f"{prefix}client_key"),
        insecure=bool(params.get(f"{prefix}insecure")),
        timeout=seconds(params.get(f"{prefix}timeout") or DEFAULT_TIMEOUT, f"{prefix}timeout"),
    )
    if access.timeout <= 0:
        raise ParameterError(f"{prefix}timeout: a request needs more than 0 seconds.")
    missing = [
        f"{prefix}{option}: {path} is not there or cannot be read"
        for option in ("auth_file", "ca_path", "client_cert", "client_key")
        for path in (getattr(access, option),)
        if path and not os.access(path, os.R_OK)
    ]
    if missing:
        raise ParameterError("; ".join(missing) + ".")
    return access


def given(params: t.Mapping[str, t.Any], prefix: str) -> bool:
    """True when any option of this prefix was set to something else than its default."""
    spec = registry_spec(prefix).options
    return any(params.get(name) not in (None, option.get("default")) for name, option in spec.items())


def is_loopback(host: str) -> bool:
    """True when `host` (`name[:port]`) is this machine's own."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def trust(access: Access, host: str) -> t.Union[bool, str]:
    """What requests shall verify certificates with: False, a file or folder of CAs, or True for its own bundle.

    Order: `validate_certs: false`, `ca_path`, Docker's certs.d of this registry, REQUESTS_CA_BUNDLE and SSL_CERT_FILE,
    the system's store (where a company installs its own CA), requests' bundle.
    """
    if not access.validate_certs:
        return False
    if access.ca_path:
        return access.ca_path
    docker = sorted(glob.glob(os.path.join(CERTS_D, glob.escape(host), "*.crt")))
    if docker:
        return docker[0]
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if named:
        return named
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and glob.glob(os.path.join(paths.capath, "*.0")):
        return paths.capath
    return True


def client_certificate(access: Access, host: str) -> t.Union[str, t.Tuple[str, str], None]:
    """The client certificate as requests wants it: from the options, else from Docker's certs.d of this registry."""
    if access.client_cert:
        return (access.client_cert, access.client_key) if access.client_key else access.client_cert
    certificate = os.path.join(CERTS_D, host, "client.cert")
    key = os.path.join(CERTS_D, host, "client.key")
    return (certificate, key) if os.access(certificate, os.R_OK) and os.access(key, os.R_OK) else None
