# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys a template reads, and which of them it cannot do without."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd.scanner import scan
from ansible_collections.slipway.delivery.plugins.module_utils.confd.tokens import TemplateError
from hypothesis import given, settings
from hypothesis import strategies as st


def required(source):
    return [lookup.key for lookup in scan(source) if lookup.required]


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ('{{getv "/a"}}{{get "/b"}}{{cgetv "/c"}}{{cget "/d"}}', ["/a", "/b", "/c", "/d"]),
        ('{{getv "/a" "x"}}{{getv "/b" ""}}{{"x" | getv "/c"}}', []),
        ('{{get "/a" "x"}}', ["/a"]),  # get takes no default: confd refuses this template at once
        ('{{"/a" | getv}}{{(getv "/b")}}{{getv ("/c") | toUpper}}', ["/a", "/b", "/c"]),
        ('{{gets "/a/*"}}{{getvs "/b/*"}}{{ls "/c"}}{{lsdir "/d"}}{{exists "/e"}}', []),
        ('{{if eq (getv "/a") (getv "/b")}}{{end}}', ["/a", "/b"]),
        ('{{getv $k}}{{getv .Key}}{{getv (printf "/svc/%s" $x)}}', []),
        ('{{getv (printf "/svc/%s/%d%%" "web" 1)}}', []),
        ('{{getv (printf "/svc/%s" "web")}}{{getv (print "/a" "/b")}}', ["/svc/web", "/a/b"]),
        ('{{define "t"}}{{getv "/a"}}{{end}}', ["/a"]),
        ('{{/* getv "/a" */}}{{`getv "/b"`}}{{"{{getv"}}', []),
    ],
)
def test_required(source, keys):
    assert required(source) == keys


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ('{{if exists "/a"}}{{getv "/a"}}{{getv "/b"}}{{end}}', ["/b"]),
        ('{{if exists "/a"}}{{else}}{{getv "/a"}}{{end}}', ["/a"]),
        ('{{if not (exists "/a")}}{{getv "/a"}}{{else}}{{getv "/a"}}{{end}}', ["/a"]),
        ('{{if (exists "/a")}}{{range gets "/x/*"}}{{getv "/a"}}{{end}}{{end}}', []),
        ('{{if exists "/a"}}{{end}}{{getv "/a"}}', ["/a"]),
        ('{{if and (exists "/a") (exists "/b")}}{{getv "/a"}}{{getv "/b"}}{{end}}', []),
        ('{{if or (exists "/a") (exists "/b")}}{{getv "/a"}}{{end}}', ["/a"]),
        ('{{if "/a" | exists}}{{getv "/a"}}{{end}}', []),
        ('{{if exists "/a" | not}}{{getv "/a"}}{{end}}', ["/a"]),
        ('{{if exists $k}}{{getv "/a"}}{{end}}', ["/a"]),
        (
            '{{if exists "/b"}}{{else if exists "/a"}}{{getv "/a"}}{{getv "/b"}}{{else}}{{getv "/a"}}{{end}}',
            ["/b", "/a"],
        ),
        # A confd that was built before Go 1.18 evaluates the second operand, too.
        ('{{if and (exists "/a") (eq (getv "/a") "x")}}{{end}}', ["/a"]),
    ],
)
def test_not_required_where_exists_found_it(source, keys):
    assert required(source) == keys


@pytest.mark.parametrize(
    ("source", "key", "pattern"),
    [
        ('{{getv (printf "/svc/%s/host" $x)}}', "/svc/*/host", True),
        ('{{$x | printf "/svc/%s" | getv}}', "/svc/*", True),
        ('{{getv (printf "/%s/%s" $x "b")}}', "/*/b", True),
        ('{{getv (print "/svc/" .Key)}}', "/svc/*", True),
        ('{{getv (printf "%s" $x)}}', None, False),
        ('{{getv (printf $f "x")}}', None, False),
        ('{{getv (join $x "/")}}', None, False),
        ("{{getv}}", None, False),
    ],
)
def test_computed_keys(source, key, pattern):
    (lookup,) = scan(source)
    assert (lookup.key, lookup.pattern, lookup.required) == (key, pattern, False)


@pytest.mark.parametrize(
    ("condition", "then", "otherwise"),
    [
        ('exists "/a"', {("/a", True)}, {("/a", False)}),
        ('not (exists "/a")', {("/a", False)}, {("/a", True)}),
        ('(exists "/a")', {("/a", True)}, {("/a", False)}),
        ('"/a" | exists', {("/a", True)}, {("/a", False)}),
        ('and (exists "/a") (exists "/b")', {("/a", True), ("/b", True)}, set()),
        ('and (exists "/a") $x', {("/a", True)}, set()),
        ('not (and (exists "/a") $x)', set(), {("/a", True)}),
        ('or (exists "/a") $x', set(), set()),
        ('exists "/a" | not', set(), set()),
        ('eq (getv "/a" "") "x"', set(), set()),
    ],
)
def test_what_a_condition_tells(condition, then, otherwise):
    found = scan(
        f'{{{{if {condition}}}}}{{{{getv "/t"}}}}{{{{else}}}}{{{{getv "/o"}}}}{{{{end}}}}{{{{getv "/after"}}}}'
    )
    when = {lookup.key: set(lookup.when) for lookup in found}
    assert (when["/t"], when["/o"], when["/after"]) == (then, otherwise, set())


def test_else_if_adds_up():
    found = scan('{{if exists "/a"}}{{else if exists "/b"}}{{getv "/x"}}{{else}}{{getv "/y"}}{{end}}')
    when = {lookup.key: set(lookup.when) for lookup in found}
    assert when["/x"] == {("/a", False), ("/b", True)} and when["/y"] == {("/a", False), ("/b", False)}


def test_lines_are_those_of_the_function():
    assert [(lookup.key, lookup.line) for lookup in scan('\n{{\ngetv\n"/a"}}\n\n{{range gets "/b/*"}}\n{{end}}')] == [
        ("/a", 3),
        ("/b/*", 6),
    ]


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ('a\n{{getv "/a"', "not closed by }}", 2),
        ('{{getv "/a}}', "quoted text is not closed", 1),
        ("\n\n{{if exists `/a`}}", "has no {{end}}", 3),
        ("{{end}}", "without a block", 1),
        ("{{else}}", "without a block", 1),
        ('{{getv ("/a"}}', "parenthesis is not closed", 1),
        ('{{getv "/a")}}', "unexpected )", 1),
        ("{{/* x", "not closed by */", 1),
        ("{{/* x */ y}}", "ends before }}", 1),
        ("{{}}", "empty", 1),
        ("{{getv @}}", "unexpected '@'", 1),
        ('{{getv "\\q"}}', "unknown escape", 1),
        ("{{'ab'}}", "malformed character", 1),
        ("{{| getv}}", "nothing on one side", 1),
    ],
)
def test_what_confd_cannot_parse(source, message, line):
    with pytest.raises(TemplateError) as refused:
        scan(source)
    assert message in refused.value.message and refused.value.line == line


PIECES = [
    "{{",
    "}}",
    "{",
    "}",
    "-",
    '"',
    "`",
    "'",
    "(",
    ")",
    " ",
    "|",
    "/*",
    "*/",
    "\n",
    "$x",
    ".",
    ":=",
    "\\",
    "getv",
    "if ",
    "else",
    "end",
    '"/a"',
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@settings(deadline=None)
def test_any_text_is_scanned_or_refused(source):
    try:
        found = scan(source)
    except TemplateError as error:
        assert 1 <= error.line <= source.count("\n") + 1
    else:
        assert all(1 <= lookup.line <= source.count("\n") + 1 for lookup in found)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{")))
def test_text_without_actions_reads_nothing(source):
    assert scan(source) == []
