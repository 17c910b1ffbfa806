# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a ledger is, and what of its address nobody sees."""

from __future__ import annotations

import os

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.ledger import clock, content, location
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/var/lib/slipway/ledger.db", "/var/lib/slipway/ledger.db"),
        ("sqlite:////var/lib/l.db", "/var/lib/l.db"),
        ("sqlite+pysqlite:////var/lib/l.db", "/var/lib/l.db"),
        ("ledger.db", os.path.abspath("ledger.db")),
        ("sqlite:///ledger.db", os.path.abspath("ledger.db")),
        ("~/ledger.db", os.path.expanduser("~/ledger.db")),
        ("/tmp/odd #name?%20.db", "/tmp/odd #name?%20.db"),
    ],
)
def test_a_path_means_sqlite(text, path):
    found = location.parse(text)
    assert (found.path, found.url, found.shown) == (path, None, path)


@pytest.mark.parametrize(
    "text", ["", "  ", ":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///l.db?mode=ro",
             "sqlite://host/l.db", "sqlite+aiosqlite:///l.db"],
)  # fmt: skip
def test_what_is_no_ledger(text):
    with pytest.raises(ParameterError, match="ledger: "):
        location.parse(text)


@pytest.mark.parametrize(
    ("text", "shown", "secrets"),
    [
        ("postgresql://u:s3cret@db/slipway", "postgresql://u@db/slipway", {"s3cret"}),
        ("mysql+pymysql://u:a%40b@db:3306/x", "mysql+pymysql://u@db:3306/x", {"a%40b", "a@b"}),
        ("mysql://u:p@ss@db/x", "mysql://u@db/x", {"p", "p@ss"}),
        ("mysql://u:a+b@db/x", "mysql://u@db/x", {"a+b", "a b"}),
        ("postgresql:///x?user=u&password=s3c%2Fret", "postgresql:///x", {"s3c%2Fret", "s3c/ret"}),
        ("postgresql://u@db/x?sslmode=require", "postgresql://u@db/x", set()),
    ],
)
def test_a_password_is_not_shown(text, shown, secrets):
    found = location.parse(text)
    assert (found.path, found.url, found.shown) == (None, text, shown)
    assert found.secrets == secrets
    assert location.secrets({"ledger": text}) == secrets


@pytest.mark.parametrize("value", [None, 5, ["a"], "/a/path", "mysql://u@h/x"])
def test_what_has_no_secret_is_no_trouble(value):
    assert location.secrets({"ledger": value}) == set()
    assert location.secrets({}) == set()


@given(
    st.datetimes(
        timezones=st.sampled_from([clock.datetime.timezone.utc]), min_value=clock.datetime.datetime(1971, 1, 1)
    )
)
def test_stamps_sort_as_their_times(moment):
    text = clock.stamp(moment)
    assert len(text) == 24
    assert abs((clock.moment(text) - moment).total_seconds()) < 0.001
    later = clock.later(text, 600)
    assert later > text or moment.year == 9999


def test_stamps_are_utc_whatever_the_zone():
    there = clock.datetime.timezone(clock.datetime.timedelta(hours=8))
    assert clock.stamp(clock.datetime.datetime(2026, 3, 1, 8, 0, tzinfo=there)) == "2026-03-01T00:00:00.000Z"
    assert clock.stamp(clock.datetime.datetime(2026, 3, 1, 8, 0)) == "2026-03-01T08:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://token@git.example.com/a.git", "https://git.example.com/a.git"),
        ("see http://u:p@h/x and https://v:w@i/y", "see http://h/x and https://i/y"),
        ("ssh://git@h/a.git", "ssh://git@h/a.git"),
        ("ssh://git:pw@h/a.git", "ssh://git@h/a.git"),
        ("redis://:pw@h:6379/0", "redis://@h:6379/0"),
        ("https://h/a@b", "https://h/a@b"),
        ("mail ann@example.com", "mail ann@example.com"),
    ],
)
def test_credentials_of_addresses_are_scrubbed(text, expected):
    assert content.scrubbed({"a": [text, 1, None]}) == {"a": [expected, 1, None]}


def test_content_hash_takes_all_three_and_no_order():
    one = content.content_hash("sha256:a", "r1", {"a": 1, "b": [1, 2]})
    assert one == content.content_hash("sha256:a", "r1", {"b": [1, 2], "a": 1})
    assert content.content_hash("sha256:a", None, {}) == content.content_hash("sha256:a", "", {})
    others = [
        ("sha256:b", "r1", {"a": 1, "b": [1, 2]}),
        ("sha256:a", "r2", {"a": 1, "b": [1, 2]}),
        ("sha256:a", "r1", {}),
    ]
    assert one not in {content.content_hash(*other) for other in others}
