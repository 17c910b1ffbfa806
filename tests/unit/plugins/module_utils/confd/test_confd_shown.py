# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered files as they are shown: no secret in them, however a template changed it, and every difference seen."""

from __future__ import annotations

import base64
import json
import re
import string

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd import shown
from ansible_collections.slipway.delivery.plugins.module_utils.confd.binary import Output
from ansible_collections.slipway.delivery.plugins.module_utils.confd.masking import Mask, SecretKeys
from ansible_collections.slipway.delivery.plugins.module_utils.confd.resources import Resource
from ansible_collections.slipway.delivery.plugins.module_utils.confd.shown import File, Shadow
from hypothesis import assume, given
from hypothesis import strategies as st

WAYS = {
    "as it is": lambda value: value,
    "upper": str.upper,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "json": json.dumps,
    "reversed": lambda value: value[::-1],
    "cut": lambda value: value[2:-2],
    "doubled backslashes": lambda value: value.replace("\\", "\\\\"),
}
RESOURCE = Resource("conf.d/t.toml", "t.tmpl", "/etc/t", "", ("/",))
SECRETS = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=6, max_size=30)


def output(text: str, mode: int = 0o644) -> Output:
    return Output(text.encode(), mode)


def rendered(way, value):
    return f"# a file\nname=app\npassword={WAYS[way](value)}\nurl=http://u:{WAYS[way](value)}@h/p\nend\n"


@given(SECRETS, st.sampled_from(sorted(WAYS)))
def test_a_secret_is_not_shown_however_it_was_written(value, way):
    assume(len(set(value) & set(string.ascii_letters + string.digits)) > 2)
    shadow = Shadow(output(rendered(way, shown.other_secret(value, True))), True)
    mask = Mask(SecretKeys(["/p"]), {"/p": value})
    text = shown.text(output(rendered(way, value)), shadow, mask, True)
    hidden = r'"?<secret>["=]{0,3}'  # the template's own quotes and an encoding's padding may stay
    assert re.fullmatch(f"# a file\nname=app\npassword={hidden}\nurl=http://u:{hidden}@h/p\nend\n", text), text


@given(st.text())
def test_other_secrets_are_of_the_same_length_and_of_no_same_letter(value):
    other = shown.other_secret(value, True)
    assert len(other) == len(value)
    assert not [pair for pair in zip(value, other) if pair[0] == pair[1] and pair[0] not in "\r\n"]
    plain = shown.other_secret(value, False)
    assert [a for a in value if not (a.isascii() and a.isalnum())] == [
        b for b in plain if not (b.isascii() and b.isalnum())
    ]


def test_without_secrets_the_text_is_the_file():
    text = "a \u00a0\u200b\r\nb\tc\x00\ud7ff"
    assert shown.text(output(text), None, Mask(SecretKeys([])), False) == text
    assert shown.text(Output(b"\xff\n", 0o644), None, Mask(SecretKeys([])), False) == "\\xff\n"


def test_where_secrets_decide_nothing_is_shown():
    text = shown.text(output("a=1\n"), None, Mask(SecretKeys(["/p"]), {"/p": "true"}), True)
    assert "a=1" not in text and "not shown" in text


def test_where_marks_were_kept_whole_lines_are_hidden():
    shadow = Shadow(output('{"b":"!!x"}\nplain\n'), False)
    assert shown.text(output('{"b":"!!w"}\nplain\n'), shadow, Mask(SecretKeys(["/p"])), True) == "<secret>\nplain\n"


def test_lines_that_only_one_of_two_has():
    shadow = Shadow(output("a\nc\n"), True)
    assert shown.text(output("a\nb1\nb2\nc\n"), shadow, Mask(SecretKeys(["/p"])), True) == "a\n<secret>\n<secret>\nc\n"


def file(now, before, now_shown=None, before_shown=None):
    return File(
        RESOURCE,
        output(*now) if now else None,
        now_shown if now_shown is not None else (now or [""])[0],
        output(*before) if before else None,
        before_shown if before_shown is not None else (before or [""])[0],
        compared=True,
    )


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (file(["a\nb\n"], ["a\nc\n"]), ["-c", "+b"]),
        (file(["a\n"], None), ["+a"]),
        (file(None, ["a\n"]), ["-a"]),
        (file(["a\n", 0o600], ["a\n", 0o644]), ["-(mode 0644)", "+(mode 0600)"]),
        (
            file(["p=new\nq\n"], ["p=old\nq\n"], "p=<secret>\nq\n", "p=<secret>\nq\n"),
            ["-p=<secret>", "+p=<secret changed>"],
        ),
        (file(["p=x\nq=2\n"], ["p=x\nq=1\n"], "p=<secret>\nq=2\n", "p=<secret>\nq=1\n"), ["-q=1", "+q=2"]),
    ],
)
def test_differences(found, lines):
    assert found.changed
    diff = shown.unified(found.diff("before", "after"))
    assert diff[:2] == ["--- /etc/t (before)", "+++ /etc/t (after)"]
    assert [line for line in diff[3:] if line[0] != " "] == lines


def test_what_is_the_same_or_not_compared_is_not_changed():
    assert not file(["a"], ["a"]).changed
    assert not File(RESOURCE, output("a"), "a").changed
    assert File(RESOURCE, output("a"), "a").facts()["changed"] is None


def test_confds_own_words_quote_no_secret():
    message = 'error calling atoi: strconv.Atoi: parsing "ab": invalid syntax, and "long secret"'
    secret = SecretKeys(["/a", "/b"])
    safe = shown.safe_message(message, secret, [{"/a": "ab", "/b": "long secret", "/c": "syntax"}])
    assert safe == "error calling atoi: strconv.Atoi: parsing <secret>: invalid syntax, and <secret>"
