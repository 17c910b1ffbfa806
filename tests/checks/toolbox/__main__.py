# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 tests/checks/toolbox setup|matrix|pythons`: what the Makefile calls before any environment exists."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolbox import cores, trees, venvs
from toolbox.run import ToolFailed


def main() -> None:
    parser = argparse.ArgumentParser(prog="toolbox", description=__doc__)
    parser.add_argument("what", choices=("setup", "matrix", "pythons"))
    what = parser.parse_args().what
    try:
        if what == "setup":
            venvs.development()
            trees.link_checkout()
        elif what == "matrix":
            for core in cores.matrix():
                venvs.for_core(core)
    except ToolFailed as failure:
        raise SystemExit(str(failure)) from None
    if what != "setup":
        print(*cores.matrix(), *cores.missing_from_matrix(), sep="\n")


if __name__ == "__main__":
    main()
