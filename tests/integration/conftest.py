# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests share: the lab, up, and its facts."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from lab_command import LAB


@pytest.fixture(scope="session")
def lab() -> dict[str, str]:
    """The lab, brought up if it is not, as the KEY=VALUE facts that it prints of itself."""
    subprocess.run([*LAB, "up"], check=True)
    printed = subprocess.run([*LAB, "env"], check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(printed))


@pytest.fixture(scope="session")
def lab_confd(lab: dict[str, str]) -> str:
    """Path of a confd binary with the original command line; skips with the lab's own reason where none can be had."""
    if not lab.get("LAB_CONFD"):
        pytest.skip(f"no confd: {lab.get('LAB_CONFD_REASON', 'the lab names none')}")
    return lab["LAB_CONFD"]
