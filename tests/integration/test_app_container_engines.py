# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaching engines: sockets, TLS, ssh, and what is said when one cannot be reached."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container_info import APP_CONTAINER_INFO
from engine_helper import App, call
from lab_command import NETWORK

pytestmark = pytest.mark.lab


def look(**options):
    """The smallest task: what runs there."""
    return call(APP_CONTAINER_INFO, **options)


@pytest.fixture
def tls(lab):
    return {
        "docker_host": lab["LAB_TLS_HOST"],
        "ca_path": lab["LAB_CA"],
        "client_cert": lab["LAB_CLIENT_CERT"],
        "client_key": lab["LAB_CLIENT_KEY"],
    }


@pytest.mark.parametrize("name", ["LAB_H1", "LAB_H4"])
def test_plain(lab, name):
    assert "containers" in look(docker_host=lab[name])


def test_a_local_socket(lab):
    assert "containers" in look(docker_host=f"unix://{lab['LAB_RUN']}/h1/docker.sock")
    assert "containers" in look(docker_host=f"{lab['LAB_RUN']}/h1/docker.sock")


def test_tls(tls):
    assert "containers" in look(**tls)


def test_tls_by_the_environment(tls, monkeypatch, tmp_path):
    for name, option in (("ca.pem", "ca_path"), ("cert.pem", "client_cert"), ("key.pem", "client_key")):
        (tmp_path / name).symlink_to(tls[option])
    monkeypatch.setenv("DOCKER_HOST", tls["docker_host"])
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert "containers" in look()


def test_the_environment_cannot_change_whom_we_trust(lab, tls, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab["LAB_OTHER_CA"])
    assert "containers" in look(**tls)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"client_cert": "LAB_OTHER_CLIENT_CERT", "client_key": "LAB_OTHER_CLIENT_KEY"},
            "refused our certificate: set client_cert",
        ),
        ({"client_cert": None, "client_key": None}, "refused our certificate: set client_cert"),
        ({"ca_path": "LAB_OTHER_CA"}, "The engine's certificate is not trusted: set ca_path"),
        ({"ca_path": None, "tls": True}, "The engine's certificate is not trusted: set ca_path"),
        ({"tls_hostname": "elsewhere.example.com"}, "is for another name: set tls_hostname"),
        ({"docker_host": "LAB_H1"}, "does not speak TLS on this port"),
        ({"ca_path": "/no/such/ca.pem"}, "ca_path: /no/such/ca.pem is not a file."),
    ],
)
def test_the_wrong_certificate(lab, tls, more, said):
    given = {**tls, **{key: lab.get(value, value) if isinstance(value, str) else value for key, value in more.items()}}
    result = look(**{key: value for key, value in given.items() if value is not None})
    assert result["failed"]
    assert said in result["msg"]
    if "file" not in said:
        assert result["msg"].startswith(given["docker_host"])


def test_without_verification_it_is_asked_for(tls):
    given = {**tls, "validate_certs": False}
    del given["ca_path"]
    assert "containers" in look(**given)


def test_a_name_in_the_certificate(tls):
    assert "containers" in look(**tls, tls_hostname="h1")


def test_plain_to_the_tls_port(lab):
    result = look(docker_host=lab["LAB_TLS_HOST"])
    assert "The engine speaks TLS: set tls" in result["msg"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("tcp://{network}.14:2399", "Connection refused"),
        ("tcp://no-such-host.invalid:2375", "no-such-host.invalid"),
        ("unix:///no/such.sock", "No engine listens on this socket"),
        ("tcp://", "is no engine's address"),
    ],
)
def test_nobody_there(where, said):
    for operation, more in ((APP_CONTAINER_INFO, {}), (APP_CONTAINER, {"name": "eng-x", "image": "x:1"})):
        result = call(operation, docker_host=where.format(network=NETWORK), **more)
        assert (result["failed"], result["changed"]) == (True, False)
        assert said in result["msg"]


def test_an_engine_that_accepts_and_never_answers():
    """It ends by the timeout that was given."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        result = look(docker_host=f"tcp://127.0.0.1:{deaf.getsockname()[1]}", timeout=1)
        assert time.monotonic() - began < 5
    assert "did not answer in time" in result["msg"]


def test_something_else_answers():
    """A server that is no engine."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            connection, _peer = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n")

        threading.Thread(target=answer, daemon=True).start()
        result = look(docker_host=f"tcp://127.0.0.1:{other.getsockname()[1]}", timeout=2)
    assert result["failed"]
    assert "not here (HTTP 404)" in result["msg"]


def test_the_oldest_api_is_spoken(lab):
    app = App(lab, port=18095)
    try:
        assert app.deploy("1", api_version="1.41")["action"] == "created"
        assert app.deploy("2", api_version="1.41")["action"] == "replaced"
    finally:
        app.clean()


def test_by_a_local_socket_the_gate_goes_where_it_is_told(lab):
    """The lab's sockets are of other machines: 127.0.0.1 is not theirs, so the address has to be given."""
    app = App(lab, host="LAB_H4", port=18096)
    try:
        options = {**app.options("1"), "docker_host": f"unix://{lab['LAB_RUN']}/h4/docker.sock"}
        options["gate"]["address"] = app.address
        assert call(APP_CONTAINER, **options)["action"] == "created"
    finally:
        app.clean()
