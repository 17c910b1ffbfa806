# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module's work runs, and what reaches it there."""

from __future__ import annotations

import datetime

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.slipway.delivery.plugins.plugin_utils.direct import (
    censored,
    checked_options,
    engine_is_remote,
    plain,
)


@pytest.mark.parametrize(
    ("docker_host", "remote"),
    [
        (None, False),
        ("", False),
        ("unix:///var/run/docker.sock", False),
        ("tcp://localhost:2375", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://[::1]:2375", False),
        ("tcp://10.0.0.5:2375", True),
        ("ssh://ops@docker-1", True),
        ("https://docker-1.example.com:2376", True),
    ],
)
def test_an_engine_is_remote_unless_the_target_owns_it(docker_host, remote):
    assert engine_is_remote(docker_host) is remote


class Tagged(str):
    """As Ansible's own string types."""


def test_arguments_arrive_as_plain_json():
    args = {Tagged("a"): [Tagged("b"), True, 3, 0.5, None], "when": datetime.date(2026, 1, 2), "t": ("x",)}
    arrived = plain(args)
    assert arrived == {"a": ["b", True, 3, 0.5, None], "when": "2026-01-02", "t": ["x"]}
    assert {key.__class__ for key in arrived} == {str}
    assert arrived["a"][0].__class__ is str


def test_secrets_are_replaced_and_booleans_stay():
    answer = {"changed": True, "msg": "login hunter2 failed", "diff": None, "list": ["hunter2"]}
    hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert censored(answer, {"hunter2", "True"}) == {
        "changed": True,
        "msg": "login ******** failed",
        "diff": None,
        "list": [hidden],
    }


def test_options_as_data():
    assert checked_options({"memory": "1g"}) == {"memory": "1g"}
    with pytest.raises(AnsibleActionFail, match="takes a dictionary"):
        checked_options(["memory"])
