# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it answer? Short, single questions to the lab's own ports."""

from __future__ import annotations

import http.client
import socket
import ssl

_TIMEOUT = 1.0


def tcp_ok(address: str, port: int) -> bool:
    """Whether the port accepts a connection within a second."""
    try:
        with socket.create_connection((address, port), _TIMEOUT):
            return True
    except OSError:
        return False


def http_ok(address: str, port: int, path: str, *, status: int = 200, ca: str | None = None) -> bool:
    """Whether GET of the path answers with that status; by TLS verified against `ca` when one is given."""
    if ca:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address, port, timeout=_TIMEOUT, context=ssl.create_default_context(cafile=ca)
        )
    else:
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def redis_ok(address: str, port: int) -> bool:
    """Whether redis answers PING."""
    try:
        with socket.create_connection((address, port), _TIMEOUT) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
