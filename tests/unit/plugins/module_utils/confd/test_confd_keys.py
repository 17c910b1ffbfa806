# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as keys and strings: what is accepted, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.confd import keys
from hypothesis import given, settings
from hypothesis import strategies as st

PARTS = st.text(
    st.characters(
        exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"],
        exclude_characters="/*?[]\\.\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0",
    ),
    min_size=1,
)
LEAVES = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
SETTINGS = st.recursive(
    LEAVES, lambda inner: st.dictionaries(PARTS, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=12
)


def _deep(levels):
    tree = 1
    for _level in range(levels):
        tree = {"a": tree}
    return tree


def nested(values):
    """The other way round: relative keys as maps in maps."""
    tree = {}
    for key, value in values.items():
        *folders, name = key.split("/")[1:]
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return tree


@settings(deadline=None)
@given(st.dictionaries(PARTS, SETTINGS, max_size=4))
def test_nested_and_flat_are_the_same(tree):
    flat = keys.flatten(tree)
    assert not flat.problems
    assert keys.flatten(flat.values) == flat
    assert keys.flatten(nested(flat.values)) == flat
    assert keys.flatten({key[1:]: value for key, value in flat.values.items()}) == flat


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  as it is\n", "  as it is\n"),
        ("", ""),
        (20, "20"),
        (-1, "-1"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (1e30, "1e+30"),
    ],
)
def test_values_become_strings(value, text):
    assert keys.flatten({"k": value}).values == {"/k": text}


def test_lists_are_keys_and_empty_ones_are_none():
    found = keys.flatten({"l": ["a", {"b": 1}], "none": [], "nor": {}, 8080: "port", True: "yes"})
    assert found.values == {"/l/0": "a", "/l/1/b": "1", "/8080": "port", "/true": "yes"}


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({"a": None}, "/a is null"),
        ({"a": float("inf")}, "no finite number"),
        ({"a": b"x"}, "of type bytes"),
        ({"a": "\udcff"}, "value that is no valid UTF-8"),
        ({"a\udcff": 1}, "is no valid UTF-8"),
        ({"a*": 1}, "pattern"),
        ({"a?": 1}, "pattern"),
        ({"a[1]": 1}, "pattern"),
        ({"a\\b": 1}, "pattern"),
        ({"a//b": 1}, "empty part"),
        ({"a/": 1}, "empty part"),
        ({"": 1}, "empty part"),
        ({"a": {".": 1}}, "part . or .."),
        ({"../a": 1}, "part . or .."),
        ({"a\nb": 1}, "control character"),
        ({"a\ufeff": 1}, "control character"),
        ({"a\u200bb": 1}, "invisible mark (U+200B)"),
        ({"a\u00a0b": 1}, "invisible mark (U+00A0)"),
        (_deep(101), "nested in more than 100 levels"),
        ({"a /b": 1}, "blank at the end"),
        ({"a" * 1000: 1}, "longer than 1000 bytes"),
        ({"é" * 500: 1}, "longer than 1000 bytes"),
        ({"a": {"b": 1}, "/a/b": 2}, "given twice"),
        ({"a": 1, "a/b/c": 2}, "/a has a value, and /a/b/c below it"),
    ],
)
def test_what_confd_cannot_address_is_refused(tree, problem):
    found = keys.flatten(tree)
    assert any(problem in line for line in found.problems), found.problems


def test_settings_without_an_end_are_refused():
    """As YAML's aliases can make them."""
    endless = []
    endless.append(endless)
    assert "nested in more than" in keys.flatten({"a": endless}).problems[0]
    bomb = [1]
    for _level in range(10):
        bomb = [bomb] * 9
    assert keys.flatten({"a": bomb}) == ({}, ["more than 100000 keys: do the settings hold aliases of aliases?"])


def test_all_refusals_at_once():
    assert len(keys.flatten({"a": None, "b*": None, "c": 1, "c/d": 2}).problems) == 4


def test_no_problem_quotes_a_value():
    found = keys.flatten({"a*": "hunter22", "b": {"c": "hunter22\udcff"}, "d/": "hunter22"})
    assert len(found.problems) == 3 and "hunter22" not in "".join(found.problems)


@pytest.mark.parametrize(
    ("given", "prefix"), [("/webapi", "/webapi"), ("webapi/", "/webapi"), ("/prod/webapi", "/prod/webapi")]
)
def test_prefixes(given, prefix):
    assert keys.clean_prefix(given, whole_store=False) == prefix


def test_the_root_is_for_a_store_of_one_app():
    assert keys.clean_prefix("/", whole_store=True) == ""
    with pytest.raises(ParameterError, match="root of the store"):
        keys.clean_prefix("/", whole_store=False)


@pytest.mark.parametrize("prefix", ["/a//b", "/a/../b", "/a*", "/a\n"])
def test_prefixes_that_confd_cannot_address(prefix):
    with pytest.raises(ParameterError, match="prefix"):
        keys.clean_prefix(prefix, whole_store=True)


def test_relative_takes_whole_parts():
    assert keys.relative("/a", {"/a/b": "1", "/ab/c": "2", "/a": "3"}) == {"/b": "1"}
    assert keys.relative("", {"/a/b": "1"}) == {"/a/b": "1"}


def test_a_key_may_be_too_long_with_its_prefix():
    assert keys.too_long("/webapi", ["/" + "a" * 993]) != []
    assert keys.too_long("/webapi", ["/" + "a" * 992]) == []
