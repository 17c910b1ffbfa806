# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What confd_check renders is, byte by byte, what confd then writes: every backend, both dialects, values of every kind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import time
import typing as t
from pathlib import Path

import confd_helper
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.deadline import Deadline
from ansible_collections.slipway.delivery.plugins.module_utils.confd import binary as binaries
from ansible_collections.slipway.delivery.plugins.module_utils.confd import functions
from ansible_collections.slipway.delivery.plugins.module_utils.confd.binary import LocalConfd
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK
from ansible_collections.slipway.delivery.plugins.module_utils.confd.render import Job, render
from ansible_collections.slipway.delivery.plugins.module_utils.confd.resources import Resource
from confd_helper import BACKENDS, VALUES, Center, execute
from test_confd_check_real import SETTINGS, TEMPLATES

pytestmark = [pytest.mark.lab, pytest.mark.confd]

ROOT = Path(__file__).resolve().parents[2]
DIALECTS = ("legacy", "fork")
# Beside those of test_confd_check_real: all that templates do with values. Each with its resource's keys.
MORE = {
    "every kind": ("".join(f'{{{{getv "/kinds/{kind}"}}}}\x00' for kind in VALUES), ["/kinds"]),
    "loops": (
        '{{range gets "/kinds/*"}}{{.Key}}={{.Value}}|{{len .Value}}\n{{end}}{{range ls "/svc"}}{{.}},{{end}}'
        '{{range lsdir "/svc"}}{{.}};{{end}}{{join (getvs "/theme/*") "+"}}',
        ["/kinds", "/svc", "/theme"],
    ),
    "functions": (
        '{{base64Encode (getv "/kinds/emoji")}}{{toUpper (getv "/kinds/unicode")}}{{(json (getv "/kinds/json")).a}}'
        '{{range split (getv "/kinds/lines") "\\n"}}<{{.}}>{{end}}{{add (atoi (getv "/db/pool")) 1}}{{replace (getv "/kinds/quotes") "\\"" "\'" -1}}'
        '{{$m := map "a" (getv "/db/url")}}{{$m.a}}{{printf "%q %x" (getv "/kinds/blanks") (getv "/kinds/empty")}}{{base "/a/b"}}',
        ["/kinds", "/db"],
    ),
    "white space": (
        '  {{- getv "/kinds/blanks" -}}  \n\n{{- /* no */ -}}\r\n{{getv "/db/url"}}\n',
        ["/kinds", "/db/url"],
    ),
    "variables": ('{{getenv "PLACE"}}|{{getenv "NOWHERE"}}|{{getv "/db/url"}}', ["/db"]),
    "own name": ('{{define "x"}}{{.}}{{end}}{{template "x" (getv "/db/url")}}{{if exists "/db"}}y{{end}}', ["/"]),
    "a mode of its own": ('{{getv "/db/url"}}', ["/db"]),
}
FORK_ONLY = {
    "helpers": (
        '{{getv "/kinds/quotes" | quote}}{{getv "/no" "d" | default "x"}}{{sha256sum (getv "/kinds/long")}}',
        ["/kinds"],
    ),
    "included": ('<{{include "part.inc"}}>', ["/db"]),
}
KINDS = {**SETTINGS, **{f"/kinds/{kind}": value for kind, value in VALUES.items()}}


@pytest.fixture(params=BACKENDS)
def center(request: t.Any, lab: dict[str, str], tmp_path: Path) -> t.Iterator[Center]:
    found = confd_helper.center(request.param, lab, tmp_path)
    yield found
    found.hand.forget(found.prefix)


@pytest.fixture(params=DIALECTS)
def binary(request: t.Any, lab: dict[str, str], lab_confd: str) -> tuple[str, str]:
    """A dialect and its confd."""
    found = lab_confd if request.param == "legacy" else lab.get("LAB_CONFD_FORK")
    if not found:
        pytest.skip(f"no fork of confd: {lab.get('LAB_CONFD_FORK_REASON', 'the lab names none')}")
    return request.param, found


def write_confdir(folder: Path, templates: t.Mapping[str, tuple[str, list[str]]], prefix: str) -> Path:
    """A resource for each template; it writes out/<name> beside the folder."""
    for part in ("confd/conf.d", "confd/templates/sub", "out"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "confd" / "templates" / "part.inc").write_text('{{getv "/db/pool"}}')
    for name, (template, keys) in templates.items():
        source = f"sub/{name}.tmpl" if len(name) % 2 else f"{name}.tmpl"
        (folder / "confd" / "templates" / source).write_bytes(template.encode())
        words = {"src": source, "dest": str(folder / "out" / name), "prefix": prefix, "keys": keys}
        words["mode"] = "0640" if "mode" in name else "0644"
        lines = [f"{word} = {json.dumps(value)}" for word, value in words.items()]
        (folder / "confd" / "conf.d" / f"{name}.toml").write_text("\n".join(["[template]", *lines, ""]))
    return folder / "confd"


def checked(center: Center, confdir: Path, confd: str, **args: t.Any) -> dict[str, t.Any]:
    given = {
        **center.options,
        "prefix": center.prefix,
        "confdir": str(confdir),
        "render": True,
        "confd": confd,
        "fail": False,
    }
    result = execute(CONFD_CHECK, {**given, **args})
    assert not result.get("failed"), result
    return result


def test_foretold_bytes_are_written_bytes(center, binary, tmp_path, monkeypatch):
    """All templates, good ones and those that confd fails at; before they are applied, and from the centre itself."""
    dialect, confd = binary
    monkeypatch.setenv("PLACE", "here")
    templates = {**TEMPLATES, **MORE, **(FORK_ONLY if dialect == "fork" else {})}
    confdir = write_confdir(tmp_path, templates, center.prefix)
    foretold = checked(center, confdir, confd, keys=KINDS, env={"PLACE": "here"})
    center.config(keys=KINDS)
    from_center = checked(center, confdir, confd, env={"PLACE": "here"})
    confd_helper.confd(confd, dialect == "fork", center, confdir)
    written = {
        str(path): (path.read_bytes().decode(), f"{stat.S_IMODE(path.stat().st_mode):04o}", path.stat().st_size)
        for path in (tmp_path / "out").iterdir()
    }
    assert foretold["rendered"] and foretold["dialect"] == dialect
    for result in (foretold, from_center):
        assert {file["dest"]: (file["content"], file["mode"], file["size"]) for file in result["files"]} == written
    assert {Path(path).name for path in written} >= {
        *MORE,
        *(FORK_ONLY if dialect == "fork" else {}),
        "plain",
        "guarded",
    }
    broken = {file["file"] for file in foretold["findings"] if file["severity"] == "error" and file["file"]}
    missing = {
        f"templates/{'sub/' if len(name) % 2 else ''}{name}.tmpl"
        for name in templates
        if str(tmp_path / "out" / name) not in written
    }
    assert missing == broken & missing


def test_computed_keys_that_are_missing_are_all_named(center, binary, tmp_path):
    _dialect, confd = binary
    template = '{{range ls "/svc"}}{{getv (printf "/svc/%s/host" .)}}{{getv (printf "/svc/%s/port" .)}}{{end}}'
    confdir = write_confdir(tmp_path, {"computed": (template, ["/svc"])}, center.prefix)
    result = checked(center, confdir, confd, keys={"svc": {"a": {"host": "x"}, "b": {"port": 1}}})
    missing = [
        found["key"] for found in result["findings"] if found["check"] == "missing_key" and found["severity"] == "error"
    ]
    assert sorted(missing) == ["/svc/a/port", "/svc/b/host"]
    assert result["rendered"] and result["files"] == []


def test_a_template_that_fails_says_where_and_no_secret(center, binary, tmp_path):
    _dialect, confd = binary
    templates = {"bad": ('line\n{{atoi (getv "/word")}}', ["/"]), "good": ('{{getv "/word"}}', ["/"])}
    result = checked(
        center, write_confdir(tmp_path, templates, center.prefix), confd, keys={"word": "abc"}, secret_keys=["word"]
    )
    (found,) = [each for each in result["findings"] if each["severity"] == "error"]
    assert (found["check"], found["file"], found["line"]) == ("render", "templates/sub/bad.tmpl", 2)
    assert "atoi" in found["message"] and "abc" not in json.dumps(result)
    assert [file["content"] for file in result["files"]] == ["<secret>"]


def test_the_difference_to_what_the_center_holds_and_to_a_revision(center, binary, tmp_path):
    _dialect, confd = binary
    template = 'a={{getv "/a"}}\np={{base64Encode (getv "/p")}}\n'
    confdir = write_confdir(tmp_path, {"t": (template, ["/"])}, center.prefix)
    first = center.config(keys={"a": 1, "p": "old-pa55w"}, secret_keys=["p"])["revision"]
    center.config(keys={"a": 2, "p": "old-pa55w"}, secret_keys=["p"])
    wanted = {"a": 3, "p": "new-pa55w"}
    now = checked(center, confdir, confd, keys=wanted, secret_keys=["p"], against={})
    assert now["diff_lines"][3:] == ["-a=2", "-p=<secret>", "+a=3", "+p=<secret changed>"]
    assert now["differences"]["different"] == ["/a", "/p"]
    before = checked(center, confdir, confd, keys=wanted, secret_keys=["p"], against={"revision": first[:8]})
    assert before["diff_lines"][3:5] == ["-a=1", "-p=<secret>"] and first[:8] in before["diff_lines"][0]
    same = checked(center, confdir, confd, against={})
    assert same["diff"] == [] and same["files"][0]["changed"] is False and same["rendered"]
    elsewhere = checked(center, confdir, confd, keys=wanted, secret_keys=["p"], against={"prefix": "/cfd-nowhere"})
    assert [line[0] for line in elsewhere["diff_lines"]] == ["-", "+", "@", "+", "+"]
    gone = checked(center, confdir, confd, keys=wanted, secret_keys=["p"], against={"revision": "0123456789"})
    assert any(found["check"] == "compare" and "0123456789" in found["message"] for found in gone["findings"])
    assert not any(
        secret in json.dumps([now, before, same, gone]) for secret in ("old-pa55w", "new-pa55w", "b2xkLXBh", "bmV3LXBh")
    )


def test_another_environment_that_does_not_answer_is_told(center, binary, tmp_path):
    _dialect, confd = binary
    confdir = write_confdir(tmp_path, {"t": ('{{getv "/a"}}', ["/"])}, center.prefix)
    dead = {"name": "staging", "backend": "redis", "nodes": ["127.0.0.1:9"], "timeout": "2s"}
    result = checked(center, confdir, confd, keys={"a": 1}, against=dead, expect_different=["/a"])
    assert [(found["check"], found["severity"]) for found in result["findings"]] == [("compare", "warning")]
    assert "staging" in result["findings"][0]["message"] and result["differences"] is None and len(result["files"]) == 1


def test_nothing_of_a_run_stays(center, binary, tmp_path, monkeypatch):
    _dialect, confd = binary
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(binaries, "_MEMORY", str(place))
    confdir = write_confdir(tmp_path, {"t": ('{{getv "/a"}}', ["/"])}, center.prefix)
    tree = sorted(tmp_path.rglob("*"))
    checked(center, confdir, confd, keys={"a": 1})
    assert sorted(tmp_path.rglob("*")) == tree


def render_for_ever(confdir: Path, confd: str, place: str) -> None:
    binaries._MEMORY = place
    args = {"confdir": str(confdir), "prefix": "/x", "keys": {"p": "sesame-door1"}, "secret_keys": ["p"]}
    execute(CONFD_CHECK, {**args, "render": True, "confd": confd, "timeout": "60s", "fail": False})


def test_what_a_killed_task_leaves_is_gone_after_the_next(binary, tmp_path, monkeypatch):
    """The copies for rendering hold secrets in the clear. Those of a task that still runs stay."""
    _dialect, confd = binary
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(binaries, "_MEMORY", str(place))
    endless = '{{getv "/p"}}' + "".join("{{range seq 1 2000}}" for _level in range(3)) + "{{end}}" * 3
    confdir = write_confdir(tmp_path, {"t": (endless, ["/"])}, "/x")
    processes = multiprocessing.get_context("fork")
    killed, busy = (processes.Process(target=render_for_ever, args=(confdir, confd, str(place))) for _task in range(2))
    try:
        killed.start()
        (left,) = until(lambda: [path for path in place.iterdir() if (path / "values.json").exists()], 1)
        assert "sesame-door1" in (left / "values.json").read_text() and stat.S_IMODE(left.stat().st_mode) == 0o700
        killed.kill()
        killed.join()
        busy.start()
        (mine,) = until(
            lambda: [path for path in place.iterdir() if (path / "values.json").exists() and path != left], 1
        )
        quick = write_confdir(tmp_path / "quick", {"t": ('{{getv "/p"}}', ["/"])}, "/x")
        execute(CONFD_CHECK, {"confdir": str(quick), "prefix": "/x", "keys": {"p": 1}, "render": True, "confd": confd})
        assert list(place.iterdir()) == [mine]
    finally:
        for process in (killed, busy):
            if process.pid:
                process.kill()
        for running in subprocess.run(
            ["pgrep", "-f", str(place)], capture_output=True, text=True, check=False
        ).stdout.split():
            os.kill(int(running), signal.SIGKILL)


def until(found: t.Callable[[], list[Path]], count: int) -> list[Path]:
    deadline = time.monotonic() + 20
    while len(found()) != count:
        assert time.monotonic() < deadline, found()
        time.sleep(0.01)
    return found()


def test_without_confd(tmp_path, monkeypatch):
    monkeypatch.delenv("CONFD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    confdir = write_confdir(tmp_path, {"t": ('{{getv "/a"}}{{getv "/b"}}', ["/"])}, "/x")
    args = {"confdir": str(confdir), "prefix": "/x", "keys": {"a": 1}, "render": True, "fail": False}
    result = execute(CONFD_CHECK, args)
    assert result["rendered"] is False and result["files"] == []
    assert [(found["check"], found["key"]) for found in result["findings"]] == [("missing_key", "/b"), ("render", None)]
    named = execute(CONFD_CHECK, {**args, "confd": "/nowhere/confd"})
    assert named["failed"] and "/nowhere/confd" in named["msg"]


def test_a_confd_of_the_other_dialect_does_not_render(binary, tmp_path):
    dialect, confd = binary
    other = "fork" if dialect == "legacy" else "legacy"
    confdir = write_confdir(tmp_path, {"t": ('{{getv "/a"}}', ["/"])}, "/x")
    args = {"confdir": str(confdir), "prefix": "/x", "keys": {"a": 1}, "render": True, "fail": False, "confd": confd}
    result = execute(CONFD_CHECK, {**args, "dialect": other})
    assert result["rendered"] is False and result["dialect"] == other
    assert [found["severity"] for found in result["findings"]] == ["warning"]


def test_the_functions_are_those_that_confd_has(binary):
    """Every function of either list is defined or not just as the list of this dialect says."""
    dialect, confd = binary
    names = sorted((functions.KNOWN["legacy"] | functions.KNOWN["fork"]) - functions.SECRET)
    templates = {f"{name}.tmpl": f"{{{{if false}}}}{{{{{name}}}}}{{{{end}}}}".encode() for name in names}
    jobs = [Job(Resource("f", template, "/d", "", ("/",)), {"/a": "b"}, once=True) for template in templates]
    with LocalConfd(confd, {}, Deadline(60)).folder() as found:
        done = render(found, templates, jobs)
    defined = {name for name, rendered in zip(names, done) if rendered.output is not None}
    assert defined == functions.KNOWN[dialect] - functions.SECRET
