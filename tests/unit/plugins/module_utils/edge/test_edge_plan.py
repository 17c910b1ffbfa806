# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What edge_upstream decides from a file's text: who goes, who stays, and whether nginx has to be told."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.edge import edge_upstream
from ansible_collections.slipway.delivery.plugins.module_utils.edge.files import Place

A = {"host": "a", "address": "10.0.0.1", "port": 80}
B = {"host": "b", "address": "10.0.0.2", "port": 80}


def wanted(**options):
    spec = edge_upstream.EDGE_UPSTREAM_SPEC
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(
        {"name": "x", "conf_dir": "/conf.d", "servers": [], **options}
    )
    assert not validated.error_messages, validated.error_messages
    return edge_upstream.read(validated.validated_parameters, Place("/conf.d", options.get("name", "x")))


def planned(text="", pending=False, **options):
    return edge_upstream.plan(wanted(**options), text, pending, "/conf.d/x.conf")


def hosts(servers):
    return [entry.host for entry in servers]


def test_a_change_and_the_same_again():
    first = planned(servers=[A, B])
    assert first.changed
    assert not planned(first.wanted, servers=[A, B]).changed
    assert planned(first.wanted, servers=[A, B], server_options="weight=2").changed


def test_what_nginx_may_not_have_taken_is_a_change():
    text = planned(servers=[A]).wanted
    assert planned(text, pending=True, servers=[A]).changed


def test_who_leaves_is_waited_for():
    text = planned(servers=[A, B]).wanted
    out = planned(text, servers=[], hosts=["a"])
    assert (hosts(out.after), out.removed, out.kept) == (["b"], (("10.0.0.1", 80),), ())


def test_an_address_that_stays_is_not_waited_for():
    text = planned(servers=[A]).wanted
    assert planned(text, servers=[{**A, "release": 2, "container": "39f32261745e"}], hosts=["a"]).removed == ()


def test_the_last_one_stays_unless_it_is_told_to_go():
    text = planned(servers=[A]).wanted
    stays = planned(text, servers=[], hosts=["a"])
    assert (hosts(stays.after), hosts(stays.kept), stays.changed) == (["a"], ["a"], False)
    goes = planned(text, servers=[], hosts=["a"], keep_last=False)
    assert (goes.after, goes.kept, goes.removed) == ((), (), (("10.0.0.1", 80),))
    assert "down;" in goes.wanted


def test_nobody_to_take_out_writes_no_file():
    assert not planned(servers=[], hosts=["a"]).changed


def test_absent():
    text = planned(servers=[A]).wanted
    gone = planned(text, state="absent")
    assert (gone.wanted, gone.changed, gone.removed) == ("", True, (("10.0.0.1", 80),))
    assert not planned(state="absent").changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "../x"}, "name"),
        ({"servers": [A], "hosts": ["b"]}, "not among hosts"),
        ({"drain": "soon"}, "drain"),
        ({"quiesce": "-1s"}, "quiesce"),
    ],
)
def test_options_that_cannot_work(options, said):
    with pytest.raises(ParameterError, match=said):
        wanted(**options)
