"""Exits 0 if the service in this container answers: `python3 -m power.healthcheck`."""

from __future__ import annotations

import http.client
import os
import sys

from power.settings import load


def check(port: int, timeout: float = 2.0) -> str:
    """What is wrong with the service on this port of the loopback interface, or "" when it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as exc:
        return f"no answer from port {port}: {exc}"
    finally:
        connection.close()
    return "" if status == 200 else f"/health answered {status}"


if __name__ == "__main__":
    sys.exit(check(load(os.environ).port) or None)
