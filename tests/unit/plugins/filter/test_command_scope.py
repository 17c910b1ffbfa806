# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment and the apps of a command, and every wrong name in it."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.filter.command_scope import command_scope

FILES = {
    "webapi": "app: {environments: [test, prod], container: {env: {A: '{{ not_known_yet }}'}}}",
    "power": "app:\n  secret: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n  environments: [test]\n",
}


def scope(needs, files=None, environments=("prod", "test"), apps_dir="/apps", **said):
    return command_scope(
        FILES if files is None else files, said, needs, environments, apps_dir, ["/here/apps", "/there/apps"]
    )


@pytest.mark.parametrize(
    ("needs", "said", "env", "apps"),
    [
        (["env"], {"env": "test"}, "test", ["power", "webapi"]),
        (["env"], {"env": "test", "app": None}, "test", ["power", "webapi"]),
        (["env"], {"env": "prod"}, "prod", ["webapi"]),
        (["env", "app"], {"env": "prod", "app": "webapi"}, "prod", ["webapi"]),
        (["app"], {"app": "webapi"}, "test", ["webapi"]),
        (["app", "from", "to"], {"app": "webapi", "from": "test", "to": "prod"}, "prod", ["webapi"]),
    ],
)
def test_what_was_asked_for(needs, said, env, apps):
    found = scope(needs, **said)
    assert (found["env"], found["apps"], found["apps_dir"], found["findings"]) == (env, apps, "/apps", [])


def test_places_are_in_the_order_of_promotion():
    assert scope(["app"], app="webapi")["places"] == {"webapi": ["test", "prod"]}


@pytest.mark.parametrize(
    ("needs", "said", "findings"),
    [
        (["env"], {}, ["No environment was named: say -e env=<prod | test>."]),
        (["env"], {"env": "prd"}, ["There is no environment 'prd': say -e env=<prod | test>."]),
        (["app"], {"app": "webapi", "env": "prd"}, ["There is no environment 'prd': say -e env=<prod | test>."]),
        (["app"], {}, ["No app was named in /apps: say -e app=<power | webapi>."]),
        (["env"], {"env": "test", "app": ""}, ["No app was named in /apps: say -e app=<power | webapi>."]),
        (
            ["env"],
            {"env": "test", "app": "wepapi"},
            ["There is no app 'wepapi' in /apps: say -e app=<power | webapi>."],
        ),
        (
            ["env"],
            {"env": "prod", "app": "power"},
            ["The app 'power' does not run in 'prod': its file names test."],
        ),
        (
            ["app", "from", "to"],
            {"app": "nothing", "from": "moon"},
            [
                "There is no environment 'moon': say -e from=<prod | test>.",
                "No environment was named: say -e to=<prod | test>.",
                "There is no app 'nothing' in /apps: say -e app=<power | webapi>.",
            ],
        ),
    ],
)
def test_every_wrong_name_is_told_with_the_right_ones(needs, said, findings):
    assert scope(needs, **said)["findings"] == findings


@pytest.mark.parametrize("text", ["app: {environments: test}", "app: 5", "[]", ""])
def test_a_file_that_does_not_say_where_its_app_runs(text):
    findings = scope(["env"], files={"a": text, "b": text}, env="test")["findings"]
    assert [finding.split(":")[0] for finding in findings] == ["/apps/a.yml", "/apps/b.yml"]
    assert "app.environments is missing" in findings[0]


def test_a_file_that_is_not_yaml_matters_only_to_who_reads_it():
    files = {**FILES, "broken": "app:\n  password: [secret"}
    assert scope(["app"], files=files, app="webapi")["findings"] == []
    findings = scope(["env"], files=files, env="test")["findings"]
    assert len(findings) == 1 and findings[0].startswith("/apps/broken.yml: not YAML, line 2, column 20: while parsing")
    assert "secret" not in findings[0]
    assert scope(["app"], files={"odd": "\x00"}, app="odd")["findings"][0].startswith("/apps/odd.yml: not YAML: ")


def test_no_apps_folder_no_files_no_environments():
    assert scope(["env"], files={}, env="test")["findings"] == ["No app in /apps runs in 'test'."]
    assert "none - the folder has no .yml file" in scope(["app"], files={})["findings"][0]
    findings = scope(["env"], files={}, environments=[], apps_dir="", env="test")["findings"]
    assert "none - the inventory has no group whose hosts have a registry" in findings[0]
    assert "looked for /here/apps, /there/apps" in findings[1] and "apps_dir=" in findings[1]


def test_an_app_whose_first_environment_the_inventory_lacks():
    found = scope(["app"], environments=["prod"], app="webapi")
    assert found["findings"] == ["'test' is no environment of the inventory: say -e env=<prod>."]
