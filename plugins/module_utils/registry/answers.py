# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP answers and exceptions of a registry as typed errors, each with what to do."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit

from .auth import denied_advice
from .credentials import Credentials
from .errors import (
    DeniedError,
    NotFoundError,
    RegistryError,
    UnavailableError,
    UnreachableError,
    UnsupportedError,
)

try:
    import requests
    import urllib3
except ImportError:  # reported by the Operation's `requires`
    requests = None

# What a second try may mend: crane's list, which regctl shares.
RETRY_STATUS = frozenset((408, 429, 499, 500, 502, 503, 504, 522))
ERROR_LIMIT = 64 * 1024


def display_url(url: str) -> str:
    """`url` without user, query and fragment, any of which can hold a secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def registry_words(body: bytes, content_type: str) -> t.Tuple[str, str]:
    """(code, message) of a registry's JSON error, or (empty, first line of a plain text)."""
    text = body.decode("utf-8", "replace").strip()
    try:
        errors = json.loads(text).get("errors") or []
        first = errors[0]
        messages = [str(item.get("message") or item.get("code") or "") for item in errors]
        return str(first.get("code") or ""), "; ".join(message for message in messages if message)[:500]
    except (ValueError, AttributeError, LookupError, TypeError):
        if "html" in content_type or text.startswith("<"):
            return "", ""
        return "", (text.splitlines() or [""])[0][:200]


def status_error(response: t.Any, method: str, body: bytes, credentials: Credentials, attempts: int) -> RegistryError:
    """The typed error for an answer that was not wanted."""
    url, status = display_url(response.url), response.status_code
    code, detail = registry_words(body, response.headers.get("Content-Type", ""))
    words = " ".join(part for part in (code, f"({detail})" if detail else "") if part)
    host = urlsplit(url).netloc
    tried = f" to each of {attempts} attempts" if attempts > 1 else ""
    what = f"{host} answered {method} {urlsplit(url).path} with HTTP {status}{f' {words}' if words else ''}{tried}."
    kind, advice = _classify(status, detail, credentials)
    error = kind(what, method, url, status, code, detail, advice)
    error.transient = status in RETRY_STATUS
    return error


def _classify(status: int, detail: str, credentials: Credentials) -> t.Tuple[t.Type[RegistryError], str]:
    if status in (401, 403):
        if "immutable" in detail.lower():
            return DeniedError, "The registry's rules make this tag immutable: use a new tag, or change the rule."
        return DeniedError, denied_advice(credentials)
    if status == 400 and "HTTPS server" in detail:
        return RegistryError, "This registry speaks TLS: leave insecure out."
    if status in RETRY_STATUS:
        late = status == 429
        advice = "It limits how often it may be asked: log in, or try later." if late else "Look at the registry's log."
        return UnavailableError, advice
    kinds: t.Dict[int, t.Tuple[t.Type[RegistryError], str]] = {
        404: (NotFoundError, ""),
        405: (UnsupportedError, "This registry does not allow that operation."),
        412: (DeniedError, "A rule of the registry (immutable tags, quota) forbids it."),
        413: (RegistryError, "The registry or a proxy before it limits the size of a request: raise that limit."),
    }
    return kinds.get(status, (RegistryError, ""))


def transport_error(error: Exception, method: str, url: str) -> RegistryError:
    """The typed error for a request that got no answer; `transient` where another try may mend it."""
    shown = display_url(url)
    host = urlsplit(shown).netloc
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)) or "[SSL" in text:
        return _tls_error(text, method, shown, host)
    reason, transient, advice = _reason(error, text)
    failure = UnreachableError(f"{host} could not be reached: {reason}.", method, shown, advice=advice)
    failure.transient = transient
    return failure


def _tls_error(text: str, method: str, shown: str, host: str) -> RegistryError:
    transient = False
    if "CERTIFICATE_VERIFY_FAILED" in text:
        inner = text.rsplit("certificate verify failed:", 1)[-1].split("(_ssl", 1)[0].strip(" :)'\"")
        reason = f"its certificate is not trusted ({inner})"
        advice = "Give the CA that signed it as ca_path, and use a name that stands in the certificate."
    elif "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text or "record layer failure" in text:
        reason = "it does not speak TLS"
        advice = "Set insecure: true if this registry is meant to be plain HTTP."
    elif "CERTIFICATE_REQUIRED" in text or "HANDSHAKE_FAILURE" in text or "bad certificate" in text.lower():
        reason = "it refused the TLS handshake"
        advice = "It may want a client certificate: client_cert and client_key."
    else:
        reason = f"TLS failed ({text[:200]})"
        advice = "Check ca_path, client_cert and client_key."
        transient = "EOF occurred" in text or "reset" in text.lower()
    failure = UnreachableError(f"{host} could not be talked to: {reason}.", method, shown, advice=advice)
    failure.transient = transient
    return failure


def _reason(error: Exception, text: str) -> t.Tuple[str, bool, str]:
    """(what happened, whether another try may mend it, what to do)."""
    if any(
        mark in text
        for mark in ("NameResolutionError", "name resolution", "Name or service not known", "getaddrinfo failed")
    ):
        return "its name has no address", False, "Check the registry's name and this machine's DNS."
    if isinstance(error, (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)):
        return "the proxy of the environment did not connect", True, "Check HTTPS_PROXY, and NO_PROXY."
    if type(error) in (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return "the connection timed out", True, "Check address, port and firewalls."
    if "timed out" in text:
        return "no byte came within the timeout", True, "Raise timeout if the registry is only slow."
    if "refused" in text:
        return "the connection was refused", True, "Check that the registry runs and listens on this port."
    if "No route to host" in text or "unreachable" in text.lower():
        return "there is no route to it", True, "Check the network between here and the registry."
    return f"the connection broke ({type(error).__name__})", True, "Look at the registry's log."
