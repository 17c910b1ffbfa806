# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: what opening means, what is current, where a rollback goes."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.ledger import rules
from hypothesis import given
from hypothesis import strategies as st


def history(*steps: str) -> list[rules.Entry]:
    """`A` deployed content A and it was healthy; `<A` was a rollback to A; `A:mixed` ended otherwise; `!` left hosts."""
    entries = []
    for number, step in enumerate(steps, 1):
        name, _colon, state = step.partition(":")
        kind = rules.ROLLBACK if name.startswith("<") else rules.DEPLOY
        content = name.lstrip("<")
        ended = state.rstrip("!") or rules.HEALTHY
        entries.append(rules.Entry(number, f"v{content}", content, f"sha256:{content}", ended, kind, "!" in state))
    return entries


def number(entry: rules.Entry | None) -> int | None:
    return None if entry is None else entry.number


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", (None, None)),
        ("A", (1, None)),
        ("A B", (2, 1)),
        ("A B:reverted", (1, None)),
        ("A B:failed C:mixed", (1, None)),
        ("A B:open", (1, None)),
        ("A B <A", (3, 2)),
        ("A A", (2, None)),  # the same content again, after an attempt that had left hosts
        ("A B B", (3, 1)),
    ],
)
def test_current_and_previous(steps, expected):
    entries = history(*steps.split())
    assert (number(rules.current(entries)), number(rules.previous(entries))) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", None),
        ("A", None),
        ("A B", 1),
        ("A B:failed C", 1),  # never a failed one
        ("A B:reverted", None),
        ("A B C:reverted", 1),  # what was reverted left nothing: back from B
        ("A B <A", None),  # twice back: what was before A, not B
        ("A B C <B", 1),
        ("A B C <B <A", None),
        ("A B <A C", 3),  # B was rolled back from and stays out
        ("A B C <B D", 4),
        ("A B C <A", None),  # straight to A, over B
        ("A B C <A <C", 4),  # and by name to what had been taken away: that goes on top
        ("A B A", 2),
        ("A B A <B", 1),
        ("A B B", 1),
        ("A B C:mixed", 2),  # hosts run C somewhere: the last healthy one is B
        ("A B C:open", 2),
        ("A B C:abandoned", 2),
        ("A B C:failed!", 2),
        ("A B C:failed", 1),  # failed before any host was touched
        ("A B C <B:open", 2),  # a killed rollback goes on to where it went
        ("A B C <A:mixed", 1),
    ],
)
def test_rollback_target(steps, expected):
    assert number(rules.rollback_target(history(*steps.split())).entry) == expected


def test_rollback_target_gives_its_reason():
    assert rules.rollback_target([]).reason == "No release was ever healthy here."
    assert "2 (vB) is current; 1 (vA) was healthy" in rules.rollback_target(history("A", "B")).reason
    assert "no healthy release before it" in rules.rollback_target(history("A")).reason
    assert "3 (vC) is mixed; 2 (vB) is the last" in rules.rollback_target(history("A", "B", "C:mixed")).reason
    assert "Rollback 3 (vA) is open; it goes on" in rules.rollback_target(history("A", "B", "<A:open")).reason


CONTENT = st.sampled_from("ABCD")
ENDING = st.sampled_from([*rules.ENDINGS, rules.OPEN])


@given(st.lists(st.tuples(CONTENT, ENDING, st.booleans(), st.booleans()), max_size=12))
def test_going_back_again_and_again_ends_and_never_repeats(steps):
    """Follow the targets as rollbacks do until there is none: each is healthy, and no content is met twice in a row."""
    entries = [
        rules.Entry(place, content, content, content, ending, rules.ROLLBACK if back else rules.DEPLOY, left)
        for place, (content, ending, back, left) in enumerate(steps, 1)
    ]
    depth = len(rules.lineage(entries))
    for _step in range(depth + 1):
        target = rules.rollback_target(entries).entry
        if target is None:
            break
        assert target.state == rules.HEALTHY
        settled = rules.unsettled(entries) is None
        assert not settled or target.content != rules.current(entries).content
        entries.append(target._replace(number=len(entries) + 1, kind=rules.ROLLBACK, left=False))
        assert len(rules.lineage(entries)) < depth or not settled
        depth = len(rules.lineage(entries))
    assert rules.rollback_target(entries).entry is None


@pytest.mark.parametrize(
    ("steps", "wanted", "expected"),
    [
        ("", "A", rules.Opening("new", 1)),
        ("A", "A", rules.Opening("reuse", 1)),
        ("A", "<A", rules.Opening("reuse", 1)),  # a rollback to what is current changes nothing
        ("A", "B", rules.Opening("new", 2)),
        ("A B", "A", rules.Opening("new", 3)),
        ("A:open", "A", rules.Opening("resume", 1)),
        ("A B:open", "B", rules.Opening("resume", 2)),
        ("A B <A:open", "A", rules.Opening("new", 4, 3)),  # a deploy does not go on with a rollback
        ("A B:open", "C", rules.Opening("new", 3, 2)),
        ("A B:open", "A", rules.Opening("new", 3, 2)),
        ("A B:reverted", "A", rules.Opening("reuse", 1)),
        ("A B:failed", "A", rules.Opening("reuse", 1)),
        ("A B:failed!", "A", rules.Opening("new", 3)),  # some host runs number 2: only a higher one replaces it
        ("A B:mixed", "A", rules.Opening("new", 3)),
        ("A B:abandoned", "A", rules.Opening("new", 3)),
        ("A B:abandoned C:reverted", "A", rules.Opening("new", 4)),  # the attempt before may still be out there
        ("A:failed", "A", rules.Opening("new", 2)),
    ],
)
def test_opening(steps, wanted, expected):
    entries = history(*steps.split())
    assert rules.opening(entries, history(wanted)[0], len(entries)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vA", 3), ("vB", 2), ("2", 2), ("#2", 2), ("#1", 1), ("vC", None), ("4", None), ("9", None), ("x", None)],
)
def test_named_target(name, expected):
    assert number(rules.named_target(history("A", "B", "<A", "C:reverted"), name)) == expected


def test_a_version_that_looks_like_a_number_goes_before_the_number():
    entries = [entry._replace(version=version) for entry, version in zip(history("A", "B"), ("2", "7"))]
    assert number(rules.named_target(entries, "2")) == 1
    assert number(rules.named_target(entries, "#2")) == 2


def test_in_use_names_every_reason_once():
    entries = history("A", "B", "C", "D", "<C", "E:mixed")
    assert rules.in_use(entries, keep=1) == {5: "current", 4: "previous", 6: "not settled"}
    assert rules.in_use(entries[:5], keep=2) == {5: "current", 4: "previous", 2: "rollback target"}
    assert rules.in_use(entries[:2], keep=5) == {2: "current", 1: "previous"}
    assert rules.in_use(history("A", "B", "C"), keep=3)[1] == "one of the last 3 healthy"
    assert rules.in_use([], keep=5) == {}


def test_healthy_versions_are_recent_first_and_unique():
    assert rules.healthy_versions(history("A", "B", "C:failed", "<A")) == ["vA", "vB"]


@pytest.mark.parametrize(
    ("newest", "taken", "expected"),
    [
        (None, [], "1.0.0"),
        (None, ["1.0.0"], "1.0.1"),
        ("1.4.2", ["1.4.2"], "1.4.3"),
        ("1.4.9", ["1.4.9", "1.4.10"], "1.4.11"),
        ("2026.09", [], "2026.10"),
        ("009", [], "010"),
        ("1.2.0-rc1", [], "1.2.0-rc2"),
        ("1.2.0-SNAPSHOT", [], "1.2.1-SNAPSHOT"),
        ("main", [], "main.1"),
        ("99", [], "100"),
    ],
)
def test_next_version(newest, taken, expected):
    assert rules.next_version(newest, taken) == expected


@given(st.text("0129ab.-", min_size=1, max_size=9), st.sets(st.text(max_size=6), max_size=4))
def test_next_version_is_new(newest, taken):
    version = rules.next_version(newest, taken | {newest})
    assert version not in taken
    assert version != newest
