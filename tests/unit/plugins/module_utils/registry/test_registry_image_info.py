# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_image_info: what a registry says about an image."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image_info import REGISTRY_IMAGE_INFO
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import refusal

REG = "reg.example.com"
pytestmark = pytest.mark.usefixtures("pauses")


def info(image, **params):
    spec = REGISTRY_IMAGE_INFO.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate({"image": f"{REG}/{image}", **params})
    assert not validated.error_messages
    return REGISTRY_IMAGE_INFO.execute(validated.validated_parameters, Context())


def test_facts_of_an_image(registry):
    image = registry.add_image("app", "1", labels={"version": "1"}, layers=(b"a", b"bb"))
    result = info("app:1", referrers=False)
    assert [line.split("/sha")[0] for line in registry.log] == ["GET /v2/app/manifests/1", "GET /v2/app/blobs"]
    assert result["exists"] and result["digest"] == image.digest and result["size"] == image.size
    assert result["labels"] == {"version": "1"} and result["created"] == "2026-01-02T03:04:05Z"
    assert result["platform"] == "linux/amd64" and [p["digest"] for p in result["platforms"]] == [image.digest]
    assert [layer["size"] for layer in result["layers"]] == [1, 2]
    assert result["config_digest"] == image.config.digest and result["requests"] == 2


def test_absence_is_an_answer_with_the_same_keys(registry):
    registry.add_image("app", "1")
    result = info("app:2", tags=True)
    assert result["exists"] is False and result["digest"] is None
    assert [tag["name"] for tag in result["tags"]] == ["1"]
    assert set(result) == set(info("app:1"))


def test_a_refusal_is_none(registry):
    registry.script.append(("GET", refusal(403, "DENIED", "no")))
    result = info("app:1")
    assert result["failed"] and result["request"]["code"] == "DENIED"


def test_an_index_is_described_by_one_platform(registry):
    children = {arch: registry.add_image("app", architecture=arch) for arch in ("s390x", "amd64", "arm64")}
    registry.add_index("app", "1", children)
    result = info("app:1", referrers=False)
    assert [item["platform"] for item in result["platforms"]] == ["linux/s390x", "linux/amd64", "linux/arm64"]
    assert result["platform"] == "linux/amd64" and result["media_type"] == m.OCI_INDEX
    assert info("app:1", platform="linux/arm64")["config_digest"] == children["arm64"].config.digest
    result = info("app:1", platform="linux/mips")
    assert result["failed"] and "it has linux/amd64, linux/arm64, linux/s390x" in result["msg"]


def test_a_tag_that_is_not_the_digest_beside_it(registry):
    registry.add_image("app", "1")
    result = info(f"app:1@sha256:{'0' * 64}")
    assert result["failed"] and "is sha256:" in result["msg"]


def test_tags_with_digests(registry):
    one = registry.add_image("app", "1", "latest")
    two = registry.add_image("app", "2", layers=(b"two",))
    result = info("app:1", tags=True, referrers=False)
    expected = {"1": one.digest, "2": two.digest, "latest": one.digest}
    assert {item["name"]: item["digest"] for item in result["tags"]} == expected


@pytest.mark.parametrize("api", [True, False])
def test_referrers(registry, api):
    registry.referrers_api = api
    image = registry.add_image("app", "1")
    sig = cosign_tags(image.digest)[0]
    registry.add_image("app", sig, layers=(b"sig",))
    if api:
        registry.add_image("app", layers=(b"s",), subject=image.descriptor.to_dict(), artifactType="application/x.sbom")
    found = info("app:1")["referrers"]
    assert [item["tag"] for item in found] == [None, sig][1 - api :]
    assert [item["artifact_type"] for item in found if item["tag"] is None] == ["application/x.sbom"][: int(api)]


def test_an_artifact_that_is_no_image(registry):
    chart = {
        "mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": registry.add_blob("app", b"{}"),
        "size": 2,
    }
    data = {"schemaVersion": 2, "mediaType": m.OCI_MANIFEST, "config": chart, "layers": []}
    registry.add_manifest("app", m.Manifest.build(data, m.OCI_MANIFEST), "chart")
    result = info("app:chart")
    assert result["exists"] and result["platforms"] == [] and result["labels"] == {}
