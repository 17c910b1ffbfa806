# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_config_info: what an environment's settings are, and how they came to be."""

from __future__ import annotations

import typing as t

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import center, history, keys
from .backends.base import Backend
from .history import Head
from .masking import Mask, SecretKeys
from .revision import is_revision, revision

SPEC = center.CENTER + Spec(
    options={
        "prefix": {"type": "str", "required": True},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "revision": {"type": "str"},
    },
)


def run(params: Params, context: Context) -> Result:
    deadline = Deadline(units.seconds(params["timeout"], "timeout"))
    if params["revision"] is not None and not is_revision(params["revision"]):
        raise ParameterError(f"revision: {params['revision']!r} is no revision: 8 to 32 hexadecimal digits.")
    with center.open_center(params, deadline) as store:
        prefix = keys.clean_prefix(params["prefix"], store.whole_store)
        snapshot = store.read(prefix)
        head = history.load_head(snapshot.head, store.where)
        content = keys.relative(prefix, snapshot.keys)
        secret = SecretKeys([*params["secret_keys"], *head.secret_keys])
        now = revision(content)
        recorded = head.entries[-1]["revision"] if head.entries else None
        risks = store.risks(prefix, snapshot)
        for risk in risks:
            context.warn(f"{store.where}: {risk}")
        return {
            "changed": False,
            "revision": now,
            "recorded_revision": recorded,
            "drifted": bool(head.entries) and now != recorded,
            "risks": risks,
            "keys": _shown(content, secret),
            "secret_keys": sorted(key for key in content if key in secret),
            "history": [history.shown(entry) for entry in reversed(head.entries)],
            "record": _record(store, prefix, head, secret, params["revision"]),
        }


def _shown(content: t.Mapping[str, str], secret: SecretKeys) -> t.Dict[str, str]:
    mask = Mask(secret, content)
    return {key: mask.value(key, value) for key, value in sorted(content.items())}


def _record(store: Backend, prefix: str, head: Head, secret: SecretKeys, name: t.Optional[str]) -> t.Optional[Result]:
    """The newest record of a revision, its secrets masked; None where none was asked for."""
    if name is None:
        return None
    record = history.recorded(store, prefix, head, name)
    masked = _shown(record["keys"], secret.together(record["secret_keys"]))
    return {**history.shown(record), "previous": record["previous"], "keys": masked}


CONFD_CONFIG_INFO = Operation(name="confd_config_info", spec=SPEC, run=run)
