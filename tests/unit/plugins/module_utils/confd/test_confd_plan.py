# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans, diffs, masking and history: pure functions between two contents."""

from __future__ import annotations

import json

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.confd import history, masking
from ansible_collections.slipway.delivery.plugins.module_utils.confd.masking import Mask, SecretKeys
from ansible_collections.slipway.delivery.plugins.module_utils.confd.plan import Plan, collisions, diff, make_plan
from ansible_collections.slipway.delivery.plugins.module_utils.confd.revision import revision
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = st.sampled_from(["/a", "/b/c", "/b/d", "/e"])
CONTENTS = st.dictionaries(KEYS, st.text(max_size=3))
NO_SECRETS = SecretKeys([])


def applied(plan, content):
    """What a backend does with a plan."""
    changed = {**content, **plan.put}
    return {key: value for key, value in changed.items() if key not in plan.removed}


@given(CONTENTS, CONTENTS, st.booleans())
def test_a_plan_leads_where_it_says(wanted, actual, purge):
    plan = make_plan(wanted, actual, purge)
    assert applied(plan, actual) == plan.after
    assert plan.after == (wanted if purge else {**actual, **wanted})
    assert make_plan(wanted, plan.after, purge).empty
    assert plan.empty == (plan.after == actual)


@given(CONTENTS, CONTENTS, st.booleans())
def test_a_plan_touches_only_what_differs(wanted, actual, purge):
    plan = make_plan(wanted, actual, purge)
    assert not set(plan.put) & set(plan.removed)
    assert all(actual.get(key) != value for key, value in plan.put.items())
    assert purge or not plan.removed


@given(CONTENTS, CONTENTS)
def test_a_diff_shows_what_changes_and_nothing_else(wanted, actual):
    plan = make_plan(wanted, actual, purge=True)
    shown = diff(plan, Mask(NO_SECRETS, actual, wanted), "here", NO_SECRETS, NO_SECRETS)
    before = [line.split(" = ")[0] for line in shown["before"].splitlines()]
    after = [line.split(" = ")[0] for line in shown["after"].splitlines()]
    assert before == sorted([*plan.changed_keys, *plan.removed])
    assert after == sorted([*plan.added, *plan.changed_keys])


@given(st.text(min_size=4, max_size=8), st.text(min_size=4, max_size=8))
def test_a_diff_shows_no_secret(old, new):
    actual, wanted = {"/db/password": old, "/url": f"u:{old}@h"}, {"/db/password": new, "/url": f"u:{new}@h"}
    secret = SecretKeys(["db/password"])
    plan = make_plan(wanted, actual, purge=True)
    shown = diff(plan, Mask(secret, actual, wanted), "here", secret, secret)
    alike = {'/db/password = <secret>\n/url = "u:<secret>@h"\n', ""}
    assert shown["before"] in alike
    assert shown["after"].replace(" changed>", ">").replace("  <secret>", "") in alike


def test_a_new_key_and_an_old_one_cannot_be_value_and_folder():
    below = make_plan({"/a/b": "1"}, {"/a": "1"}, purge=False)
    above = make_plan({"/a": "1"}, {"/a/b/c": "1"}, purge=False)
    assert "/a has a value, and /a/b" in collisions(below)[0]
    assert "/a would get a value, and /a/b/c" in collisions(above)[0]
    assert collisions(make_plan({"/a/b": "1"}, {"/a": "1"}, purge=True)) == []
    assert collisions(make_plan({"/ab": "1"}, {"/a": "1"}, purge=False)) == []


@pytest.mark.parametrize(
    ("name", "key", "covered"),
    [
        ("/db/password", "/db/password", True),
        ("db/password", "/db/password", True),
        ("/db", "/db/password", True),
        ("/db/", "/db/x/y", True),
        ("/db", "/db2/password", False),
        ("/db/password", "/db/password2", False),
        ("/*/password", "/db/password", True),
        ("/*/password", "/db/x/password", False),
        ("/db/*_key", "/db/api_key", True),
        ("/", "/db/password", True),
        (" ", "/db", False),
    ],
)
def test_secret_keys(name, key, covered):
    assert (key in SecretKeys([name])) is covered


def test_names_that_match_nothing():
    assert SecretKeys(["/db/passwrod", "/db"]).matching_nothing(["/db/password"]) == ["/db/passwrod"]


def test_short_secrets_are_hidden_in_place_and_not_searched_for():
    mask = Mask(SecretKeys(["/pin"]), {"/pin": "17", "/port": "8017"})
    assert (mask.value("/pin", "17"), mask.value("/port", "8017")) == ("<secret>", "8017")
    assert masking.values_to_hide({"keys": {"pin": 17, "token": "long"}, "secret_keys": ["pin", "token"]}) == {"long"}


def test_longer_secrets_go_first():
    mask = Mask(SecretKeys(["/s"]), {"/s/a": "abcd", "/s/b": "abcdefgh"})
    assert mask.value("/x", "--abcdefgh--") == "--<secret>--"


def test_bytes_that_are_no_text_are_shown_as_escapes():
    assert Mask(NO_SECRETS).value("/x", b"a\xff".decode("utf-8", "surrogateescape")) == "a\\xff"


@pytest.mark.parametrize(
    ("value", "seen"),
    [("a ", '"a "'), ("a\u00a0", '"a\\u00a0"'), ("\u200bé", '"\\u200bé"'), ("a\nb", '"a\\nb"'), ('"', '"\\""')],
)
def test_what_an_editor_does_not_show(value, seen):
    assert masking.visible(value) == seen


@pytest.mark.parametrize(
    "params",
    [
        {"keys": {"db": {"password": "hunter22", "list": ["hunter23"]}, "n": 1}, "secret_keys": ["db"]},
        {"keys": {"/db/password": "hunter22"}, "secret_keys": "/db/password,/x"},
        {"keys": '{"db": {"password": "hunter22"}}', "secret_keys": ["/db/password"]},
        {"keys": "db=hunter22", "secret_keys": ["/db"]},
        {"keys": "{hunter22", "secret_keys": ["/db"]},
        {"keys": ["hunter22"], "secret_keys": ["/db"]},
        {"keys": {"a": "hunter22"}, "secret_keys": 7},
        {"keys": {"a": "hunter22"}, "secret_keys": {"a": 1}},
    ],
)
def test_parameters_are_shown_without_secrets_even_unvalidated(params):
    assert "hunter2" not in json.dumps(masking.shown(params))
    masking.values_to_hide(params)


@pytest.mark.parametrize("params", [{}, {"keys": None}, {"keys": {"a": "x"}}, {"keys": "x", "secret_keys": []}])
def test_parameters_without_secrets_are_shown_as_given(params):
    assert masking.shown(params) == params
    assert masking.values_to_hide(params) == set()


def test_public_values_stay_visible_in_the_parameters():
    params = {
        "keys": {"db": {"password": "hunter22", "pool": 20}},
        "secret_keys": ["/db/password"],
        "prefix": "/webapi",
    }
    assert masking.shown(params) == {**params, "keys": {"db": {"password": "<secret>", "pool": 20}}}


class Store:
    """History kept in memory: heads and records as a backend keeps them."""

    def __init__(self):
        self.head, self.records, self.content = None, {}, {}

    def apply(self, content, limit=50, keep=(), edited=None):
        actual = self.content if edited is None else edited
        plan = make_plan(content, actual, purge=True)
        change = history.Change(
            plan, revision(content), revision(actual), "applied", history.Author("ann", "why"), ("/s",)
        )
        step = history.record_change(history.load_head(self.head, "here"), change, limit, keep)
        self.head, self.content = step.head.dump(), dict(content)
        self.records.update(step.records)
        for number in step.dropped:
            del self.records[number]
        return step

    @property
    def entries(self):
        return history.load_head(self.head, "here").entries


CHANGES = st.lists(st.dictionaries(KEYS, st.sampled_from(["", "1", "2"])), min_size=1, max_size=6)


@settings(deadline=None)
@given(CHANGES, st.integers(2, 4), st.data())
def test_history_has_a_record_for_each_entry_and_no_other(contents, limit, data):
    store = Store()
    for content in contents:
        edited = data.draw(st.none() | st.dictionaries(KEYS, st.just("by hand")))
        keep = (
            data.draw(st.lists(st.sampled_from([revision(each) for each in contents if each]), max_size=2))
            if any(contents)
            else []
        )
        before = {entry["revision"] for entry in store.entries}
        actual = store.content if edited is None else edited
        store.apply(content, limit, keep, edited)
        numbers = [entry["number"] for entry in store.entries]
        assert numbers == sorted(store.records) and len(set(numbers)) == len(numbers)
        assert numbers[-1] == history.load_head(store.head, "here").number
        assert limit <= len(numbers) or len(numbers) == numbers[-1]
        after = {entry["revision"] for entry in store.entries}
        assert {name for name in keep if name in before} <= after
        assert revision(content) in after and (revision(actual) in after or not actual)
    for entry in store.entries:
        record = history.load_record(store.records[entry["number"]], entry, "here")
        assert revision(record["keys"]) == entry["revision"]
        assert [len(record[part]) for part in ("added", "changed", "removed")] == [
            entry[part] for part in ("added", "changed", "removed")
        ]


def test_what_hands_did_is_recorded_before_it_goes():
    store = Store()
    store.apply({"/a": "1"})
    store.apply({"/a": "2"}, edited={"/a": "1", "/b": "by hand"})
    assert [entry["action"] for entry in store.entries] == ["applied", "found", "applied"]
    assert json.loads(store.records[2])["keys"] == {"/a": "1", "/b": "by hand"}


def test_the_head_says_nothing_of_values():
    store = Store()
    store.apply({"/a": "hunter22"})
    assert "hunter22" not in store.head


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}'])
def test_a_head_that_cannot_be_read_is_an_error(text):
    with pytest.raises(SlipwayError, match="Nothing was changed"):
        history.load_head(text, "here")


def test_a_record_that_is_gone_is_an_error():
    with pytest.raises(SlipwayError, match=r"record 3 .* is missing"):
        history.load_record(None, {"number": 3, "revision": "abc"}, "here")


def test_an_empty_plan_is_empty():
    assert Plan({}, {}, [], [], []).empty
