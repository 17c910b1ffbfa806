# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config centres as tests meet them: behind the modules, by hand, and through confd itself."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import redis
import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context, Operation
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config import CONFD_CONFIG
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config_info import CONFD_CONFIG_INFO

BACKENDS = ("file", "redis", "etcd")
Result = t.Dict[str, t.Any]
# Of every kind that has broken a config centre, a parser or an editor before.
VALUES = {
    "empty": "",
    "blanks": "  two before, tab and blank after\t ",
    "lines": "one\ntwo\r\nthree\n",
    "quotes": "\"double\" 'single' `back` \\ \\n",
    "unicode": "Grüße, 世界, ελληνικά",
    "emoji": "👩‍👩‍👧 🚢",
    "invisible": "\u00a0nbsp \u200bzero-width \ufeffbom \u2028line \u2029paragraph \x85next \x7fdel",
    "controls": "\x01\x08\x0b\x1b\x1f",
    "edges": "\ud7ff\ue000\ufffd\ufffe\uffff\U0010ffff",
    "yaml": "yes",
    "octal": "0644",
    "float": "1.10",
    "null": "null",
    "json": '{"a": [1, "\\u00e9", {"b": null}]}',
    "go": '{{getv "/x"}} {{/* no */}}',
    "glob": "* ? [a-z] \\",
    "long": "0123456789abcdef" * 6400,
}


def execute(operation: Operation, args: t.Mapping[str, t.Any], check_mode: bool = False) -> Result:
    """An operation with its arguments validated as the shells do it; `warned` holds the warnings."""
    validated = ArgumentSpecValidator(operation.spec.options, **operation.spec.rules()).validate(dict(args))
    assert not validated.error_messages, validated.error_messages
    context = Context(check_mode=check_mode, diff_mode=True)
    return {**operation.execute(validated.validated_parameters, context), "warned": context.warnings}


class Hand:
    """Reads and edits a store without Slipway, as an operator would. Keys are absolute."""

    def get(self) -> t.Dict[str, str]:
        """Every string of the store whose name begins with a slash."""
        raise NotImplementedError

    def put(self, key: str, value: str) -> None:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def forget(self, prefix: str) -> None:
        """Remove a prefix with its history."""
        raise NotImplementedError


@dataclass
class FileHand(Hand):
    path: Path

    def get(self) -> t.Dict[str, str]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, key: str, value: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({**self.get(), key: value}))

    def delete(self, key: str) -> None:
        self.path.write_text(json.dumps({name: value for name, value in self.get().items() if name != key}))

    def forget(self, prefix: str) -> None:
        """The folder goes with the test."""


@dataclass
class RedisHand(Hand):
    node: str
    client: t.Any = field(init=False)

    def __post_init__(self) -> None:
        host, port = self.node.split(":")
        self.client = redis.Redis(host=host, port=int(port))

    def get(self) -> t.Dict[str, str]:
        names = sorted(self.client.scan_iter(match="/*"))
        return {
            name.decode(): value.decode() for name, value in zip(names, self.client.mget(names)) if value is not None
        }

    def put(self, key: str, value: str) -> None:
        self.client.set(key, value)

    def delete(self, key: str) -> None:
        self.client.delete(key)

    def forget(self, prefix: str) -> None:
        for name in [*self.client.scan_iter(match=f"{prefix}*"), *self.client.scan_iter(match=f"slipway!{prefix}!*")]:
            self.client.delete(name)


@dataclass
class EtcdHand(Hand):
    node: str

    def _call(self, method: str, **message: str) -> t.Dict[str, t.Any]:
        coded = {name: base64.b64encode(value.encode()).decode() for name, value in message.items()}
        answer = requests.post(f"http://{self.node}/v3/kv/{method}", json=coded, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def get(self) -> t.Dict[str, str]:
        pairs = self._call("range", key="/", range_end="0").get("kvs", [])
        decoded = [[base64.b64decode(pair.get(part, "")).decode() for part in ("key", "value")] for pair in pairs]
        return dict(decoded)

    def put(self, key: str, value: str) -> None:
        self._call("put", key=key, value=value)

    def delete(self, key: str) -> None:
        self._call("deleterange", key=key)

    def forget(self, prefix: str) -> None:
        for first in (prefix, f"slipway!{prefix}!"):
            self._call("deleterange", key=first, range_end=first[:-1] + chr(ord(first[-1]) + 1))


@dataclass
class Center:
    """One backend with a prefix of its own."""

    backend: str
    options: t.Dict[str, t.Any]
    hand: Hand
    prefix: str

    def config(self, check_mode: bool = False, **args: t.Any) -> Result:
        return execute(CONFD_CONFIG, {**self.options, "prefix": self.prefix, **args}, check_mode)

    def info(self, **args: t.Any) -> Result:
        return execute(CONFD_CONFIG_INFO, {**self.options, "prefix": self.prefix, **args})

    def keys(self) -> t.Dict[str, str]:
        """What is stored below the prefix, by relative key."""
        found = self.hand.get().items()
        return {key[len(self.prefix) :]: value for key, value in found if key.startswith(self.prefix + "/")}

    def put(self, key: str, value: str) -> None:
        self.hand.put(self.prefix + key, value)

    def delete(self, key: str) -> None:
        self.hand.delete(self.prefix + key)


def center(backend: str, lab: t.Mapping[str, str], folder: Path) -> Center:
    prefix = f"/cfd-{uuid.uuid4().hex[:12]}"
    if backend == "file":
        path = folder / "center" / "values.json"
        return Center(backend, {"backend": "file", "path": str(path)}, FileHand(path), prefix)
    node = lab["LAB_REDIS_TEST"] if backend == "redis" else lab["LAB_ETCD"]
    hand = RedisHand(node) if backend == "redis" else EtcdHand(node)
    return Center(backend, {"backend": backend, "nodes": [node]}, hand, prefix)


def confd(binary: str, fork: bool, found: Center, confdir: Path) -> subprocess.CompletedProcess[str]:
    """One run of the real confd over `confdir`, its keys from that centre."""
    word = {"etcd": "etcd" if fork else "etcdv3"}.get(found.backend, found.backend)
    where = {"file": ["file", found.options.get("path", "")]}.get(
        found.backend, ["node", found.options.get("nodes", [""])[0]]
    )
    options = ["onetime", "sync-only", "confdir", str(confdir), "config-file", "/nonexistent", *where]
    dash = "--" if fork else "-"
    words = [
        f"{dash}{word}" if word in ("onetime", "sync-only", "confdir", "config-file", "file", "node") else word
        for word in options
    ]
    command = [binary, word, *words] if fork else [binary, "-backend", word, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
