# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker-py's and requests' exceptions as our errors, each naming the engine and what was tried."""

from __future__ import annotations

import contextlib
import ssl
import sys
import typing as t

from ..common.errors import (
    ConflictError,
    DeniedError,
    MissingLibraryError,
    ParameterError,
    SlipwayError,
    UnreachableError,
)

try:
    import requests

    from .docker_py import APIError, DockerException, InvalidVersion, TLSParameterError
except ImportError:  # Operation.requires reports it
    requests = None


class NotFoundError(SlipwayError):
    """The engine answered 404: no such container, image or network."""


# Our own words for a connection that ends before the first answer.
HANDSHAKE_BROKEN_OFF = "SSL: broken off before the first answer"

# What the daemon says when the two ends disagree on TLS, and what to do about it.
_TLS_HINTS = (
    ("client sent an http request to an https server", "The engine speaks TLS: set tls, with ca_path and client_cert."),
    ("wrong version number", "The engine does not speak TLS on this port: use the TLS port, or unset tls."),
    ("record layer failure", "The engine does not speak TLS on this port: use the TLS port, or unset tls."),
    (
        "certificate verify failed",
        "The engine's certificate is not trusted: set ca_path to the CA that signed it, or tls_hostname to the name in it.",
    ),
    ("hostname", "The engine's certificate is for another name: set tls_hostname to the name in it."),
    (
        HANDSHAKE_BROKEN_OFF.lower(),
        "The engine broke off the TLS handshake, as one does that refused our certificate: set client_cert "
        "and client_key to a pair that its CA signed.",
    ),
    ("alert", "The engine refused our certificate: set client_cert and client_key to a pair that its CA signed."),
)
_TLS_MARKS = ("[ssl", "ssl:", "certificate", "tlsv1", "an https server")


@contextlib.contextmanager
def translated(host: str, what: str) -> t.Iterator[None]:
    """Run the body; what docker-py raises in it comes out as a SlipwayError that says `what` was tried on `host`."""
    try:
        yield
    except SlipwayError:
        raise
    except Exception as error:
        foreseen = fault(error, host, what)
        if foreseen is None:
            raise
        raise foreseen from error


def fault(error: Exception, host: str, what: str) -> t.Optional[SlipwayError]:
    """The typed error for what docker-py raised, or None for an exception that is nobody's but our own mistake."""
    prefix = f"{host}: {what}: "
    if isinstance(error, APIError):
        return api_fault(error, prefix)
    if isinstance(error, (TLSParameterError, InvalidVersion)):
        return ParameterError(prefix + str(error))
    if isinstance(error, ImportError):  # docker_py has paramiko loaded when it is used
        return MissingLibraryError(
            f"{prefix}{error}. An ssh:// address needs a paramiko that {sys.executable} can load."
        )
    if isinstance(error, requests.exceptions.Timeout):
        return UnreachableError(prefix + _timeout_text(error))
    if isinstance(error, (requests.exceptions.RequestException, DockerException, OSError)) or _is_ssh(error):
        return UnreachableError(prefix + _network_text(error))
    return None


def api_fault(error: APIError, prefix: str) -> SlipwayError:
    """An answer of the daemon that is an error: its own message, and our type for its status."""
    status = error.status_code or 0
    said = str(error.explanation or error).strip()
    text = f"{prefix}{said} (HTTP {status})."
    hint = _hint(said.lower())
    if hint:
        return UnreachableError(f"{text} {hint}")
    kinds: t.Dict[int, t.Type[SlipwayError]] = {
        404: NotFoundError,
        409: ConflictError,
        401: DeniedError,
        403: DeniedError,
    }
    return kinds.get(status, SlipwayError)(text)


def _timeout_text(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time. Is the host up, and docker_host right?"
    return "the engine did not answer in time; what it was asked to do may still go on."


def _network_text(error: Exception) -> str:
    cause = _deepest(error)
    said = str(cause).strip() or type(cause).__name__
    chain = " ".join(str(link) for link in _chain(error)).lower()
    if isinstance(cause, FileNotFoundError):
        return f"{said}. No engine listens on this socket: is Docker running there, and docker_host right?"
    if isinstance(cause, PermissionError):
        return f"{said}. This user may not use the socket: run as root or as a member of its group."
    if any(mark in chain for mark in _TLS_MARKS):
        return f"{said}. {_hint(chain) or 'TLS failed.'}"
    return f"{said}. Is the engine running there, and docker_host right?"


def broken_off(error: Exception) -> bool:
    """True when the other end hung up, rather than saying what it does not like."""
    links = _chain(error)
    refused = any(isinstance(link, ConnectionRefusedError) for link in links)
    ended = any(isinstance(link, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)) for link in links)
    return ended and not refused


def _hint(text: str) -> str:
    if not any(mark in text for mark in _TLS_MARKS):
        return ""
    return next((hint for mark, hint in _TLS_HINTS if mark in text), "")


def _is_ssh(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] == "paramiko"


def _chain(error: BaseException) -> t.List[BaseException]:
    """The error and what caused it, outermost first; urllib3 hides causes in `reason` and in the arguments."""
    links: t.List[BaseException] = []
    pending: t.List[t.Any] = [error]
    while pending:
        link = pending.pop(0)
        if not isinstance(link, BaseException) or link in links:
            continue
        links.append(link)
        pending += [getattr(link, "reason", None), link.__cause__, link.__context__, *link.args]
    return links


def _deepest(error: BaseException) -> BaseException:
    """The operating system's or the TLS library's own error where there is one, else the innermost cause."""
    links = _chain(error)
    system = [link for link in links if isinstance(link, OSError) and not isinstance(link, requests.RequestException)]
    return system[-1] if system else links[-1]
