# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work on many things, a few at a time."""

from __future__ import annotations

import typing as t
from collections import deque
from concurrent.futures import ThreadPoolExecutor

PARALLEL = 4  # registries limit what one client may ask at once

Item = t.TypeVar("Item")
Answer = t.TypeVar("Answer")


def in_parallel(work: t.Callable[[Item], Answer], items: t.Sequence[Item]) -> t.List[Answer]:
    """`work` on all items, PARALLEL at a time, answers in the items' order; after the first error no new item starts."""
    if len(items) < 2:
        return [work(item) for item in items]
    answers: t.Dict[int, Answer] = {}
    waiting = deque(range(len(items)))

    def take_turns() -> None:
        try:
            while True:
                try:
                    number = waiting.popleft()
                except IndexError:
                    return
                answers[number] = work(items[number])
        except BaseException:
            waiting.clear()
            raise

    # A future for each thread, not for each item: with thousands of items that is a good part of the work.
    with ThreadPoolExecutor(min(PARALLEL, len(items))) as pool:
        turns = [pool.submit(take_turns) for _thread in range(PARALLEL)]
        try:
            for turn in turns:
                turn.result()
        except BaseException:
            waiting.clear()  # also when it is this thread that was interrupted
            raise
    return [answers[number] for number in range(len(items))]
