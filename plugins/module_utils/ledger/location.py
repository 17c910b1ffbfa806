# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a ledger is: a path means SQLite, anything with :// is a database URL, and its password is nobody's to see."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, unquote_plus

from ..common.errors import ParameterError
from ..common.operation import Params

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+_]*)://(?P<rest>.*)$", re.DOTALL)
_SECRET_NAME = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_SQLITE_SCHEMES = ("sqlite", "sqlite+pysqlite")


@dataclass(frozen=True)
class Location:
    """`path` is the SQLite file, or `url` the database server; `shown` names it in messages, without any password."""

    shown: str
    path: t.Optional[str] = None
    url: t.Optional[str] = None
    secrets: t.FrozenSet[str] = frozenset()


def parse(text: str) -> Location:
    """The `ledger` option as a Location. ParameterError when it can be neither a path nor a URL."""
    if not text.strip():
        raise ParameterError("ledger: is empty; give the path of an SQLite file or a database URL.")
    match = _URL.match(text)
    if not match:
        return _file(text)
    scheme, rest = match.group("scheme").lower(), match.group("rest")
    if scheme in _SQLITE_SCHEMES:
        return _file(_sqlite_path(rest))
    if scheme.startswith("sqlite"):
        raise ParameterError(f"ledger: {scheme} is no driver for a ledger file; write sqlite:///<path> or the path.")
    return Location(shown=f"{scheme}://{_without_password(rest)}", url=text, secrets=frozenset(secret_parts(text)))


def _file(path: str) -> Location:
    if path == ":memory:":
        raise ParameterError("ledger: a database in memory ends with the task; give the path of a file.")
    whole = os.path.abspath(os.path.expanduser(path))
    return Location(shown=whole, path=whole)


def _sqlite_path(rest: str) -> str:
    """`/relative` and `//absolute`, as SQLAlchemy writes SQLite's paths after `sqlite://`."""
    if "?" in rest:
        raise ParameterError("ledger: an SQLite ledger takes no URL parameters; write sqlite:///<path> or the path.")
    if not rest.startswith("/") or len(rest) < 2:
        raise ParameterError("ledger: an SQLite URL is sqlite:///<relative path> or sqlite:////<absolute path>.")
    return rest[1:]


def secret_parts(text: str) -> t.Set[str]:
    """The passwords in a database URL, as written and decoded; empty for paths. Never raises."""
    match = _URL.match(text)
    if not match:
        return set()
    address, _mark, query = match.group("rest").partition("?")
    found = set()
    for user in (address.partition("@"), address.rpartition("@")):  # a raw @ in the password is read both ways
        _name, colon, password = user[0].partition(":")
        if user[1] and colon:
            found |= {password, unquote(password), unquote_plus(password)}
    for name, value in parse_qsl(query):
        if _SECRET_NAME.search(name):
            found |= {value, *re.findall(rf"{re.escape(name)}=([^&]*)", query)}
    return found - {""}


def secrets(params: Params) -> t.Set[str]:
    """`secret_parts` of the `ledger` option, for Operation.secrets; takes parameters nobody has validated."""
    ledger = params.get("ledger")
    return secret_parts(ledger) if isinstance(ledger, str) else set()


def _without_password(rest: str) -> str:
    address = rest.partition("?")[0]
    user, at, host = address.rpartition("@")
    return f"{user.partition(':')[0]}{at}{host}"
