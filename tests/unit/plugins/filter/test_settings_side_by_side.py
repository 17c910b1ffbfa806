# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings side by side: a row where environments differ or should, and no secret in it."""

from __future__ import annotations

import json

from ansible_collections.slipway.delivery.plugins.filter.settings_side_by_side import settings_side_by_side
from ansible_collections.slipway.delivery.plugins.module_utils.confd.compare import fingerprints


def checked(values, secrets=()):
    shown = {key: "<secret>" if key in secrets else value for key, value in values.items()}
    return {"settings": shown, "fingerprints": fingerprints(values, "a word")}


TEST = checked({"/same": "1", "/url": "u ", "/p": "pa55", "/q": "one", "/only": "x", "/long": "y" * 50}, ("/p", "/q"))
PROD = checked({"/same": "1", "/url": "v", "/p": "pa55", "/q": "two", "/long": "y" * 50}, ("/p", "/q"))


def rows(*args, **more):
    return {row["key"]: row for row in settings_side_by_side({"test": TEST, "prod": PROD}, *args, **more)}


def test_rows_and_notes():
    found = rows(["/url", "/p"])
    assert {key: row["note"] for key, row in found.items()} == {
        "/only": "not everywhere",
        "/p": "should differ",
        "/q": "differs",
        "/url": "",
    }
    assert (found["/url"]["test"], found["/url"]["prod"], found["/only"]["prod"]) == ('"u "', '"v"', "")


def test_what_may_differ_has_no_note():
    assert {key: row["note"] for key, row in rows([], ["/q", "/only", "/url"]).items() if row["note"]} == {}


def test_secrets_are_told_apart_and_not_shown():
    found = rows(["/p"])
    assert found["/p"]["test"] == found["/p"]["prod"] and found["/q"]["test"] != found["/q"]["prod"]
    assert found["/p"]["test"].startswith("<secret ") and "pa55" not in json.dumps(found)


def test_everything_and_long_values():
    found = rows(everything=True)
    assert sorted(found) == sorted(TEST["settings"]) and found["/same"]["note"] == ""
    assert len(found["/long"]["test"]) == 42 and found["/long"]["test"].endswith('…"')


def test_an_environment_that_failed_has_no_values():
    assert [row["note"] for row in settings_side_by_side({"test": {"failed": True}, "prod": checked({"/a": "1"})})] == [
        "not everywhere"
    ]
