# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_container and images: by digest, through the engine, with the daemon's own words when it fails."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import uuid

import pytest
from engine_helper import App

pytestmark = pytest.mark.lab

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def app(lab):
    made = App(lab, port=18094)
    yield made
    made.clean()


class Repository:
    """A repository of its own in one of the lab's registries, filled through the engine."""

    def __init__(self, app, registry, auth=None):
        self.docker = app.docker
        self.base = app.image
        self.name = f"{registry}/eng/{uuid.uuid4().hex[:8]}"
        self.auth = auth
        self.made = set()

    def push(self, tag, marker):
        """Build and push an image that differs by `marker`; its digest. The engine keeps nothing of it."""
        self.docker.pull(*self.base.rsplit(":", 1))
        dockerfile = f"FROM {self.base}\nRUN echo {marker} > /marker\nENV V={marker}\n"
        image = f"{self.name}:{tag}"
        for line in self.docker.build(fileobj=io.BytesIO(dockerfile.encode()), tag=image, rm=True, decode=True):
            assert "error" not in line, line
        digest = None
        for line in self.docker.push(self.name, tag, stream=True, decode=True, auth_config=self.auth or {}):
            assert "error" not in line, line
            digest = (line.get("aux") or {}).get("Digest", digest)
        self.forget(image)
        self.made.add(digest)
        return digest

    def forget(self, image):
        self.docker.remove_image(image, force=True)

    def request(self, method, path, **headers):
        registry, _sep, repository = self.name.partition("/")
        url = f"http://{registry}/v2/{repository}{path}"
        return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=10)

    def clean(self):
        for digest in self.made if not self.auth else ():
            self.request("DELETE", f"/manifests/{digest}").close()
        for image in self.docker.images(filters={"reference": self.name}):
            self.docker.remove_image(image["Id"], force=True)


@pytest.fixture
def repository(app):
    made = Repository(app, app.registry)
    yield made
    app.clean()
    app.docker = App.client(app.host)
    made.docker = app.docker
    made.clean()


def test_a_digest_is_what_runs(app, repository):
    digest = repository.push("1.0", "one")
    image = f"{repository.name}:1.0"
    check = app.deploy("1", check_mode=True, image=image, digest=digest)
    assert app.docker.images(name=repository.name) == []  # nothing was pulled
    result = app.deploy("1", image=image, digest=digest)
    assert (check["action"], check["diff"]) == (result["action"], result["diff"])
    assert check["container"]["digest"] == result["container"]["digest"] == digest
    assert result["timings"]["pull"] > 0
    local = app.docker.inspect_image(image)  # it has its tag, though it was pulled by digest
    assert f"{repository.name}@{digest}" in local["RepoDigests"]
    assert app.inspect()["Image"] == local["Id"]
    assert app.deploy("1", image=image, digest=digest)["action"] == "none"


def test_a_tag_with_another_digest_is_refused(app, repository):
    first = repository.push("1.0", "one")
    app.deploy("1", image=f"{repository.name}:1.0")
    moved = repository.push("1.1", "two")
    for check_mode in (True, False):
        result = app.deploy("1", check_mode, image=f"{repository.name}:1.1", digest=ZEROS)
        assert f"{repository.name}:1.1 is {moved} in the registry, not {ZEROS} as asked" in result["msg"]
    assert app.inspect()["Config"]["Labels"]["slipway.digest"] == first
    back = app.deploy("1", image=f"{repository.name}@{moved}")
    assert (back["action"], back["container"]["digest"]) == ("replaced", moved)


def test_a_tag_that_was_pushed_again(app, repository):
    image = f"{repository.name}:latest"
    first = repository.push("latest", "one")
    assert app.deploy("1", image=image)["container"]["digest"] == first
    second = repository.push("latest", "two")
    app.docker.pull(f"{repository.name}@{first}")
    app.docker.tag(f"{repository.name}@{first}", repository.name, "latest")
    assert app.deploy("1", image=image)["action"] == "none"  # that tag is here: the registry is not asked
    check = app.deploy("1", check_mode=True, image=image, pull="always")
    result = app.deploy("1", image=image, pull="always")
    assert (check["action"], check["diff"]) == (result["action"], result["diff"])
    assert (result["action"], result["container"]["digest"]) == ("replaced", second)
    assert result["diff"]["before"]["image"] == f"{image}@{first}"
    assert result["diff"]["after"]["image"] == f"{image}@{second}"
    assert app.deploy("1", image=image, pull="always")["action"] == "none"


def test_pull_never(app, repository):
    digest = repository.push("1.0", "one")
    image = f"{repository.name}:1.0"
    assert f"image {image} is not here, and pull is never" in app.deploy("1", image=image, pull="never")["msg"]
    assert "is not here, and pull is never" in app.deploy("1", image=image, digest=digest, pull="never")["msg"]
    app.docker.pull(repository.name, "1.0")
    assert app.deploy("1", image=image, digest=digest, pull="never")["action"] == "created"
    other = app.deploy("2", image=image, digest=ZEROS, pull="never")
    assert f"is here as {repository.name}@{digest}, not as {ZEROS}" in other["msg"]


def test_an_image_that_does_not_exist(app):
    app.deploy("1")
    started = app.inspect()["State"]["StartedAt"]
    for image in (
        f"{app.registry}/eng/nothing:1",
        f"{app.registry}/base/busybox:99",
        f"{app.registry}/base/busybox@{ZEROS}",
    ):
        for check_mode in (True, False):
            result = app.deploy("1", check_mode, image=image)
            assert result["failed"]
            assert result["changed"] is False
            assert image in result["msg"]
            assert "manifest unknown" in result["msg"]
    assert app.inspect()["State"]["StartedAt"] == started


def test_a_registry_that_is_down(app):
    app.deploy("1")
    image = f"{app.registry.split(':')[0]}:5999/eng/app:1"
    for check_mode in (True, False):
        result = app.deploy("1", check_mode, image=image)
        assert "connection refused" in result["msg"]
        assert result["changed"] is False
    assert app.answer() == "1"


def test_an_error_inside_a_good_answer_is_an_error(app, repository):
    """A layer that is gone: the daemon answers 200, and tells the failure in the stream."""
    app.deploy("1")
    repository.push("1.0", "one")
    accept = "application/vnd.docker.distribution.manifest.v2+json"
    with repository.request("GET", "/manifests/1.0", Accept=accept) as answer:
        layers = json.load(answer)["layers"]
    repository.request("DELETE", f"/blobs/{layers[-1]['digest']}").close()
    result = app.deploy("2", image=f"{repository.name}:1.0")
    assert result["failed"]
    assert "unknown blob" in result["msg"] or "blob unknown" in result["msg"] or "not found" in result["msg"]
    assert result["msg"].startswith(f"{app.host}: pull {repository.name}")
    assert "(HTTP" not in result["msg"]  # it was no status that told it
    assert app.answer() == "1"
    assert app.ours() == {"": "running"}


def test_a_registry_with_a_login(app, lab, tmp_path):
    registry, user, password = lab["LAB_REGISTRY_AUTH"], lab["LAB_REGISTRY_USER"], lab["LAB_REGISTRY_PASSWORD"]
    private = Repository(app, registry, {"username": user, "password": password})
    try:
        digest = private.push("1.0", "one")
        image = f"{private.name}:1.0"
        refused = app.deploy("1", image=image)
        assert refused["failed"]
        assert "no basic auth credentials" in refused["msg"] or "unauthorized" in refused["msg"].lower()
        wrong = app.deploy("1", image=image, registry_username=user, registry_password="wrong-" + password)
        assert wrong["failed"]
        assert password not in wrong["msg"]
        good = app.deploy("1", image=image, digest=digest, registry_username=user, registry_password=password)
        assert good["container"]["digest"] == digest
        app.state("absent")
        private.forget(image)
        file = tmp_path / "config.json"
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        file.write_text(json.dumps({"auths": {registry: {"auth": token}}}))
        assert app.deploy("1", image=image, registry_auth_file=str(file))["action"] == "created"
    finally:
        app.clean()
        app.docker = private.docker = App.client(app.host)
        private.clean()


def test_an_image_built_on_the_host(app, repository):
    """No registry has seen it, so it has no digest, and it is compared by its id."""
    dockerfile = f"FROM {app.image}\nENV X=1\n"
    tag = f"{app.name}:local"
    list(app.docker.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, decode=True))
    try:
        assert app.deploy("1", image=tag)["container"]["digest"] is None
        assert app.deploy("1", image=tag)["action"] == "none"
        list(app.docker.build(fileobj=io.BytesIO((dockerfile + "ENV X=2\n").encode()), tag=tag, rm=True, decode=True))
        assert app.deploy("1", image=tag)["action"] == "replaced"
    finally:
        app.clean()
        app.docker = repository.docker = App.client(app.host)
        for image in app.docker.images(name=app.name):
            app.docker.remove_image(image["Id"], force=True)
