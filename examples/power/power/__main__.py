"""Starts the service: `python3 -m power`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import waitress

from power.app import create_app
from power.settings import SettingsError, load


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # The first process of a container has no default action for SIGTERM. waitress answers SystemExit by finishing the
    # requests that it has begun.
    sys.exit(0)


def main() -> None:
    try:
        settings = load(os.environ)
    except SettingsError as exc:
        sys.exit(f"power: ERROR: {exc}")
    signal.signal(signal.SIGTERM, _stop)
    print(f"power: version {settings.version} runs in {settings.environment} on port {settings.port}", flush=True)
    waitress.serve(create_app(settings), host="0.0.0.0", port=settings.port, threads=8, ident=None)


if __name__ == "__main__":
    main()
