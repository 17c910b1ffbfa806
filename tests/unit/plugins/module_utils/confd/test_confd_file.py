# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file backend killed at every step, and confd_config's loop when the store answers late, wrong or to somebody else."""

from __future__ import annotations

import fcntl
import json
import os

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError, UnreachableError
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.confd import center
from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends import file
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config import CONFD_CONFIG
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config_info import CONFD_CONFIG_INFO
from hypothesis import given
from hypothesis import strategies as st


class Killed(BaseException):
    """What a SIGKILL would be: nothing after it runs."""


def execute(operation, args):
    validated = ArgumentSpecValidator(operation.spec.options, **operation.spec.rules()).validate(dict(args))
    assert not validated.error_messages, validated.error_messages
    return operation.execute(validated.validated_parameters, Context())


@pytest.fixture
def values(tmp_path):
    return {"path": str(tmp_path / "center" / "values.json"), "prefix": "/webapi"}


def die_at(monkeypatch, number):
    """Kill at the `number`th time that a file is put in place or removed; False once there are not so many."""
    calls = {"count": 0}

    def counted(real):
        def call(*args, **kwargs):
            calls["count"] += 1
            if calls["count"] == number:
                raise Killed
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(file.os, "replace", counted(os.replace))
    monkeypatch.setattr(file, "_remove", counted(file._remove))
    return lambda: calls["count"] >= number


def test_killed_at_any_step_the_store_holds_one_whole_revision(tmp_path, monkeypatch):
    old, new = {"a": "1", "b": "old"}, {"a": "2", "c": "new"}
    steps = 0
    for number in range(1, 30):
        place = {"path": str(tmp_path / str(number) / "values.json"), "prefix": "/webapi", "history_limit": 2}
        first = execute(CONFD_CONFIG, {**place, "keys": {"x": 0}})
        before = execute(CONFD_CONFIG, {**place, "keys": old})
        with monkeypatch.context() as patch:
            died = die_at(patch, number)
            try:
                execute(CONFD_CONFIG, {**place, "keys": new})
            except Killed:
                steps += 1
            if not died():
                break
        info = execute(CONFD_CONFIG_INFO, {name: place[name] for name in ("path", "prefix")})
        stored = json.loads((tmp_path / str(number) / "values.json").read_text())
        assert stored in ({f"/webapi/{key}": value for key, value in content.items()} for content in (old, new))
        assert not info["drifted"], f"killed at step {number}: the history does not know what is there"
        assert info["history"][0]["revision"] == info["revision"]
        after = execute(CONFD_CONFIG, {**place, "keys": new})
        assert after["revision"] not in (before["revision"], first["revision"])
        assert execute(CONFD_CONFIG, {**place, "state": "restored", "revision": before["revision"]})["changed"]
        folder = tmp_path / str(number) / ".values.json.history"
        kept = {
            entry["number"]
            for entry in execute(CONFD_CONFIG_INFO, {name: place[name] for name in ("path", "prefix")})["history"]
        }
        records = {int(path.name.split(".")[1]) for path in folder.glob("*.json") if path.name.split(".")[1].isdigit()}
        assert kept <= records and not list(folder.glob("*.new")) and not (folder / "pending.json").exists()
    assert steps >= 5


def test_two_prefixes_in_one_file(values):
    execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    execute(CONFD_CONFIG, {**values, "prefix": "/web", "keys": {"a": 2}})
    execute(CONFD_CONFIG, {**values, "state": "absent"})
    with open(values["path"], encoding="utf-8") as stored:
        assert json.load(stored) == {"/web/a": "2"}


def test_the_root_of_a_file(values):
    execute(CONFD_CONFIG, {**values, "prefix": "/", "keys": {"db": {"url": "u"}}})
    assert execute(CONFD_CONFIG_INFO, {**values, "prefix": "/"})["keys"] == {"/db/url": "u"}


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"/a": 1}', '{"/a": "\\ud800"}', b"\xff\xfe"])
def test_a_file_of_somebody_elses_is_left_as_it_is(values, tmp_path, content):
    path = tmp_path / "center" / "values.json"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    refused = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    assert refused["failed"] and "unforeseen" not in refused["msg"] and str(path) in refused["msg"]
    assert path.read_bytes() == before


def test_an_empty_file_is_an_empty_store(values, tmp_path):
    (tmp_path / "center").mkdir()
    (tmp_path / "center" / "values.json").touch()
    assert execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})["changed"]


def test_a_symbolic_link_stays_one(values, tmp_path):
    (tmp_path / "center").mkdir()
    os.symlink(tmp_path / "real.json", tmp_path / "center" / "values.json")
    execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    assert (tmp_path / "center" / "values.json").is_symlink() and (tmp_path / "real.json").exists()


def test_a_lock_that_is_never_given_back(values, tmp_path):
    execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    with open(tmp_path / "center" / ".values.json.history" / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = execute(CONFD_CONFIG, {**values, "keys": {"a": 2}, "timeout": "200ms"})
    assert refused["failed"] and "locked by another writer" in refused["msg"]


@given(st.dictionaries(st.text(), st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_file_is_json_that_reads_back(content):
    written = file.dump({f"/{number}": value for number, value in enumerate(content.values())})
    assert list(json.loads(written).values()) == [
        value for _key, value in sorted(zip(map(str, range(len(content))), content.values()))
    ]
    assert not set(written) & {"\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"}


class Unruly(file.FileBackend):
    """A file whose `troubles` happen one an apply: each gets the real apply and may call it, or not."""

    troubles = ()

    def apply(self, prefix, snapshot, delta):
        def really():
            super(Unruly, self).apply(prefix, snapshot, delta)

        type(self).troubles, trouble = type(self).troubles[1:], (type(self).troubles or (None,))[0]
        if trouble is None:
            return really()
        return trouble(really, prefix, snapshot)


@pytest.fixture
def unruly(monkeypatch):
    monkeypatch.setattr(center, "FileBackend", Unruly)

    def happen(*troubles):
        Unruly.troubles = troubles

    yield happen
    Unruly.troubles = ()


def history(values):
    return execute(CONFD_CONFIG_INFO, values)["history"]


def test_an_answer_that_was_lost_is_found_again(values, unruly):
    def lost(really, prefix, snapshot):
        really()
        raise UnreachableError("connection reset")

    unruly(lost)
    result = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    assert result["changed"] and result["added"] == ["/a"] and len(history(values)) == 1


def test_a_request_that_was_lost_is_sent_again(values, unruly):
    def lost(really, prefix, snapshot):
        raise UnreachableError("connection refused")

    unruly(lost, lost)
    assert execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})["changed"]
    assert len(history(values)) == 1


def test_another_writer_is_built_upon(values, unruly):
    def beaten(really, prefix, snapshot):
        execute(CONFD_CONFIG, {**values, "keys": {"b": 2}, "author": "the other"})
        really()

    unruly(beaten)
    result = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}, "author": "this one"})
    assert (result["added"], result["removed"]) == (["/a"], ["/b"])
    assert [entry["author"] for entry in history(values)] == ["this one", "the other"]


def test_a_later_change_by_others_stands(values, unruly):
    def overtaken(really, prefix, snapshot):
        really()
        execute(CONFD_CONFIG, {**values, "keys": {"b": 2}})
        raise UnreachableError("connection reset")

    unruly(overtaken)
    result = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    assert result["changed"] and result["added"] == ["/a"]
    assert execute(CONFD_CONFIG_INFO, values)["keys"] == {"/b": "2"}


def test_hands_that_meddle_during_the_change_do_not_stand(values, unruly, tmp_path):
    """What redis and etcd report after EXEC: it was written, and a key came or went meanwhile."""

    def meddled(really, prefix, snapshot):
        really()
        path = tmp_path / "center" / "values.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "/webapi/stray": "x"}))
        raise ConflictError("meanwhile somebody added a key")

    execute(CONFD_CONFIG, {**values, "keys": {"old": 1}})
    unruly(meddled)
    result = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}})
    assert (result["changed"], result["added"], result["removed"]) == (True, ["/a"], ["/old"])
    assert execute(CONFD_CONFIG_INFO, values)["keys"] == {"/a": "1"}


def test_conflicts_without_end_end_with_the_deadline(values, unruly):
    def always(really, prefix, snapshot):
        raise ConflictError("somebody else changed it")

    unruly(*[always] * 1000)
    refused = execute(CONFD_CONFIG, {**values, "keys": {"a": 1}, "timeout": "300ms"})
    assert refused["failed"] and "It was tried for 0.3 s" in refused["msg"]
