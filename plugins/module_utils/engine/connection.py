# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that reach a Docker engine, and the client they make.

The option names are community.docker's, so that a `module_defaults` block written for it fits here.
"""

from __future__ import annotations

import os
import re
import sys
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleFallbackNotFound

from ..common.errors import MissingLibraryError, ParameterError
from ..common.spec import Spec
from .faults import HANDSHAKE_BROKEN_OFF, broken_off, translated

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    from .docker_py import APIClient, TLSConfig
    from .docker_py import __version__ as docker_version
except ImportError:  # Operation.requires reports it
    HTTPAdapter = object

DEFAULT_HOST = "unix:///var/run/docker.sock"
CONNECT_TIMEOUT = 10.0  # seconds: an engine that does not accept in this time is not there
OLDEST_API = "1.41"  # Docker 20.10
OLDEST_LIBRARY = (7, 1)  # the first docker-py that works with requests 2.32
_CERT_PATH_FILES = {"ca_path": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}


def _environment(variable: str) -> str:
    """The environment variable's value; set to nothing counts as not set, as the docker command has it."""
    value = os.environ.get(variable)
    if not value:
        raise AnsibleFallbackNotFound
    return value


def _from_environment(variable: str, **option: t.Any) -> t.Dict[str, t.Any]:
    return {**option, "fallback": (_environment, [variable])}


CONNECTION = Spec(
    options={
        "docker_host": _from_environment("DOCKER_HOST", type="str", default=DEFAULT_HOST, aliases=["docker_url"]),
        "tls": _from_environment("DOCKER_TLS", type="bool", default=False),
        "validate_certs": _from_environment("DOCKER_TLS_VERIFY", type="bool", aliases=["tls_verify"]),
        "ca_path": {"type": "path", "aliases": ["ca_cert", "tls_ca_cert", "cacert_path"]},
        "client_cert": {"type": "path", "aliases": ["tls_client_cert", "cert_path"]},
        "client_key": {"type": "path", "aliases": ["tls_client_key", "key_path"], "no_log": False},
        "tls_hostname": _from_environment("DOCKER_TLS_HOSTNAME", type="str"),
        "api_version": _from_environment(
            "DOCKER_API_VERSION", type="str", default="auto", aliases=["docker_api_version"]
        ),
        "timeout": _from_environment("DOCKER_TIMEOUT", type="int", default=60),
        "use_ssh_client": {"type": "bool", "default": False},
    },
    required_together=(("client_cert", "client_key"),),
)


class _Adapter(HTTPAdapter):
    """Bounds the connect time apart from the read time, and checks the certificate against `tls_hostname` if given."""

    def __init__(self, tls_hostname: t.Optional[str] = None) -> None:
        self._tls_hostname = tls_hostname
        self._answered = False
        super().__init__(pool_connections=1, pool_maxsize=4)

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if self._tls_hostname:
            kwargs.update(assert_hostname=self._tls_hostname, server_hostname=self._tls_hostname)
        return super().init_poolmanager(*args, **kwargs)

    def send(self, request: t.Any, stream: bool = False, timeout: t.Any = None, **kwargs: t.Any) -> t.Any:
        if not isinstance(timeout, tuple):
            timeout = (CONNECT_TIMEOUT if timeout is None else min(CONNECT_TIMEOUT, timeout), timeout)
        try:
            response = super().send(request, stream=stream, timeout=timeout, **kwargs)
        except requests.exceptions.ConnectionError as error:
            # With TLS 1.3 an engine refuses our certificate after our first request; its alert may be lost to a reset.
            if self._answered or not request.url.startswith("https:") or not broken_off(error):
                raise
            raise requests.exceptions.SSLError(f"{HANDSHAKE_BROKEN_OFF}: {error}", request=request) from error
        self._answered = True
        return response


def docker_url(docker_host: str) -> str:
    """`docker_host` with its scheme: a bare path is a unix socket, a bare name or address is TCP."""
    if "://" in docker_host:
        return docker_host
    return f"unix://{docker_host}" if docker_host.startswith("/") else f"tcp://{docker_host}"


def engine_address(url: str) -> t.Optional[str]:
    """The name or address of the engine's host, or None for a local socket. ParameterError for a URL that has neither."""
    parts = urlsplit(url)
    if parts.scheme in ("unix", "npipe"):
        return None
    try:
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if parts.scheme not in ("tcp", "http", "https", "ssh") or not parts.hostname or not port_is_fine:
        raise ParameterError(
            f"docker_host: {url!r} is no engine's address; write unix:///path, tcp://host:port, or ssh://user@host."
        )
    return parts.hostname


def wants_tls(params: t.Mapping[str, t.Any], url: str) -> bool:
    """True when anything that was set only makes sense with TLS: certificates given and then not used help nobody."""
    if urlsplit(url).scheme not in ("tcp", "https"):
        return False
    asked = params["tls"] or params["validate_certs"] or url.startswith("https://")
    return bool(asked or any(params[name] for name in ("ca_path", "client_cert", "client_key", "tls_hostname")))


def open_client(params: t.Mapping[str, t.Any]) -> APIClient:
    """An APIClient for the connection options. Contacts the engine only for ssh://, where connecting is part of it.

    The base URL is always explicit: docker-py 7.2 would otherwise follow the docker command's current context.
    TLS is verified unless `validate_certs` is false. Raises ParameterError, MissingLibraryError and
    UnreachableError.
    """
    _check_library()
    url = docker_url(params["docker_host"])
    engine_address(url)
    with translated(url, "open a connection"):
        client = APIClient(
            base_url=url,
            version=OLDEST_API if params["api_version"] == "auto" else params["api_version"],
            timeout=params["timeout"],
            tls=_tls(params) if wants_tls(params, url) else False,
            use_ssh_client=params["use_ssh_client"],
        )
    if urlsplit(url).scheme in ("tcp", "http", "https"):
        _prepare(client, params)
    return client


def _check_library() -> None:
    """MissingLibraryError for a docker-py that is too old: older ones fail in obscure ways with today's requests."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", docker_version)[:2])
    if numbers < OLDEST_LIBRARY:
        raise MissingLibraryError(
            f"The Python package docker is {docker_version} in {sys.executable}; Slipway needs 7.1 or newer."
        )


def _prepare(client: APIClient, params: t.Mapping[str, t.Any]) -> None:
    """Ours on the plain session: bounded connects, and of the environment only the proxies.

    requests would let REQUESTS_CA_BUNDLE override `ca_path`, and send a password from ~/.netrc to the engine.
    """
    client.proxies = requests.utils.get_environ_proxies(client.base_url)
    client.trust_env = False
    if client.verify is False:
        quiet_unverified()
    client.mount("http://", _Adapter())
    client.mount("https://", _Adapter(params["tls_hostname"]))


def quiet_unverified() -> None:
    """No warning on the terminal for every unverified answer: `validate_certs: false` was the user's own choice."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def _tls(params: t.Mapping[str, t.Any]) -> TLSConfig:
    files = {option: params[option] or _in_cert_path(name) for option, name in _CERT_PATH_FILES.items()}
    missing = [
        f"{option}: {path} is not a file." for option, path in files.items() if path and not os.path.isfile(path)
    ]
    if missing:
        raise ParameterError(" ".join(missing))
    pair = (files["client_cert"], files["client_key"]) if files["client_cert"] and files["client_key"] else None
    return TLSConfig(client_cert=pair, ca_cert=files["ca_path"], verify=params["validate_certs"] is not False)


def _in_cert_path(name: str) -> t.Optional[str]:
    """The file in DOCKER_CERT_PATH, where the docker command looks. It is used with TLS and never turns TLS on."""
    path = os.path.join(os.environ.get("DOCKER_CERT_PATH", ""), name)
    return path if os.environ.get("DOCKER_CERT_PATH") and os.path.isfile(path) else None
