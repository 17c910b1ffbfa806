# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the lab's facts, the collection on the path, and a table."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".work" / "collections"
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "/usr/bin/python3"), str(ROOT / "tests" / "lab")]

sys.path.insert(0, str(COLLECTIONS))


def lab() -> t.Dict[str, str]:
    """The KEY=VALUE facts of the running lab."""
    printed = subprocess.run([*LAB, "env"], check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(printed))


def call(operation: t.Any, **args: t.Any) -> t.Dict[str, t.Any]:
    """A task's result, its work done in this process as in the controller's worker; SystemExit when it fails."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
    from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context

    spec = operation.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(args)
    if validated.error_messages:
        raise SystemExit(str(validated.error_messages))
    answer: t.Dict[str, t.Any] = operation.execute(validated.validated_parameters, Context())
    if answer.get("failed"):
        raise SystemExit(answer["msg"])
    return answer


def tool(*command: str, cwd: t.Optional[Path] = None) -> None:
    """Run somebody else's program; SystemExit with its output when it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}")


class Cost(t.NamedTuple):
    """What a piece of work took: seconds by the clock, and seconds of processors for all that took part in it."""

    wall: float
    cpu: float


def cost(work: t.Callable[[], t.Any], *nodes: str) -> Cost:
    """Run it. `nodes` are the lab's whose processes work along; this process and the programs it starts count by themselves.

    On a machine that others use as well, the clock says more about them than about the work; the processors' time does not.
    """
    before = _own_cpu() + sum(_node_cpu(node) for node in nodes)
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    return Cost(wall, _own_cpu() + sum(_node_cpu(node) for node in nodes) - before)


def _own_cpu() -> float:
    return sum(os.times()[:4])


def _node_cpu(node: str) -> float:
    """Seconds of all processes in the node's network, those included that have ended and were waited for."""
    network, ticks = os.stat(f"/run/netns/{node}").st_ino, 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{entry}/ns/net").st_ino == network:
                ticks += sum(map(int, Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[11:15]))
        except OSError:
            continue  # it has ended, and its time is now its parent's
    return ticks / os.sysconf("SC_CLK_TCK")


class Rows:
    """Costs by row, and the table of ours against theirs with the bar that is wanted."""

    def __init__(self) -> None:
        self.costs: t.Dict[str, t.List[Cost]] = {}

    def add(self, name: str, taken: Cost) -> None:
        self.costs.setdefault(name, []).append(taken)

    def against(self, ours: str, theirs: str, limit: float) -> t.List[str]:
        """One line of the table: medians of both, their ratios, and what the ratio may be at most."""
        (wall, cpu), (their_wall, their_cpu) = (
            [statistics.median(part) for part in zip(*self.costs[name])] for name in (ours, theirs)
        )
        line = [f"{ours} / {theirs}", f"{wall:.3f}", f"{their_wall:.3f}", share(wall / their_wall)]
        verdict = "yes" if wall / their_wall <= limit else "no"
        return [*line, share(limit), verdict, f"{cpu:.2f}", f"{their_cpu:.2f}", share(cpu / max(their_cpu, 0.001))]


def share(ratio: float) -> str:
    return f"1/{1 / ratio:.1f}" if 0 < ratio < 1 else f"{ratio:.2f}"


HEAD = ["Slipway / against", "s", "s, theirs", "ratio", "bar", "met", "CPU s", "CPU s, theirs", "ratio"]


def how_quiet() -> str:
    """What else the machine is doing, for the reader of a table: load average of the last minute, and the number of cores."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def show(title: str, head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}")
    for line in [head, ["-" * width for width in widths], *rows]:
        first, *numbers = (cell.rjust(width) for cell, width in zip(line, widths))
        print("  " + "  ".join([first.strip().ljust(widths[0]), *numbers]))
