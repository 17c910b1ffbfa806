# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/faults.md from a run of the tests that break things: `.venv/bin/python tests/integration/faults_table.py`.

The tests note what they did (`conftest.noted`) in the file that SLIPWAY_FAULTS names, when there is such a variable.
`--from FILE` takes the notes of a run that was made before.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
TESTS = [
    str(path.relative_to(ROOT))
    for pattern in ("test_defects*.py", "test_faults_*.py")
    for path in sorted(Path(__file__).parent.glob(pattern))
]
HEAD = """# What was broken, and what became of it

Every line is a fault that the tests inject for real in the [lab](../tests/lab/README.md): real Docker engines, a real registry, a
real config centre, `SIGKILL`, pulled cables, full disks. After each one the app serves, or one more run makes it serve; no
container is left behind, and all hosts are on one release, or the ones that could not be reached are named.

The first table is of what other deploy tools do wrong: each line names their defect, and what happens here in its place.

*Times* is how often it was injected. *Outage* is the longest time without an answer, measured by a process of its own
that asks about 60 times a second: from the first request that failed to the first that was answered again, **repair included**
(a dockerd that was killed is started again by the test, which takes it a second or two). A swap without an edge and without any
fault has an outage too: stopping the old container and starting the new one.

This page is written by the test run: `.venv/bin/python tests/integration/faults_table.py`.
"""


def table(rows: list[dict]) -> str:
    """The page: a table for each section, its faults in the order in which they were injected."""
    sections: dict[str, dict[str, list[dict]]] = {}
    for row in rows:
        sections.setdefault(row["section"], {}).setdefault(row["fault"], []).append(row)
    page = [HEAD]
    for section, faults in sections.items():
        page += [f"## {section}", "", "| Fault | Times | What happened | Outage |", "|---|---|---|---|"]
        for fault, cases in faults.items():
            times = sum(case["times"] for case in cases)
            page.append(f"| {fault} | {times} | {happened(cases)} | {outage(cases)} |")
        page.append("")
    return "\n".join(page)


def happened(cases: list[dict]) -> str:
    """What became of a fault's cases; with numbers when it was not the same of all of them."""
    counted = collections.Counter()
    for case in cases:
        counted[case["happened"]] += case["times"]
    if len(counted) == 1:
        return next(iter(counted))
    return "; ".join(f"{text} ({number})" for text, number in counted.most_common())


def outage(cases: list[dict]) -> str:
    seconds = [case["outage"] for case in cases if case["outage"] is not None]
    if not seconds:
        return "not measured"
    return f"{max(seconds):.1f} s" if max(seconds) >= 0.05 else "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="notes", help="notes of a run that was made with SLIPWAY_FAULTS=FILE")
    given = parser.parse_args().notes
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(given or f"{folder}/notes")
        if not given:
            command = [sys.executable, "-m", "pytest", "-q", *TESTS]
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, "SLIPWAY_FAULTS": str(notes)}, check=False)
            if done.returncode:
                print("the page is left as it is: a test failed", file=sys.stderr)
                return done.returncode
        rows = [json.loads(line) for line in notes.read_text().splitlines()]
    PAGE.write_text(table(rows))
    print(f"{PAGE}: {sum(row['times'] for row in rows)} faults")
    return 0


if __name__ == "__main__":
    sys.exit(main())
