# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release and release_info on an SQLite file: every state, in both modes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError, ParameterError
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.ledger.ledger_helper import image

BUILT = {"environment_name": "test", **image("1.0.0")}


def test_built_is_recorded_once(ledger):
    first = ledger.task("built", artifact={"md5": "9e10"}, source={"git": "https://tok@git.example.com/w"}, **BUILT)
    assert first["changed"]
    assert first["arrival"]["artifact"] == {"md5": "9e10"}
    assert first["arrival"]["source"] == {"git": "https://git.example.com/w"}
    assert first["diff"]["before"] == ""
    assert first["diff"]["after"]["how"] == "built"
    ledger.clock.forward(60)
    again = ledger.task("built", **BUILT)
    assert not again["changed"]
    assert again["arrival"] == first["arrival"]
    assert again["diff"] == {"before": "", "after": ""}


def test_a_version_keeps_its_digest_unless_replaced(ledger):
    ledger.task("built", **BUILT)
    other = {**BUILT, "digest": "sha256:" + "e" * 64}
    with pytest.raises(ConflictError, match=f"{BUILT['digest']} since 2026-03-01T09:30:00.000Z, not {other['digest']}"):
        ledger.task("built", **other)
    assert ledger.task("built", replace=True, **other)["changed"]
    candidates = ledger.info(environment_name="test")["candidates"]
    assert [candidate["digest"] for candidate in candidates] == [other["digest"]]
    assert not ledger.task("built", **other)["changed"]


def test_promoted_only_what_was_healthy_there(ledger):
    ledger.task("built", artifact={"md5": "9e10"}, **BUILT)
    promotion = {**image("1.0.0"), "from_environment": "test", "environment_name": "staging"}
    with pytest.raises(ConflictError, match=r"never healthy in test.*test has no release at all"):
        ledger.task("promoted", **promotion)
    ledger.released("1.0.0", "failed", environment_name="test")
    with pytest.raises(ConflictError, match=r"In test there are: 1\.0\.0 sha256:\S+ \(failed\)"):
        ledger.task("promoted", **promotion)
    ledger.released("1.0.0", environment_name="test")
    promoted = ledger.task("promoted", **promotion)
    assert promoted["changed"]
    assert promoted["arrival"]["from_environment"] == "test"
    assert promoted["arrival"]["artifact"] == {"md5": "9e10"}
    assert not ledger.task("promoted", **promotion)["changed"]


def test_numbers_count_by_app_and_environment(ledger):
    assert [ledger.released(version) for version in ("1.0.0", "1.1.0")] == [1, 2]
    assert ledger.released("1.0.0", environment_name="staging") == 1
    assert ledger.released("1.0.0", app="power") == 1
    assert ledger.released("1.2.0") == 3


def test_the_same_release_again_changes_nothing(ledger):
    number = ledger.released("1.0.0", config_revision="c1", run_spec={"ports": ["1:1"], "env": {"A": "b"}})
    again = ledger.opened("1.0.0", config_revision="c1", run_spec={"env": {"A": "b"}, "ports": ["1:1"]})
    assert (again["changed"], again["reused"], again["release"]["number"]) == (False, True, number)
    assert not ledger.task("closed", release=number, outcome="healthy")["changed"]
    for other in ({"config_revision": "c2"}, {"run_spec": {"ports": ["2:1"]}}):
        assert ledger.opened("1.0.0", **{"config_revision": "c1", **other})["changed"]


def test_a_killed_run_is_taken_up_again(ledger):
    number = ledger.opened("1.0.0", owner="ann")["release"]["number"]
    ledger.task("recorded", release=number, host="h1", outcome="switched")
    again = ledger.opened("1.0.0", owner="bob")
    assert (again["changed"], again["resumed"]) == (True, True)
    release = again["release"]
    assert (release["number"], release["attempt"], release["owner"]) == (number, 2, "bob")
    assert ledger.task("recorded", release=number, host="h1", outcome="unchanged")["changed"] is False
    assert ledger.info()["hosts"]["h1"]["attempt"] == 1


def test_other_content_abandons_what_was_left_open(ledger):
    ledger.released("1.0.0")
    ledger.opened("1.1.0")
    opened = ledger.opened("1.2.0")
    assert (opened["release"]["number"], opened["abandoned"]) == (3, 2)
    assert ledger.warnings == ["Release 2 (1.1.0) was left open by a run that did not end; it is closed as abandoned."]
    states = {item["number"]: item["state"] for item in ledger.info()["history"]}
    assert states == {1: "healthy", 2: "abandoned", 3: "open"}


def test_closing_moves_current(ledger):
    ledger.released("1.0.0")
    number = ledger.opened("1.1.0")["release"]["number"]
    closed = ledger.task("closed", release=number, outcome="healthy", summary="2 of 2 hosts")
    assert (closed["current"]["number"], closed["previous"]["number"]) == (2, 1)
    assert (closed["release"]["message"], closed["release"]["state"]) == ("2 of 2 hosts", "healthy")
    number = ledger.opened("1.2.0")["release"]["number"]
    closed = ledger.task("closed", release=number, outcome="reverted")
    assert (closed["current"]["number"], closed["release"]["state"]) == (2, "reverted")


def test_a_release_is_closed_once(ledger):
    number = ledger.released("1.0.0")
    again = ledger.task("closed", release=number, outcome="mixed")
    assert (again["changed"], again["release"]["state"]) == (False, "healthy")
    assert "stays healthy" in ledger.warnings[0]
    lost = ledger.released("1.1.0", "abandoned")
    with pytest.raises(ConflictError, match=r"Release 2 \(1\.1\.0\) .* closed as abandoned"):
        ledger.task("closed", release=lost, outcome="healthy")


def test_a_host_is_recorded_by_attempt(ledger):
    number = ledger.opened("1.0.0")["release"]["number"]
    told = {"release": number, "host": "h1", "digest": image("1.0.0")["digest"], "container_id": "c1"}
    first = ledger.task("recorded", outcome="switched", timings={"gate": 1.5}, **told)
    assert first["host"]["timings"] == {"gate": 1.5}
    assert not ledger.task("recorded", outcome="switched", timings={"gate": 1.5}, **told)["changed"]
    assert not ledger.task("recorded", outcome="unchanged", **told)["changed"]
    assert ledger.task("recorded", outcome="unchanged", **{**told, "container_id": "c2"})["changed"]
    reverted = ledger.task("recorded", outcome="reverted", why={"status": 503}, release=number, host="h1")
    assert reverted["diff"]["before"]["h1"]["outcome"] == "unchanged"
    assert ledger.info()["hosts"]["h1"]["why"] == {"status": 503}
    ledger.task("recorded", outcome="unreachable", release=number, host="h2", why="no route to https://u:p@h2/")
    hosts = ledger.info()["hosts"]
    assert {name: host["outcome"] for name, host in hosts.items()} == {"h1": "reverted", "h2": "unreachable"}
    assert hosts["h2"]["why"] == "no route to https://h2/"


def test_a_failed_release_that_every_host_left_is_settled(ledger):
    ledger.released("1.0.0")
    ledger.released("1.1.0")
    number = ledger.opened("1.2.0")["release"]["number"]
    for host in ("h1", "h2"):
        ledger.task("recorded", release=number, host=host, outcome="switched")
    ledger.task("recorded", release=number, host="h1", outcome="reverted")
    ledger.task("closed", release=number, outcome="failed")
    assert ledger.info()["rollback_target"]["number"] == 2
    ledger.task("recorded", release=number, host="h2", outcome="reverted")
    assert ledger.info()["rollback_target"]["number"] == 1
    assert ledger.opened("1.1.0")["reused"]


def test_an_unknown_release_is_refused_with_those_there_are(ledger):
    for state, outcome in (("recorded", "switched"), ("closed", "healthy")):
        with pytest.raises(ParameterError, match="no release 1 in prod; it has none yet"):
            ledger.task(state, release=1, host="h1", outcome=outcome)
    assert not os.path.exists(ledger.url)
    ledger.released("1.0.0")
    with pytest.raises(ParameterError, match=r"no release 9 in prod; the newest are 1 \(1\.0\.0\)"):
        ledger.task("closed", release=9, outcome="healthy")


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        ("closed", {"release": 1, "outcome": "switched"}, "does not go with state=closed"),
        ("recorded", {"release": 1, "host": "h", "outcome": "mixed"}, "does not go with state=recorded"),
        ("built", {**image("1.0.0"), "digest": "1.0.0"}, "is no digest"),
        ("built", {**image("1.0.0"), "app": " "}, "app: is empty"),
        (
            "opened",
            {**image("1.0.0"), "version": "1" * 129, "digest": "x"},
            "version: has 129 characters.*is no digest",
        ),
        ("locked", {"lock_owner": ""}, "lock_owner: is empty"),
        ("locked", {"lock_owner": "a", "lease": "soon"}, "lease: 'soon' is no duration"),
        ("locked", {"lock_owner": "a", "lease": "0"}, "lease: 0 is too short"),
        ("unlocked", {}, "needs lock_owner"),
    ],
)
def test_bad_input_is_one_error_and_no_file(ledger, state, options, message):
    with pytest.raises(ParameterError, match=message):
        ledger.task(state, **options)
    assert not os.path.exists(os.path.dirname(ledger.url))


def test_check_mode_predicts_a_whole_roll_out_and_writes_nothing(ledger):
    def roll_out(check_mode):
        steps = [
            ledger.task("locked", check_mode, lock_owner="run-1"),
            ledger.task("opened", check_mode, run_spec={"a": 1}, **image("1.0.0")),
            ledger.task("recorded", check_mode, release=1, host="h1", outcome="switched"),
            ledger.task("closed", check_mode, release=1, outcome="healthy"),
        ]
        return [(step["changed"], step["release"] and step["release"]["number"], step["fence"]) for step in steps]

    predicted = roll_out(check_mode=True)
    assert not os.path.exists(os.path.dirname(ledger.url))
    assert (
        predicted == roll_out(check_mode=False) == [(True, None, 1), (True, 1, None), (True, 1, None), (True, 1, None)]
    )


def test_check_mode_gives_the_same_answer_and_leaves_the_file_alone(ledger):
    ledger.released("1.0.0")
    ledger.opened("1.1.0")
    before = Path(ledger.url).read_bytes()
    predicted = ledger.opened("1.2.0", check_mode=True)
    with pytest.raises(ParameterError, match="no release 9"):
        ledger.task("closed", True, release=9, outcome="healthy")
    assert ledger.task("closed", True, release=3, outcome="healthy")["current"]["number"] == 3
    assert Path(ledger.url).read_bytes() == before
    assert os.listdir(os.path.dirname(ledger.url)) == ["ledger.db"]
    assert predicted == ledger.opened("1.2.0")


def test_the_file_is_its_owners_alone(ledger):
    ledger.task("built", **BUILT)
    assert stat.S_IMODE(os.stat(ledger.url).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(ledger.url)).st_mode) == 0o700


def test_info_of_a_ledger_that_is_not_there(ledger):
    answer = ledger.info()
    assert answer["changed"] is False
    for name in ("current", "previous", "open", "newest", "candidate", "rollback_target", "lock"):
        assert answer[name] is None
    for name in ("history", "candidates", "healthy_versions", "environments", "digests_in_use", "in_use"):
        assert answer[name] == []
    assert answer["hosts"] == {}
    assert answer["next_version"] == "1.0.0"
    assert answer["rollback_reason"] == "No release was ever healthy here."
    assert not os.path.exists(os.path.dirname(ledger.url))


def test_info_names_candidates_and_the_next_version(ledger):
    for version in ("1.0.0", "1.0.1"):
        ledger.task("built", **{**BUILT, **image(version)})
    answer = ledger.info(environment_name="test")
    assert [item["version"] for item in answer["candidates"]] == ["1.0.1", "1.0.0"]
    assert answer["newest"]["version"] == answer["candidate"]["version"] == "1.0.1"
    assert answer["next_version"] == "1.0.2"
    assert ledger.info(environment_name="test", version="1.0.0")["candidate"]["version"] == "1.0.0"
    with pytest.raises(
        ParameterError, match=r"version: 3 of webapi in test is not known; there are 1\.0\.1, 1\.0\.0\."
    ):
        ledger.info(environment_name="test", version="3")
    with pytest.raises(ParameterError, match="nothing arrived there yet"):
        ledger.info(version="3")


def test_info_names_the_target(ledger):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        ledger.released(version)
    assert ledger.info()["rollback_target"]["version"] == "1.1.0"
    assert ledger.info(to="1.0.0")["rollback_target"]["number"] == 1
    assert ledger.info(to="1")["rollback_target"]["version"] == "1.0.0"
    possible = r"possible are 3 \(1\.2\.0\), 2 \(1\.1\.0\), 1 \(1\.0\.0\)"
    with pytest.raises(ParameterError, match=f"to: 0.9 was never healthy as webapi in prod; {possible}"):
        ledger.info(to="0.9")
    with pytest.raises(ParameterError, match="no release was ever healthy there"):
        ledger.info(environment_name="test", to="1.0.0")


def test_info_over_everything(ledger):
    ledger.released("1.0.0")
    ledger.released("1.1.0")
    ledger.released("1.1.0", environment_name="test")
    ledger.released("2.0.0", app="power")
    everything = ledger.info(app=None, environment_name=None)
    assert [(item["app"], item["environment_name"]) for item in everything["environments"]] == [
        ("power", "prod"), ("webapi", "prod"), ("webapi", "test"),
    ]  # fmt: skip
    assert everything["current"] is None
    assert everything["next_version"] is None
    digests = {version: image(version)["digest"] for version in ("1.0.0", "1.1.0", "2.0.0")}
    assert everything["digests_in_use"] == sorted(digests.values())
    one = ledger.info(environment_name="test", keep=1)
    assert set(one["digests_in_use"]) == {digests["1.0.0"], digests["1.1.0"]}  # over all environments of the app
    assert [item["environment_name"] for item in one["environments"]] == ["test"]


def test_history_is_bounded(ledger):
    for version in range(5):
        ledger.released(f"1.{version}.0")
    assert [item["number"] for item in ledger.info(limit=2)["history"]] == [5, 4]
    assert ledger.info(limit=0)["history"] == []
    for wrong in ({"limit": -1}, {"keep": 0}):
        with pytest.raises(ParameterError, match="too small"):
            ledger.info(**wrong)


def test_blank_optional_texts_are_not_given(ledger):
    opened = ledger.opened("1.0.0", config_revision="", build_url="", owner="", reason="")
    release = opened["release"]
    assert (release["config_revision"], release["build_url"], release["owner"]) == (None, None, None)
