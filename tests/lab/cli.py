# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: several Docker hosts, registries, redis, etcd and an edge on one Debian machine."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Callable, Sequence

from lab import commands, faults, packages, state
from lab.proc import LabError

FAULTS: dict[str, tuple[Callable[[str], None], Callable[[], list[str]]]] = {
    "kill": (faults.kill, faults.parts),
    "stop": (faults.stop, faults.parts),
    "start": (faults.start, faults.parts),
    "freeze": (faults.freeze, faults.parts),
    "thaw": (faults.thaw, faults.parts),
    "poweroff": (faults.poweroff, faults.hosts),
    "cut": (faults.cut, faults.cables),
    "restore": (faults.restore, faults.cables),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 tests/lab", description=__doc__)
    actions = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in {**commands.CHANGING, **commands.ASKING}.items():
        actions.add_parser(name, help=command.__doc__)
    for name, (fault, takes) in FAULTS.items():
        actions.add_parser(name, help=fault.__doc__).add_argument("name", choices=takes())
    return parser


def _run(arguments: argparse.Namespace) -> int:
    """What changes the lab holds its lock; what only looks does not wait for it."""
    name = arguments.command
    packages.check_machine()
    if name in commands.ASKING:
        return commands.ASKING[name]() or 0
    with state.locked():
        if name in FAULTS:
            state.require_up()
            FAULTS[name][0](arguments.name)
        else:
            commands.CHANGING[name]()
    return 0


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit code, or 1 with one message on stderr."""
    arguments = _parser().parse_args(argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except LabError as exc:
        print(f"lab {arguments.command}: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `status | head`; Python would complain once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"lab {arguments.command}: interrupted; `up` goes on from here, `down` takes it apart", file=sys.stderr)
        return 130
