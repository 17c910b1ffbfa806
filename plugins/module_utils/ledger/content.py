# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a row holds: JSON in one spelling, the hash of a release's content, and texts without credentials."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

_WEB_USER = re.compile(r"\b(https?://)[^/\s@]+@", re.IGNORECASE)
_PASSWORD = re.compile(r"\b([a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@", re.IGNORECASE)


def dump(value: t.Any) -> t.Optional[str]:
    """JSON text of one spelling (sorted keys, no blanks); None stays None."""
    if value is None:
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def load(text: t.Optional[str]) -> t.Any:
    """What `dump` wrote."""
    return None if text is None else json.loads(text)


def content_hash(digest: str, config_revision: t.Optional[str], run_spec: t.Mapping[str, t.Any]) -> str:
    """`sha256:<hex>` of a release's content: two releases with the same hash run the same, settings included."""
    text = dump([digest, config_revision or "", dict(run_spec)]) or ""
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def scrubbed(value: t.Any) -> t.Any:
    """`value` without the credentials of the URLs in it: CI servers hand out addresses that carry tokens.

    Web addresses lose everything before the `@`, others (`ssh://git@host`) only a password.
    """
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1@", _WEB_USER.sub(r"\1", value))
    if isinstance(value, dict):
        return {key: scrubbed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(item) for item in value]
    return value
