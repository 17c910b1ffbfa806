# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health gate: what has to be true of a container before it counts as serving. Pure but for the calls it is given.

A gate is N rounds in a row in which the container runs, is not restarted and every probe succeeds, within a deadline;
then a soak in which it keeps running, and one more round. Without any probe and without a HEALTHCHECK the gate is the
soak alone.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, SlipwayError
from .actual import Container


@dataclass(frozen=True)
class HttpCheck:
    port: int
    path: str = "/"
    scheme: str = "http"
    validate_certs: bool = True
    headers: t.Tuple[t.Tuple[str, str], ...] = ()
    status: t.Tuple[int, ...] = (200,)
    body: str = ""


@dataclass(frozen=True)
class GateSpec:
    """The `gate` option, durations in seconds. `docker` None: the HEALTHCHECK counts if there is one."""

    http: t.Optional[HttpCheck] = None
    tcp_port: t.Optional[int] = None
    command: t.Tuple[str, ...] = ()
    docker: t.Optional[bool] = None
    address: str = ""
    interval: float = 1.0
    timeout: float = 5.0
    successes: int = 3
    deadline: float = 60.0
    soak: float = 5.0

    @property
    def ports(self) -> t.Dict[str, int]:
        """The container's ports that are probed over the network, by the option that names them."""
        found = {"gate.http.port": self.http.port if self.http else None, "gate.tcp.port": self.tcp_port}
        return {option: port for option, port in found.items() if port is not None}

    def of_any_release(self) -> GateSpec:
        """The same gate without what only the new release can satisfy: the body's text and the command."""
        return replace(self, http=replace(self.http, body="") if self.http else None, command=(), docker=None)

    def text(self, container: Container) -> str:
        """What this gate asks of this container, for the result and for messages."""
        checks = []
        if self.http:
            wanted = " or ".join(str(status) for status in self.http.status)
            body = f" and {self.http.body!r} in the body" if self.http.body else ""
            checks.append(f"{self.http.scheme} :{self.http.port}{self.http.path} answers {wanted}{body}")
        if self.tcp_port is not None:
            checks.append(f"tcp :{self.tcp_port} accepts")
        if self.command:
            checks.append(f"{self.command[0]} exits with 0")
        if self.uses_health(container):
            checks.append("HEALTHCHECK says healthy")
        if not checks:
            return f"running for {self.soak:g}s without a restart (no probe is configured, and no HEALTHCHECK)"
        return f"{', '.join(checks)}; {self.successes} in a row, then {self.soak:g}s without a restart"

    def uses_health(self, container: Container) -> bool:
        return container.has_healthcheck if self.docker is None else self.docker


@dataclass(frozen=True)
class ProbeResult:
    """One answer of one probe. `probe` says what was asked of whom, `said` what came back and what was wanted."""

    ok: bool
    probe: str
    said: str
    status: t.Optional[int] = None
    body: str = ""


Probe = t.Callable[[float], ProbeResult]  # takes its time limit in seconds


class GateError(SlipwayError):
    """The gate was not passed. `last` is the probe that decided it, `container` the container as it was then."""

    def __init__(self, msg: str, last: ProbeResult, container: t.Optional[Container] = None) -> None:
        super().__init__(msg)
        self.last = last
        self.container = container


class GateDeadlineError(GateError, DeadlineError):
    """The gate's deadline came first."""


@dataclass(frozen=True)
class Passed:
    """How the gate was passed: rounds tried, and the clock's time of the first round of the winning streak."""

    rounds: int
    serving_since: float


class Gate:
    """One run of a gate. `look` inspects the container; `probes` ask it; the clock and the sleep can be replaced."""

    def __init__(
        self,
        spec: GateSpec,
        look: t.Callable[[], t.Optional[Container]],
        probes: t.Sequence[Probe],
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.spec = spec
        self._look = look
        self._probes = probes
        self._clock = clock
        self._sleep = sleep
        self._first: t.Optional[Container] = None

    def run(self) -> Passed:
        """Wait until the rounds in a row are reached. Raises GateError: at once when the container is gone, exited or
        was restarted, and by the deadline otherwise."""
        deadline = Deadline(self.spec.deadline, self._clock)
        rounds = streak = 0
        since = self._clock()
        result: t.Optional[ProbeResult] = None
        while True:
            rounds += 1
            before = result
            asked = self._clock()
            patience = min(self.spec.timeout, max(deadline.remaining(), 0.1))
            result, decides = self._round(patience)
            since = asked if streak == 0 else since
            streak = streak + 1 if result.ok else 0
            if streak >= self.spec.successes or (result.ok and not decides):
                return Passed(rounds, since)
            if deadline.expired():
                raise self._late(_told(result, before, patience < self.spec.timeout), rounds, streak)
            self._sleep(min(self.spec.interval, deadline.remaining()))

    def soak(self) -> None:
        """Watch for `soak` seconds that it keeps running, then ask every probe once more. Raises GateError."""
        deadline = Deadline(self.spec.soak, self._clock)
        while not deadline.expired():
            self._watch()
            self._sleep(min(max(self.spec.interval, 0.1), deadline.remaining()))
        result, _rest = self._round(self.spec.timeout)
        if not result.ok:
            raise GateError(f"after {self.spec.soak:g}s of soak, {result.probe}: {result.said}", result, self._look())

    def _round(self, timeout: float) -> t.Tuple[ProbeResult, bool]:
        """One round's first failure, or its last success; and whether anything was asked beyond "is it running"."""
        container = self._watch()
        result = ProbeResult(True, "state", "running")
        decides = bool(self._probes)
        if self.spec.uses_health(container):
            decides = True
            result = health(container)
        for probe in self._probes:
            if result.ok:
                result = probe(timeout)
        return result, decides

    def _watch(self) -> Container:
        container = self._look()
        if container is None:
            result = ProbeResult(False, "state", "the container is gone")
            raise GateError(result.said, result)
        first = self._first or container
        self._first = first
        said = _stopped(container) or _restarted(first, container)
        if said:
            raise GateError(said, ProbeResult(False, "state", said), container)
        return container

    def _late(self, result: ProbeResult, rounds: int, streak: int) -> GateDeadlineError:
        if result.ok:
            said = f"only {streak} of {self.spec.successes} successes in a row"
        else:
            said = f"{result.probe}: {result.said}"
        text = f"{said}; {rounds} rounds in {self.spec.deadline:g}s"
        return GateDeadlineError(text, replace(result, said=said, ok=False), self._look())


def _told(last: ProbeResult, before: t.Optional[ProbeResult], hurried: bool) -> ProbeResult:
    """What to tell of the last round and the one before it, which failed alike: a hurried one may have heard less, or nothing."""
    if before is None or before.ok or last.body or last.probe != before.probe:
        return last
    if last.status == before.status:
        return replace(last, body=before.body)
    return before if hurried and last.status is None else last


def health(container: Container) -> ProbeResult:
    """What the container's HEALTHCHECK says, with the output of its last run."""
    runs = (container.state.get("Health") or {}).get("Log") or []
    last = runs[-1] if runs else {}
    said = container.health or "no HEALTHCHECK in the image or the options"
    return ProbeResult(
        container.health == "healthy", "HEALTHCHECK", said, last.get("ExitCode"), str(last.get("Output") or "").strip()
    )


def _stopped(container: Container) -> str:
    if container.running:
        return ""
    state = container.state
    killed = ", killed for want of memory" if state.get("OOMKilled") else ""
    error = f": {state['Error']}" if state.get("Error") else ""
    return f"the container is {state['Status']}, exit code {state.get('ExitCode')}{killed}{error}"


def _restarted(first: Container, now: Container) -> str:
    count = int(now.attrs.get("RestartCount") or 0) - int(first.attrs.get("RestartCount") or 0)
    if count > 0 or first.state.get("StartedAt") != now.state.get("StartedAt"):
        return f"the container was restarted while it was watched ({max(count, 1)} times)"
    return ""
