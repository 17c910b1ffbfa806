# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revision of settings: a name for their content, the same in every backend, prefix and order."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import typing as t

# A revision is public (labels, ledger, output) while some of the values behind it are not. Whoever knows all the others could
# try passwords against a plain hash, millions a second; each try against this one costs about 50 ms of a core.
_ROUNDS = 100_000
_SALT = b"slipway.delivery config revision 1"
_BYTES = 16
SHORTEST = 8
_REVISION = re.compile(f"[0-9a-f]{{{SHORTEST},{2 * _BYTES}}}")


def revision(values: t.Mapping[str, str]) -> t.Optional[str]:
    """32 hexadecimal digits for relative keys and their values; None where there is no key.

    Hashed is the JSON list of [key, value] in the order of the keys, so no two contents run into each other.
    """
    if not values:
        return None
    content = json.dumps(sorted(values.items()), ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return _stretched(hashlib.sha256(content).digest())


@functools.lru_cache(maxsize=256)  # a task that is retried asks for the same content again
def _stretched(digest: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", digest, _SALT, _ROUNDS, _BYTES).hex()


def is_revision(name: str) -> bool:
    """Whether `name` can be a revision, or the beginning of one (at least 8 digits)."""
    return _REVISION.fullmatch(name) is not None
