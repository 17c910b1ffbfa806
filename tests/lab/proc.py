# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that end and daemons that stay: run, start, find again, kill, wait until ready."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

from lab import cgroups
from lab.layout import LOGS, RUN

Probe = Callable[[], bool]
_FOR_ALL = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT)
_STARTED = time.monotonic()


class LabError(Exception):
    """The lab cannot do what was asked; the message says what, why and what to do."""


def say(text: str) -> None:
    """One progress line with the seconds since the command began."""
    print(f"[{time.monotonic() - _STARTED:6.1f}s] {text}", file=sys.stderr, flush=True)


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float = 60,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command, return its stdout; LabError with its stderr when it fails or takes longer than `timeout` seconds."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env, check=False
        )
    except OSError as exc:
        raise LabError(f"{argv[0]} cannot be run: {exc}") from exc
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"`{' '.join(argv)}` did not end within {timeout:.0f} s") from exc
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(argv)}` failed (rc {done.returncode}): {said}")
    return done.stdout


def _born(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def child_of(parent: int) -> int | None:
    """A process whose parent is `parent`, or None."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == parent:
                return int(entry.name)
    return None


class Daemon:
    """A process of the lab, known by name; its pid and start time are kept under RUN, so a recycled pid is never mistaken for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = LOGS / f"{name}.log"
        self._record = RUN / "pids" / f"{name}.json"

    @property
    def pid(self) -> int | None:
        """Its process id while it lives, else None."""
        try:
            record = json.loads(self._record.read_text())
        except FileNotFoundError:
            return None
        return record["pid"] if _born(record["pid"]) == record["born"] else None

    def start(self, argv: Sequence[str]) -> None:
        """Start it in a session and a control group of its own; its output goes to its log."""
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=cgroups.joiner("daemons"),
            )
        self._record.write_text(json.dumps({"pid": process.pid, "born": _born(process.pid), "argv": list(argv)}))

    def signal(self, number: int, *, inner: bool = False) -> None:
        """Send a signal; with `inner` to the process that nsenter started in another pid namespace and waits for.

        What no process can handle goes to all of its group: a dead nginx leaves no workers that serve, and nsenter, which
        stops itself together with its child, goes on with it.
        """
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it may end between the look and the kill
            if number in _FOR_ALL:
                os.killpg(pid, number)
            else:
                os.kill((child_of(pid) if inner else None) or pid, number)

    def stop(self, *, grace: float = 5, inner: bool = False) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds (0: at once); returns when it is gone."""
        if grace:
            self.signal(signal.SIGTERM, inner=inner)
            wait_until(lambda: self.pid is None, grace)
        self.signal(signal.SIGKILL)
        if not wait_until(lambda: self.pid is None, 10):
            raise LabError(f"{self.name} (pid {self.pid}) does not die")
        self._record.unlink(missing_ok=True)

    def last_words(self, lines: int = 8) -> str:
        """The end of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def wait_until(probe: Probe, seconds: float) -> bool:
    """Poll `probe` until it is true or `seconds` are over; says which."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def wait_ready(probes: Mapping[str, Probe], seconds: float) -> None:
    """Wait until every daemon (by name) answers its probe; LabError with its log as soon as one dies, or at the deadline."""
    waiting = dict(probes)
    deadline = time.monotonic() + seconds
    while waiting:
        for name, probe in list(waiting.items()):
            if probe():
                del waiting[name]
            elif Daemon(name).pid is None:
                raise LabError(
                    f"{name} ended while starting; the end of {Daemon(name).log}:\n{Daemon(name).last_words()}"
                )
        if waiting and time.monotonic() >= deadline:
            reports = [f"{name} ({Daemon(name).log}):\n{Daemon(name).last_words()}" for name in waiting]
            raise LabError(f"not ready after {seconds:.0f} s: " + "\n".join(reports))
        time.sleep(0.1)
