# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that ask who comes: redis with password, ACL user and TLS, etcd with users and TLS, each of this test's own."""

from __future__ import annotations

import base64
import typing as t
from contextlib import closing

import pytest
import redis
import requests
from confd_helper import CONFD_CONFIG, CONFD_CONFIG_INFO, execute
from confd_servers import Server, etcd_command, free_port, make_certificates

pytestmark = pytest.mark.lab
KEYS = {"keys": {"db": {"url": "u", "password": "pa55-word"}}, "secret_keys": ["/db/password"], "timeout": 60}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: t.Any) -> t.Dict[str, str]:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def redis_server(
    lab: t.Any, certificates: t.Dict[str, str], tmp_path_factory: t.Any
) -> t.Iterator[t.Tuple[Server, int]]:
    """redis with two users and a TLS port that wants client certificates."""
    port, secure, folder = free_port(), free_port(), tmp_path_factory.mktemp("redis")
    allowed = "~/webapi* ~slipway!/webapi!* +@read +@write +@transaction +type +scan +ping +client"
    users = [
        "--user",
        f"ann on >ann-word {allowed}",
        "--user",
        "reader on >reader-word ~* +@read +ping +client +@transaction",
    ]
    tls = [
        "--tls-port",
        str(secure),
        "--tls-cert-file",
        certificates["server"],
        "--tls-key-file",
        certificates["server-key"],
    ]
    client = ["--tls-ca-cert-file", certificates["ca"], "--tls-auth-clients", "yes"]
    common = [
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--unixsocket",
        str(folder / "s"),
        "--save",
        "",
    ]
    server = Server(["redis-server", *common, "--requirepass", "root-word", *tls, *client, *_flat(users)], port)
    server.socket = str(folder / "s")
    yield server, secure
    server.stop()


def _flat(users: t.List[str]) -> t.List[str]:
    """redis takes each word of a user by itself."""
    return [word for value in users for word in (value.split() if not value.startswith("--") else [value])]


def config(**args: t.Any) -> t.Dict[str, t.Any]:
    return execute(CONFD_CONFIG, {"prefix": "/webapi", **KEYS, **args})


def assert_works(**center: t.Any) -> None:
    applied = config(**center)
    assert not applied.get("failed"), applied["msg"]
    info = execute(CONFD_CONFIG_INFO, {"prefix": "/webapi", **center})
    assert info["keys"] == {"/db/url": "u", "/db/password": "<secret>"}
    assert config(state="absent", **{**center, "keys": None, "secret_keys": []})["changed"]


def test_redis_with_a_password(redis_server):
    server, _secure = redis_server
    assert_works(backend="redis", nodes=[server.node], password="root-word", db=3)
    assert_works(backend="redis", nodes=[server.socket], password="root-word")


def test_redis_with_an_acl_user(redis_server):
    server, _secure = redis_server
    assert_works(backend="redis", nodes=[server.node], username="ann", password="ann-word")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "Set password|refuses the login"),
        ({"password": "wrong"}, "refuses the login"),
        ({"username": "nobody", "password": "x"}, "refuses the login"),
        ({"username": "reader", "password": "reader-word"}, "The user needs"),
        ({"username": "ann", "password": "ann-word", "prefix": "/other"}, "The user needs"),
    ],
)
def test_redis_refuses(redis_server, args, said):
    server, _secure = redis_server
    refused = config(backend="redis", nodes=[server.node], **args)
    assert refused["failed"] and any(part in refused["msg"] for part in said.split("|")), refused["msg"]
    assert "pa55-word" not in refused["msg"] and "unforeseen" not in refused["msg"]


def test_redis_over_tls(redis_server, certificates):
    _server, secure = redis_server
    client = {"client_cert": certificates["client"], "client_key": certificates["client-key"], "password": "root-word"}
    for node in (f"127.0.0.1:{secure}", f"rediss://127.0.0.1:{secure}"):
        assert_works(backend="redis", nodes=[node], ca_path=certificates["ca"], **client)
    for wrong in ({"ca_path": certificates["other"]}, {"tls": True}):
        refused = config(backend="redis", nodes=[f"127.0.0.1:{secure}"], **wrong, **client)
        assert refused["failed"] and "certificate" in refused["msg"].lower(), refused["msg"]


def test_a_replica_is_not_written_to(lab, tmp_path):
    port = free_port()
    replica = ["--replicaof", "127.0.0.1", str(free_port())]
    server = Server(
        ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), *replica], port
    )
    try:
        refused = config(backend="redis", nodes=[server.node], timeout=1)
    finally:
        server.stop()
    assert refused["failed"] and "Name the master" in refused["msg"], refused["msg"]
    assert "pa55-word" not in str(refused)


def test_a_redis_that_would_lose_settings_is_warned_about(lab, tmp_path):
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    server = Server(["redis-server", *options, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], port)
    try:
        with closing(redis.Redis(port=port)) as hand:
            applied = config(backend="redis", nodes=[server.node])
            hand.expire("/webapi/db/url", 600)
            info = execute(CONFD_CONFIG_INFO, {"prefix": "/webapi", "backend": "redis", "nodes": [server.node]})
            hand.config_set("save", "3600 1")
            hand.config_set("maxmemory-policy", "noeviction")
            hand.persist("/webapi/db/url")
            mended = execute(CONFD_CONFIG_INFO, {"prefix": "/webapi", "backend": "redis", "nodes": [server.node]})
    finally:
        server.stop()
    words = ["keeps nothing on disk", "memory is full", "/webapi/db/url will expire"]
    assert len(applied["warned"]) == 2 and all(word in found for word, found in zip(words, applied["warned"]))
    assert len(info["risks"]) == 3 and all(word in found for word, found in zip(words, info["risks"]))
    assert mended["risks"] == mended["warned"] == []


@pytest.fixture(scope="module")
def etcd_server(lab: t.Any, tmp_path_factory: t.Any) -> t.Iterator[Server]:
    """etcd with authentication on: root, and ann who may do everything below /webapi/ and with its history."""
    port, peer = free_port(), free_port()
    folder = tmp_path_factory.mktemp("etcd")
    server = Server(etcd_command(folder, f"http://127.0.0.1:{port}", peer), port)

    def call(method: str, **message: t.Any) -> None:
        requests.post(f"http://{server.node}/v3/auth/{method}", json=message, timeout=10).raise_for_status()

    for name in ("root", "ann"):
        call("user/add", name=name, password=f"{name}-word")
        call("role/add", name=name)
        call("user/grant", user=name, role=name)
    for first in ("/webapi", "slipway!/webapi!"):
        key, end = (base64.b64encode(text.encode()).decode() for text in (first, first[:-1] + chr(ord(first[-1]) + 1)))
        call("role/grant", name="ann", perm={"permType": "READWRITE", "key": key, "range_end": end})
    call("enable")
    yield server
    server.stop()


def test_etcd_with_a_user_of_the_prefix_alone(etcd_server):
    assert_works(backend="etcd", nodes=[etcd_server.node], username="ann", password="ann-word")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "Set username and password"),
        ({"username": "ann", "password": "wrong"}, "refuses the login of ann"),
        ({"username": "ann", "password": "ann-word", "prefix": "/other"}, "permission denied"),
    ],
)
def test_etcd_refuses(etcd_server, args, said):
    refused = config(backend="etcd", nodes=[etcd_server.node], **args)
    assert refused["failed"] and said in refused["msg"], refused["msg"]


def test_etcd_forgets_its_tokens(etcd_server):
    """A restart does that; the client that was logged in logs in again and goes on."""
    from ansible_collections.slipway.delivery.plugins.module_utils.common.deadline import Deadline
    from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends.etcd import EtcdBackend
    from ansible_collections.slipway.delivery.plugins.module_utils.confd.backends.gateway import Gateway, Login

    tls = {"on": False, "verify": True, "cert": None}
    with EtcdBackend(Gateway([etcd_server.node], Deadline(30), Login("ann", "ann-word"), tls)) as store:
        assert store.read("/webapi").keys == {}
        etcd_server.stop()
        etcd_server.start()
        assert store.read("/webapi").keys == {}


def test_etcd_over_tls(lab, certificates, tmp_path):
    port, peer = free_port(), free_port()
    files = ["--cert-file", certificates["server"], "--key-file", certificates["server-key"]]
    asks = ["--client-cert-auth", "--trusted-ca-file", certificates["ca"]]
    server = Server(etcd_command(tmp_path, f"https://127.0.0.1:{port}", peer, *files, *asks), port)
    client = {"client_cert": certificates["client"], "client_key": certificates["client-key"]}
    try:
        dead = f"127.0.0.1:{free_port()}"
        assert_works(backend="etcd", nodes=[dead, server.node], ca_path=certificates["ca"], **client)
        assert_works(backend="etcd", nodes=[f"https://{server.node}"], validate_certs=False, **client)
        for wrong in ({"ca_path": certificates["other"]}, {}):
            refused = config(backend="etcd", nodes=[server.node], **wrong, **client)
            assert refused["failed"] and "certificate verify failed" in refused["msg"], refused["msg"]
    finally:
        server.stop()
