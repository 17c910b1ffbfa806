# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_image and registry_image_info against real registries: open, with login and TLS, and with deletion off."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import registry_servers as servers
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry import transport
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags, fallback_tag
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image_info import REGISTRY_IMAGE_INFO
from registry_helper import Pusher, operate

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def open_registry(lab):
    pusher = Pusher(lab["LAB_REGISTRY"], Access(insecure=True), {"insecure": True})
    yield pusher
    pusher.clean()


@pytest.fixture
def private_registry(lab):
    login = {
        "username": lab["LAB_REGISTRY_USER"],
        "password": lab["LAB_REGISTRY_PASSWORD"],
        "ca_path": lab["LAB_CA"],
    }
    pusher = Pusher(lab["LAB_REGISTRY_AUTH"], Access(**login), login)
    yield pusher
    pusher.clean()


@pytest.fixture
def fixed_registry(tmp_path):
    """A registry on loopback with deletion off, as Debian's package comes."""
    with servers.registry(tmp_path, storage={"delete": {"enabled": False}}) as found:
        yield Pusher(found.host, Access(), {})


@pytest.fixture
def quick(monkeypatch):
    """Retries without their pauses: what is tested is what they end with."""
    monkeypatch.setattr(transport, "BASE_DELAY", 0.001)


# -- retag ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("docker", [True, False], ids=["docker", "oci"])
def test_retag(open_registry, docker):
    image = open_registry.image("app", "1", docker=docker)
    first = open_registry.foretold("app", "stable", source=open_registry.name("app", "1"), tags=["latest"])
    assert first["changed"] and first["digest"] == image.digest and first["bytes_transferred"] == 0
    assert first["size"] == image.size
    assert open_registry.raw("app", "stable") == open_registry.raw("app", "latest") == image.raw


def test_a_retag_is_three_requests_and_its_no_op_two(open_registry):
    open_registry.image("app", "1")
    source = open_registry.name("app", "1")
    first = open_registry.run("app", "stable", source=source)
    again = open_registry.run("app", "stable", source=source)
    assert (first["changed"], first["requests"]) == (True, 3)
    assert (again["changed"], again["requests"]) == (False, 2)


def test_moving_a_tag_and_refusing_to(open_registry):
    old = open_registry.image("app", "stable")
    new = open_registry.image("app", "2", layers=(b"new",))
    source = open_registry.name("app", "2")
    refused = open_registry.run("app", "stable", source=source, overwrite=False)
    assert refused["failed"] and old.digest in refused["msg"] and "overwrite" in refused["msg"]
    assert open_registry.digest("app", "stable") == old.digest
    wrong = open_registry.run("app", "stable", source=source, digest=old.digest)
    assert wrong["failed"] and new.digest in wrong["msg"] and open_registry.digest("app", "stable") == old.digest
    moved = open_registry.foretold("app", "stable", source=source, digest=new.digest)
    assert moved["previous_digest"] == old.digest and open_registry.digest("app", "stable") == new.digest


def test_a_source_that_does_not_exist(open_registry):
    open_registry.image("app", "1")
    for repository, tag in (("app", "9"), ("nowhere", "1")):
        result = open_registry.run("app", "2", source=open_registry.name(repository, tag))
        assert result["failed"] and "There is no image" in result["msg"] and f":{tag}" in result["msg"]
    assert open_registry.digest("app", "2") is None


# -- promotion and copy --------------------------------------------------------------------------------------------------


def test_promotion_mounts_everything(open_registry):
    image = open_registry.image("test/app", "1", layers=tuple(os.urandom(2000) for _layer in range(10)))
    result = open_registry.foretold("prod/app", "1", source=open_registry.name("test/app", image.digest))
    assert result["blobs"] == {"mounted": 11, "existing": 0, "copied": 0} and result["bytes_transferred"] == 0
    assert open_registry.raw("prod/app", "1") == image.raw
    again = open_registry.foretold("prod/app", "1", source=open_registry.name("test/app", image.digest))
    assert again["changed"] is False


def test_a_mount_the_registry_refuses_goes_on_as_an_upload(open_registry):
    client, repository = open_registry.client, open_registry.repository("app")
    raw = os.urandom(100_000)
    digest = m.digest_of(raw)
    before = client.requests
    session = client.mount_blob(repository, digest, f"{open_registry.folder}/has-it-not")
    assert session is not None and session.location
    client.upload_blob(repository, digest, len(raw), lambda: io.BytesIO(raw), session)
    assert client.requests - before == 2
    assert client.get_blob(repository, digest, len(raw)) == raw


def test_an_index_is_promoted_with_its_platforms(open_registry):
    children = {
        arch: open_registry.image("test/app", layers=(arch.encode(),), architecture=arch) for arch in ("amd64", "arm64")
    }
    index = open_registry.index("test/app", "1", **children)
    result = open_registry.foretold("prod/app", "1", source=open_registry.name("test/app", "1"))
    assert result["media_type"] == m.OCI_INDEX and open_registry.raw("prod/app", "1") == index.raw
    assert all(open_registry.digest("prod/app", child.digest) for child in children.values())
    facts = open_registry.info("prod/app", "1", platform="linux/arm64")
    assert [item["platform"] for item in facts["platforms"]] == ["linux/amd64", "linux/arm64"]
    assert facts["config_digest"] == children["arm64"].config.digest


def test_a_copy_between_registries_streams_and_keeps_every_byte(open_registry, private_registry):
    big = os.urandom(3_000_000)
    children = {
        "amd64": open_registry.image("app", layers=(big,)),
        "arm64": open_registry.image("app", layers=(b"small",), architecture="arm64"),
    }
    index = open_registry.index("app", "1", **children)
    source = {"source": open_registry.name("app", "1"), "source_insecure": True}
    result = private_registry.foretold("app", "1", **source)
    assert result["blobs"]["copied"] == 4 and result["bytes_transferred"] > 3_000_000
    assert private_registry.raw("app", "1") == index.raw
    layer = children["amd64"].layers[0]
    copied = private_registry.client.get_blob(private_registry.repository("app"), layer.digest, layer.size)
    assert gzip.decompress(copied) == big
    more = private_registry.foretold("other", "1", **source)
    assert more["blobs"] == {"mounted": 0, "existing": 0, "copied": 4}
    assert private_registry.foretold("app", "1", **source)["changed"] is False


def test_referrers_come_along(open_registry, private_registry):
    image = open_registry.image("app", "1")
    signed = open_registry.image("app", layers=(b"sig",), subject=image.descriptor.to_dict(), artifactType="x/sig")
    listed = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [signed.descriptor.to_dict()]}
    open_registry.put("app", m.Manifest.build(listed, m.OCI_INDEX), fallback_tag(image.digest))
    cosigned = open_registry.image("app", cosign_tags(image.digest)[0], layers=(b"cosign",))
    source = {"source": open_registry.name("app", "1"), "source_insecure": True}
    result = private_registry.foretold("app", "1", **source)
    assert result["referrers"] == [signed.digest]
    assert private_registry.raw("app", signed.digest) == signed.raw
    assert private_registry.digest("app", cosign_tags(image.digest)[0]) == cosigned.digest
    found = private_registry.info("app", "1")["referrers"]
    assert {(item["digest"], item["tag"]) for item in found} == {
        (signed.digest, None),
        (cosigned.digest, cosign_tags(image.digest)[0]),
    }
    assert private_registry.foretold("app", "1", **source)["changed"] is False


# -- delete --------------------------------------------------------------------------------------------------------------


def test_deleting_an_only_tag(open_registry):
    image = open_registry.image("app", "1")
    result = open_registry.foretold("app", "1", state="absent")
    assert result["changed"] and result["tags"] == ["1"] and result["previous_digest"] == image.digest
    assert open_registry.digest("app", "1") is None
    assert open_registry.foretold("app", "1", state="absent")["changed"] is False


def test_deleting_a_tag_keeps_its_siblings(open_registry):
    for docker in (True, False):
        image = open_registry.image("app", "1", "2", docker=docker)
        open_registry.foretold("app", "1", state="absent")
        assert open_registry.digest("app", "1") is None
        assert open_registry.raw("app", "2") == image.raw
    assert [tag["name"] for tag in open_registry.info("app", "2", tags=True)["tags"]] == ["2"]


def test_deleting_the_tag_of_a_platform_keeps_the_index_whole(open_registry):
    child = open_registry.image("app", "amd64")
    index = open_registry.index("app", "1", amd64=child)
    open_registry.foretold("app", "amd64", state="absent")
    assert open_registry.digest("app", "amd64") is None
    assert open_registry.raw("app", "1") == index.raw and open_registry.raw("app", child.digest) == child.raw
    refused = open_registry.run("app", child.digest, state="absent", force_siblings=True)
    assert refused["failed"] and "platform of 1" in refused["msg"] and open_registry.digest("app", child.digest)


def test_deleting_a_digest_needs_leave_for_its_tags(open_registry):
    image = open_registry.image("app", "1", "2")
    refused = open_registry.run("app", image.digest, state="absent")
    assert refused["failed"] and "1, 2" in refused["msg"] and open_registry.digest("app", "1")
    assert open_registry.foretold("app", image.digest, state="absent", force_siblings=True)["tags"] == ["1", "2"]
    assert open_registry.digest("app", image.digest) is None


@pytest.mark.parametrize("tags", [["1"], ["1", "2"]])
def test_deletion_that_is_off_is_said_and_leaves_everything(fixed_registry, tags):
    image = fixed_registry.image("app", *tags)
    result = fixed_registry.run("app", "1", state="absent")
    assert result["failed"] and "storage.delete.enabled" in result["msg"] and "Nothing was deleted" in result["msg"]
    assert fixed_registry.info("app", "1", tags=True)["tags"] == [{"name": tag, "digest": image.digest} for tag in tags]


# -- info ----------------------------------------------------------------------------------------------------------------


def test_info(private_registry):
    image = private_registry.image("app", "1", "stable")
    facts = private_registry.info("app", "1", tags=True)
    assert facts["exists"] and facts["digest"] == image.digest and facts["size"] == image.size
    assert facts["labels"] == {"test": "app"} and facts["platform"] == "linux/amd64"
    assert [layer["digest"] for layer in facts["layers"]] == [layer.digest for layer in image.layers]
    assert {tag["name"]: tag["digest"] for tag in facts["tags"]} == {"1": image.digest, "stable": image.digest}
    missing = private_registry.info("app", "9")
    assert missing["exists"] is False and "failed" not in missing
    assert private_registry.info("nowhere", "9", tags=True)["tags"] == []


# -- logins, certificates, trouble ---------------------------------------------------------------------------------------


def test_logins_from_a_file(private_registry, lab, tmp_path, monkeypatch):
    private_registry.image("app", "1")
    pair = f"{lab['LAB_REGISTRY_USER']}:{lab['LAB_REGISTRY_PASSWORD']}".encode()
    auths = {"auths": {private_registry.host: {"auth": base64.b64encode(pair).decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(auths))
    by_option = {"username": None, "password": None, "auth_file": str(tmp_path / "config.json")}
    assert private_registry.info("app", "1", **by_option)["exists"]
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert private_registry.info("app", "1", username=None, password=None)["exists"]


def test_wrong_and_missing_logins_fail_and_show_no_secret(private_registry, tmp_path, monkeypatch):
    private_registry.image("app", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    wrong = private_registry.info("app", "1", password="wrong-pass-word")
    assert wrong["failed"] and wrong["request"]["status"] == 401 and "username and password" in wrong["msg"]
    assert "wrong-pass-word" not in json.dumps(wrong)
    missing = private_registry.info("app", "1", username=None, password=None)
    assert missing["failed"] and "Give username and password" in missing["msg"]


def test_certificates(private_registry, lab):
    private_registry.image("app", "1")
    for ca in (lab["LAB_OTHER_CA"], None):
        result = private_registry.info("app", "1", ca_path=ca)
        assert result["failed"] and "certificate is not trusted" in result["msg"] and "ca_path" in result["msg"]
    assert private_registry.info("app", "1", ca_path=None, validate_certs=False)["exists"]
    plain = private_registry.info("app", "1", insecure=True)
    assert plain["failed"] and "speaks TLS" in plain["msg"]


def test_plain_http_only_when_told(open_registry, quick):
    open_registry.image("app", "1")
    result = open_registry.info("app", "1", insecure=False)
    assert result["failed"] and "insecure: true" in result["msg"]


def test_a_registry_that_is_down(open_registry, quick):
    host = open_registry.host.split(":")[0] + ":5999"
    result = operate(REGISTRY_IMAGE, image=f"{host}/app:1", source=open_registry.name("app", "1"), insecure=True)
    assert result["failed"] and host in result["msg"] and "refused" in result["msg"]
    nowhere = operate(REGISTRY_IMAGE_INFO, image="registry.invalid/app:1")
    assert nowhere["failed"] and "its name has no address" in nowhere["msg"]


@pytest.mark.parametrize("way", ["controller", "module"])
def test_a_wrong_password_is_in_no_output(private_registry, way):
    """The whole way through Ansible at -vvvv, the message of the failure included."""
    secret = f"Secret-{uuid.uuid4().hex}"
    options = {"image": private_registry.name("app", "1"), **private_registry.options, "password": secret}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            "localhost",
            "-vvvv",
            "-m",
            "slipway.delivery.registry_image_info",
            "-a",
            json.dumps(options),
            "-e",
            f"slipway_execution={way}",
        ],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "HTTP 401" in done.stdout
    assert secret not in done.stdout + done.stderr
