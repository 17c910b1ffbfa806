# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters: pure functions from data to data."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.delivery.plugins.filter.environments import environments
from ansible_collections.slipway.delivery.plugins.filter.hook_findings import hook_findings
from ansible_collections.slipway.delivery.plugins.filter.rollout_verdict import rollout_verdict
from ansible_collections.slipway.delivery.plugins.filter.text_table import text_table
from hypothesis import given
from hypothesis import strategies as st

OUTCOMES = st.sampled_from(["switched", "unchanged", "reverted", "failed", "unreachable"])
FACTS = st.one_of(
    st.just({}), st.builds(lambda o, s: {"outcome": o, "stage": s}, OUTCOMES, st.sampled_from(["pull", "switch"]))
)


UNTOUCHED = {"outcome": "failed", "stage": "switch", "action": "none"}


def at(stage, **outcomes):
    return {host: {"outcome": word, "stage": stage} if word else {} for host, word in outcomes.items()}


def test_an_environment_is_a_group_whose_hosts_all_have_a_registry():
    groups = {"all": ["a", "b", "c"], "ungrouped": [], "prod": ["a", "b"], "mixed": ["a", "c"], "empty": []}
    hostvars = {"a": {"registry": {}}, "b": {"registry": {}}, "c": {}}
    assert environments(groups, hostvars) == ["prod"]


@pytest.mark.parametrize(
    ("outcomes", "error", "result"),
    [
        (at("switch", a="switched", b="unchanged"), "", "healthy"),
        (at("switch", a="reverted", b="reverted"), "", "reverted"),
        (at("switch", a="reverted", b=None), "", "reverted"),
        (at("switch", a="failed"), "", "failed"),
        (at("switch", a="failed", b="failed"), "", "failed"),
        (at("switch", a="switched", b="failed"), "", "mixed"),
        (at("switch", a="reverted", b="unreachable"), "", "mixed"),
        (at("pull", a="failed", b=None), "", "failed"),
        (at("switch", a=None, b=None), "the config centre is gone", "failed"),
        ({**at("switch", a="reverted"), "b": UNTOUCHED}, "", "reverted"),
        ({"a": UNTOUCHED, "b": {}}, "", "failed"),
        ({**at("switch", a="switched"), "b": UNTOUCHED}, "", "mixed"),
        ({**at("switch", a="reverted"), "b": {**UNTOUCHED, "outcome": "unreachable"}}, "", "reverted"),
    ],
)
def test_the_verdict_of_a_roll_out(outcomes, error, result):
    verdict = rollout_verdict(outcomes, error)
    assert verdict["result"] == result
    assert error in verdict["message"]


def test_a_mixed_environment_names_every_host():
    message = rollout_verdict(at("switch", a="switched", b="failed", c=None))["message"]
    assert message == "failed, mixed: switched: a; failed: b; not touched: c"


@given(st.dictionaries(st.sampled_from("abcdef"), FACTS, min_size=1))
def test_an_environment_is_only_healthy_or_reverted_when_no_host_says_otherwise(outcomes):
    verdict = rollout_verdict(outcomes)
    words = {facts.get("outcome") for facts in outcomes.values()}
    if verdict["result"] == "healthy":
        assert not words & {"failed", "reverted", "unreachable"}
    if verdict["result"] == "reverted":
        switched = {facts["outcome"] for facts in outcomes.values() if facts.get("stage") == "switch"}
        assert switched == {"reverted"}


def test_a_table_pads_and_keeps_every_word():
    lines = text_table([{"host": "prod-1", "since": None}, {"host": "p", "since": "now\nand then"}], ["host", "since"])
    assert lines == ["HOST    SINCE", "prod-1  -", "p       now and then"]


def test_only_what_is_named_is_cut_short():
    lines = text_table([{"host": "prod-1.example.com", "digest": "sha256:0123"}], ["host", "digest"], {"digest": 9})
    assert lines == ["HOST                DIGEST", "prod-1.example.com  sha256:01"]


def test_a_table_without_rows_has_headings():
    assert text_table([], ["started_at"]) == ["STARTED AT"]


def test_hooks_that_are_all_right(tmp_path):
    (tmp_path / "tell.yml").write_text("- debug:\n")
    hooks = {"before_deploy": [{"run": ["migrate"], "deadline": "5m"}, "tell.yml"], "on_failure": "tell.yml"}
    assert hook_findings(hooks, str(tmp_path)) == []


def test_everything_that_is_wrong_with_hooks_at_once(tmp_path):
    hooks = {
        "before_deploy": [{"ran": ["migrate"]}, "absent.yml"],
        "before_config": {"run": "migrate"},
        "after_switch": 7,
    }
    assert hook_findings(hooks, str(tmp_path)) == [
        "app.hooks.before_deploy[1]: 'ran' is unknown; there are run, entrypoint, deadline.",
        "app.hooks.before_deploy[1]: run is missing; it is the command to run in a container of the new image.",
        f"app.hooks.before_deploy[2]: there is no task file {tmp_path}/absent.yml.",
        "app.hooks.before_config: run needs the image of a release; use before_deploy, or a task file.",
        "app.hooks.after_switch: 7 is neither a task file nor a mapping with run.",
    ]
    with pytest.raises(AnsibleFilterError, match="no mapping"):
        hook_findings(["tell.yml"], str(tmp_path))
