# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config centres that are full, frozen, damaged, locked, or something else altogether: one clear error, and nothing is lost."""

from __future__ import annotations

import base64
import http.server
import json
import signal
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import confd_helper
import pytest
import redis
import requests
from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends.gateway import Gateway
from confd_helper import BACKENDS, CONFD_CONFIG, CONFD_CONFIG_INFO, Center, execute
from confd_servers import Server, etcd_command, free_port

pytestmark = pytest.mark.lab
SECRET = "pa55-word-of-ours"
KEYS = {"keys": {"db": {"url": "u", "password": SECRET}}, "secret_keys": ["/db/password"], "timeout": "5s"}


def config(**args: t.Any) -> t.Dict[str, t.Any]:
    return execute(CONFD_CONFIG, {"prefix": "/webapi", **KEYS, **args})


def refused(*words: str, within: float = 8.0, **args: t.Any) -> t.Dict[str, t.Any]:
    """A change that is refused at once, not after the 10 s that it tries by itself, in these words, without the secret."""
    start = time.monotonic()
    result = config(**args)
    assert result.get("failed") and not result["changed"], result
    assert all(word in result["msg"] for word in words) and "unforeseen" not in result["msg"], result["msg"]
    assert SECRET not in json.dumps(result)
    assert time.monotonic() - start < within, result["msg"]
    return result


@pytest.fixture(params=BACKENDS)
def own_center(request: t.Any, tmp_path: Path) -> t.Iterator[Center]:
    """A config centre that nobody else uses, so that its counters are this test's."""
    port, peer = free_port(), free_port()
    node = f"127.0.0.1:{port}"
    if request.param == "file":
        yield confd_helper.center("file", {}, tmp_path)
        return
    (tmp_path / "server").mkdir()
    redis_command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path / "server")]
    command = redis_command if request.param == "redis" else etcd_command(tmp_path / "server", f"http://{node}", peer)
    server = Server(command, port)
    yield confd_helper.center(request.param, {"LAB_REDIS_TEST": node, "LAB_ETCD": node}, tmp_path)
    server.kill()


def freeze(server: Server) -> None:
    """Stop it, and see that it stands still."""
    server.process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{server.process.pid}/task")
    deadline = time.monotonic() + 5
    while any((each / "stat").read_text().rpartition(") ")[2][0] not in "Tt" for each in tasks.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def own_redis(tmp_path: Path) -> t.Iterator[t.Tuple[Server, redis.Redis]]:
    port = free_port()
    server = Server(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)], port)
    hand = redis.Redis(port=port)
    yield server, hand
    hand.close()
    server.kill()


def test_a_redis_that_refuses(own_redis):
    server, hand = own_redis
    args = {"backend": "redis", "nodes": [server.node]}
    assert config(**args)["changed"]
    before = {name: hand.get(name) for name in hand.keys("*")}
    refused("DB index is out of range", "0 to 15", db=99, **args)
    hand.config_set("maxmemory", "1")
    refused("raise maxmemory", keys={"other": 1}, **args)
    hand.config_set("maxmemory", "0")
    hand.config_set("min-replicas-to-write", "3")
    refused("Not enough good replicas", keys={"other": 1}, **args)
    hand.config_set("min-replicas-to-write", "0")
    freeze(server)
    refused(server.node, "Timeout", **{**args, "timeout": "2s"})
    server.process.send_signal(signal.SIGCONT)
    assert {name: hand.get(name) for name in hand.keys("*")} == before
    assert config(**args)["changed"] is False


def test_a_redis_cluster_is_called_one(lab, tmp_path):
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)]
    server = Server([*command, "--cluster-enabled", "yes", "--cluster-port", str(free_port())], port)
    try:
        refused("It is a cluster", backend="redis", nodes=[server.node])
    finally:
        server.kill()


HEADS = [
    "no json",
    "[1]",
    '{"format": 1}',
    '{"format": 99}',
    '{"format": 1, "entries": [1], "secret_keys": [], "number": 1}',
    '{"format": 1, "entries": [{}], "secret_keys": [], "number": 1}',
    "[" * 100_000,
]


def history_names(center: Center) -> t.Tuple[str, str]:
    """Where the head and the first record of a redis or etcd prefix stand."""
    return f"slipway!{center.prefix}!head", f"slipway!{center.prefix}!00000001"


@pytest.mark.parametrize("text", HEADS, ids=range(len(HEADS)))
@pytest.mark.parametrize("backend", ["redis", "etcd"])
def test_a_history_that_hands_have_damaged(lab, tmp_path, backend, text):
    """Nothing is written over it, and with its head back all is as it was."""
    found = confd_helper.center(backend, lab, tmp_path)
    args = {**found.options, "prefix": found.prefix}
    try:
        first = found.config(**KEYS)["revision"]
        found.config(keys={"other": 1})
        head, record = history_names(found)
        good = [_raw(found, name) for name in (head, record)]
        found.hand.put(head, text)
        refused("Nothing was changed", keys={"another": 2}, **args)
        assert found.keys() == {"/other": "1"} and _raw(found, head) == text
        found.hand.put(head, good[0])
        found.hand.put(record, text if len(text) < 200 else "")
        restored = {"state": "restored", "revision": first, "keys": None, "secret_keys": []}
        refused("record", "othing was changed", **{**args, **restored})
        found.hand.put(record, good[1])
        assert found.config(state="restored", revision=first)["changed"] and len(found.keys()) == 2
    finally:
        found.hand.forget(found.prefix)


def _raw(center: Center, name: str) -> str:
    """Any name, also those of the history."""
    if center.backend == "redis":
        return center.hand.client.get(name).decode()
    answer = center.hand._call("range", key=name)["kvs"][0]
    return base64.b64decode(answer.get("value", "")).decode()


def test_a_head_of_another_type_is_not_replaced(own_redis):
    server, hand = own_redis
    hand.hset("slipway!/webapi!head", "a", "b")
    refused("is a hash", backend="redis", nodes=[server.node])
    assert hand.hgetall("slipway!/webapi!head") == {b"a": b"b"}


PENDING = ["no json", "[]", "{}", '{"values": 1, "name": "x", "head": "", "drop": []}', '{"drop": ["../../x"]}']


@pytest.mark.parametrize("text", PENDING, ids=range(len(PENDING)))
def test_a_pending_change_that_hands_have_damaged(lab, tmp_path, text):
    found = confd_helper.center("file", lab, tmp_path)
    found.config(**KEYS)
    pending = Path(found.options["path"]).with_name(".values.json.history") / "pending.json"
    pending.write_text(text)
    refused("pending.json was altered by hand", keys={"other": 1}, **found.options, prefix=found.prefix)
    pending.unlink()
    assert found.config(keys={"other": 1})["changed"] and len(found.info()["history"]) == 2


def test_a_file_on_a_full_or_read_only_disk(tmp_path):
    """At once, not at the deadline; and what was there stays."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], check=True)
    try:
        args = {"backend": "file", "path": str(place / "values.json")}
        assert config(**args)["changed"]
        before = (place / "values.json").read_bytes()
        refused("No space left", "Make room", keys={"large": "x" * 200_000}, **args)
        assert (place / "values.json").read_bytes() == before
        assert config(**args)["changed"] is False
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        refused("Read-only file system", "another path", keys={"other": 1}, **args)
        assert config(**args)["changed"] is False  # with nothing to do, nothing is written
        info = execute(CONFD_CONFIG_INFO, {"prefix": "/webapi", "secret_keys": ["/db/password"], **args})
        assert len(info["history"]) == 1 and info["keys"]["/db/url"] == "u"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_path_that_can_be_no_file(tmp_path):
    (tmp_path / "file").write_text("{}")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused("say which one in that folder", backend="file", path=str(tmp_path))
    refused("is a file and no folder", backend="file", path=str(tmp_path / "file" / "values.json"))
    refused("leads to itself", backend="file", path=str(tmp_path / "loop"))
    (tmp_path / "deep").write_text("[" * 100_000)
    refused("is no JSON", backend="file", path=str(tmp_path / "deep"))


def test_an_etcd_that_refuses(lab, tmp_path):
    port, peer = free_port(), free_port()
    command = etcd_command(tmp_path, f"http://127.0.0.1:{port}", peer, "--quota-backend-bytes", "3000000")
    server = Server(command, port)
    args = {"backend": "etcd", "nodes": [server.node]}
    hand = confd_helper.EtcdHand(server.node)
    try:
        assert config(**args)["changed"]
        refused("1.5 MiB a request", keys={"a": "x" * 1_000_000}, **args)
        refused("1.5 MiB a request", keys={"a": "x" * 2_000_000}, **args)
        refused("3968 in one transaction", keys={f"k{number}": 1 for number in range(3968)}, **args)
        with pytest.raises(requests.HTTPError):
            for number in range(20):
                hand.put(f"/fill/{number}", "x" * 1_000_000)
        refused("space exceeded", "disarm", keys={"other": 1}, **args)
        freeze(server)
        refused(server.node, "timed out", **{**args, "timeout": "2s"})
        server.process.send_signal(signal.SIGCONT)
        assert set(confd_helper.EtcdHand(server.node).get()) >= {"/webapi/db/url", "/webapi/db/password"}
        assert config(**args)["changed"] is False
    finally:
        server.kill()


def test_as_many_keys_as_one_transaction_takes(lab, tmp_path):
    """Every operation that is left beside the history's record; one more is refused above."""
    found = confd_helper.center("etcd", lab, tmp_path)
    try:
        assert len(found.config(keys={f"k{number}": 1 for number in range(3967)})["added"]) == 3967
        assert len(found.keys()) == 3967
    finally:
        found.hand.forget(found.prefix)


@pytest.fixture
def stranger() -> t.Iterator[t.Tuple[str, t.Dict[str, t.Any]]]:
    """A web server where etcd or redis should be, and what it is to answer."""
    answer: t.Dict[str, t.Any] = {"code": 200, "body": b"{}"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(answer["code"])
            self.send_header("Content-Length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_args: t.Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", answer
    server.shutdown()
    server.server_close()


def test_something_else_listens_there(stranger):
    node, answer = stranger
    for code, body in [(200, b"{}"), (200, b"<html>"), (200, b"[]"), (404, b'"no"'), (404, b"{}"), (301, b"[]")]:
        answer.update(code=code, body=body)
        refused(node, backend="etcd", nodes=[node])
    refused(node, backend="redis", nodes=[node])
    answer.update(code=503, body=b"[]")  # as a cluster without a leader: waited for, up to the deadline
    refused(node, "503", backend="etcd", nodes=[node], timeout="1s", within=4)


def test_a_server_that_speaks_no_redis(lab):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        node = f"127.0.0.1:{listening.getsockname()[1]}"

        def greet() -> None:
            peer, _address = listening.accept()
            peer.sendall(b"220 mail.example.com ESMTP\r\n" * 3)
            time.sleep(1)
            peer.close()

        threading.Thread(target=greet, daemon=True).start()
        refused(node, "not as redis does", backend="redis", nodes=[node])


@pytest.mark.parametrize("backend", ["redis", "etcd"])
@pytest.mark.parametrize("option", ["ca_path", "client_cert", "client_key"])
def test_a_certificate_that_is_not_there_names_its_option(lab, tmp_path, backend, option):
    there = tmp_path / "there.pem"
    there.write_text("no certificate")
    node = lab["LAB_REDIS_TEST"] if backend == "redis" else lab["LAB_ETCD"]
    files = {"client_cert": str(there)} if option == "client_key" else {}
    refused(
        f"{option}: /nowhere.pem cannot be read", backend=backend, nodes=[node], **{**files, option: "/nowhere.pem"}
    )
    broken = {"ca_path": str(there)} if option == "ca_path" else {"client_cert": str(there), "client_key": str(there)}
    refused(node, backend=backend, nodes=[f"https://{node}" if backend == "etcd" else node], tls=True, **broken)


def test_nothing_to_do_reads_once_and_writes_nothing(own_center, tmp_path, monkeypatch):
    """By the server's own counters: one reading of the keys, no write, and no revision of etcd's."""
    many = {f"group{number % 7}/key{number}": number for number in range(500)}
    own_center.config(keys=many)
    requests_sent = []
    send = Gateway._send
    monkeypatch.setattr(Gateway, "_send", lambda gateway, *args: requests_sent.append(args) or send(gateway, *args))
    before = _moment(own_center, tmp_path)
    assert own_center.config(keys=many)["changed"] is False
    after = _moment(own_center, tmp_path)
    if own_center.backend == "redis":
        used = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        assert not {"set", "del", "watch", "rename", "getset", "mset"} & set(used), used
        assert used["mget"] == 2 and used["exec"] == 1, used  # the head with what is above, and all keys, in one EXEC
    else:
        assert before == after
    assert len(requests_sent) == (1 if own_center.backend == "etcd" else 0)


def test_five_hundred_keys_are_one_step_and_little_work(own_center, tmp_path):
    """One revision of etcd's, one EXEC of redis', one rename of the file; and under a second of this process's own time."""
    many = {f"group{number % 7}/key{number}": number for number in range(500)}
    own_center.config(keys={"first": 1})
    before = _moment(own_center, tmp_path)
    start = time.process_time()
    assert len(own_center.config(keys=many)["added"]) == 500
    used = time.process_time() - start
    after = _moment(own_center, tmp_path)
    if own_center.backend == "etcd":
        assert after["revision"] - before["revision"] == 1
    elif own_center.backend == "redis":
        assert after["exec"] - before["exec"] == 2  # the reading, and the change
    else:
        assert len(set(after) - set(before)) == 1  # the record
    assert used < 1.0, f"{used:.2f} s of CPU"


def _moment(center: Center, folder: Path) -> t.Dict[str, t.Any]:
    """What tells whether anything was written since."""
    if center.backend == "redis":
        stats = center.hand.client.info("commandstats")
        return {name.replace("cmdstat_", ""): facts["calls"] for name, facts in stats.items()}
    if center.backend == "etcd":
        return {"revision": int(center.hand._call("range", key="/")["header"]["revision"])}
    return {str(path): path.stat().st_mtime_ns for path in (folder / "center").rglob("*") if path.is_file()}
