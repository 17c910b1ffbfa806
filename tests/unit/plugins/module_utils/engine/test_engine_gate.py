# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate counts as it says, by a clock that the test moves."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import DeadlineError
from ansible_collections.slipway.delivery.plugins.module_utils.engine.actual import Container
from ansible_collections.slipway.delivery.plugins.module_utils.engine.gate import (
    Gate,
    GateDeadlineError,
    GateError,
    GateSpec,
    HttpCheck,
    ProbeResult,
)
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """Time that passes only by sleeping, and by what a probe takes."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += max(seconds, 0.001)


def container(status="running", health=None, started="t0", restarts=0, check=False, **state):
    running = status in ("running", "restarting", "paused")
    return Container(
        {
            "Id": "c" * 64,
            "Name": "/webapi",
            "RestartCount": restarts,
            "State": {
                "Status": status,
                "Running": running,
                "Restarting": status == "restarting",
                "StartedAt": started,
                "ExitCode": 0,
                **({"Health": {"Status": health, "Log": [{"ExitCode": 1, "Output": "no db\n"}]}} if health else {}),
                **state,
            },
            "Config": {"Labels": {}, "Healthcheck": {"Test": ["CMD", "x"]} if check or health else None},
        }
    )


def probe(answers, clock, takes=0.0):
    """A probe that answers as `answers` say, and with the last of them for ever."""
    left = list(answers)

    def ask(_timeout):
        clock.now += takes
        ok = left.pop(0) if len(left) > 1 else left[0]
        return ProbeResult(ok, "http GET /", "answered 200" if ok else "answered 503", 200 if ok else 503, "body")

    return ask


def gate(spec, clock, answers=(True,), containers=(None,), takes=0.0, probes=True):
    left = [container() if c is None else c for c in containers]
    return Gate(
        spec,
        lambda: left.pop(0) if len(left) > 1 else left[0],
        [probe(answers, clock, takes)] if probes else [],
        clock,
        clock.sleep,
    )


def test_successes_in_a_row():
    clock = Clock()
    passed = gate(GateSpec(successes=3), clock, [False, True, True, False, True, True, True]).run()
    assert passed.rounds == 7
    assert clock.now == 1006.0
    assert passed.serving_since == 1004.0  # the first round of the streak that counted


def test_deadline_names_the_last_answer():
    clock = Clock()
    with pytest.raises(GateDeadlineError, match=r"http GET /: answered 503; 11 rounds in 10s") as raised:
        gate(GateSpec(deadline=10), clock, [False]).run()
    assert clock.now == pytest.approx(1010.0, abs=0.01)
    assert raised.value.last.status == 503
    assert raised.value.last.body == "body"
    assert isinstance(raised.value, DeadlineError)


@pytest.mark.parametrize(
    ("patience", "status", "said"),
    [
        (5.0, 9, "exit code 9; 2 rounds in 2s"),  # cut short by the deadline: the round before it heard more
        (0.5, None, "did not end within 0.5s; 2 rounds in 2s"),  # it had all its time
    ],
)
def test_deadline_tells_what_a_hurried_last_round_did_not_hear(patience, status, said):
    clock = Clock()
    answers = [
        ProbeResult(False, "exec sh", "exit code 9", 9, "not yet"),
        ProbeResult(False, "exec sh", f"did not end within {patience:g}s", None, ""),
    ]

    def ask(_timeout):
        clock.now += 0.7
        return answers.pop(0)

    spec = GateSpec(deadline=2, interval=0.7, timeout=patience)
    with pytest.raises(GateDeadlineError) as raised:
        Gate(spec, container, [ask], clock, clock.sleep).run()
    assert (raised.value.last.status, raised.value.msg) == (status, f"exec sh: {said}")


def test_deadline_with_too_few_successes():
    clock = Clock()
    with pytest.raises(GateDeadlineError, match="only 2 of 3 successes in a row") as raised:
        gate(GateSpec(deadline=2, interval=1, successes=3), clock, [False, True, True, False], takes=0.01).run()
    assert raised.value.last.ok is False


def test_a_slow_probe_cannot_outlive_the_deadline_by_more_than_itself():
    clock = Clock()
    with pytest.raises(GateDeadlineError):
        gate(GateSpec(deadline=10, timeout=5), clock, [False], takes=4.0).run()
    assert clock.now <= 1010 + 4.0


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(1, 30))
def test_passes_exactly_when_the_row_comes_in_time(answers, successes, deadline):
    clock = Clock()
    spec = GateSpec(successes=successes, deadline=deadline, interval=1)
    asked = [*answers, False][: deadline + 1]
    row = "".join("x" if ok else "." for ok in asked)
    try:
        passed = gate(spec, clock, [*answers, False]).run()
    except GateDeadlineError:
        assert "x" * successes not in row[:deadline]
    else:
        end = row.index("x" * successes) + successes
        assert passed.rounds == end


def test_an_exited_container_fails_at_once():
    clock = Clock()
    stopped = container("exited", ExitCode=137, OOMKilled=True)
    with pytest.raises(GateError, match="exited, exit code 137, killed for want of memory") as raised:
        gate(GateSpec(), clock, [False], [None, stopped]).run()
    assert clock.now == 1001.0
    assert raised.value.container is stopped


@pytest.mark.parametrize("again", [container(started="t1"), container(restarts=1)])
def test_a_restart_fails_at_once(again):
    with pytest.raises(GateError, match="was restarted while it was watched"):
        gate(GateSpec(), Clock(), [True], [None, again]).run()


def test_earlier_restarts_do_not_count():
    assert gate(GateSpec(), Clock(), containers=[container(restarts=7)]).run().rounds == 3


def test_a_container_that_is_gone():
    clock = Clock()
    with pytest.raises(GateError, match="the container is gone"):
        Gate(GateSpec(), lambda: None, [], clock, clock.sleep).run()


def test_health_counts_if_there_is_one():
    clock = Clock()
    states = [container(health="starting"), container(health="unhealthy"), container(health="healthy")]
    assert gate(GateSpec(successes=1), clock, containers=states, probes=False).run().rounds == 3


def test_health_does_not_count_when_it_is_switched_off():
    spec = GateSpec(successes=1, docker=False)
    assert gate(spec, Clock(), containers=[container(health="unhealthy")], probes=False).run().rounds == 1


def test_unhealthy_until_the_deadline_tells_the_check_s_output():
    with pytest.raises(GateDeadlineError) as raised:
        gate(GateSpec(deadline=3), Clock(), containers=[container(health="unhealthy")], probes=False).run()
    assert (raised.value.last.probe, raised.value.last.body) == ("HEALTHCHECK", "no db")


def test_without_probe_and_health_the_soak_is_the_gate():
    clock = Clock()
    spec = GateSpec(soak=5)
    found = gate(spec, clock, probes=False)
    assert found.run().rounds == 1
    found.soak()
    assert clock.now == pytest.approx(1005.0, abs=0.01)
    assert spec.text(container()) == "running for 5s without a restart (no probe is configured, and no HEALTHCHECK)"


def test_soak_sees_a_crash():
    clock = Clock()
    found = gate(GateSpec(soak=5, successes=1), clock, containers=[None, None, None, container("exited")])
    found.run()
    with pytest.raises(GateError, match="exited"):
        found.soak()
    assert clock.now < 1004


def test_soak_asks_once_more_at_its_end():
    clock = Clock()
    found = gate(GateSpec(soak=2, successes=1), clock, [True, False])
    found.run()
    with pytest.raises(GateError, match="after 2s of soak, http GET /: answered 503"):
        found.soak()


def test_the_later_probe_is_not_asked_when_an_earlier_one_fails():
    clock = Clock()
    asked = []

    def second(_timeout):
        asked.append(1)
        return ProbeResult(True, "tcp", "accepted")

    spec = GateSpec(successes=1)
    assert Gate(spec, container, [probe([False, True], clock), second], clock, clock.sleep).run().rounds == 2
    assert len(asked) == 1


def test_text_says_what_is_asked():
    spec = GateSpec(http=HttpCheck(8080, "/health", body="1.4"), tcp_port=9000, command=("check", "--all"), successes=2)
    assert spec.text(container(check=True)) == (
        "http :8080/health answers 200 and '1.4' in the body, tcp :9000 accepts, check exits with 0, "
        "HEALTHCHECK says healthy; 2 in a row, then 5s without a restart"
    )


def test_what_any_release_can_answer():
    spec = GateSpec(http=HttpCheck(8080, body="1.4"), command=("check",), docker=True).of_any_release()
    assert (spec.http, spec.command, spec.docker) == (HttpCheck(8080), (), None)
