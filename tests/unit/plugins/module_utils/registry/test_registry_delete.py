# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting: the named tag and nothing else, by whatever way the registry has."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import refusal

REG = "reg.example.com"
pytestmark = pytest.mark.usefixtures("pauses")


def absent(image, check_mode=False, **params):
    spec = REGISTRY_IMAGE.spec
    options = {"image": f"{REG}/{image}", "state": "absent", **params}
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages
    context = Context(check_mode=check_mode)
    result = REGISTRY_IMAGE.execute(validated.validated_parameters, context)
    return {**result, "warnings": context.warnings}


def both(image, **params):
    foretold = absent(image, check_mode=True, **params)
    result = absent(image, **params)
    assert {**foretold, "requests": 0} == {**result, "requests": 0}
    return result


def test_where_tags_can_be_deleted(registry):
    image = registry.add_image("app", "1", "2")
    result = both("app:1")
    assert registry.log[1:] == [
        "HEAD /v2/app/manifests/1",
        "DELETE /v2/app/manifests/1",
        "HEAD /v2/app/manifests/1",
        f"HEAD /v2/app/manifests/{image.digest}",
    ]
    assert registry.tags["app"] == {"2": image.digest}
    assert result["changed"] and result["tags"] == ["1"] and result["previous_digest"] == image.digest
    assert result["diff"]["before"] == {"1": image.digest} and result["diff"]["after"] == {}


def test_what_is_absent_stays_so_by_one_request(registry):
    result = both("app:1")
    assert result["changed"] is False and result["requests"] == 1 and result["tags"] == []


def test_an_only_tag_goes_with_its_digest(registry):
    registry.deletes_tags = False
    image = registry.add_image("app", "1")
    keep = registry.add_image("app", "2", layers=(b"other",))
    both("app:1", referrers=False)
    assert registry.tags["app"] == {"2": keep.digest}
    assert f"DELETE /v2/app/manifests/{image.digest}" in registry.log


@pytest.mark.parametrize("answered", [400, 405])
def test_a_sibling_keeps_the_image(registry, answered):
    registry.deletes_tags = False
    image = registry.add_image("app", "1", "2")
    if answered == 405:  # Harbor: no tags, but digests
        registry.script.append(("DELETE /v2/app/manifests/1", refusal(405, "UNSUPPORTED")))
    result = absent("app:1")
    assert result["changed"] and result["tags"] == ["1"]
    assert registry.tags["app"] == {"2": image.digest}
    assert list(registry.manifests["app"]) == [image.digest]


def test_several_tags_of_one_digest_go_together(registry):
    registry.deletes_tags = False
    registry.add_image("app", "1", "2")
    assert both("app:1", tags=["2", "3"])["tags"] == ["1", "2"]
    assert registry.tags["app"] == {} and registry.manifests["app"] == {}


def test_a_platform_of_an_index_keeps_its_manifest(registry):
    registry.deletes_tags = False
    child = registry.add_image("app", "amd64")
    index = registry.add_index("app", "1", {"amd64": child})
    both("app:amd64")
    assert registry.tags["app"] == {"1": index.digest}
    assert set(registry.manifests["app"]) == {child.digest, index.digest}


@pytest.mark.parametrize("tags", [["1"], ["1", "2"]])
def test_deletion_that_is_off_is_said_and_changes_nothing(registry, tags):
    image = registry.add_image("app", *tags)
    registry.deletion = False
    result = absent("app:1")
    assert result["failed"] and "storage.delete.enabled" in result["msg"] and "Nothing was deleted" in result["msg"]
    assert registry.tags["app"] == {tag: image.digest for tag in tags}
    assert not any(line.startswith(("PUT", "POST")) for line in registry.log)


def test_a_stand_in_that_cannot_be_deleted_gives_the_tag_back(registry):
    registry.deletes_tags = False
    image = registry.add_image("app", "1", "2")
    registry.script += [
        ("DELETE /v2/app/manifests/1", refusal(400, "DIGEST_INVALID")),
        ("DELETE /v2/app/manifests/sha256", refusal(404, "MANIFEST_UNKNOWN")),
        ("DELETE /v2/app/manifests/sha256", refusal(405, "UNSUPPORTED")),
    ]
    result = absent("app:1")
    assert result["failed"] and "app:1 names " + image.digest in result["msg"]
    assert registry.tags["app"]["1"] == image.digest


def test_a_tag_that_moves_meanwhile_is_left(registry):
    registry.deletes_tags = False
    old = registry.add_image("app", "1")
    new = registry.add_image("app", layers=(b"new",))

    original = registry._tags

    def moving(*args):
        registry.tags["app"]["1"] = new.digest
        return original(*args)

    registry._tags = moving
    result = absent("app:1")
    assert result["failed"] and old.digest in result["msg"] and "became" in result["msg"]
    assert registry.tags["app"]["1"] == new.digest


def test_a_digest_that_differs_deletes_nothing(registry):
    registry.add_image("app", "1")
    result = absent("app:1", digest="sha256:" + "0" * 64)
    assert result["failed"] and "Nothing was deleted" in result["msg"] and "1" in registry.tags["app"]


def test_a_tagged_digest_is_refused_with_its_tags(registry):
    image = registry.add_image("app", "1", "2")
    result = absent(f"app@{image.digest}")
    assert result["failed"] and "also has the tags 1, 2" in result["msg"] and registry.tags["app"]
    result = both(f"app@{image.digest}", force_siblings=True)
    assert result["tags"] == ["1", "2"] and registry.manifests["app"] == {}


def test_a_platform_of_a_tagged_index_is_refused_even_by_force(registry):
    child = registry.add_image("app")
    inner = registry.add_index("app", "inner", {"amd64": child})
    registry.add_index("app", "outer", {"amd64": inner})
    result = absent(f"app@{child.digest}", force_siblings=True)
    assert result["failed"] and "platform of inner, outer" in result["msg"]
    assert child.digest in registry.manifests["app"]


def test_an_untagged_digest_goes_with_its_referrers_and_cosign_tags(registry):
    registry.referrers_api = True
    image = registry.add_image("app")
    about = registry.add_image("app", layers=(b"sbom",), subject=image.descriptor.to_dict())
    sig = registry.add_image("app", cosign_tags(image.digest)[0], layers=(b"sig",))
    keep = registry.add_image("app", "keep", layers=(b"keep",))
    absent(f"app@{image.digest}")
    assert set(registry.manifests["app"]) == {keep.digest}
    assert about.digest not in registry.manifests["app"] and sig.digest not in registry.manifests["app"]


def test_a_survey_that_cannot_be_read_deletes_nothing(registry):
    registry.deletes_tags = False
    registry.add_image("app", "1", "2")
    registry.script.append(("tags/list", refusal(403, "DENIED")))
    result = absent("app:1")
    assert result["failed"] and set(registry.tags["app"]) == {"1", "2"}


def test_a_registry_that_takes_the_image_with_the_tag_is_told_of(registry):
    image = registry.add_image("app", "1")
    registry.script.append(("HEAD /v2/app/manifests/sha256", refusal(404, "MANIFEST_UNKNOWN")))
    assert image.digest in absent("app:1")["warnings"][0]
