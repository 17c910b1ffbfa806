# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_check with an image: its own confd, templates, folders and start command, in containers that leave nothing behind."""

from __future__ import annotations

import io
import tarfile
import typing as t
import uuid
from dataclasses import replace

import confd_helper
import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK
from confd_helper import VALUES, execute

pytestmark = [pytest.mark.lab, pytest.mark.confd]

NAME = f"cfd-image-test-{uuid.uuid4().hex[:8]}"
TOML = '[template]\nsrc = "{name}.tmpl"\ndest = "{dest}"\nprefix = "/{prefix}"\nkeys = ["/"]\n'
START = "#!/bin/sh\nset -e\nconfd -onetime -backend redis -node configCenter:6379\nexec app\n"
FILES = {
    "etc/confd/conf.d/a.toml": TOML.format(name="a", prefix=NAME, dest="/etc/a.conf"),
    "etc/confd/conf.d/b.toml": TOML.format(name="b", prefix=NAME, dest="/nowhere/deep/b.conf"),
    "etc/confd/templates/a.tmpl": 'who={{getenv "WHO"}}/{{getenv "GIVEN"}}\n{{range gets "/kinds/*"}}{{.Value}}\x00{{end}}',
    "etc/confd/templates/b.tmpl": '{{base64Encode (getv "/password")}}\n{{getv "/plain"}}\n',
    "start.sh": START,
}
KEYS = {"kinds": VALUES, "password": "sesame-door1", "plain": 5}


def archive(files: t.Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), 0o755
            packed.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def engine(lab: dict[str, str], lab_confd: str) -> t.Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=lab["LAB_H2"])
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(lab: dict[str, str], engine: docker.DockerClient) -> t.Iterator[str]:
    """A Tomcat image of the lab, which has both confds, with files of this test; its user is nobody."""
    base = engine.images.pull(f"{lab['LAB_REGISTRY']}/base/tomcat", tag="10")
    container = engine.containers.create(base)
    try:
        container.put_archive("/", archive(FILES))
        conf = {
            "Entrypoint": ["/start.sh"],
            "Cmd": [],
            "Env": ["WHO=image", "PATH=/usr/local/bin:/usr/bin:/bin"],
            "User": "nobody",
        }
        made = container.commit(NAME, tag="1", conf=conf)
    finally:
        container.remove(v=True)
    yield f"{NAME}:1"
    engine.images.remove(made.id, force=True)


def check(lab: dict[str, str], image: str, **args: t.Any) -> dict[str, t.Any]:
    given = {
        "image": image,
        "docker_host": lab["LAB_H2"],
        "prefix": f"/{NAME}",
        "backend": "redis",
        "keys": KEYS,
        "fail": False,
    }
    return execute(CONFD_CHECK, {**given, "secret_keys": ["/password"], "timeout": "60s", **args})


def told(result: dict[str, t.Any], *checks: str) -> list[tuple[str, str, str]]:
    return [(each["severity"], each["check"], each["file"]) for each in result["findings"] if each["check"] in checks]


@pytest.mark.parametrize(("confd", "dialect"), [("confd", "legacy"), ("confd-fork", "fork")])
def test_the_images_own_confd_renders(lab, engine, image, confd, dialect):
    if dialect == "fork" and not lab.get("LAB_CONFD_FORK"):
        pytest.skip("no fork of confd")
    result = check(lab, image, confd=confd, render=True, env={"GIVEN": "here"}, against={"keys": {**KEYS, "plain": 4}})
    assert not result.get("failed"), result
    assert (result["rendered"], result["dialect"]) == (True, dialect)
    files = {file["dest"]: file["content"] for file in result["files"]}
    assert files["/etc/a.conf"].startswith("who=image/here\n")
    rendered = files["/etc/a.conf"].partition("\n")[2].split("\x00")[:-1]
    assert dict(zip(sorted(VALUES), rendered)) == VALUES
    assert files["/nowhere/deep/b.conf"] == "<secret>\n5\n"
    assert result["diff_lines"][3:] == [" <secret>", "-4", "+5"]
    assert told(result, "dest_folder") == [("warning", "dest_folder", "conf.d/b.toml")]
    assert told(result, "start") == ([] if dialect == "legacy" else [("error", "start", "/start.sh")])
    mine = {"label": "slipway.purpose=confd_check", "ancestor": image}
    assert engine.containers.list(all=True, filters=mine) == []
    assert "sesame-door1" not in str(result) and "c2VzYW1lLWRvb3Ix" not in str(result)


@pytest.mark.parametrize("backend", ["redis", "etcd"])
@pytest.mark.parametrize(("confd", "dialect"), [("confd", "legacy"), ("confd-fork", "fork")])
def test_a_container_writes_what_was_foretold(lab, engine, image, tmp_path, backend, confd, dialect):
    """The image's confd in a container with a network, as at a start: from the real config centre, byte by byte."""
    if dialect == "fork" and not lab.get("LAB_CONFD_FORK"):
        pytest.skip("no fork of confd")
    center = replace(confd_helper.center(backend, lab, tmp_path), prefix=f"/{NAME}")
    try:
        assert center.config(keys=KEYS, secret_keys=["/password"])["changed"]
        given = {**center.options, "keys": None, "secret_keys": [], "env": {"GIVEN": "here"}}
        foretold = check(lab, image, confd=confd, render=True, **given)
        assert foretold["rendered"] and len(foretold["files"]) == 2, foretold
        word = {"redis": "redis", "etcd": "etcdv3" if dialect == "legacy" else "etcd"}[backend]
        node = center.options["nodes"][0]
        command = [confd, "-onetime", "-backend", word, "-node", f"http://{node}" if backend == "etcd" else node]
        fork = [confd, word, "--onetime", "--node", command[-1]]
        container = engine.containers.create(
            image,
            command=[],
            entrypoint=command if dialect == "legacy" else fork,
            user="root",
            environment={"GIVEN": "here"},
        )
        try:
            container.put_archive("/", archive({"nowhere/deep/.keep": ""}))
            container.start()
            assert container.wait(timeout=60)["StatusCode"] == 0, container.logs().decode()
            for file in foretold["files"]:
                written = content_of(container, file["dest"])
                assert len(written) == file["size"]
                assert written.decode().replace("c2VzYW1lLWRvb3Ix", "<secret>") == file["content"]
        finally:
            container.remove(force=True)
    finally:
        center.hand.forget(center.prefix)


def content_of(container: t.Any, path: str) -> bytes:
    pieces, _stat = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as packed:
        found = packed.extractfile(packed.getmembers()[0])
        assert found is not None
        return found.read()


def test_without_render_it_is_read_and_nothing_is_rendered(lab, image):
    result = check(lab, image, keys={"plain": 1})
    assert (result["rendered"], result["dialect"], result["files"]) == (False, "legacy", [])
    assert [found["key"] for found in result["findings"] if found["severity"] == "error"] == ["/password"]


def test_what_an_image_may_lack(lab, engine, image):
    missing = check(lab, "cfd-no-such-image:1")
    assert missing["failed"] and "cfd-no-such-image:1" in missing["msg"] and "Pull it there first" in missing["msg"]
    no_confd = check(lab, image, confd="no-such-confd", render=True)
    assert told(no_confd, "image") == [("error", "image", None)] and no_confd["rendered"] is False
    no_folder = check(lab, image, confdir="/etc/other")
    assert no_folder["failed"] and "/etc/other" in no_folder["msg"]
    other = check(lab, image, dialect="fork")
    assert told(other, "image") == [("warning", "image", None)] and other["dialect"] == "legacy"


def test_an_engine_that_is_not_there(lab, image):
    result = check(lab, image, docker_host="tcp://127.0.0.1:9")
    assert result["failed"] and "127.0.0.1:9" in result["msg"] and "unforeseen" not in result["msg"]
    wrong = check(lab, image, docker_connection={"no_such_option": 1})
    assert wrong["failed"] and "docker_connection" in wrong["msg"]
