# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that fail while releases change behind the edge: deploy.yml and rollback.yml under a steady load of fast and slow
requests, with keep-alive and without, with both strategies. Ends with 1 when any failed."""

from __future__ import annotations

import argparse
import tempfile
import time
import typing as t
from pathlib import Path

import bench  # puts the collection on the path

bench.sys.path.insert(0, str(bench.ROOT / "tests" / "integration"))

from edge_helper import EdgeSite  # noqa: E402
from load_helper import Load  # noqa: E402

HOSTS = {"stop_first": ["h2", "h3"], "start_first": ["h2"]}
HEAD = ["strategy", "connections", "deploys", "rollbacks", "seconds", "requests", "of them 2 s", "longest ms", "failed"]


def measured(strategy: str, options: argparse.Namespace) -> t.Tuple[t.List[t.List[str]], t.Dict[str, t.List[str]]]:
    """Rows of the table, and the reasons of what failed, for one strategy."""
    name = f"edge{strategy.partition('_')[0]}"
    with tempfile.TemporaryDirectory(prefix="slipway-edge-") as folder:
        site = EdgeSite(bench.lab(), Path(folder), name, options.port, HOSTS[strategy], strategy=strategy)
        try:
            versions = ["1.0.0", "1.1.0"]
            for version in versions:
                site.play("build", app=name, version=version)
            site.play("deploy", env="prod", app=name, version=versions[0])
            began = time.monotonic()
            with Load(site.url, rate=options.rate, slow=options.slow) as load:
                for number in range(1, options.deploys + 1):
                    changes(site.play("deploy", env="prod", app=name, version=versions[number % 2]))
                for _number in range(options.rollbacks):
                    changes(site.play("rollback", env="prod", app=name))
            took = time.monotonic() - began
        finally:
            site.clean()
    done = [strategy, str(options.deploys), str(options.rollbacks), f"{took:.0f}"]
    rows = []
    for mode, tally in load.result.items():
        missing = set(versions) - set(tally["versions"])
        assert not missing, f"{mode}: nobody asked {missing}"
        counts = [tally["requests"], tally["slow"], round(1000 * tally["longest"]), tally["failed"]]
        rows.append([done[0], mode, *done[1:], *map(str, counts)])
    return rows, load.failed


def changes(run: t.Any) -> None:
    """A run that changed nothing on a host would prove nothing."""
    hosts = {host: count for host, count in run.changed.items() if host != "localhost"}
    assert hosts, run.output
    assert all(hosts.values()), hosts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deploys", type=int, default=10)
    parser.add_argument("--rollbacks", type=int, default=2)
    parser.add_argument(
        "--rate", type=int, default=100, help="requests per second with keep-alive, and as many without"
    )
    parser.add_argument(
        "--slow", type=int, default=4, help="requests of 2 s in flight with keep-alive, and as many without"
    )
    parser.add_argument("--port", type=int, default=18098, help="of the edge, and of the hosts with stop_first")
    parser.add_argument("--strategy", choices=sorted(HOSTS), help="one of them alone")
    options = parser.parse_args()
    rows: t.List[t.List[str]] = []
    failed: t.Dict[str, t.List[str]] = {}
    for strategy in [options.strategy] if options.strategy else sorted(HOSTS):
        more, reasons = measured(strategy, options)
        rows += more
        failed.update({f"{strategy}, {mode}": lines for mode, lines in reasons.items()})
    bench.show("Requests through the edge while releases change", HEAD, rows)
    for mode, lines in failed.items():
        print(f"\n{mode}:", *lines[:20], sep="\n  ")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
