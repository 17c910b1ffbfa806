# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that both modules of the ledger share (doc fragment `ledger`), and what every text option must be like."""

from __future__ import annotations

import re
import typing as t

from ..common.errors import ParameterError
from ..common.operation import Params
from ..common.spec import Spec
from . import tables

LEDGER = Spec(options={"ledger": {"type": "str", "required": True}})

# An OCI digest: an algorithm, a colon, the encoded hash.
_DIGEST = re.compile(r"^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$")
_LENGTHS = {
    "app": tables.NAME,
    "environment_name": tables.ENVIRONMENT,
    "from_environment": tables.ENVIRONMENT,
    "version": tables.VERSION,
    "digest": tables.DIGEST,
    "image": tables.TEXT,
    "build_url": tables.TEXT,
    "config_revision": tables.DIGEST,
    "owner": tables.TEXT,
    "host": tables.HOST,
    "container_id": tables.NAME,
    "lock_owner": tables.TEXT,
}


def check_texts(params: Params) -> None:
    """ParameterError that lists every text that is blank, too long for its column, or no digest."""
    problems = [problem for name in _LENGTHS for problem in _problems(name, params.get(name))]
    if problems:
        raise ParameterError(f"{' '.join(problems)} Nothing was recorded.")


def _problems(name: str, value: t.Optional[str]) -> t.Iterator[str]:
    if value is None:
        return
    if not value.strip():
        yield f"{name}: is empty."
    elif len(value) > _LENGTHS[name]:
        yield f"{name}: has {len(value)} characters; the ledger keeps up to {_LENGTHS[name]}."
    elif name == "digest" and not _DIGEST.match(value):
        yield f"digest: {value!r} is no digest; it looks like sha256:<64 hexadecimal digits>."
