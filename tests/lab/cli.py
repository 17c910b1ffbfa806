# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line."""

from __future__ import annotations

import argparse
import sys
from typing import Sequence

from lab import commands
from lab.proc import LabError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 tests/lab", description=__doc__)
    actions = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (function, takes) in commands.COMMANDS.items():
        action = actions.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        if takes:
            action.add_argument("name", choices=takes())
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command; 0, or 1 with one message on stderr."""
    arguments = _parser().parse_args(argv)
    function, takes = commands.COMMANDS[arguments.command]
    try:
        if takes:
            function(arguments.name)  # type: ignore[operator]
        else:
            function()  # type: ignore[operator]
    except LabError as exc:
        print(f"lab {arguments.command}: {exc}", file=sys.stderr)
        return 1
    return 0
