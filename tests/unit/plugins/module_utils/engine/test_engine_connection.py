# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an engine is reached, and what is said when it is not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common import errors
from ansible_collections.slipway.delivery.plugins.module_utils.engine import connection, faults
from ansible_collections.slipway.delivery.plugins.module_utils.engine.engine import Engine
from docker.errors import APIError, DockerException, create_api_error_from_http_exception

CLEAN = ("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_TLS_HOSTNAME", "DOCKER_TIMEOUT")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in (*CLEAN, "DOCKER_API_VERSION", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def params(**options):
    spec = connection.CONNECTION
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages, validated.error_messages
    return validated.validated_parameters


def client(**options):
    return connection.open_client(params(**options))


@pytest.fixture
def files(tmp_path):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_environment_fills_in(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.11:2375")
    monkeypatch.setenv("DOCKER_TIMEOUT", "7")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "")  # set to nothing is not set
    found = params()
    assert (found["docker_host"], found["timeout"], found["validate_certs"]) == ("tcp://10.0.0.11:2375", 7, None)
    assert params(docker_host="tcp://other:2375")["docker_host"] == "tcp://other:2375"


def test_the_default_is_the_local_socket():
    assert params()["docker_host"] == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("given", "url", "address"),
    [
        ("unix:///run/docker.sock", "unix:///run/docker.sock", None),
        ("/run/docker.sock", "unix:///run/docker.sock", None),
        ("10.0.0.11:2375", "tcp://10.0.0.11:2375", "10.0.0.11"),
        ("tcp://[fd00::1]:2375", "tcp://[fd00::1]:2375", "fd00::1"),
        ("ssh://root@h1", "ssh://root@h1", "h1"),
        ("https://h1:2376", "https://h1:2376", "h1"),
    ],
)
def test_where_the_engine_is(given, url, address):
    assert connection.docker_url(given) == url
    assert connection.engine_address(url) == address


@pytest.mark.parametrize("given", ["ftp://h1", "tcp://", "tcp://h1:port", "tcp://:2375", "tcp://h1:99999"])
def test_nowhere(given):
    with pytest.raises(errors.ParameterError, match="is no engine's address"):
        client(docker_host=given)


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ({}, False),
        ({"tls": True}, True),
        ({"validate_certs": True}, True),
        ({"validate_certs": False}, False),
        ({"ca_path": "ca.pem"}, True),
        ({"client_cert": "c", "client_key": "k"}, True),
        ({"tls_hostname": "h1"}, True),
        ({"docker_host": "unix:///run/docker.sock", "tls": True}, False),
        ({"docker_host": "https://h1:2376"}, True),
    ],
)
def test_when_tls_is_spoken(options, tls):
    given = params(**{"docker_host": "tcp://h1:2376", **options})
    assert connection.wants_tls(given, given["docker_host"]) is tls


def test_tls_is_verified_unless_told_otherwise(files):
    ca = str(files / "ca.pem")
    assert client(docker_host="tcp://h1:2376", tls=True).verify is True
    assert client(docker_host="tcp://h1:2376", ca_path=ca).verify == ca
    assert client(docker_host="tcp://h1:2376", tls=True, validate_certs=False).verify is False


def test_docker_cert_path_is_used_with_tls_and_turns_none_on(monkeypatch, files):
    monkeypatch.setenv("DOCKER_CERT_PATH", str(files))
    made = client(docker_host="tcp://h1:2376", tls=True)
    assert made.cert == (str(files / "cert.pem"), str(files / "key.pem"))
    assert made.verify == str(files / "ca.pem")
    assert client(docker_host="tcp://h1:2375").base_url == "http://h1:2375"


def test_missing_certificates_are_named_together(files):
    with pytest.raises(errors.ParameterError) as raised:
        client(docker_host="tcp://h1:2376", ca_path="/no/ca", client_cert="/no/cert", client_key=str(files / "key.pem"))
    assert raised.value.msg == "ca_path: /no/ca is not a file. client_cert: /no/cert is not a file."


def test_the_environment_cannot_change_whom_we_trust(monkeypatch, files):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/elsewhere/ca.pem")
    made = client(docker_host="tcp://h1:2376", ca_path=str(files / "ca.pem"))
    merged = made.merge_environment_settings("https://h1:2376/x", {}, None, None, None)
    assert merged["verify"] == str(files / "ca.pem")


def test_a_proxy_is_still_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "h2")
    assert client(docker_host="tcp://h1:2375").proxies["http"] == "http://proxy:3128"
    assert client(docker_host="tcp://h2:2375").proxies == {}


def test_a_connection_has_to_come_about_sooner_than_an_answer(monkeypatch):
    seen = []

    def send(_self, _request, **kwargs):
        seen.append(kwargs["timeout"])
        raise requests.exceptions.ConnectTimeout("slow")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    made = client(docker_host="tcp://h1:2375", timeout=300)
    for timeout in (300, 5, None):
        with pytest.raises(requests.exceptions.ConnectTimeout):
            made.get("http://h1:2375/_ping", timeout=timeout)
    assert seen == [(10.0, 300), (5, 5), (10.0, None)]


# --- what docker-py raises ----------------------------------------------------------------------------------------------


def api_error(status, message):
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps({"message": message}).encode()
    response.url = "http://h1:2375/v1.41/x"
    with pytest.raises(APIError) as raised:
        create_api_error_from_http_exception(requests.exceptions.HTTPError(response=response))
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, faults.NotFoundError),
        (409, errors.ConflictError),
        (401, errors.DeniedError),
        (403, errors.DeniedError),
        (500, errors.SlipwayError),
        (400, errors.SlipwayError),
    ],
)
def test_the_daemon_s_own_words(status, kind):
    found = faults.fault(api_error(status, "it says no"), "tcp://h1:2375", "create container webapi")
    assert found.__class__ is kind
    assert found.msg == f"tcp://h1:2375: create container webapi: it says no (HTTP {status})."


def wrapped(text, kind=requests.exceptions.ConnectionError):
    try:
        try:
            raise OSError(text)
        except OSError as inner:
            raise kind(f"pool: {inner}") from inner
    except kind as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (wrapped("Connection refused"), "Connection refused. Is the engine running there"),
        (FileNotFoundError(2, "No such file or directory"), "No engine listens on this socket"),
        (PermissionError(13, "Permission denied"), "This user may not use the socket"),
        (
            wrapped("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", requests.exceptions.SSLError),
            "The engine's certificate is not trusted: set ca_path",
        ),
        (wrapped("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS on this port"),
        (wrapped("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), "The engine refused our certificate"),
        (requests.exceptions.ConnectTimeout("x"), "no connection in time"),
        (requests.exceptions.ReadTimeout("x"), "did not answer in time"),
        (DockerException("Install paramiko package to enable ssh:// support"), "Install paramiko"),
    ],
)
def test_an_engine_that_is_not_there(error, said):
    found = faults.fault(error, "tcp://h1:2375", "list containers")
    assert isinstance(found, errors.UnreachableError)
    assert found.msg.startswith("tcp://h1:2375: list containers: ")
    assert said in found.msg


def test_a_paramiko_that_cannot_be_loaded():
    found = faults.fault(ImportError("no module named 'nacl'"), "ssh://h1", "connect")
    assert isinstance(found, errors.MissingLibraryError)
    assert (
        found.msg
        == f"ssh://h1: connect: no module named 'nacl'. An ssh:// address needs a paramiko that {sys.executable} can load."
    )


def test_plain_http_to_a_tls_port():
    found = faults.fault(api_error(400, "Client sent an HTTP request to an HTTPS server."), "tcp://h1:2376", "list")
    assert isinstance(found, errors.UnreachableError)
    assert "set tls" in found.msg


def test_our_own_mistakes_are_not_the_engine_s():
    with pytest.raises(KeyError), faults.translated("h", "x"):
        raise KeyError("oops")
    with pytest.raises(errors.ConflictError), faults.translated("h", "x"):
        raise errors.ConflictError("as it is")


# --- the API's version ----------------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, headers):
        self.headers = headers

    def json(self):
        return []


def engine_with(monkeypatch, headers, **options):
    made = client(docker_host="tcp://h1:2375", **options)
    asked = []

    def get(url, **_kwargs):
        asked.append(url)
        return Answer(headers)

    monkeypatch.setattr(made, "get", get)
    monkeypatch.setattr(made, "_raise_for_status", lambda _response: None)
    return Engine(made, "tcp://h1:2375", negotiate=options.get("api_version", "auto") == "auto"), asked


def test_the_first_answer_settles_the_version(monkeypatch):
    engine, asked = engine_with(monkeypatch, {"Api-Version": "1.47"})
    engine.containers()
    engine.containers()
    assert asked == ["http://h1:2375/containers/json", "http://h1:2375/v1.47/containers/json"]


def test_a_version_that_was_given_is_kept(monkeypatch):
    engine, asked = engine_with(monkeypatch, {"Api-Version": "1.47"}, api_version="1.43")
    engine.containers()
    assert asked == ["http://h1:2375/v1.43/containers/json"]


def test_an_engine_that_is_too_old(monkeypatch):
    engine, _asked = engine_with(monkeypatch, {"Api-Version": "1.40"})
    with pytest.raises(errors.SlipwayError, match=r"speaks API 1\.40; Slipway needs 1\.41"):
        engine.containers()


def test_an_engine_that_does_not_say_is_asked(monkeypatch):
    engine, _asked = engine_with(monkeypatch, {})
    monkeypatch.setattr(engine.client, "version", lambda api_version: {"ApiVersion": "1.44"})
    engine.containers()
    assert engine.client.api_version == "1.44"


# --- the library ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "fits"), [("5.0.3", False), ("7.0.0", False), ("7.1.0", True), ("10.0.0.dev1", True)]
)
def test_a_library_that_is_too_old(monkeypatch, version, fits):
    monkeypatch.setattr(connection, "docker_version", version)
    if fits:
        assert client(docker_host="tcp://h1:2375")
        return
    with pytest.raises(errors.MissingLibraryError, match=f"docker is {version}.*needs 7.1 or newer"):
        client(docker_host="tcp://h1:2375")


WITHOUT_DOCKER = """
import sys
sys.path.insert(0, {path!r})
sys.modules.update(dict.fromkeys(("docker", "requests", "urllib3")))
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container_info import APP_CONTAINER_INFO
for operation in (APP_CONTAINER, APP_CONTAINER_INFO):
    print(operation.execute({{}}, Context())["msg"])
"""


def test_a_python_without_the_library_is_told_which_one():
    path = next(entry for entry in sys.path if entry.endswith("collections"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DOCKER.format(path=path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    assert first == second
    assert "(docker)" in first
