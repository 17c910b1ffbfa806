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
