# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on many things at a time: answers in order, never more at once than allowed, and an end at the first error."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.parallel import PARALLEL, in_parallel


@pytest.mark.parametrize("count", [0, 1, 2, 3, 200])
def test_answers_come_in_the_items_order(count):
    def slow_at_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert in_parallel(slow_at_first, range(count)) == [number * number for number in range(count)]


def test_as_many_at_once_as_allowed():
    lock, running, most = threading.Lock(), [0], [0]
    together = threading.Barrier(PARALLEL)

    def work(number):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        if number < PARALLEL:
            together.wait(30)  # breaks, and fails, where fewer run at a time
        with lock:
            running[0] -= 1

    in_parallel(work, range(50))
    assert most[0] == PARALLEL


def test_after_an_error_nothing_new_starts():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise KeyError(number)
        time.sleep(0.05)

    with pytest.raises(KeyError):
        in_parallel(work, range(1000))
    assert len(begun) <= 3 * PARALLEL
