# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull streams, names and digests."""

from __future__ import annotations

import json

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import (
    ConflictError,
    DeniedError,
    SlipwayError,
    UnreachableError,
)
from ansible_collections.slipway.delivery.plugins.module_utils.engine import images
from ansible_collections.slipway.delivery.plugins.module_utils.engine.faults import NotFoundError
from ansible_collections.slipway.delivery.plugins.module_utils.engine.parse import Reference
from fake_engine import FakeEngine

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


def stream(*messages):
    return [json.dumps(message).encode() for message in messages]


def test_a_pull_names_its_digest():
    lines = stream(
        {"status": "Pulling from shop/webapi", "id": "1"},
        {"status": "Downloading", "progressDetail": {"current": 1, "total": 2}, "id": "aa"},
        {"status": f"Digest: {DIGEST}"},
        {"status": "Status: Downloaded newer image for shop/webapi:1"},
    )
    assert images.read_pull([*lines, b""], "h: pull x") == DIGEST


@pytest.mark.parametrize(
    "message",
    [
        {"errorDetail": {"message": "no space left on device"}, "error": "no space left on device"},
        {"error": "no space left on device"},
    ],
)
def test_an_error_in_the_stream_is_an_error(message):
    lines = stream({"status": "Pulling fs layer", "id": "aa"}, message)
    with pytest.raises(SlipwayError, match="h: pull x: no space left on device"):
        images.read_pull(lines, "h: pull x")


@pytest.mark.parametrize(
    "lines", [[], stream({"status": "Extracting", "id": "aa"}), stream({"status": f"Digest: {DIGEST}"})]
)
def test_a_stream_that_ends_early_is_an_error(lines):
    with pytest.raises(SlipwayError, match="without saying that it is complete"):
        images.read_pull(lines, "h: pull x")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("docker.io/library/busybox", "busybox"),
        ("index.docker.io/shop/webapi", "shop/webapi"),
        ("busybox", "busybox"),
        ("registry:5000/library/busybox", "registry:5000/library/busybox"),
    ],
)
def test_familiar_names(name, short):
    assert images.familiar(name) == short


def choice(**more):
    return images.Choice(Reference("shop/webapi", "1"), DIGEST, **more)


def test_created_from_the_tag_only_when_it_is_that_image():
    assert choice(local={"Id": "i", "RepoTags": ["shop/webapi:1"]}).create_from == "shop/webapi:1"
    assert choice(local={"Id": "i", "RepoTags": ["shop/webapi:2"]}).create_from == f"shop/webapi@{DIGEST}"
    assert images.Choice(Reference("x", "1"), None, {"Id": "i", "RepoTags": []}).create_from == "i"


def test_of_several_digests_the_one_that_runs():
    local = {"Id": "i", "RepoDigests": [f"shop/webapi@{OTHER}", f"shop/webapi@{DIGEST}", "mirror/webapi@sha256:00"]}

    class Running:
        digest = OTHER

    assert images._digest_of(local, Reference("shop/webapi", "1"), []) == DIGEST  # the first in order
    assert images._digest_of(local, Reference("shop/webapi", "1"), [Running()]) == OTHER
    assert images._digest_of(local, Reference("other/name", "1"), []) is None


class Client:
    """What fetch and pull need of docker-py."""

    base_url = "http://engine:2375"
    api_version = "1.41"
    timeout = 60

    def __init__(self, engine, lines, gives):
        self.engine = engine
        self.lines = lines
        self.gives = gives
        self.posts = []
        self.tags = []

    def post(self, url, **kwargs):
        self.posts.append((url, kwargs["params"], kwargs["headers"], kwargs["timeout"]))
        self.engine.images.update(self.gives)
        return self

    def _raise_for_status(self, _response):
        return None

    def iter_lines(self):
        return iter(self.lines)

    def tag(self, image, repository, tag):
        self.tags.append((image, repository, tag))


def pulling(digest, gives):
    engine = FakeEngine()
    engine.images.clear()
    engine.client = Client(engine, stream({"status": f"Digest: {digest}"}, {"status": "Status: Downloaded"}), gives)
    return engine


def test_fetch_pulls_by_digest_and_tags():
    pinned = f"shop/webapi@{DIGEST}"
    engine = pulling(DIGEST, {pinned: {"Id": "i", "RepoTags": [], "RepoDigests": [pinned]}})
    got = images.fetch(engine, choice(pull=pinned), {"username": "u", "password": "p"})
    assert (got.id, got.digest, got.pull, got.create_from) == ("i", DIGEST, "", "shop/webapi:1")
    url, params, headers, timeout = engine.client.posts[0]
    assert url.endswith("/v1.41/images/create")
    assert params == {"fromImage": "shop/webapi", "tag": DIGEST}
    assert headers["X-Registry-Auth"]
    assert timeout == images.PULL_SILENCE
    assert engine.client.tags == [("i", "shop/webapi", "1")]


def test_fetch_refuses_another_digest():
    engine = pulling(OTHER, {})
    with pytest.raises(ConflictError, match=f"got {OTHER} instead of {DIGEST}"):
        images.fetch(engine, choice(pull="shop/webapi:1"), {})


def test_fetch_sees_that_the_engine_has_nothing():
    with pytest.raises(SlipwayError, match="the engine does not have it"):
        images.fetch(pulling(DIGEST, {}), choice(pull=f"shop/webapi@{DIGEST}"), {})


def test_an_image_that_went_while_its_container_ran_is_pulled_again():
    pinned = f"shop/webapi@{DIGEST}"
    engine = pulling(DIGEST, {pinned: {"Id": "i", "RepoTags": ["shop/webapi:1"], "RepoDigests": [pinned]}})
    presumed = choice(local={"Id": "i"}, presumed=True)
    with pytest.raises(NotFoundError, match="is not here any more"):
        images.fetch(engine, presumed, {}, may_pull=False)
    assert images.fetch(engine, presumed, {}).local["RepoDigests"] == [pinned]
    assert len(engine.client.posts) == 1


def failing(error):
    engine = FakeEngine()

    def inspect_distribution(_image, _auth):
        raise error

    engine.inspect_distribution = inspect_distribution
    return engine


def test_a_registry_that_is_down_is_for_the_pull_to_tell():
    engine = failing(SlipwayError("dial tcp: connection refused (HTTP 500)."))
    assert images._remote_digest(engine, "shop/webapi:1", None, offline=True) is None
    with pytest.raises(SlipwayError, match="connection refused"):
        images._remote_digest(engine, "shop/webapi:1", None, offline=False)


@pytest.mark.parametrize("error", [DeniedError("denied"), UnreachableError("gone"), NotFoundError("unknown")])
def test_other_answers_are_final(error):
    with pytest.raises(type(error)):
        images._remote_digest(failing(error), "shop/webapi:1", None, offline=True)


def test_credentials(tmp_path):
    engine = FakeEngine()
    params = {"registry_username": None, "registry_password": None, "registry_auth_file": None}
    reference = Reference("registry:5000/shop/webapi", "1")
    assert images.credentials(engine, params, reference) is None
    given = {**params, "registry_username": "u", "registry_password": "p"}
    assert images.credentials(engine, given, reference) == {"username": "u", "password": "p"}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"registry:5000": {"auth": "dTpw"}}}))
    found = images.credentials(engine, {**params, "registry_auth_file": str(file)}, reference)
    assert (found["username"], found["password"]) == ("u", "p")
    other = images.credentials(engine, {**params, "registry_auth_file": str(file)}, Reference("elsewhere/x", "1"))
    assert other == {}


@pytest.mark.parametrize("content", [None, "{ not json"])
def test_an_auth_file_that_cannot_be_read_is_told(tmp_path, content):
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    params = {"registry_username": None, "registry_password": None, "registry_auth_file": str(file)}
    with pytest.raises(SlipwayError, match="registry_auth_file"):
        images.credentials(FakeEngine(), params, Reference("registry:5000/shop/webapi", "1"))
