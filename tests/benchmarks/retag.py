# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, bytes and milliseconds of a retag, of a promotion to another repository, and of doing each again."""

from __future__ import annotations

import argparse
import statistics
import time
import typing as t

import bench  # puts the collection on the path
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE

REPOSITORY = "slipway-bench"


def work(**args: t.Any) -> t.Tuple[t.Dict[str, t.Any], float]:
    """A task's result and its milliseconds; SystemExit when it fails."""
    spec = REGISTRY_IMAGE.spec
    params = (
        ArgumentSpecValidator(spec.options, **spec.rules()).validate({"insecure": True, **args}).validated_parameters
    )
    start = time.perf_counter()
    answer = REGISTRY_IMAGE.execute(params, Context())
    if answer.get("failed"):
        raise SystemExit(answer["msg"])
    return answer, 1000 * (time.perf_counter() - start)


def rounds_of(registry: str, number: int) -> t.Dict[str, t.List[t.Tuple[t.Dict[str, t.Any], float]]]:
    """Row of the table -> what each round gave. Every round uses repositories of its own."""
    measured: t.Dict[str, t.List[t.Tuple[t.Dict[str, t.Any], float]]] = {}
    for index in range(number):
        home, away = (f"{registry}/{REPOSITORY}-{index}/{name}" for name in ("here", "there"))
        steps = {
            "promotion to another repository": {"image": f"{away}:1", "source": f"{home}:1"},
            "the same again": {"image": f"{away}:1", "source": f"{home}:1"},
            "retag": {"image": f"{home}:2", "source": f"{home}:1"},
            "the same retag again": {"image": f"{home}:2", "source": f"{home}:1"},
        }
        work(image=f"{home}:1", source=f"{registry}/base/busybox:1")
        try:
            for name, args in steps.items():
                measured.setdefault(name, []).append(work(**args))
        finally:
            for image, tags in ((f"{home}:1", ["2"]), (f"{away}:1", [])):
                work(image=image, tags=tags, state="absent")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    registry = bench.lab()["LAB_REGISTRY"]
    rows = []
    for name, answers in rounds_of(registry, options.rounds).items():
        requests = sorted({answer["requests"] for answer, _ms in answers})
        moved = max(answer["bytes_transferred"] for answer, _ms in answers)
        changed = "yes" if all(answer["changed"] for answer, _ms in answers) else "no"
        times = [ms for _answer, ms in answers]
        rows.append([name, changed, "/".join(map(str, requests)), str(moved), f"{statistics.median(times):.1f}"])
    bench.show("Images in a registry", ["task", "changed", "requests", "bytes", "median ms"], rows)


if __name__ == "__main__":
    main()
