# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Docker engine's daemon.json and its options should become, and what the engine needs to take that in."""

from __future__ import annotations

import json
import re
import shlex
import typing as t

from ansible.errors import AnsibleFilterError

NONE = "none"
RELOAD = "reload"
RESTART = "restart"
_NEEDS = (NONE, RELOAD, RESTART)
# What dockerd takes in on SIGHUP, in every version from 20.10 on; all else needs a restart.
_RELOADED = frozenset(
    (
        "allow-nondistributable-artifacts",
        "authorization-plugins",
        "debug",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "shutdown-timeout",
    )
)
_OPTS = re.compile(r"^[ \t]*(?:export[ \t]+)?DOCKER_OPTS=(?P<value>.*)$", re.MULTILINE)

Config = t.Dict[str, t.Any]
Settings = t.Mapping[str, t.Any]


def engine_config(
    text: str,
    opts: str = "",
    options: t.Optional[Settings] = None,
    registries: t.Sequence[Settings] = (),
    api: t.Optional[Settings] = None,
    files: t.Optional[t.Mapping[str, str]] = None,
    pending: t.Sequence[str] = (),
) -> t.Dict[str, t.Any]:
    """The plan for an engine whose daemon.json holds `text` and whose file of command line options holds `opts`.

    Both come back as they should be, with the keys of daemon.json that differ and what the engine `needs`.

    `options` are laid over what is there, mappings key by key; null takes a key away. `registries` are the role's: of those,
    the insecure ones are listed, the others are not. With `api` the TLS keys name `files`, and the port stands among the
    `hosts` of daemon.json where there are any, or else in DOCKER_OPTS. `pending` are needs from elsewhere.
    Raises AnsibleFilterError for a daemon.json that is no JSON object.
    """
    before = _parsed(text)
    after = _merged(before, options or {})
    insecure = _insecure(before.get("insecure-registries") or [], registries)
    if insecure or "insecure-registries" in before:
        after["insecure-registries"] = insecure
    new_opts = opts
    if api:
        after.update({"tlsverify": True, **{f"tls{name}": path for name, path in (files or {}).items()}})
        if "hosts" in before:
            after["hosts"] = [*(host for host in before["hosts"] if not host.startswith("tcp://")), api_url(api)]
        else:
            new_opts = _with_port(opts, api)
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    needs = [*pending, RESTART if new_opts != opts else NONE]
    needs.append(NONE if not changed else RELOAD if _RELOADED.issuperset(changed) else RESTART)
    return {
        "text": text if not changed else json.dumps(after, indent=2, ensure_ascii=False) + "\n",
        "opts": new_opts,
        "differs": changed,
        "needs": max(needs, key=_NEEDS.index),
    }


def _with_port(text: str, api: Settings) -> str:
    """The file with the API's port in DOCKER_OPTS; other options stay, ports that stood there give way."""
    found = list(_OPTS.finditer(text))
    words = " ".join(shlex.split(found[-1].group("value"))) if found else ""
    line = f'DOCKER_OPTS="{" ".join([*_without_ports(shlex.split(words)), "-H", api_url(api)])}"'
    if not found:
        return f"{text.rstrip()}\n{line}\n".lstrip("\n")
    last = found[-1]
    return text[: last.start()] + line + text[last.end() :]


def _without_ports(words: t.Sequence[str]) -> t.List[str]:
    kept: t.List[str] = []
    pending = iter(words)
    for word in pending:
        if word in ("-H", "--host"):
            address = next(pending, "")
            kept += [] if address.startswith("tcp://") else [word, address]
        elif not word.startswith(("-Htcp://", "-H=tcp://", "--host=tcp://")):
            kept.append(word)
    return kept


def api_url(api: Settings) -> str:
    """Where dockerd listens."""
    address = str(api.get("address") or "0.0.0.0")
    return f"tcp://{address}:{api.get('port') or 2376}"


def _parsed(text: str) -> Config:
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise AnsibleFilterError(f"the engine's daemon.json is no JSON, and is left as it is: {error}") from error
    if not isinstance(config, dict):
        raise AnsibleFilterError("the engine's daemon.json holds no JSON object, and is left as it is.")
    return config


def _merged(old: Config, new: Settings) -> Config:
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, t.Mapping):
            below = merged.get(key)
            merged[key] = _merged(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _insecure(old: t.Sequence[str], registries: t.Sequence[Settings]) -> t.List[str]:
    wanted = [str(item["host"]) for item in registries if _is_insecure(item)]
    unwanted = {str(item["host"]) for item in registries if not _is_insecure(item)}
    return list(dict.fromkeys([*(host for host in old if host not in unwanted), *wanted]))


def _is_insecure(registry: Settings) -> bool:
    return bool(registry.get("insecure")) and registry.get("state", "present") != "absent"


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"engine_config": engine_config}
