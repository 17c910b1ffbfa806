# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a content: the same everywhere, another for every other content, and slow to guess from."""

from __future__ import annotations

import re
import time

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd import revision
from hypothesis import given, settings
from hypothesis import strategies as st

CONTENTS = st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), min_size=1, max_size=3)


@settings(deadline=None, max_examples=20)
@given(CONTENTS)
def test_a_revision_does_not_depend_on_order(content):
    turned = dict(reversed(list(content.items())))
    assert revision.revision(turned) == revision.revision(content)


@settings(deadline=None, max_examples=20)
@given(CONTENTS, CONTENTS)
def test_two_contents_have_two_revisions(one, other):
    assert (revision.revision(one) == revision.revision(other)) == (one == other)


def test_a_revision_stays_what_it_is():
    """Pinned: ledgers and histories hold revisions for years."""
    assert (
        revision.revision({"/db/url": "jdbc:mysql://db/shop", "/db/pool": "20", "/greeting": "Grüße 🚢"})
        == "c79de2f5f142d84e00536f44197f2997"
    )
    assert revision.revision({}) is None
    assert re.fullmatch(r"[0-9a-f]{32}", revision.revision({"/a": "\udcff"}))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("0123abcd", True), ("0" * 32, True), ("0123abc", False), ("0" * 33, False), ("HEAD1234", False), ("", False)],
)
def test_what_can_be_a_revision(name, is_one):
    assert revision.is_revision(name) is is_one


def test_guessing_is_slow():
    """Three different contents, so that nothing is remembered."""
    begun = time.process_time()
    for number in range(3):
        revision.revision({"/password": f"guess {number} {begun}"})
    assert (time.process_time() - begun) / 3 > 0.005
