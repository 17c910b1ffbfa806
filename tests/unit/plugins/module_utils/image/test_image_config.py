# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image config: the base's JSON comes through, patched only where an option says so."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.image import config
from ansible_collections.slipway.delivery.plugins.module_utils.image.config import Added, Settings
from hypothesis import given
from hypothesis import strategies as st

BASE = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2025-01-01T00:00:00Z",
    "container": "abc",
    "container_config": {"Cmd": ["x"]},
    "variant_of_tomorrow": {"kept": True},
    "config": {
        "Env": ["PATH=/bin", "JAVA_HOME=/jre"],
        "Entrypoint": ["/entry"],
        "Cmd": ["run"],
        "StopSignal": "SIGQUIT",
        "Shell": ["/bin/bash", "-c"],
        "OnBuild": ["RUN x"],
        "Healthcheck": {"Test": ["CMD", "true"]},
        "Labels": {"a": "base", "b": "base"},
        "ArgsEscaped": True,
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2"]},
    "history": [{"created_by": "one"}, {"created_by": "env", "empty_layer": True}, {"created_by": "two"}],
}
LAYER = [Added("sha256:3", "classes: /app")]


def patched(**settings):
    before = copy.deepcopy(BASE)
    result = config.patched(BASE, Settings(**settings), LAYER, "2026-01-01T00:00:00Z")
    assert before == BASE
    return result


def test_what_nobody_names_survives():
    result = patched()
    assert result["config"] == BASE["config"]
    assert result["variant_of_tomorrow"] == {"kept": True}
    assert "container" not in result
    assert "container_config" not in result
    assert result["created"] == "2026-01-01T00:00:00Z"
    assert result["rootfs"]["diff_ids"] == ["sha256:1", "sha256:2", "sha256:3"]
    assert result["history"][-1]["comment"] == "classes: /app"


def test_env_is_replaced_in_its_place_and_added_behind():
    result = patched(env={"Z": "1", "JAVA_HOME": "/new", "A": "x=y"})
    assert result["config"]["Env"] == ["PATH=/bin", "JAVA_HOME=/new", "A=x=y", "Z=1"]
    assert config.env_of(result)["A"] == "x=y"


@pytest.mark.parametrize(
    ("settings", "entrypoint", "cmd"),
    [
        ({}, ["/entry"], ["run"]),
        ({"entrypoint": ("/new",)}, ["/new"], None),
        ({"entrypoint": ("/new",), "cmd": ("a",)}, ["/new"], ["a"]),
        ({"cmd": ("a",)}, ["/entry"], ["a"]),
        ({"cmd": ()}, ["/entry"], []),
    ],
)
def test_an_entrypoint_drops_the_bases_cmd(settings, entrypoint, cmd):
    run = patched(**settings)["config"]
    assert (run["Entrypoint"], run.get("Cmd")) == (entrypoint, cmd)


def test_mappings_are_merged_and_single_values_replaced():
    run = patched(labels={"b": "new"}, ports=("80/tcp",), volumes=("/d",), user="1", working_dir="/w", stop_signal="SIGINT",
                  healthcheck={"Test": ["NONE"]})["config"]  # fmt: skip
    assert run["Labels"] == {"a": "base", "b": "new"}
    assert (run["ExposedPorts"], run["Volumes"]) == ({"80/tcp": {}}, {"/d": {}})
    assert (run["User"], run["WorkingDir"], run["StopSignal"]) == ("1", "/w", "SIGINT")
    assert run["Healthcheck"] == {"Test": ["NONE"]}


def test_a_base_whose_config_says_nothing():
    result = config.patched({"config": None}, Settings(env={"A": "1"}, labels={"l": "1"}), LAYER, "x")
    assert result["config"] == {"Env": ["A=1"], "Labels": {"l": "1"}}
    assert config.diff_ids(result) == ["sha256:3"]
    assert config.labels_of({}) == config.env_of({}) == {}


HISTORY = st.lists(
    st.fixed_dictionaries({"created_by": st.text(max_size=3)}, optional={"empty_layer": st.booleans()}), max_size=6
)


@given(history=HISTORY, layers=st.integers(0, 5), added=st.integers(0, 3))
def test_history_always_counts_the_layers(history, layers, added):
    base = {"history": history, "rootfs": {"diff_ids": [f"sha256:{n}" for n in range(layers)]}}
    result = config.patched(base, Settings(), [Added(f"sha256:new{n}", "") for n in range(added)], "x")
    assert (
        sum(not item.get("empty_layer") for item in result["history"]) == len(config.diff_ids(result)) == layers + added
    )


def test_what_two_builds_of_one_image_may_differ_in():
    one = patched(labels={config.LABEL_SOURCE: "x", "l": "1"})
    two = {**patched(labels={config.LABEL_SOURCE: "y", "l": "1"}), "created": "now", "history": []}
    assert config.comparable(one, with_created=False) == config.comparable(two, with_created=False)
    assert config.comparable(one, with_created=True) != config.comparable(two, with_created=True)
    assert config.comparable(one, False) != config.comparable(patched(labels={"l": "2"}), False)


def test_serialised_bytes_do_not_depend_on_the_order_of_keys():
    assert config.serialised({"b": "é", "a": [1]}) == '{"a":[1],"b":"é"}'.encode()
    assert json.loads(config.serialised(BASE)) == BASE
