# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of settings, other environments, functions and start commands: what each finds, and what it lets pass."""

from __future__ import annotations

import json

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.confd import compare, functions, schema, startup
from ansible_collections.slipway.delivery.plugins.module_utils.confd.masking import SecretKeys
from hypothesis import given
from hypothesis import strategies as st


def verdict(rule, value):
    """The messages about one value under one rule."""
    (parsed,) = schema.parse({"/k": rule})
    return list(schema.mismatches(parsed, value))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("int", ["0", "-5", "+7", "007"], ["", " 1", "1.0", "1e3", "0x1", "one", "1_000", "²", "1\n"]),
        ({"type": "int", "min": 1, "max": "50"}, ["1", "50"], ["0", "51", "-1", "x"]),
        ("bool", ["true", "false"], ["", "True", "yes", "1", "true "]),
        (
            "url",
            [
                "http://h", "https://h:443/p?q=1#f", "jdbc:mysql://db.example.com:3306/x?useSSL=true", "redis://u:p@10.0.0.5/4",
                "mongodb://a:1,b:2/x", "http://[::1]:80/", "jdbc:postgresql://db/x",
            ],
            ["", "h", "http:/h", "http://", "http://h:99999/", "http://h:0", "http://h /", " http://h", "http://h\n", "://h"],
        ),
        ("host:port", ["h:1", "10.0.0.5:6379", "[::1]:80", "a-b.c:65535"], ["h", ":1", "h:", "h:0", "h:65536", "h: 1", "-h:1"]),
        ("non-empty", ["x", " x "], ["", " ", "\n"]),
        ({"enum": ["debug", "info", True, 3]}, ["debug", "true", "3"], ["Debug", "", "debug "]),
        ({"regex": "#[0-9a-f]{6}"}, ["#00ff00"], ["#00ff0", "x#00ff00", "#00ff00 "]),
        ({"type": "int", "enum": [5, 10]}, ["5"], ["6", "x"]),
    ],
)  # fmt: skip
def test_types(rule, good, bad):
    assert {value: verdict(rule, value) for value in good} == {value: [] for value in good}
    assert [value for value in bad if not verdict(rule, value)] == []


@given(st.text(), st.sampled_from(["int", "bool", "url", "host:port", "non-empty", {"enum": ["a"]}, {"regex": "b+"}]))
def test_any_value_is_judged_and_none_is_quoted(value, rule):
    assert not [message for message in verdict(rule, f"hunter22{value}") if "hunter22" in message]


def test_bounds_that_leave_nothing():
    with pytest.raises(ParameterError, match="min above its max"):
        schema.parse({"/a": {"type": "int", "min": 5, "max": 1}})


def test_a_schema_is_refused_with_all_that_is_wrong():
    bad = {
        "a": "integer", "b": {"type": "enum"}, "c": {"regex": "("}, "d": {"min": 1}, "e": 5, "f": {"type": "int", "max": "x"},
        "g": {"typ": "int"}, "h": {"type": "regex"}, "i": {},
    }  # fmt: skip
    with pytest.raises(ParameterError) as refused:
        schema.parse(bad)
    lines = refused.value.msg.splitlines()
    assert [sum(line.startswith(f"schema: /{name} ") for line in lines) for name in bad] == [1] * len(bad), lines


def test_patterns_required_keys_and_keys_that_are_not_there():
    rules = schema.parse({"/f/*": "bool", "must": {"type": "int", "required": True}, "/may": "int"})
    found = list(schema.findings(rules, {"/f/a": "true", "/f/b": "x", "/f/c/d": "x"}))
    assert [(each.severity, each.check, each.key) for each in found] == [
        ("error", "schema", "/f/b"),
        ("error", "missing_key", "/must"),
        ("info", "schema", "/may"),
    ]


HERE = {"/db/url": "prod", "/db/password": "same", "/pool": "5", "/new": "x", "/theme": "t"}
THERE = {"/db/url": "test", "/db/password": "same", "/pool": "6", "/old": "y", "/theme": "t"}


def compared(expected, free=()):
    names = None if expected is None else SecretKeys(expected)
    found = compare.findings(HERE, THERE, "test", names, SecretKeys(free))
    return {(each.severity, each.check, each.key) for each in found}


def test_what_should_differ_and_what_should_not():
    assert compared(None) == set()
    rest = {
        ("warning", "only_here", "/new"),
        ("warning", "only_there", "/old"),
        ("warning", "different_value", "/pool"),
    }
    assert compared(["/db"]) == rest | {("error", "same_value", "/db/password")}
    assert compared(["/db/url", "new", "/old", "/pool"]) == set()
    assert compared(["/db", "/pool", "/new", "/old", "/typo"]) == {
        ("error", "same_value", "/db/password"),
        ("warning", "compare", "/typo"),
    }
    assert compared(["/db/url"], ["/pool", "/new", "/old", "/db/password"]) == set()
    nothing = compare.findings(HERE, {}, "test", SecretKeys(["/db"]), SecretKeys([]))
    assert [each.severity for each in nothing] == ["info"]


@given(
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=6),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=6),
)
def test_every_key_is_in_one_part_of_the_differences(here, there):
    parts = compare.differences(here, there)
    assert sorted(key for part in parts.values() for key in part) == sorted({*here, *there})
    one, two, other = (compare.fingerprints(values, word) for values, word in ((here, "w"), (there, "w"), (here, "v")))
    assert [key for key in here if one[key] == two.get(key)] == [key for key in here if here[key] == there.get(key)]
    assert not set(one.values()) & set(other.values())


def test_calls_of_a_template():
    source = '{{if and (exists "/a") true}}{{$x := getv "/b" | toUpper}}{{$x.y}} {{.z}}{{printf "%s" hostname}}{{end}}\n{{nope `q`}}'
    assert [(each.function, each.argument, each.line) for each in functions.calls(source)] == [
        ("and", None, 1), ("exists", "/a", 1), ("getv", "/b", 1), ("toUpper", None, 1), ("printf", "%s", 1), ("hostname", None, 1),
        ("nope", "q", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "dialect", "found"),
    [
        (
            '{{quote (getv "/a")}}',
            "legacy",
            [("error", "quote is no function of confd 0.16; the fork of confd has it")],
        ),
        ('{{quote (getv "/a")}}', "fork", []),
        ("{{nope}}", "fork", [("error", "nope is no function of the fork of confd")]),
        ("{{cgetv `/a`}}", "fork", []),  # said where its key is looked at
        ("{{datetime}}", "legacy", [("info", "datetime is answered where")]),
        ('{{getenv "HOME"}}{{getenv "GIVEN"}}', "legacy", [("info", "getenv HOME: not among")]),
        (
            "{{define `x`}}{{end}}{{template `x` .}}{{range $i, $e := gets `/a/*`}}{{break}}{{else}}{{nil}}{{end}}",
            "legacy",
            [],
        ),
    ],
)
def test_functions(source, dialect, found):
    told = list(functions.problems(functions.calls(source), dialect, "t", {"GIVEN"}))
    assert len(told) == len(found)
    assert all(one.severity == two[0] and one.message.startswith(two[1]) for one, two in zip(told, found)), told


@pytest.mark.parametrize(
    ("script", "dialects"),
    [
        ("confd -onetime -backend redis -node configCenter:6379", ["legacy"]),
        ("  if log=$(confd -onetime -backend redis -node h:6379 2>&1); then", ["legacy"]),
        ("until /usr/local/bin/confd --onetime --backend redis --node h; do sleep 1; done", ["legacy"]),
        ("exec confd \\\n  -backend etcdv3", ["legacy"]),
        ("confd redis --onetime --node h:6379 && exec app", ["fork"]),
        ("CONFD_PREFIX=/x confd etcd --onetime --node h", ["fork"]),
        ("confd --confdir /c redis --onetime", ["fork"]),
        ("# confd -onetime\necho confd; confd $OPTIONS\napt-get install confd -y", []),
        ("confd -onetime\nconfd redis --onetime", ["legacy", "fork"]),
        ("myconfd -onetime; confd-fork redis; cat /etc/confd/x", []),
    ],
)
def test_start_scripts(script, dialects):
    assert [each.dialect for each in startup.starts(script)] == dialects


def test_a_start_script_of_the_wrong_dialect():
    script = "#!/bin/sh\nset -e\nconfd -onetime -backend redis\n"
    (found,) = startup.findings(script, "start.sh", "fork")
    assert (found.severity, found.file, found.line) == ("error", "start.sh", 3) and "exits with 80" in found.message
    assert list(startup.findings(script, "start.sh", "legacy")) == []
    assert [each.severity for each in startup.findings("confd $WORDS", "start.sh", "fork")] == ["info"]
    assert list(startup.findings("exec app", "start.sh", "fork")) == []


def test_findings_are_plain_data():
    found = [
        *compare.findings(HERE, THERE, "test", SecretKeys(["/db"]), SecretKeys([])),
        *startup.findings("confd $W", "s", "fork"),
    ]
    assert json.loads(json.dumps([each.as_dict() for each in found]))
