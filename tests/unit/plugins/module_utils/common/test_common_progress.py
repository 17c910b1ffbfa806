# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines about long work: when they come, and what they say."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.progress import Progress, ProgressFile, amount


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(clock, lines):
    return Progress(lines.append, every=5, clock=clock)


def test_quick_work_says_nothing(progress, clock, lines):
    clock.now += 100  # whatever was before the work does not count
    with progress.meter("push x:1", 100) as meter:
        for _round in range(4):
            clock.now += 1
            meter.add(25)
    assert lines == []


def test_one_line_in_every_interval_and_a_last_one(progress, clock, lines):
    with progress.meter("push x:1", 200_000_000) as meter:
        for _round in range(20):
            clock.now += 1
            meter.add(10_000_000)
    assert lines == [
        "push x:1: 25 % of 200.0 MB",
        "push x:1: 50 % of 200.0 MB",
        "push x:1: 75 % of 200.0 MB",
        "push x:1: 100 % of 200.0 MB",
        "push x:1: done, 200.0 MB in 20 s, 10.0 MB/s",
    ]


def test_what_goes_on_at_once_shares_a_line(progress, clock, lines):
    with progress.meter("build x:1", 100) as build, progress.meter("push x:1") as push:
        build.add(50)
        push.expect(1000)
        clock.now += 5
        push.add(10)
    assert lines[0] == "build x:1: 50 % of 100 B; push x:1: 1 % of 1.0 kB"


def test_notes_and_unknown_totals(progress, clock, lines):
    with progress.meter("build x:1") as meter:
        for step in range(2):
            clock.now += 5
            meter.note(f"step {step + 1}/2, RUN make")
        meter.note("")
        clock.now += 5
        meter.set(1500, 0)
    assert lines == [
        "build x:1: step 1/2, RUN make",
        "build x:1: step 2/2, RUN make",
        "build x:1: 1.5 kB",
        "build x:1: done, 1.5 kB in 15 s, 100 B/s",
    ]


def test_what_is_sent_again_is_never_more_than_all(progress, clock, lines):
    with progress.meter("push x:1", 100) as meter:
        meter.add(90)
        clock.now += 5
        meter.add(100)
    assert lines[0] == "push x:1: 100 % of 100 B"


def test_work_that_fails_says_nothing_more(progress, clock, lines):
    with pytest.raises(ValueError, match="broken"), progress.meter("push x:1", 100) as meter:
        clock.now += 5
        meter.add(10)
        raise ValueError("broken")
    assert lines == ["push x:1: 10 % of 100 B"]


def test_threads_lose_no_byte(lines):
    progress = Progress(lines.append, every=0)
    with progress.meter("push x:1", 8000) as meter, ThreadPoolExecutor(8) as pool:
        for _thread in range(8):
            pool.submit(lambda: [meter.add(1) for _byte in range(1000)])
    assert meter.done == 8000
    percents = [int(line.split()[2]) for line in lines[:-1]]
    assert percents == sorted(percents)
    assert percents[-1] == 100


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_amount(count, text):
    assert amount(count) == text


# -- the file of a module process ---------------------------------------------------------------------------------------


def work(file, clock):
    file.progress._clock, file.progress._every = clock, 5
    with file.progress.meter("pull x:1", 100) as meter:
        clock.now += 5
        meter.add(30)
        clock.now += 5
        meter.add(30)


def test_a_module_writes_censored_lines_and_removes_the_file(tmp_path, clock):
    path = tmp_path / "lines"
    with ProgressFile(str(path), lambda line: line.replace("x:1", "********")) as file:
        assert not path.exists()
        work(file, clock)
        assert path.read_text().splitlines()[:2] == ["pull ********: 30 % of 100 B", "pull ********: 60 % of 100 B"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_without_a_path_there_is_no_file(tmp_path, clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ProgressFile(None, str) as file:
        work(file, clock)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("there", ["file", "link"])
def test_what_somebody_else_put_there_is_left_alone(tmp_path, clock, there):
    path, victim = tmp_path / "lines", tmp_path / "victim"
    victim.write_text("mine")
    if there == "file":
        path.write_text("mine")
    else:
        path.symlink_to(victim)
    with ProgressFile(str(path), str) as file:
        work(file, clock)
    assert path.read_text() == victim.read_text() == "mine"
