# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are secret, and how they are shown."""

from __future__ import annotations

import fnmatch
import json
import re
import typing as t

from ansible.module_utils.common.validation import check_type_dict

from ..common.operation import Params
from . import keys as settings

SECRET = "<secret>"
CHANGED = "<secret changed>"
# A secret shorter than this is hidden where it stands, and is not searched for elsewhere: cutting every "1" or "no" out of an
# output would leave nothing to read, and would tell the secret by its gaps.
SHORTEST_SEARCHED = 4
_PATTERN = re.compile(r"[*?\[]")
_INVISIBLE = re.compile(
    r"[\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class SecretKeys:
    """Names of secret keys: `/db/password`, a folder `/db/secrets` with all below it, `/*/password` for one part, or `/`
    for all."""

    def __init__(self, names: t.Iterable[str]) -> None:
        self.names = sorted({"/" + (name.strip().strip("/") or "*") for name in names if name.strip()})

    def __contains__(self, key: object) -> bool:
        return any(self._covers(name, str(key)) for name in self.names)

    @staticmethod
    def _covers(name: str, key: str) -> bool:
        wanted, parts = name.split("/"), key.split("/")
        if len(parts) < len(wanted):
            return False
        return all(
            fnmatch.fnmatchcase(part, pattern) if _PATTERN.search(pattern) else part == pattern
            for part, pattern in zip(parts, wanted)
        )

    def matching_nothing(self, keys: t.Iterable[str]) -> t.List[str]:
        """Names that cover none of `keys`: very likely misspelt, and then a secret is not treated as one."""
        present = list(keys)
        return [name for name in self.names if not any(self._covers(name, key) for key in present)]

    def together(self, others: t.Iterable[str]) -> SecretKeys:
        return SecretKeys([*self.names, *others])


class Mask:
    """Shows values: secret ones not at all, secrets inside other values not either, invisible characters as escapes."""

    def __init__(self, secret: SecretKeys, *contents: t.Mapping[str, str]) -> None:
        self._secret = secret
        found = {value for content in contents for key, value in content.items() if key in secret}
        self._searched = sorted((value for value in found if len(value) >= SHORTEST_SEARCHED), key=len, reverse=True)

    def is_secret(self, key: str) -> bool:
        return key in self._secret

    def value(self, key: str, value: str) -> str:
        """The value as data: what is not secret comes back as it is, if it is text at all."""
        if key in self._secret:
            return SECRET
        for secret in self._searched:
            value = value.replace(secret, SECRET)
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def line(self, key: str, value: str) -> str:
        """`/db/pool = "20"`: in quotes, so that blanks at the ends are seen."""
        return f"{key} = {visible(self.value(key, value))}" if key not in self._secret else f"{key} = {SECRET}"


def visible(value: str) -> str:
    """`value` in JSON's quotes, with characters that cannot be told from others or not be seen as escapes."""
    return escaped(json.dumps(value, ensure_ascii=False))


def escaped(text: str) -> str:
    """`text` with such characters as the escapes of JSON and YAML."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def named(params: Params) -> SecretKeys:
    """The secret keys of parameters that may not have been validated yet."""
    given = params.get("secret_keys") or []
    names = given.split(",") if isinstance(given, str) else given
    return SecretKeys([str(name) for name in names] if isinstance(names, (list, tuple)) else ["/*"])


def values_to_hide(params: Params) -> t.Set[str]:
    """Operation.secrets of operations with `keys` and `secret_keys`."""
    secret, given = named(params), _mapping(params.get("keys"))
    if given is None:
        whole = params.get("keys")
        return {whole} if secret.names and isinstance(whole, str) and len(whole) >= SHORTEST_SEARCHED else set()
    found = {settings.text(value) for key, value in settings.walk(given) if value is not None and key in secret}
    return {value for value in found if len(value) >= SHORTEST_SEARCHED}


def shown(params: Params) -> Params:
    """Operation.shown of operations with `keys` and `secret_keys`."""
    secret = named(params)
    if not secret.names or params.get("keys") is None:
        return params
    given = _mapping(params["keys"])
    return {**params, "keys": SECRET if given is None else _hidden(given, "", secret)}


def _mapping(value: t.Any) -> t.Optional[t.Dict[t.Any, t.Any]]:
    """A dict, or the text of one as Ansible takes it too; None for anything else."""
    try:
        return check_type_dict(value)
    except TypeError:
        return None


def _hidden(value: t.Any, key: str, secret: SecretKeys) -> t.Any:
    if isinstance(value, dict):
        return {
            name: _hidden(item, found, secret)
            for name, item, found in ((name, item, f"{key}/{settings.part(name)}") for name, item in value.items())
        }
    if isinstance(value, (list, tuple)):
        return [_hidden(item, f"{key}/{index}", secret) for index, item in enumerate(value)]
    return SECRET if key in secret else value
