# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an app over and over until its standard input is closed: one line for each request, `<when it was asked> <answered>`.

A process of its own, so that it sees what a user sees, whatever the test is doing. The clock is the system's monotonic one.
"""

from __future__ import annotations

import select
import socket
import sys
import time

PACE = 0.015  # seconds between two requests
PATIENCE = 1.0  # seconds that a user waits


def answered(address: tuple[str, int], path: str) -> bool:
    """Whether a GET of the path is answered with 200."""
    try:
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def main(host: str, port: str, path: str) -> None:
    while not select.select([sys.stdin], [], [], PACE)[0]:
        asked = time.monotonic()
        print(f"{asked:.3f} {int(answered((host, int(port)), path))}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
