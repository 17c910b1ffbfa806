# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_config over a file, redis and etcd of the lab: one suite, and the same answers from each of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import stat
import typing as t
from pathlib import Path

import confd_helper
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd import revision
from confd_helper import BACKENDS, VALUES, Center

pytestmark = pytest.mark.lab

SETTINGS = {"db": {"url": "jdbc:mysql://db/shop", "pool": 20, "password": "pa55-word"}, "features": {"checkout": True}}
FLAT = {"/db/url": "jdbc:mysql://db/shop", "/db/pool": "20", "/db/password": "pa55-word", "/features/checkout": "true"}


@pytest.fixture(params=BACKENDS)
def center(request: t.Any, lab: dict[str, str], tmp_path: Path) -> t.Iterator[Center]:
    found = confd_helper.center(request.param, lab, tmp_path)
    yield found
    found.hand.forget(found.prefix)


def test_applies_once(center):
    first = center.config(keys=SETTINGS, secret_keys=["/db/password"], reason="first")
    assert first["changed"] and not first.get("failed"), first
    assert (first["previous_revision"], first["added"]) == (None, sorted(FLAT))
    assert center.keys() == FLAT
    again = center.config(keys=FLAT, secret_keys=["/db/password"], reason="again")
    assert not again["changed"]
    assert again["revision"] == again["previous_revision"] == first["revision"]
    assert again["diff"]["before"] == again["diff"]["after"] == ""
    assert len(center.info()["history"]) == 1


def test_every_backend_gives_the_same_answers(lab, tmp_path):
    """The same tasks on each; where the store is named is the only difference."""
    told = []
    for backend in BACKENDS:
        found = confd_helper.center(backend, lab, tmp_path / backend)
        found.put("/old", "by hand")
        results = [
            found.config(keys=SETTINGS, secret_keys=["/db/password"]),
            found.config(keys={"db/pool": 30, "list": ["b", "a"]}, purge=False),
            found.config(state="absent"),
            found.info(),
        ]
        found.config(state="restored", revision=results[1]["revision"])
        results.append(found.info(revision=results[0]["revision"]))
        found.hand.forget(found.prefix)
        for result in results:
            for word in ("before_header", "after_header"):
                result.get("diff", {}).pop(word, None)
            for entry in [*result.get("history", []), result.get("record") or {}]:
                entry.pop("time", None)
        told.append(results)
    assert told[0] == told[1] == told[2]
    assert [entry["action"] for entry in told[0][4]["history"]] == [
        "restored",
        "removed",
        "applied",
        "applied",
        "found",
    ]


def test_values_of_every_kind_come_back(center):
    assert center.config(keys=VALUES)["changed"]
    assert center.keys() == {f"/{key}": value for key, value in VALUES.items()}
    assert not center.config(keys=VALUES)["changed"]


@pytest.mark.confd
@pytest.mark.parametrize("dialect", ["LAB_CONFD", "LAB_CONFD_FORK"])
def test_confd_reads_what_was_written(center, lab, lab_confd, dialect, tmp_path):
    if not lab.get(dialect):
        pytest.skip(f"no confd: {lab.get(dialect + '_REASON', 'the lab names none')}")
    center.config(keys={"kinds": VALUES})
    confdir, dest = tmp_path / "confd", tmp_path / "rendered"
    (confdir / "conf.d").mkdir(parents=True)
    (confdir / "templates").mkdir()
    (confdir / "templates" / "all.tmpl").write_text("".join(f'{{{{getv "/kinds/{key}"}}}}\x00' for key in VALUES))
    resource = {"src": "all.tmpl", "dest": str(dest), "prefix": center.prefix, "mode": "0600"}
    lines = [f"{word} = {json.dumps(value)}" for word, value in resource.items()]
    (confdir / "conf.d" / "all.toml").write_text("\n".join(["[template]", *lines, 'keys = ["/kinds"]', ""]))
    done = confd_helper.confd(lab[dialect], dialect.endswith("FORK"), center, confdir)
    assert done.returncode == 0, done.stdout + done.stderr
    rendered = dest.read_bytes().decode().split("\x00")
    assert dict(zip(VALUES, rendered)) == VALUES


def test_purge_or_not(center):
    center.config(keys=SETTINGS)
    kept = center.config(keys={"db": {"pool": 30}}, purge=False)
    assert (kept["added"], kept["changed_keys"], kept["removed"]) == ([], ["/db/pool"], [])
    assert center.keys() == {**FLAT, "/db/pool": "30"}
    purged = center.config(keys={"db": {"pool": 30}})
    assert purged["removed"] == ["/db/password", "/db/url", "/features/checkout"]
    assert center.keys() == {"/db/pool": "30"}


def test_neighbours_are_left_alone(center):
    neighbour = center.prefix + "2/db/url"
    center.hand.put(neighbour, "theirs")
    center.config(keys=SETTINGS)
    center.config(state="absent")
    assert center.keys() == {}
    assert center.hand.get()[neighbour] == "theirs"
    center.hand.delete(neighbour)


def test_absent_and_back(center):
    revision = center.config(keys=SETTINGS)["revision"]
    gone = center.config(state="absent", reason="the app is retired")
    assert gone["changed"] and gone["revision"] is None and gone["previous_revision"] == revision
    assert not center.config(state="absent")["changed"]
    assert center.config(state="restored", revision=revision)["revision"] == revision
    assert center.keys() == FLAT


def test_restores_exactly_after_edits_by_hand(center):
    revision = center.config(keys=SETTINGS, secret_keys=["/db/password"])["revision"]
    center.config(keys={"other": 1})
    center.put("/db/pool", "999")
    center.put("/stray", "left behind")
    center.delete("/other")
    edited = center.info()
    assert edited["drifted"] and edited["revision"] not in (revision, edited["recorded_revision"])
    restored = center.config(state="restored", revision=revision[:8])
    assert restored["revision"] == revision and restored["previous_revision"] == edited["revision"]
    assert center.keys() == FLAT
    assert "pa55-word" not in json.dumps([restored, center.info(revision=revision)])
    center.config(state="restored", revision=edited["revision"])  # what hands made was kept, too
    assert center.keys() == {"/db/pool": "999", "/stray": "left behind"}


def test_restoring_what_never_was(center):
    center.config(keys=SETTINGS, reason="the only one")
    refused = center.config(state="restored", revision="0123456789")
    assert refused["failed"] and "no revision 0123456789" in refused["msg"] and "the only one" in refused["msg"]
    assert center.keys() == FLAT


def test_history_is_bounded_and_keeps_what_is_named(center):
    first = center.config(keys={"number": 0})["revision"]
    for number in range(1, 6):
        assert center.config(keys={"number": number}, history_limit=3, keep_revisions=[first])["changed"]
    history = center.info()["history"]
    assert [entry["number"] for entry in history] == [6, 5, 4, 1]
    assert center.config(state="restored", revision=first)["revision"] == first
    dropped = center.config(state="restored", revision=history[0]["revision"], history_limit=3)
    assert dropped["changed"] and center.keys() == {"/number": "5"}
    if center.backend == "redis":  # the records of what is not kept are gone, too
        names = list(center.hand.client.scan_iter(match=f"slipway!{center.prefix}!*"))
        assert len(names) == 1 + len(center.info()["history"])


def test_check_mode_tells_the_truth_and_writes_nothing(center, tmp_path):
    center.config(keys=SETTINGS, secret_keys=["/db/password"])
    wanted = {"keys": {"db": {"url": "other", "password": "new-pa55"}, "new": [1, 2]}, "secret_keys": ["/db/password"]}
    for args in (wanted, {"state": "absent"}):
        before = (center.keys(), center.info()["history"], _tree(tmp_path))
        foretold = center.config(check_mode=True, **args)
        assert (center.keys(), center.info()["history"], _tree(tmp_path)) == before
        assert center.config(**args) == foretold
        assert foretold["changed"]


def test_check_mode_in_an_empty_place_makes_nothing(center, tmp_path):
    assert center.config(check_mode=True, keys=SETTINGS)["changed"]
    assert center.keys() == {} and list(tmp_path.iterdir()) == []


def test_the_diff_shows_blanks_and_no_secret(center):
    center.config(keys={"a": "x", "token": "0ld-token", "url": "http://u:0ld-token@h"}, secret_keys=["token"])
    result = center.config(
        keys={"a": "x\u00a0 ", "token": "n3w-token", "url": "http://u:n3w-token@h"}, secret_keys=["token"]
    )
    assert result["diff"]["before"] == '/a = "x"\n/token = <secret>\n/url = "http://u:<secret>@h"\n'
    assert result["diff"]["after"] == (
        '/a = "x\\u00a0 "\n/token = <secret changed>\n/url = "http://u:<secret>@h"  <secret changed>\n'
    )
    assert "token" not in json.dumps(result).replace("/token", "")


def test_all_refusals_at_once_and_nothing_written(center):
    center.config(keys=SETTINGS)
    bad = {"a": None, "b*": 1, "c": {"d": 1}, "/c": 2, "e//f": 3, "g/..": 4, "h" * 1001: 5, "i ": 6}
    refused = center.config(keys=bad)
    assert refused["failed"]
    for part in (
        "/a is null",
        "/b* has one of",
        "/c has a value, and /c/d",
        "/e//f has an empty part",
        "/g/.. has a part",
    ):
        assert part in refused["msg"]
    assert "longer than 1000 bytes" in refused["msg"] and "/i  has a blank" in refused["msg"]
    assert center.keys() == FLAT


def test_a_value_above_the_prefix_is_refused(center):
    center.hand.put(center.prefix, "a leaf")
    refused = center.config(keys=SETTINGS)
    assert refused["failed"] and center.prefix in refused["msg"]
    assert center.keys() == {}


def test_a_misspelt_secret_key_is_warned_about(center):
    assert any("/db/passwrod" in line for line in center.config(keys=SETTINGS, secret_keys=["/db/passwrod"])["warned"])


def test_five_hundred_keys_in_one_step(center):
    many = {f"group{number % 7}/key{number}": "x" * (number % 50) for number in range(500)}
    assert len(center.config(keys=many)["added"]) == 500
    assert len(center.keys()) == 500
    changed = center.config(keys={key: value + "y" for key, value in many.items() if not key.endswith("9")})
    assert len(changed["changed_keys"]) == 450 and len(changed["removed"]) == 50


def _write(center: Center, number: int, queue: t.Any) -> None:
    result = center.config(keys={f"key{index}": number for index in range(30)}, author=f"w{number}", timeout="120s")
    queue.put((number, result.get("failed", False), result.get("revision"), result.get("msg")))


def test_twenty_writers_at_once(lab, center, monkeypatch):
    """Each revision is one writer's as a whole, and each writer's is there."""
    monkeypatch.setattr(revision, "_ROUNDS", 1)  # their time goes into getting into each other's way
    revision._stretched.cache_clear()
    processes = multiprocessing.get_context("fork")
    queue = processes.Queue()
    found = [processes.Process(target=_write, args=(center, number, queue)) for number in range(20)]
    for process in found:
        process.start()
    answers = [queue.get(timeout=200) for _writer in found]
    for process in found:
        process.join(timeout=30)
    assert not [answer for answer in answers if answer[1]]
    history = center.info()["history"]
    assert sorted(entry["author"] for entry in history) == sorted(f"w{number}" for number in range(20))
    for number, _failed, name, _msg in answers:
        record = center.info(revision=name)["record"]
        assert set(record["keys"].values()) == {str(number)} and len(record["keys"]) == 30
    assert len(set(center.keys().values())) == 1 and not center.info()["drifted"]
    revision._stretched.cache_clear()


def test_redis_keys_of_another_type_are_refused(lab, tmp_path):
    found = confd_helper.center("redis", lab, tmp_path)
    found.hand.client.hset(f"{found.prefix}/db", "url", "x")
    found.hand.client.lpush(f"{found.prefix}/list", "y")
    refused = found.config(keys={"other": 1})
    assert refused["failed"] and "/db is a hash" in refused["msg"] and "/list is a list" in refused["msg"]
    assert found.keys() == {}
    found.hand.forget(found.prefix)


@pytest.mark.parametrize("backend", ["redis", "etcd"])
def test_nobody_answers(backend):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        node = f"127.0.0.1:{unused.getsockname()[1]}"
    args = {"backend": backend, "nodes": [node], "prefix": "/cfd-none", "keys": {"a": 1}, "timeout": 2}
    refused = confd_helper.execute(confd_helper.CONFD_CONFIG, args)
    assert refused["failed"] and node in refused["msg"] and "unforeseen" not in refused["msg"]


@pytest.mark.parametrize("backend", ["redis", "etcd"])
def test_the_next_node_takes_over(lab, backend, tmp_path):
    found = confd_helper.center(backend, lab, tmp_path)
    found.options["nodes"].insert(0, "127.0.0.1:9")
    assert found.config(keys={"a": 1})["changed"]
    assert found.keys() == {"/a": "1"}
    found.hand.forget(found.prefix)


def test_the_file_keeps_owner_and_mode_and_the_history_is_private(lab, tmp_path):
    found = confd_helper.center("file", lab, tmp_path)
    found.config(keys={"a": 1})
    path = Path(found.options["path"])
    os.chmod(path, 0o604)
    os.chown(path, 1234, 1235)
    found.config(keys={"a": 2})
    now = path.stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o604, 1234, 1235)
    folder = path.with_name(".values.json.history")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in folder.iterdir())


def _tree(folder: Path) -> t.Dict[str, t.Tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
