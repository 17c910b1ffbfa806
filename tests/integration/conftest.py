# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests share: the lab, up, and its facts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from lab_command import LAB, layout


@pytest.fixture(scope="session")
def lab() -> Iterator[dict[str, str]]:
    """The lab, brought up if it is not, as the KEY=VALUE facts that it prints of itself.

    The first lab stays up for the next run; another one that was brought up for this run goes down with it.
    """
    found_up = layout.RUN.exists()
    subprocess.run([*LAB, "up"], check=True)
    printed = subprocess.run([*LAB, "env"], check=True, capture_output=True, text=True).stdout
    yield dict(word.split("=", 1) for word in shlex.split(printed))
    if layout.NUMBER > 1 and not found_up:
        subprocess.run([*LAB, "down"], check=True)


@pytest.fixture(scope="session")
def lab_confd(lab: dict[str, str]) -> str:
    """Path of a confd binary with the original command line; skips with the lab's own reason where none can be had."""
    if not lab.get("LAB_CONFD"):
        pytest.skip(f"no confd: {lab.get('LAB_CONFD_REASON', 'the lab names none')}")
    return lab["LAB_CONFD"]


@pytest.fixture
def noted():
    """`noted(section, fault, happened, outage, times)`: a line for docs/faults.md, which faults_table.py makes of them.

    Called at a test's end, when it holds. `outage` in seconds as a Prober saw it, None where nothing was watched.
    """

    def note(section: str, fault: str, happened: str, outage: float | None = None, times: int = 1) -> None:
        row = {"section": section, "fault": fault, "happened": happened, "outage": outage, "times": times}
        if "SLIPWAY_FAULTS" in os.environ:
            with open(os.environ["SLIPWAY_FAULTS"], "a", encoding="utf-8") as notes:
                notes.write(json.dumps(row) + "\n")

    return note


@pytest.fixture(scope="session")
def fault_site(lab: dict[str, str], lab_confd: str, tmp_path_factory: pytest.TempPathFactory):
    """A site on h1 and h2 (h4 joins later) with versions 1.0.0, which runs with the greeting `one`, and 1.1.0."""
    from fault_site import FaultSite

    site = FaultSite(tmp_path_factory.mktemp("faults"), "faults", 18210, lab_confd, ["h1", "h2"])
    try:
        site.greet("one")
        site.play("build", app=site.name, version="1.0.0")
        site.play("build", app=site.name, version="1.1.0")
        site.deploy("1.0.0")
        site.stands(None)
        yield site
    finally:
        site.close()


@pytest.fixture(scope="session")
def edge_site(lab: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    """A site behind the lab's nginx, on h3 and h5, with versions 1.0.0, which runs, and 1.1.0; new containers start first."""
    from edge_helper import EdgeSite
    from fault_site import Breakable

    class Site(Breakable, EdgeSite):
        pass

    site = Site(lab, tmp_path_factory.mktemp("edge"), "edgefaults", 18301, ["h3", "h5"], strategy="start_first")
    try:
        site.play("build", app=site.name, version="1.0.0")
        site.play("build", app=site.name, version="1.1.0")
        site.play("deploy", env="prod", app=site.name, version="1.0.0")
        yield site
    finally:
        site.clean()
