# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for an engine's configuration: nothing of others is lost, and the engine is disturbed no more than it must be."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.delivery.plugins.filter.engine_config import engine_config
from hypothesis import given
from hypothesis import strategies as st

FILES = {"cacert": "/t/ca.pem", "cert": "/t/cert.pem", "key": "/t/key.pem"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.text(max_size=8), JSON, max_size=5)


def config(plan):
    return json.loads(plan["text"])


def test_keys_are_added_and_others_stay():
    text = (
        '{"data-root": "/big", "log-opts": {"tag": "{{.Name}}", "max-size": "1m"}, "insecure-registries": ["old:5000"]}'
    )
    plan = engine_config(
        text,
        options={"log-driver": "json-file", "log-opts": {"max-size": "10m"}},
        registries=[{"host": "new:5000", "insecure": True}],
    )
    assert config(plan) == {
        "data-root": "/big",
        "log-driver": "json-file",
        "log-opts": {"tag": "{{.Name}}", "max-size": "10m"},
        "insecure-registries": ["old:5000", "new:5000"],
    }
    assert plan["differs"] == ["insecure-registries", "log-driver", "log-opts"]
    assert plan["needs"] == "restart"


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, "none"),
        ({"debug": False}, "none"),
        ({"live-restore": True}, "reload"),
        ({"live-restore": True, "labels": ["a=b"]}, "reload"),
        ({"live-restore": True, "data-root": "/x"}, "restart"),
        ({"debug": None}, "reload"),
        ({"key-of-a-later-engine": 1}, "restart"),
    ],
)
def test_the_engine_restarts_only_for_what_it_cannot_take_in(options, needs):
    assert engine_config('{"debug": false}', options=options)["needs"] == needs


@pytest.mark.parametrize(
    ("registry", "listed"),
    [
        ({"host": "a:1"}, []),
        ({"host": "a:1", "insecure": True}, ["a:1"]),
        ({"host": "a:1", "insecure": True, "state": "absent"}, []),
        ({"host": "b:1", "insecure": True}, ["a:1", "b:1"]),
        ({"host": "b:1", "ca": "/ca"}, ["a:1"]),
    ],
)
def test_a_registry_is_insecure_only_while_somebody_says_so(registry, listed):
    plan = engine_config('{"insecure-registries": ["a:1"]}', registries=[registry])
    assert config(plan)["insecure-registries"] == listed
    assert plan["needs"] == ("none" if listed == ["a:1"] else "reload")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'DOCKER_OPTS="-H tcp://0.0.0.0:2376"\n'),
        ("# comment\nA=b", '# comment\nA=b\nDOCKER_OPTS="-H tcp://0.0.0.0:2376"\n'),
        ('#DOCKER_OPTS="--dns 8.8.8.8"\n', '#DOCKER_OPTS="--dns 8.8.8.8"\nDOCKER_OPTS="-H tcp://0.0.0.0:2376"\n'),
        (
            'DOCKER_OPTS="--dns 1.1.1.1 -H tcp://0.0.0.0:2375"\nA=b\n',
            'DOCKER_OPTS="--dns 1.1.1.1 -H tcp://0.0.0.0:2376"\nA=b\n',
        ),
        ('DOCKER_OPTS="-H=tcp://x:1 -H unix:///a"', 'DOCKER_OPTS="-H unix:///a -H tcp://0.0.0.0:2376"'),
        ("DOCKER_OPTS=", 'DOCKER_OPTS="-H tcp://0.0.0.0:2376"'),
    ],
)
def test_the_port_stands_in_the_options_of_debians_service(before, after):
    plan = engine_config("", opts=before, api={"address": "0.0.0.0", "port": 2376}, files=FILES)
    assert plan["opts"] == after
    assert config(plan) == {
        "tlsverify": True,
        "tlscacert": "/t/ca.pem",
        "tlscert": "/t/cert.pem",
        "tlskey": "/t/key.pem",
    }
    again = engine_config(plan["text"], opts=plan["opts"], api={"port": 2376}, files=FILES)
    assert (again["needs"], again["opts"], again["differs"]) == ("none", plan["opts"], [])


def test_the_port_stands_in_the_file_where_that_lists_hosts():
    text = '{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]}'
    plan = engine_config(text, opts="A=b", api={"address": "10.0.0.5", "port": 2377}, files=FILES)
    assert config(plan)["hosts"] == ["unix:///var/run/docker.sock", "tcp://10.0.0.5:2377"]
    assert plan["opts"] == "A=b"


def test_what_an_earlier_run_left_to_do_is_done():
    assert engine_config("{}", pending=["none", "restart"])["needs"] == "restart"
    assert engine_config("{}", options={"debug": True}, pending=["restart"])["needs"] == "restart"
    assert engine_config("{}", pending=["none"])["needs"] == "none"


@pytest.mark.parametrize("text", ["{broken", "[]", '"x"'])
def test_a_file_that_is_no_configuration_is_left_alone(text):
    with pytest.raises(AnsibleFilterError, match="left as it is"):
        engine_config(text)


@given(before=CONFIGS, options=CONFIGS)
def test_any_settings_keep_the_rest_and_settle_at_once(before, options):
    plan = engine_config(json.dumps(before), options=options)
    after = config(plan)
    assert {key: value for key, value in after.items() if key not in options} == {
        key: value for key, value in before.items() if key not in options
    }
    again = engine_config(plan["text"], options=options)
    assert (again["needs"], again["text"], again["differs"]) == ("none", plan["text"], [])
