# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image, method dockerfile: built and pushed by a real engine."""

from __future__ import annotations

import contextlib
import socket
import threading

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from image_helper import Place, task, war
from lab_command import layout

pytestmark = [pytest.mark.lab]


@pytest.fixture
def place(lab):
    engine = docker.APIClient(base_url=lab["LAB_H5"], version="1.41", timeout=120)
    found = Place(lab["LAB_REGISTRY"], engine, lab["LAB_H5"])
    yield found
    found.clean()
    engine.close()


@pytest.fixture
def folder(tmp_path, place):
    """A context: a Dockerfile of two stages, a file, and one that .dockerignore keeps out."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {place.base} AS first\n"
        "ARG WHO=nobody\n"
        "COPY . /app\n"
        "RUN echo $WHO > /who && ls -a /app > /listed\n"
        "FROM first AS last\n"
        "RUN echo last > /stage\n"
    )
    (tmp_path / "app.txt").write_text("one\n")
    (tmp_path / "secret.txt").write_text("not in the image\n")
    (tmp_path / ".dockerignore").write_text("# comment\nsecret.txt\n*.log\n")
    return tmp_path


@pytest.fixture
def options(place, folder):
    return {
        "image": place.image(),
        "method": "dockerfile",
        "context": str(folder),
        "docker_host": place.engine_url,
        "insecure": True,
    }


def ok(result):
    assert not result.get("failed"), result
    return result


def failure(**options):
    result = task(**options)
    assert result.get("failed"), result
    assert "unforeseen" not in result["msg"], result
    return result


def test_build_push_and_the_digest_of_the_registry(place, options):
    predicted = ok(task(check_mode=True, **options))
    assert (predicted["changed"], predicted["digest"]) == (True, None)
    assert place.state() == {}
    result = ok(task(**options, build_args={"WHO": "me"}, labels={"team": "shop"}, tags=["1.0"]))
    assert result["changed"]
    assert place.state() == {"1": result["digest"], "1.0": result["digest"]}
    assert place.run(place.image(), "cat", "/who", "/stage", "/app/app.txt") == "me\nlast\none\n"
    assert "secret.txt" not in place.run(place.image(), "cat", "/listed")
    assert place.engine.inspect_image(place.image())["Config"]["Labels"]["team"] == "shop"


def test_the_same_input_is_not_built_again(place, options, folder):
    first = ok(task(**options))
    (folder / "ignored.log").write_text("noise")
    (folder / "secret.txt").write_text("changed, but ignored")
    again = ok(task(**options))
    assert (again["changed"], again["digest"], again["requests"]) == (False, first["digest"], 2)
    assert again["timings"].keys() == {"compare", "total"}  # no build
    assert again["layers"] == [{**layer, "reused": True} for layer in first["layers"]]
    (folder / "app.txt").write_text("two\n")
    second = ok(task(**options))
    assert second["changed"]
    assert second["digest"] != first["digest"] == second["previous_digest"]
    assert second["layers"][0]["reused"]
    assert 0 < second["bytes_uploaded"] < 10_000


def test_pull_builds_but_an_unchanged_result_is_no_change(options):
    first = ok(task(**options, pull=True))
    again = ok(task(**options, pull=True))
    assert "build" in again["timings"]
    assert (again["changed"], again["digest"]) == (False, first["digest"])


def test_target_and_a_dockerfile_elsewhere(place, options, folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "Other.Dockerfile"
    (folder / "Dockerfile").rename(other)
    ok(task(**options, dockerfile=str(other), target="first"))
    assert place.run(place.image(), "sh", "-c", "cat /who; test ! -e /stage") == "nobody\n"
    assert ok(task(**options, dockerfile=str(other), target="last"))["changed"]


def test_the_artifacts_checksums_are_returned(options, folder):
    war(folder / "app.war", {"a": b"1"})
    result = ok(task(**options, artifact="app.war", chdir=str(folder)))
    assert result["artifact"]["path"] == str(folder / "app.war")
    assert len(result["artifact"]["content_md5"]) == 32


def test_a_failing_step_tells_the_daemons_message_and_the_last_output(place, options, folder):
    with open(folder / "Dockerfile", "a") as stream:
        stream.write("RUN echo 1 of 12 tests failed; exit 3\n")
    result = failure(**options)
    assert "returned a non-zero code: 3" in result["msg"]
    assert "1 of 12 tests failed" in result["msg"]
    assert "1 of 12 tests failed" in result["log"]
    assert place.engine_url in result["msg"]
    assert place.state() == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("FROM {registry}/base/nothing:1\n", "manifest unknown"),
        ("FORM scratch\n", "FORM"),
        ("FROM scratch\nCOPY nothing /\n", "nothing"),
        ("", "cannot be empty"),
    ],
)
def test_errors_are_the_daemons_own(place, options, folder, content, said):
    (folder / "Dockerfile").write_text(content.format(registry=layout.REGISTRY_ADDRESS))
    assert said in failure(**options)["msg"]
    assert place.state() == {}


def test_a_private_registry_gets_its_login_through_the_engine(options, lab, place):
    login = {"username": lab["LAB_REGISTRY_USER"], "password": lab["LAB_REGISTRY_PASSWORD"], "ca_path": lab["LAB_CA"]}
    image = f"{lab['LAB_REGISTRY_AUTH']}/{place.repository}:1"
    common = {**options, **login, "image": image, "insecure": False}
    assert "401" in failure(**{**common, "password": "wrong"})["msg"]
    client = RegistryClient(lab["LAB_REGISTRY_AUTH"], Access(**login))
    try:
        result = ok(task(**common))
        assert client.head_manifest(place.repository, "1").digest == result["digest"]
        assert "unencrypted" in result["warned"][0]
        assert login["password"] not in str(result)
        client.delete_manifest(place.repository, result["digest"])
    finally:
        client.close()


def test_a_push_that_fails_inside_the_stream_fails_the_task(options, place):
    """The engine's 127.0.0.1 is another than ours: it answers HTTP 200, and the failure comes in the stream."""
    host, port = place.registry.split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=forward, args=(listener, (host, int(port))), daemon=True).start()
    name = f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        result = failure(**{**options, "image": f"{name}/{place.repository}:1"})
    finally:
        listener.close()
    assert f"{place.engine_url}: push {name}/{place.repository}:1: " in result["msg"]
    assert "connection refused" in result["msg"]
    assert place.state() == {}


def forward(listener, target):
    """Pass every connection on, until the listener is closed."""
    while True:
        try:
            near, _address = listener.accept()
        except OSError:
            return
        far = socket.create_connection(target)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_all_findings_at_once_and_nothing_is_built(options, folder):
    message = failure(**{**options, "dockerfile": "Nothing", "base": "x", "env": {"A": "b"}, "build_timeout": "soon"})[
        "msg"
    ]
    for said in (
        "4 options cannot work",
        f"no file at {folder}/Nothing",
        "base: works with",
        "env: works with",
        "build_timeout",
    ):
        assert said in message


def test_overwrite_false_refuses_before_it_builds(place, options, folder):
    first = ok(task(**options))
    (folder / "app.txt").write_text("two\n")
    result = failure(**options, overwrite=False)
    assert f"is there already, as {first['digest']}" in result["msg"]
    assert place.state() == {"1": first["digest"]}


def test_a_build_that_takes_too_long_ends_by_its_deadline(place, options, folder):
    with open(folder / "Dockerfile", "a") as stream:
        stream.write("RUN sleep 20\n")
    result = failure(**options, build_timeout="5s")
    assert "not done after 5 s (build_timeout)" in result["msg"]
    assert place.state() == {}


def test_an_engine_that_is_not_there(options):
    nobody = f"tcp://{layout.CONTROLLER}:9"
    assert nobody in failure(**{**options, "docker_host": nobody})["msg"]
