# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template scanner against Go's own parser, over templates written by hand and thousands made by rules."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd.scanner import Lookup, scan
from ansible_collections.slipway.delivery.plugins.module_utils.confd.tokens import TemplateError

pytestmark = pytest.mark.confd

GO = shutil.which("go") or "/usr/local/go/bin/go"
ROOT = Path(__file__).resolve().parents[2]
BY_HAND = [
    'a={{getv "/a"}} b={{ getv "/b" "x" }} {{- getv `/c` -}} {{"/d" | getv}} {{"y" | getv "/e"}}',
    '{{getv (printf "/svc/%s/host" "x")}} {{getv ("/p")}} {{getv (("/q"))}} {{$k := "/k"}}{{getv $k}}',
    '{{/* {{getv "/no"}} */}}{{- /* a\n }} comment */ -}}{{getv "/yes"}}',
    '{{range $i, $e := gets "/svc/*"}}{{getv (printf "%s/port" .Key)}}{{else}}{{getv "/none"}}{{end}}',
    '{{if exists "/a"}}{{getv "/a"}}{{else if exists "/b"}}{{getv "/b"}}{{else}}{{getv "/c"}}{{end}}',
    '{{with get "/a"}}{{.Value}}{{end}}{{(get "/b").Value}}{{with $x := getv "/c"}}{{$x}}{{end}}',
    '{{define "t"}}{{getv "/in"}}{{end}}{{template "t" (getv "/arg")}}{{block "u" getv "/blk"}}{{getv "/in2"}}{{end}}',
    '{{getv\n  "/multi"\n  "line"\n}}\n\n{{ls "/dir"}}{{lsdir "/dir/"}}',
    '{{getv "/\\u00e9\\x41\\101\\t"}} {{getv "/quote\\"s"}} {{`{{getv "/text"}}`}} {{"}}"}} {{\'}\'}} {{\'"\'}}',
    '{{if and (exists "/a") (eq (getv "/a") "x" | not)}}{{1.5e3}} {{-3}} {{0x1F}} {{1i}}{{end}}',
    '{{$x := 1}}{{$x = 2}}{{range gets "/a/*"}}{{break}}{{continue}}{{end}}{{len (getvs "/b/*")}}',
    '{{map "a" (getv "/m") | json}} {{(index (gets "/i/*") 0).Key}} {{$.Key}} {{.}} {{$}}',
    "{ {getv} } {{{getv \"/brace\"}}}",
    "{{getv}} {{true}} {{nil | print}}",
    "",
    "text alone",
    # What Go refuses.
    "{{getv \"/a\"", "{{getv \"/a}}", "{{getv `/a}}", "{{}}", "{{end}}", "{{else}}", "{{if getv \"/a\"}}", "{{getv (\"/a\"}}",
    "{{getv \"/a\")}}", "{{/* open", "{{/* open }}", "{{/* closed */ getv \"/a\"}}", "{{getv \"/a\" | | get}}", "{{| getv}}", "{{getv '/a'}}",
    "{{getv \"/\\q\"}}", "{{getv @}}", "{{-getv \"/a\"}}", "{{range gets \"/a/*\"}}{{end}}{{end}}", "{{getv \"a\nb\"}}",
]  # fmt: skip
# Pieces that templates are made of; a few make text that Go refuses, and the scanner must refuse as well.
KEYS = [
    '"/a"',
    '"/b/c"',
    "`/raw`",
    '("/p")',
    "$x",
    ".Key",
    '(printf "/s/%s" "q")',
    '"/\\x41"',
    '(getv "/n")',
    "(ls `/l`)",
]
HEADS = ["getv", "get", "gets", "getvs", "exists", "ls", "lsdir", "base", "len", "printf"]
PIPES = ["", "", "", " | toUpper", ' | getv "/piped"', " | getv", ' | printf "%s"']
OPENS = ["if", "range", "with", "range $i, $e :=", "with $y :="]


def made(random_: random.Random, depth: int = 0) -> str:
    """A template from the rules above."""
    parts = []
    for _piece in range(random_.randint(1, 4)):
        pipeline = (
            f"{random_.choice(HEADS)} {random_.choice(KEYS)}{random_.choice(['', '', ' `d`'])}{random_.choice(PIPES)}"
        )
        left, right = random_.choice(["{{", "{{ ", "{{- ", "{{\n"]), random_.choice(["}}", " }}", " -}}", "\n}}"])
        if depth < 3 and random_.random() < 0.4:
            other = random_.choice(["", f"{left}else{right}{made(random_, 3)}", f"{left}else if {pipeline}{right}"])
            head = random_.choice(OPENS)
            other = other if head == "if" else ""
            parts.append(f"{left}{head} {pipeline}{right}{made(random_, depth + 1)}{other}{left}end{right}")
        else:
            parts.append(
                random_.choice(
                    [
                        f"{left}{pipeline}{right}",
                        f"\n{left}/* {pipeline} */{right}",
                        "text { } %",
                        f"{left}$x := {pipeline}{right}",
                    ]
                )
            )
    return "".join(parts)


def spoilt(random_: random.Random, source: str) -> str:
    """`source` with one character missing: most are no templates any more."""
    at = random_.randrange(len(source)) if source else 0
    return source[:at] + source[at + 1 :]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: t.Any) -> t.Callable[[t.List[str]], t.List[t.Dict[str, t.Any]]]:
    if not Path(GO).exists():
        pytest.skip("no Go compiler to ask Go's own parser with")
    program = tmp_path_factory.mktemp("oracle") / "oracle"
    source = Path(__file__).parent / "go_oracle" / "main.go"
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": ""}
    subprocess.run([GO, "build", "-o", str(program), str(source)], check=True, env=environment, timeout=300)

    def ask(sources: t.List[str]) -> t.List[t.Dict[str, t.Any]]:
        done = subprocess.run(
            [str(program)], input=json.dumps(sources), capture_output=True, text=True, check=True, timeout=60
        )
        return json.loads(done.stdout)

    return ask


def told(lookup: Lookup) -> t.Tuple[t.Any, ...]:
    key = None if lookup.pattern else lookup.key
    return (lookup.line, lookup.function, key or "", key is None, lookup.default)


def compare(sources: t.List[str], answers: t.List[t.Dict[str, t.Any]]) -> t.Tuple[int, int]:
    """How many templates and look-ups agree; the first that does not fails the test."""
    lookups = 0
    for source, answer in zip(sources, answers):
        try:
            found = sorted(map(told, scan(source)))
        except TemplateError as error:
            assert not answer["parses"], f"the scanner refuses ({error.message}), and Go does not:\n{source}"
            continue
        if not answer["parses"]:
            assert forgiven(answer["error"]), f"Go refuses ({answer['error']}), and the scanner does not:\n{source}"
            continue
        expected = sorted(
            (each["line"], each["function"], each["key"] or "", each["key"] is None, each["default"])
            for each in answer["lookups"]
        )
        assert found == expected, source
        lookups += len(found)
    return len(sources), lookups


def forgiven(error: str) -> bool:
    """What the scanner lets pass: grammar beyond words and brackets, which no look-up depends on."""
    known = ("in operand", "missing value for command", "bad character", "undefined variable", "can only initialize")
    return any(part in error for part in known)


def test_templates_written_by_hand(oracle):
    answers = oracle(BY_HAND)
    compare(BY_HAND, answers)
    refused = [source for source, answer in zip(BY_HAND, answers) if not answer["parses"]]
    for source in refused:
        with pytest.raises(TemplateError):
            scan(source)


def test_the_sample_apps_templates(oracle):
    sources = [path.read_text() for path in sorted((ROOT / "examples").rglob("confd/templates/*.tmpl"))]
    assert compare(sources, oracle(sources))[1] > 5


def test_templates_made_by_rules(oracle):
    random_ = random.Random(20260301)
    sources = ["{{$x := 1}}" + made(random_) for _number in range(6000)]
    sources += [spoilt(random_, source) for source in sources[:3000]]
    assert compare(sources, oracle(sources))[1] > 10000
