# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry can answer wrongly: every failure says what was asked, where, what came back and what to do."""

from __future__ import annotations

import typing as t

from ..common import errors as common


class RegistryError(common.SlipwayError):
    """A registry's failure.

    `method` and `url` are the request (no query, no user: both can hold secrets), `status` the HTTP status (None when
    nothing was answered), `code` and `detail` the registry's own words (`MANIFEST_UNKNOWN`, ...), `advice` what to do.
    `transient` is set where another try might have helped.
    """

    transient = False

    def __init__(
        self,
        what: str,
        method: str = "",
        url: str = "",
        status: t.Optional[int] = None,
        code: str = "",
        detail: str = "",
        advice: str = "",
    ) -> None:
        self.method, self.url, self.status, self.code, self.detail, self.advice = (
            method,
            url,
            status,
            code,
            detail,
            advice,
        )
        facts: t.Dict[str, t.Any] = {}
        if method:
            facts["request"] = {"method": method, "url": url, "status": status, "code": code, "detail": detail}
        super().__init__(" ".join(part for part in (what.strip(), advice.strip()) if part), **facts)


class NotFoundError(RegistryError):
    """404: the registry does not have this manifest, blob or repository."""


class DeniedError(RegistryError, common.DeniedError):
    """401 or 403 that no credentials at hand could turn, or credentials that must not be sent."""


class UnreachableError(RegistryError, common.UnreachableError):
    """No answer: no address, refused, reset, timed out, TLS not trusted."""


class UnavailableError(RegistryError):
    """The registry answered 429 or 5xx to every attempt."""


class UnsupportedError(RegistryError):
    """The registry does not do this (405, or a media type that Slipway refuses)."""


class IntegrityError(RegistryError):
    """Bytes that do not have the digest, size or type that was promised."""


class ConflictError(RegistryError, common.ConflictError):
    """A tag is not what the task was told it must be; nothing was overwritten."""
