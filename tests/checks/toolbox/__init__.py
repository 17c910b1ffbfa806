# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks stand on: the machine's Pythons, virtual environments, copies of the tree, and running tools.

Only the standard library, since this is what makes the environments that have more.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"  # survives `make clean`: environments, downloads, tools' own caches
WORK = ROOT / ".work"  # scratch: copies of the tree, built tarballs
COLLECTION = Path("ansible_collections", "slipway", "delivery")
