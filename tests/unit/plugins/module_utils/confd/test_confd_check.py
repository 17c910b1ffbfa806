# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_check: templates, resources and values together, and every finding at once."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.confd import lint
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK
from ansible_collections.slipway.delivery.plugins.module_utils.confd.resources import covers, join
from hypothesis import given
from hypothesis import strategies as st

RESOURCE = '[template]\nsrc = "t.tmpl"\ndest = "/etc/t"\nmode = "0644"\n'


@pytest.fixture
def check(tmp_path):
    """Check a template under a resource that sees `keys`; findings as (severity, check, key)."""

    def run(template="", settings=None, resource=RESOURCE + 'keys = ["/"]\n', files=None, **args):
        made = {"conf.d/t.toml": resource, "templates/t.tmpl": template, **(files or {})}
        for name, content in made.items():
            if content is not None:
                path = tmp_path / "confd" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given_args = {"confdir": str(tmp_path / "confd"), "keys": settings or {}, "fail": False, **args}
        validated = ArgumentSpecValidator(CONFD_CHECK.spec.options).validate(given_args)
        assert not validated.error_messages
        return CONFD_CHECK.execute(validated.validated_parameters, Context())

    return run


def told(result):
    return [(found["severity"], found["check"], found["key"]) for found in result["findings"]]


def test_what_fits(check):
    result = check('{{getv "/a"}}{{range gets "/b/*"}}{{end}}', {"a": "x", "b": {"c": 1}})
    assert (told(result), result["required"], result["unused"]) == ([], ["/a"], [])
    assert result["msg"] == "The settings and their templates fit."


def test_all_at_once_and_the_task_fails(check):
    settings = {"blank": "x ", "nobody": "y", "bad*": 1}
    result = check('{{getv "/a"}}\n{{getv "/b"}}{{getv "/blank"}}', settings, fail=True)
    assert result["failed"] and not result["changed"]
    assert told(result) == [
        ("error", "bad_key", None),
        ("error", "blank", "/blank"),
        ("error", "missing_key", "/a"),
        ("error", "missing_key", "/b"),
        ("warning", "unused_key", "/nobody"),
    ]
    assert result["msg"].splitlines()[0] == "The settings and their templates have 4 errors:"
    assert len(result["msg"].splitlines()) == 5 and "templates/t.tmpl:2" in result["msg"]


@pytest.mark.parametrize(
    ("template", "settings", "findings"),
    [
        ('{{getv "/a" "x"}}{{if exists "/b"}}{{getv "/b"}}{{end}}', {}, []),
        ('{{getv "a"}}', {"a": "x"}, [("error", "bad_key", "/a"), ("warning", "unused_key", "/a")]),
        ('{{getv (printf "/s/%s" $x)}}', {"s": {"a": "x"}}, []),
        ('{{getv (printf "/s/%s" $x)}}', {}, [("warning", "missing_key", "/s/*")]),
        ("{{getv $x}}", {"a": "x"}, [("info", "unused_key", "/a"), ("info", "computed", None)]),
        (
            '{{gets "/a/*"}}',
            {"a": {"b": {"c": "x"}}},
            [("warning", "unused_key", "/a/b/c"), ("info", "no_match", "/a/*")],
        ),
        ('{{ls "/a"}}{{lsdir "/b/"}}', {"a": {"b": "x"}, "b": {"c": "y"}}, []),
        ('{{cgetv "/a"}}', {"a": "x"}, [("warning", "function", "/a")]),
        ("{{if}", {"a": "x"}, [("error", "template", None)]),
        (b"\xff", {"a": "x"}, [("error", "template", None)]),
    ],
)
def test_templates(check, template, settings, findings):
    assert told(check(template, settings)) == findings


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({"new": "x"}, []), ({"old": "x"}, []), ({}, ["/old"]), ({"new": "x", "both": "y"}, ["/also"])],
)
def test_only_what_confd_comes_to_is_missing(check, settings, missing):
    template = (
        '{{if exists "/new"}}{{getv "/new"}}{{else}}{{getv "/old"}}{{end}}{{if exists "/both"}}{{getv "/also"}}{{end}}'
    )
    result = check(template, settings)
    assert [found["key"] for found in result["findings"] if found["severity"] == "error"] == missing


def test_the_fork_has_no_encrypted_keys(check):
    assert told(check('{{cgetv "/a"}}', {"a": "x"}, dialect="fork")) == [("error", "function", "/a")]


@pytest.mark.parametrize(
    ("resource", "message", "line"),
    [
        ("[template\n", "is no TOML", 1),
        ("x = 1\n", "has no [template]", None),
        (RESOURCE, "has no list of keys", None),
        (RESOURCE + "keys = []\n", "has no list of keys", 5),
        (RESOURCE.replace("0644", "644") + 'keys = ["/"]\n', "leading 0", 4),
        (RESOURCE.replace('"0644"', "420") + 'keys = ["/"]\n', "leading 0", 4),
        (RESOURCE.replace("t.tmpl", "u.tmpl") + 'keys = ["/"]\n', "templates/u.tmpl, which does not exist", 2),
        (RESOURCE.replace('dest = "/etc/t"\n', "") + 'keys = ["/"]\n', "has no dest", None),
        (RESOURCE + 'keys = ["/"]\nowner = "root"\n', "ignored by confd 0.16", 6),
        (RESOURCE + 'keys = ["/a/*"]\n', "brings nothing from etcd", 5),
        (RESOURCE + 'keys = ["/a?"]\n', "pattern for redis", 5),
        (RESOURCE + 'keys = ["/"]\nuid = "1000"\n', "has uid that is not a number without quotes", 6),
        (RESOURCE + 'keys = ["/"]\ncheck_cmd = ["a"]\n', "has check_cmd that is not text in quotes", 6),
        (RESOURCE + 'keys = ["/"]\nreload_comand = "a"\n', "has the word reload_comand, which confd 0.16 ignores", 6),
        (RESOURCE.replace("/etc/t", "etc/t") + 'keys = ["/"]\n', "without a leading slash", 3),
        (RESOURCE.replace("t.tmpl", "../../t.tmpl") + 'keys = ["/"]\n', "outside of templates/", 2),
        ('template.src="t.tmpl"\ntemplate.dest="/t"\ntemplate.keys=["/"]\n', "has a dotted name", 1),
    ],
)
def test_resources(check, resource, message, line):
    found = [each for each in check("", {}, resource)["findings"] if each["file"] == "conf.d/t.toml"]
    assert len(found) == 1 and message in found[0]["message"] and found[0]["line"] == line, found


@pytest.mark.parametrize(
    "resource",
    [
        '[Template]\nSRC = "t.tmpl"\nDest = "/etc/t"\nKeys = ["/"]\n',
        'template = {src = "t.tmpl", dest = "/etc/t", keys = ["/"]}\n',
        '[template]\r\n"src" = "/t.tmpl"\r\ndest = "/etc/t"\r\nkeys = [\r\n  "/", # all\r\n]\r\n',
        RESOURCE.replace("t.tmpl", "../templates/x/../t.tmpl") + 'keys = ["/"]\n',
    ],
)
def test_spellings_that_confd_takes(check, resource):
    assert told(check('{{getv "/a"}}', {"a": "x"}, resource)) == []


def test_a_byte_order_mark_is_the_old_ones_trouble(check):
    text = "\ufeff" + RESOURCE + 'keys = ["/"]\n'
    assert told(check("", {}, text)) == [("error", "toml", None)]
    assert told(check("", {}, text, dialect="fork")) == []


def test_keys_that_only_look_like_those_that_are_missing(check):
    """Seen by an editor they are the same; a zero-width blank is refused, a letter of another alphabet is pointed at."""
    result = check('{{getv "/a"}}{{getv "/db/pool"}}', {"\u0430": "x", "db": {"p\u043eol": "1"}})
    messages = {each["key"]: each["message"] for each in result["findings"] if each["check"] == "missing_key"}
    assert (
        "\\u0430 only looks like it" in messages["/a"] and "/db/p\\u043eol only looks like it" in messages["/db/pool"]
    )
    assert ("warning", "look_alike", "/db/p\u043eol") in told(result)
    assert "U+043E CYRILLIC SMALL LETTER O" in result["msg"]
    refused = check('{{getv "/a"}}', {"a\u200b": "x"})
    assert ("error", "bad_key", None) in told(refused) and "U+200B" in refused["msg"]


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ("p\u0430ypal", [2]),
        ("http://ex\u0430mple.\u0441om", [10, 16]),
        ("\u041f\u0430\u0440\u043e\u043b\u044c and more", []),
        ("\u0394x", []),
        ("caf\u00e9 na\u00efve stra\u00dfe", []),
        ("k\u03bfe", [2]),
    ],
)
def test_letters_of_another_alphabet(value, places):
    assert lint.foreign_letters(value) == places
    found = [each.message for each in lint.lint({"/k": value}, set())]
    assert bool(found) is bool(places) and all(str(place) in found[0] for place in places)


def test_without_templates_the_values_are_checked_all_the_same(check):
    result = check("", {"a": "x ", "n": "many"}, confdir=None, schema={"/n": "int"}, render=True)
    assert told(result) == [("error", "blank", "/a"), ("error", "schema", "/n"), ("info", "template", None)]
    assert (result["rendered"], result["required"], result["unused"]) == (False, [], [])
    assert "nothing to check" in check("", None, confdir=None, keys=None)["msg"]


def test_resources_that_get_in_each_others_way(check):
    other = {"conf.d/sub/u.bak.toml": RESOURCE + 'keys = ["/"]\n'}
    assert [each["message"] for each in check("", {}, files=other)["findings"]] == [
        "writes /etc/t, and so does conf.d/sub/u.bak.toml: the last one wins"
    ]


def test_no_resource_at_all(check):
    assert told(check("", {}, resource=None)) == [("error", "resource", None)]


def test_no_folder(check, tmp_path):
    result = check("", {}, confdir=str(tmp_path / "nowhere"))
    assert result["failed"] and "is no folder" in result["msg"]


def test_nothing_is_called_unused_while_a_template_cannot_be_read(check):
    files = {"conf.d/u.toml": "[template\n"}
    assert told(check("", {"a": "x"}, files=files)) == [("error", "toml", None)]


def test_keys_outside_the_resource_are_not_seen(check):
    result = check('{{getv "/db/url"}}', {"db": {"url": "x"}}, RESOURCE + 'keys = ["/features"]\n')
    assert told(result) == [("error", "uncovered_key", "/db/url"), ("warning", "unused_key", "/db/url")]


@pytest.mark.parametrize(
    ("resource_prefix", "started_with", "dialect", "fits"),
    [
        ("/webapi", None, "legacy", True),
        ("/prod", None, "legacy", False),
        ("", None, "legacy", False),
        ("", "/webapi", "legacy", True),
        ("/other", "/webapi", "legacy", True),  # what confd is started with replaces the resource's own
        ("/webapi", "/prod", "legacy", False),
        ("/webapi", None, "fork", True),
        ("/webapi", "/prod", "fork", False),  # and here it comes before
        ("", "/webapi", "fork", True),
    ],
)
def test_prefixes(check, resource_prefix, started_with, dialect, fits):
    resource = RESOURCE + f'keys = ["/db"]\nprefix = "{resource_prefix}"\n'
    args = {"prefix": "/webapi", "dialect": dialect, "confd_prefix": started_with}
    result = check('{{getv "/db/url"}}', {"db": {"url": "x"}}, resource, **args)
    assert (not [found for found in result["findings"] if found["severity"] == "error"]) is fits
    assert fits or "check the resource's prefix" in result["msg"]


def test_the_prefix_in_confds_own_file_counts(check):
    files = {"confd.toml": 'prefix = "/webapi"\n'}
    assert told(check('{{getv "/a"}}', {"a": "x"}, prefix="/webapi", files=files)) == []


def test_both_prefixes_of_the_fork(check):
    resource = RESOURCE + 'keys = ["/db"]\nprefix = "/webapi"\n'
    args = {"prefix": "/prod/webapi", "dialect": "fork", "confd_prefix": "/prod"}
    assert told(check('{{getv "/db/url"}}', {"db": {"url": "x"}}, resource, **args)) == []


@pytest.mark.parametrize(
    ("entry", "key", "backends"),
    [
        ("/a", "/a", "file redis etcd"),
        ("/a", "/a/b", "file redis etcd"),
        ("/a", "/ab", "file"),
        ("/a/*", "/a/b", "redis"),
        ("/", "/a/b", "file redis etcd"),
        ("/a?", "/ab/c", "redis"),
        ("/b", "/a", ""),
    ],
)
def test_coverage_is_the_backends(entry, key, backends):
    assert [name for name in ("file", "redis", "etcd") if covers(entry, key, name, "legacy", {key})] == backends.split()


def test_coverage_where_a_value_hides_what_is_below():
    stored = {"/a", "/a/b"}
    assert covers("/a", "/a", "redis", "legacy", stored) and not covers("/a", "/a/b", "redis", "legacy", stored)
    assert covers("/a/*", "/a/b", "file", "fork", stored) and not covers("/a/*", "/a/b", "file", "legacy", stored)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [(("", "/a"), "/a"), (("/p", "a"), "/p/a"), (("/p/", "//a/"), "/p/a"), (("", ""), "/"), (("//p", "/"), "/p")],
)
def test_join_is_gos(parts, joined):
    assert join(*parts) == joined


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("plain text, with: punctuation\nand lines", []),
        ("x ", ["ends with U+0020 SPACE"]),
        ("\t x\r\n", ["begins with U+0009, U+0020 SPACE", "ends with U+000D, U+000A"]),
        ("   ", ["is nothing but blanks (3 x U+0020 SPACE)"]),
        ("a\u00a0b", ["has U+00A0 NO-BREAK SPACE at character 2"]),
        (" a\u200bb", ["begins with U+0020 SPACE", "has U+200B ZERO WIDTH SPACE at character 3"]),
        ("\ufeffa", ["has U+FEFF ZERO WIDTH NO-BREAK SPACE at character 1"]),
        ("a\rb\tc", ["has a carriage return (U+000D) at character 2", "has a tab (U+0009) at character 4"]),
        ("👩‍👩‍👧", ["has U+200D ZERO WIDTH JOINER at character 2", "has U+200D ZERO WIDTH JOINER at character 4"]),
        ("", []),
    ],
)
def test_blanks(value, messages):
    assert list(lint.blanks(value)) == messages


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", True), ("None", True), ("null", True), ("CHANGEME", True), ("change-me", True), ("TODO", True),
        ("a {{ password }}", True), ("{% if %}", True), ("<no value>", True),
        ("no", False), ("nonesuch", False), ("{a}", False), ("0", False), ("xx", False),
    ],
)  # fmt: skip
def test_placeholders(value, found):
    assert [each.check for each in lint.lint({"/a": value}, ())] == (["placeholder"] if found else [])


def test_blanks_that_are_meant(check):
    assert (
        told(check('{{getv "/mail/separator"}}', {"mail": {"separator": ", "}}, allow_blanks=["mail/separator"])) == []
    )


@given(st.text(st.sampled_from("ab \t\n\r\u00a0\u200b"), min_size=1))
def test_no_lint_message_quotes_a_value(value):
    marked = f"{value}hunter22{value}"
    assert "hunter22" not in json.dumps([found.as_dict() for found in lint.lint({"/a": marked}, ())])


def test_without_an_environment_presence_is_not_judged(check):
    assert told(check('{{getv "/a"}}{{gets "/b/*"}}', keys=None)) == []
