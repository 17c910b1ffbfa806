# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing: each format is read as its own tools read it, and what is written is read back as exactly the same settings."""

from __future__ import annotations

import json
import os

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.confd import formats, importing, keys
from ansible_collections.slipway.delivery.plugins.module_utils.confd.importing import CONFD_IMPORT
from hypothesis import given
from hypothesis import strategies as st


class Loader(yaml.SafeLoader):
    """Reads as Ansible does: what is unsafe is text, what is not may be a template."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1\nb : 2\nc 3\nd\n", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "")]),
        ("# no\n  ! no\n\n \t\n x = y \n", [("x", "y ")]),
        ("a=one\\\n   two\\\n\tthree\nb=x\\\\\nc=1", [("a", "onetwothree"), ("b", "x\\"), ("c", "1")]),
        ("a\\ b\\:c\\=d=e=f:g", [("a b:c=d", "e=f:g")]),
        ("u=\\u00e9\\t\\n\\q\\\\ \\ud83d\\udea2", [("u", "é\t\nq\\ 🚢")]),
        ("a=1\r\nb=2\rc=3", [("a", "1"), ("b", "2"), ("c", "3")]),
        ("=value", [("", "value")]),
        ("last=x\\", [("last", "x")]),
    ],
)
def test_properties(text, pairs):
    assert formats.parse(text, "properties") == pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("A=1\nexport B = two words # no\n#C=3\n\nD=\n", [("A", "1"), ("B", "two words"), ("D", "")]),
        (
            "A='x $y \\n'\nB=\"x\\n\\\"y\\\" \\$z\"\nC=a#b\nD='a\nb' # no\n",
            [("A", "x $y \\n"), ("B", 'x\n"y" $z'), ("C", "a#b"), ("D", "a\nb")],
        ),
        ('\ufeffA=1\r\nB="  "', [("A", "1"), ("B", "  ")]),
        ("A=# nothing\nB=jdbc:x?y=z", [("A", ""), ("B", "jdbc:x?y=z")]),
    ],
)
def test_dotenv(text, pairs):
    assert formats.parse(text, "dotenv") == pairs


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("a=\\u12", "properties", "line 1: "),
        ("A=1\nnot a variable\n", "dotenv", "line 2 "),
        ("A=1\n\nB='open\n", "dotenv", "line 3 "),
        ("a: [", "yaml", "is no YAML"),
        ("- a", "yaml", "holds a list"),
    ],
)
def test_what_is_none(text, kind, message):
    with pytest.raises(ParameterError) as refused:
        formats.parse(text, kind)
    assert message in refused.value.msg


@given(st.text(max_size=60), st.sampled_from(["properties", "dotenv"]))
def test_any_text_is_read_or_refused(text, kind):
    try:
        assert all(isinstance(value, str) for pair in formats.parse(text, kind) for value in pair)
    except ParameterError as error:
        assert error.msg.startswith("line ")


NAMES = st.text("abcdefgh_", min_size=1, max_size=4)
VALUES = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\u00a0\u200b\ufeff{%}# :'\"\\\n\r\t\x85\u2028")),
    max_size=20,
)


@given(st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=3)), max_size=5))
def test_what_is_written_is_read_back(settings):
    values = keys.flatten(settings).values
    written = importing.dump({key: importing._spelt(value, None, {}) for key, value in values.items()}, "here")
    assert keys.flatten(yaml.load(written, Loader) or {}).values == values
    assert not set(written) & set("\u00a0\u200b\ufeff\u2028\x85"), "what cannot be seen is escaped"
    for line in written.splitlines():
        assert "!unsafe" in line or not ("{{" in line or "{%" in line)


@pytest.fixture
def run(tmp_path):
    def do(name, text, check_mode=False, **args):
        if text is not None:
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        given_args = {"src": str(tmp_path / name), "dest": str(tmp_path / "out" / "x.yml"), **args}
        validated = ArgumentSpecValidator(CONFD_IMPORT.spec.options).validate(given_args)
        assert not validated.error_messages
        context = Context(check_mode=check_mode)
        return {**CONFD_IMPORT.execute(validated.validated_parameters, context), "warned": context.warnings}

    return do


PROPERTIES = "db.url=jdbc:mysql://u:pa55word@db/x\ndb.password=pa55word\ndb.pool=20 \ntext={{ not }} a template\n"


def test_a_properties_file_with_a_secret(run, tmp_path):
    args = {"secret_keys": ["/db/password"], "variable_prefix": "webapi"}
    foretold = run("a.properties", PROPERTIES, check_mode=True, **args)
    assert not (tmp_path / "out").exists()
    result = run("a.properties", PROPERTIES, **args)
    assert foretold == result and result["changed"]
    assert result["imported"] == ["/db/password", "/db/pool", "/db/url", "/text"]
    assert result["variables"] == {"webapi_db_password": "/db/password"}
    assert [(found["key"], found["check"]) for found in result["findings"]] == [
        ("/db/pool", "blank"),
        ("/text", "placeholder"),
    ]
    written = (tmp_path / "out" / "x.yml").read_text()
    assert yaml.load(written, Loader) == {
        "db": {
            "password": "{{ webapi_db_password }}",
            "pool": "20 ",
            "url": "jdbc:mysql://u:{{ webapi_db_password }}@db/x",
        },
        "text": "{{ not }} a template",
    }
    assert "pa55word" not in written + json.dumps(result)
    assert not run("a.properties", None, **args)["changed"]
    assert os.stat(tmp_path / "out" / "x.yml").st_mode & 0o777 == 0o644


def test_a_file_that_is_there_stays_unless_forced(run, tmp_path):
    run("a.yml", "a: {b: 1, c: [x, y]}\nd: yes\n")
    refused = run("b.env", "A_B=2\n", separator="_", lower=True)
    assert refused["failed"] and "is there already" in refused["msg"]
    forced = run("b.env", None, separator="_", lower=True, force=True)
    assert forced["changed"] and forced["imported"] == ["/a/b"] and "c:" in forced["diff"]["before"]
    assert yaml.load((tmp_path / "out" / "x.yml").read_text(), Loader) == {"a": {"b": "2"}}


def test_lists_numbers_and_a_part_of_the_file(run, tmp_path):
    result = run("a.yml", "app: {b: 1.10, c: [x, true], seven: '007'}\nother: 1\n", prefix="/app")
    assert result["imported"] == ["/b", "/c/0", "/c/1", "/seven"]
    assert yaml.load((tmp_path / "out" / "x.yml").read_text(), Loader) == {
        "b": "1.1",
        "c": {"0": "x", "1": "true"},
        "seven": "007",
    }


@pytest.mark.parametrize(
    ("name", "text", "args", "message"),
    [
        ("a.txt", "", {}, "format: a.txt tells none"),
        ("a.yml", None, {}, "cannot be read"),
        ("a.yml", b"\xff", {}, "is no UTF-8"),
        ("a.properties", "a=1\na.b=2\n", {}, "/a has a value, and /a/b"),
        ("a.yml", "a: null", {}, "/a is null"),
        ("a.env", "x y", {}, "a.env: line 1"),
        ("a.env", "A=1\na=2", {"lower": True}, "A and a would both be /a"),
        ("a.env", "A_B=1\nA/B=2", {"separator": "_"}, "line 2"),
        ("a.yml", "a: &a [*a]", {}, "nested in more than 100 levels"),
        ("a.env", "A=1", {"nodes": ["h:1"], "backend": "redis"}, "one of the two"),
        ("a.env", "A-B=12345\nA.B=23456", {"secret_keys": ["/A-B", "/A.B"]}, "one variable's name"),
    ],
)
def test_refusals(run, name, text, args, message):
    result = run(name, text, **args)
    assert result["failed"] and message in result["msg"], result["msg"]
    assert "unforeseen" not in result["msg"]


def test_a_misspelt_secret_is_warned_about(run):
    assert any("/B" in line for line in run("a.env", "A=1", secret_keys=["/B"])["warned"])
