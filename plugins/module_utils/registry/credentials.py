# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose name a registry hears: the task's options, else the login files that Docker and Podman share."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
import typing as t
from dataclasses import dataclass, field

from ..common.errors import ParameterError
from .access import Access
from .reference import DOCKER_HUB

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER_SECONDS = 30


@dataclass(frozen=True)
class Credentials:
    """A user and a secret, or an identity token; `origin` says where they were found, for error messages."""

    username: str = ""
    secret: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    origin: str = "none found"

    def __bool__(self) -> bool:
        return bool(self.secret or self.identity_token)

    def basic(self) -> str:
        """The value of a Basic Authorization header."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


ANONYMOUS = Credentials()


def find_credentials(access: Access, host: str, repository: str = "") -> Credentials:
    """Credentials for `host`: options, auth_file, Docker's file, Podman's files; ANONYMOUS when none has any.

    A file that exists and cannot be understood is a ParameterError: going on anonymously would hide it.
    """
    if access.username:
        return Credentials(access.username, access.password or "", origin="the task's username and password")
    for path in _files(access):
        found = _from_file(path, host, repository)
        if found:
            return found
    return ANONYMOUS


def _files(access: Access) -> t.Iterator[str]:
    if access.auth_file:
        yield os.path.expanduser(access.auth_file)
    for variable, name in (("DOCKER_CONFIG", "config.json"), ("HOME", ".docker/config.json")):
        if os.environ.get(variable):
            yield os.path.join(os.environ[variable], name)
    if os.environ.get("REGISTRY_AUTH_FILE"):
        yield os.environ["REGISTRY_AUTH_FILE"]
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(os.environ["XDG_RUNTIME_DIR"], "containers/auth.json")


def _from_file(path: str, host: str, repository: str) -> Credentials:
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except FileNotFoundError:
        return ANONYMOUS
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise ParameterError(f"The login file {path} cannot be read: {reason}.") from error
    if not isinstance(data, dict):
        raise ParameterError(f"The login file {path} cannot be read: it holds no JSON object.")
    keys = list(_keys(host, repository))
    helper = _helper(data, keys)
    # A helper is asked for this one host by the name `docker login` stores it under, and for nothing else.
    asked = [_HUB_KEYS[0]] if host == DOCKER_HUB else [host]
    found = _from_helper(helper, asked, path) if helper else ANONYMOUS
    return found or _from_auths(data.get("auths") or {}, keys, path)


def _keys(host: str, repository: str) -> t.Iterator[str]:
    """The names a registry may have in a login file, the most particular first (Podman logs in per namespace)."""
    hosts = _HUB_KEYS if host == DOCKER_HUB else (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    parts = repository.split("/") if repository else []
    for count in range(len(parts), 0, -1):
        yield f"{host}/{'/'.join(parts[:count])}"
    yield from hosts
    yield f"http://{host}"


def _from_auths(auths: t.Mapping[str, t.Any], keys: t.Sequence[str], path: str) -> Credentials:
    for key in keys:
        entry = auths.get(key)
        if not isinstance(entry, dict):
            continue
        username, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            username, secret = _decode(entry["auth"], key, path)
        found = Credentials(username, secret, str(entry.get("identitytoken") or ""), origin=path)
        if found:
            return found
    return ANONYMOUS


def _decode(auth: t.Any, key: str, path: str) -> t.Tuple[str, str]:
    try:
        text = base64.b64decode(str(auth), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ParameterError(f"The login file {path} has a broken entry for {key}: auth is no base64.") from error
    username, _colon, secret = text.partition(":")
    return username, secret.rstrip("\x00")


def _helper(data: t.Mapping[str, t.Any], keys: t.Sequence[str]) -> str:
    helpers = data.get("credHelpers") or {}
    for key in keys:
        if helpers.get(key):
            return str(helpers[key])
    return str(data.get("credsStore") or "")


def _from_helper(helper: str, keys: t.Sequence[str], path: str) -> Credentials:
    """Ask `docker-credential-<helper>`; what it does not know falls through, what breaks is a ParameterError."""
    program = f"docker-credential-{helper}"
    for key in keys:
        try:
            # run_command belongs to AnsibleModule, which this package does not know.
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                [program, "get"], input=key.encode("utf-8"), capture_output=True, timeout=_HELPER_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ParameterError(f"{path} names the login helper {program}, which cannot be run: {error}.") from error
        if done.returncode:
            continue  # helpers say "credentials not found" on stdout and exit 1
        try:
            answer = json.loads(done.stdout.decode("utf-8"))
            username, secret = str(answer["Username"]), str(answer["Secret"])
        except (ValueError, KeyError, TypeError) as error:
            raise ParameterError(f"The login helper {program} answered something that is no login.") from error
        if username == "<token>":
            return Credentials(identity_token=secret, origin=f"{program} ({path})")
        return Credentials(username, secret, origin=f"{program} ({path})")
    return ANONYMOUS
