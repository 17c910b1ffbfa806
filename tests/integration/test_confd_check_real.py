# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_check against confd itself: it foretells failure exactly where confd then fails, on every backend."""

from __future__ import annotations

import typing as t
from pathlib import Path

import confd_helper
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK
from confd_helper import BACKENDS, Center, execute

pytestmark = [pytest.mark.lab, pytest.mark.confd]

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "/db/url": "u", "/db/pool": "20", "/db2": "raw prefix", "/theme/name": "n", "/theme/color": "c",
    "/svc/web/host": "h", "/svc/web/port": "1", "/maybe": "m", "/flag": "f", "/unread": "x",
}  # fmt: skip
# Each with the resource's keys. In each, some keys are needed, some are not, and some are not seen.
TEMPLATES = {
    "plain": ('{{getv "/db/url"}} {{getv "/db/pool" "10"}} {{getv "/theme/name"}}', ["/db", "/theme"]),
    "piped": ('{{"/db/url" | getv}}{{getv (printf "/theme/%s" "color")}}{{(get "/maybe").Value}}', ["/"]),
    "guarded": (
        '{{if exists "/maybe"}}{{getv "/maybe"}}{{else}}{{getv "/flag"}}{{end}}'
        '{{if not (exists "/flag")}}-{{else}}{{getv "/flag"}}{{end}}',
        ["/flag", "/maybe"],
    ),
    "globs": (
        '{{range gets "/svc/*/host"}}{{.Value}}{{end}}{{range ls "/theme"}}{{.}}{{end}}{{getvs "/none/*"}}',
        ["/svc", "/theme"],
    ),
    "leaves": ('{{getv "/db/url"}}{{getv "/theme/color"}}', ["/db/url", "/theme/color"]),
    "uncovered": ('{{getv "/db/url"}}{{getv "/theme/name"}}', ["/db/url"]),
    "raw prefix": ('{{getv "/db2"}}', ["/db"]),
    "star": ('{{getv "/db/url"}}', ["/db/*"]),
    "without a slash": ('{{getv "db/url"}}', ["db"]),
    "unparsable": ('{{getv "/db/url"', ["/db"]),
}


@pytest.fixture(params=BACKENDS)
def center(request: t.Any, lab: dict[str, str], tmp_path: Path) -> t.Iterator[Center]:
    found = confd_helper.center(request.param, lab, tmp_path)
    yield found
    found.hand.forget(found.prefix)


def confdir(folder: Path, template: str, keys: t.List[str], prefix: str) -> Path:
    (folder / "conf.d").mkdir(parents=True, exist_ok=True)
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "t.tmpl").write_text(template)
    listed = ", ".join(f'"{key}"' for key in keys)
    resource = (
        f'[template]\nsrc = "t.tmpl"\ndest = "{folder}/out"\nmode = "0644"\nprefix = "{prefix}"\nkeys = [{listed}]\n'
    )
    (folder / "conf.d" / "t.toml").write_text(resource)
    return folder


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("dialect", ["legacy", "fork"])
def test_what_it_foretells_confd_does(center, lab, lab_confd, tmp_path, name, dialect):
    """With all keys, and with each of them missing once."""
    binary = lab_confd if dialect == "legacy" else lab.get("LAB_CONFD_FORK")
    if not binary:
        pytest.skip(f"no fork of confd: {lab.get('LAB_CONFD_FORK_REASON', 'the lab names none')}")
    template, keys = TEMPLATES[name]
    folder = confdir(tmp_path / "confd", template, keys, center.prefix)
    told, done = {}, {}
    for missing in ("", *SETTINGS):
        center.config(keys={key: value for key, value in SETTINGS.items() if key != missing})
        checked = execute(
            CONFD_CHECK,
            {**center.options, "prefix": center.prefix, "confdir": str(folder), "dialect": dialect, "fail": False},
        )
        assert not checked.get("failed"), checked
        told[missing] = sorted({found["check"] for found in checked["findings"] if found["severity"] == "error"})
        ran = confd_helper.confd(binary, dialect == "fork", center, folder)
        done[missing] = ran.returncode
    assert {key: bool(errors) for key, errors in told.items()} == {key: bool(code) for key, code in done.items()}, told


def test_the_sample_app_fits_its_templates(center, lab_confd, tmp_path):
    """Every key that the check calls required is one that confd cannot do without, and no other is."""
    source = ROOT / "examples" / "webapi" / "confd"
    (template,) = (source / "templates").glob("*.tmpl")
    folder = confdir(tmp_path / "confd", template.read_text(), ["/"], center.prefix)
    check = {**center.options, "prefix": center.prefix, "confdir": str(folder), "fail": False}
    needed = execute(CONFD_CHECK, {**check, "keys": {}})["required"]
    assert needed
    for missing in ("", *needed):
        center.config(keys={key: "x" for key in needed if key != missing})
        ran = confd_helper.confd(lab_confd, False, center, folder)
        assert bool(ran.returncode) == bool(missing), ran.stderr


GOOD = '[template]\nsrc = "t.tmpl"\ndest = "OUT"\nmode = "0644"\nkeys = ["/"]\n'
RESOURCES = {
    "as written": GOOD,
    "names in any letters": GOOD.replace("template", "Template").replace("src", "SRC").replace("keys", "Keys"),
    "an inline table": 'template = {src = "t.tmpl", dest = "OUT", keys = ["/"]}\n',
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + GOOD,
    "dotted names": 'template.src = "t.tmpl"\ntemplate.dest = "OUT"\ntemplate.keys = ["/"]\n',
    "a misspelt word": GOOD + 'reload_comand = "true"\n',
    "uid as text": GOOD + 'uid = "1000"\n',
    "check_cmd as a list": GOOD + 'check_cmd = ["true"]\n',
    "keys as text": GOOD.replace('["/"]', '"/"'),
    "keys of two kinds": GOOD.replace('["/"]', '["/", 1]'),
    "mode as a number": GOOD.replace('"0644"', "420"),
    "mode that is no octal": GOOD.replace("0644", "0999"),
    "prefix as a number": GOOD + "prefix = 1\n",
    "src as a number": GOOD.replace('"t.tmpl"', "1"),
    "src with a slash": GOOD.replace("t.tmpl", "/t.tmpl"),
    "src by a detour": GOOD.replace("t.tmpl", "../templates/t.tmpl"),
    "src that is not there": GOOD.replace("t.tmpl", "u.tmpl"),
    "no table": "x = 1\n",
    "nothing": "",
    "open brackets": GOOD + "[x\n",
}


@pytest.mark.parametrize("dialect", ["legacy", "fork"])
def test_a_resource_is_refused_where_confd_stops_at_it(lab, lab_confd, tmp_path, dialect):
    """And the template is rendered where confd writes it, with the same bytes."""
    binary = lab_confd if dialect == "legacy" else lab.get("LAB_CONFD_FORK")
    if not binary:
        pytest.skip(f"no fork of confd: {lab.get('LAB_CONFD_FORK_REASON', 'the lab names none')}")
    told, done = {}, {}
    center = confd_helper.center("file", lab, tmp_path)
    for name, text in RESOURCES.items():
        center.config(keys={"a": "x"}, purge=False)
        folder = confdir(tmp_path / name / "confd", '{{getv "PREFIX/a"}}'.replace("PREFIX", center.prefix), ["/"], "")
        out = tmp_path / name / "out"
        (folder / "conf.d" / "t.toml").write_text(text.replace("OUT", str(out)), newline="")
        checked = execute(
            CONFD_CHECK,
            {**center.options, "confdir": str(folder), "render": True, "confd": binary, "fail": False},
        )
        assert not checked.get("failed"), checked
        errors = [found["message"] for found in checked["findings"] if found["severity"] == "error"]
        ran = confd_helper.confd(binary, dialect == "fork", center, folder)
        told[name], done[name] = bool(errors), bool(ran.returncode)
        if not errors:
            assert [file["content"] for file in checked["files"]] == [out.read_text()] == ["x"], name
    assert told == done
