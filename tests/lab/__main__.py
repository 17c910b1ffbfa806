# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 tests/lab COMMAND`: makes the package importable when its folder is run, then hands over to the command line."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab.cli import main  # noqa: E402  (the path has to be set first)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
