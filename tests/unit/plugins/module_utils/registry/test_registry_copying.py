# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_image: exact request sequences, predictions, and what is left alone."""

from __future__ import annotations

import base64
import json
import re

import pytest
import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags, fallback_tag
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import answer, refusal

REG = "reg.example.com"
pytestmark = pytest.mark.usefixtures("pauses")


def run(check_mode=False, **params):
    """(result, warnings) of the operation, its options validated as Ansible does."""
    spec = REGISTRY_IMAGE.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(params)
    assert not validated.error_messages
    context = Context(check_mode=check_mode)
    return REGISTRY_IMAGE.execute(validated.validated_parameters, context), context.warnings


def both(**params):
    """The result after check mode foretold it: everything but the count of requests must agree."""
    foretold, _warnings = run(check_mode=True, **params)
    result, _warnings = run(**params)
    assert {**foretold, "requests": 0} == {**result, "requests": 0}
    return result


def state(registry):
    return json.dumps([registry.tags, sorted(registry.blobs.items(), key=str)], default=str, sort_keys=True)


# -- retag ---------------------------------------------------------------------------------------------------------------


def test_a_retag_is_three_requests(registry):
    image = registry.add_image("app", "1")
    result, warnings = run(image=f"{REG}/app:stable", source=f"{REG}/app:1")
    assert registry.log == ["HEAD /v2/app/manifests/stable", "GET /v2/app/manifests/1", "PUT /v2/app/manifests/stable"]
    assert registry.seen[2].body == image.raw
    assert warnings == []
    assert result == {
        "changed": True,
        "image": f"{REG}/app:stable",
        "digest": image.digest,
        "previous_digest": None,
        "media_type": m.OCI_MANIFEST,
        "size": image.size,
        "tags": ["stable"],
        "referrers": [],
        "requests": 3,
        "bytes_transferred": 0,
        "blobs": {"mounted": 0, "existing": 0, "copied": 0},
        "diff": {
            "before_header": f"{REG}/app",
            "after_header": f"{REG}/app",
            "before": {},
            "after": {"stable": image.digest},
        },
    }


def test_its_no_op_is_two(registry):
    registry.add_image("app", "1", "stable")
    result, _warnings = run(image=f"{REG}/app:stable", source=f"{REG}/app:1")
    assert registry.log == ["HEAD /v2/app/manifests/stable", "GET /v2/app/manifests/1"]
    assert result["changed"] is False and result["diff"]["before"] == result["diff"]["after"] == {}
    assert result["requests"] == 2


def test_a_retag_in_check_mode_only_reads(registry):
    registry.add_image("app", "1")
    before = state(registry)
    result, _warnings = run(check_mode=True, image=f"{REG}/app:stable", source=f"{REG}/app:1")
    assert registry.log == ["HEAD /v2/app/manifests/stable", "GET /v2/app/manifests/1"]
    assert result["changed"] is True and state(registry) == before


def test_an_index_is_retagged_without_its_children(registry):
    children = {arch: registry.add_image("app", architecture=arch) for arch in ("amd64", "arm64")}
    index = registry.add_index("app", "1", children)
    result, _warnings = run(image=f"{REG}/app:stable", source=f"{REG}/app:1")
    assert len(registry.log) == 3 and registry.tags["app"]["stable"] == index.digest
    assert result["media_type"] == m.OCI_INDEX and result["size"] is None


def test_moving_a_tag_tells_what_it_was(registry):
    old = registry.add_image("app", "stable", layers=(b"old",))
    new = registry.add_image("app", "2")
    result = both(image=f"{REG}/app:stable", source=f"{REG}/app:2", tags=["latest", "stable"])
    assert result["previous_digest"] == old.digest and result["tags"] == ["stable", "latest"]
    assert result["diff"]["before"] == {"stable": old.digest}
    assert registry.tags["app"] == {"stable": new.digest, "2": new.digest, "latest": new.digest}


def test_without_source_only_the_further_tags_are_made(registry):
    image = registry.add_image("app", "1")
    result = both(image=f"{REG}/app:1", tags=["stable"])
    assert registry.log[-3:] == [
        "HEAD /v2/app/manifests/stable",
        "GET /v2/app/manifests/1",
        "PUT /v2/app/manifests/stable",
    ]
    assert result["digest"] == image.digest and result["tags"] == ["1", "stable"]
    assert run(image=f"{REG}/app:1", tags=["stable"])[0]["changed"] is False


@pytest.mark.parametrize("params", [{"source": f"{REG}/app:9"}, {}])
def test_an_image_that_is_not_there(registry, params):
    result, _warnings = run(image=f"{REG}/app:9", tags=["x"], **params)
    assert result["failed"] and "There is no image reg.example.com/app:9" in result["msg"]
    assert registry.tags == {}


def test_overwrite_false_names_every_tag_that_is_taken(registry):
    registry.add_image("app", "a", "b", layers=(b"old",))
    registry.add_image("app", "2")
    before = state(registry)
    result, _warnings = run(image=f"{REG}/app:a", source=f"{REG}/app:2", tags=["b", "c"], overwrite=False)
    assert result["failed"] and "overwrite is false" in result["msg"]
    assert "a is sha256" in result["msg"] and "b is sha256" in result["msg"] and state(registry) == before


def test_a_digest_that_differs_changes_nothing(registry):
    registry.add_image("app", "1")
    other = "sha256:" + "0" * 64
    before = state(registry)
    for params in ({"digest": other}, {"image": f"{REG}/app:2@{other}"}):
        result, _warnings = run(**{"image": f"{REG}/app:2", "source": f"{REG}/app:1", **params})
        assert result["failed"] and other in result["msg"] and "Nothing was changed" in result["msg"]
    assert state(registry) == before


def test_a_source_by_tag_and_digest_must_agree(registry):
    registry.add_image("app", "1")
    result, _warnings = run(image=f"{REG}/app:2", source=f"{REG}/app:1@sha256:{'0' * 64}")
    assert result["failed"] and "the reference says it must be" in result["msg"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"image": f"{REG}/App:1"}, "image: "),
        ({"image": f"{REG}/app:1", "source": "https://x/y"}, "source: "),
        ({"image": f"{REG}/app:1", "tags": ["ok", "not ok"]}, r"tags\[1\]"),
        ({"image": f"{REG}/app:1", "digest": "sha256:1"}, "digest: "),
        ({"image": f"{REG}/app@sha256:{'1' * 64}", "digest": f"sha256:{'2' * 64}"}, "must be the same"),
        (
            {"image": f"{REG}/a:1", "source": f"{REG}/b@sha256:{'1' * 64}", "digest": f"sha256:{'2' * 64}"},
            "must be the same",
        ),
        ({"image": f"{REG}/app:1", "state": "absent", "source": f"{REG}/app:2"}, "state: absent"),
        ({"image": f"{REG}/app@sha256:{'1' * 64}", "state": "absent", "tags": ["x"]}, "takes all its tags"),
        ({"image": f"{REG}/app:1", "timeout": "soon"}, "timeout: "),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(registry, params, words):
    result, _warnings = run(**params)
    assert result["failed"] and re.search(words, result["msg"]), result["msg"]
    assert registry.log == []


# -- promotion inside one registry ---------------------------------------------------------------------------------------


def test_a_promotion_mounts_without_asking_first(registry):
    image = registry.add_image("test/app", "1")
    result, _warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", referrers=False)
    mounts = sorted(line.split("mount=")[1].split("&")[0] for line in registry.log if "mount=" in line)
    assert registry.log[:2] == ["HEAD /v2/prod/app/manifests/1", "GET /v2/test/app/manifests/1"]
    assert mounts == sorted(blob.digest.replace(":", "%3A") for blob in image.blobs)
    # The second look at the tag before it is put: blobs took time.
    assert registry.log[4:] == ["HEAD /v2/prod/app/manifests/1", "PUT /v2/prod/app/manifests/1"]
    assert result["blobs"] == {"mounted": 2, "existing": 0, "copied": 0} and result["bytes_transferred"] == 0


def test_a_promotion_is_foretold_and_then_does_nothing(registry):
    registry.add_image("test/app", "1")
    both(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")[0]["changed"] is False


def test_refused_mounts_reuse_their_sessions_and_say_so(registry):
    image = registry.add_image("test/app", "1")
    registry.mounts = False
    result, warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert sum(line.startswith("POST") for line in registry.log) == 2
    assert result["blobs"] == {"mounted": 0, "existing": 0, "copied": 2}
    assert result["bytes_transferred"] == image.size
    assert f"refused to mount 2 blobs from test/app into prod/app; {image.size} bytes were uploaded" in warnings[0]
    assert registry.blobs["prod/app"] == registry.blobs["test/app"]


def test_a_refused_mount_of_a_blob_that_is_there_moves_nothing(registry):
    registry.add_image("test/app", "1")
    registry.add_image("prod/app", "0")
    registry.mounts = False
    result, _warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert result["blobs"] == {"mounted": 0, "existing": 2, "copied": 0}
    assert sum(line.startswith("DELETE /v2/prod/app/blobs/uploads/") for line in registry.log) == 2


def test_a_source_with_a_login_of_its_own_is_read_by_that_login(registry):
    registry.add_image("test/app", "1")
    registry.mounts = False
    registry.script += [
        ("HEAD /v2/prod/app/manifests/1", refusal(401, "UNAUTHORIZED", WWW_Authenticate="Basic realm=x")),
        ("GET /v2/test/app/manifests/1", refusal(401, "UNAUTHORIZED", WWW_Authenticate="Basic realm=x")),
    ]
    result, _warnings = run(
        image=f"{REG}/prod/app:1",
        source=f"{REG}/test/app:1",
        username="writer",
        password="w",
        source_username="reader",
        source_password="r",
    )
    assert result["blobs"]["copied"] == 2
    reader, writer = ("Basic " + base64.b64encode(pair).decode() for pair in (b"reader:r", b"writer:w"))
    sent = {(request.method, request.headers.get("Authorization")) for request in registry.seen}
    assert {("GET", reader), ("PUT", writer), ("POST", writer)} <= sent
    assert not {("PUT", reader), ("POST", reader)} & sent


def test_blobs_that_a_garbage_collection_took_are_brought_again(registry):
    image = registry.add_image("test/app", "1")
    registry.script.append(("PUT /v2/prod/app/manifests/1", refusal(400, "MANIFEST_BLOB_UNKNOWN")))
    result, _warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", referrers=False)
    assert result["changed"] and registry.tags["prod/app"]["1"] == image.digest
    assert registry.log[-1] == "PUT /v2/prod/app/manifests/1"


def test_children_go_first_and_those_that_are_there_are_skipped(registry):
    children = {arch: registry.add_image("test/app", architecture=arch) for arch in ("amd64", "arm64", "s390x")}
    index = registry.add_index("test/app", "1", children)
    registry.add_image("prod/app", architecture="arm64")
    result = both(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    puts = [line for line in registry.log if line.startswith("PUT /v2/prod/app/manifests")]
    expected = [children["amd64"].digest, children["s390x"].digest, "1"]
    assert puts == [f"PUT /v2/prod/app/manifests/{target}" for target in expected]
    assert registry.manifests["prod/app"][index.digest][1] == index.raw
    assert result["blobs"]["mounted"] == 3


def test_foreign_layers_stay_where_they_are(registry):
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": m.digest_of(b"x"),
        "size": 1,
    }
    image = registry.add_image("test/app", "1")
    registry.add_manifest("test/app", m.Manifest.build({**image.data, "layers": [layer]}, m.OCI_MANIFEST), "win")
    result = both(image=f"{REG}/prod/app:win", source=f"{REG}/test/app:win")
    assert result["blobs"]["mounted"] == 1


def test_a_tag_that_moves_during_the_copy_is_not_overwritten_without_leave(registry):
    registry.add_image("test/app", "1")
    other = registry.add_image("prod/app", layers=(b"other",))
    moved = answer(200, Docker_Content_Digest=other.digest, Content_Length=5, Content_Type=m.OCI_MANIFEST)
    for overwrite in (False, True):
        registry.script += [
            ("HEAD /v2/prod/app/manifests/1", refusal(404, "MANIFEST_UNKNOWN")),
            ("HEAD /v2/prod/app/manifests/1", moved),
        ]
        result, warnings = run(
            image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", overwrite=overwrite, referrers=False
        )
        if overwrite:
            assert result["previous_digest"] == other.digest and "while this task was copying" in warnings[0]
        else:
            assert result["failed"] and "while this task was copying" in result["msg"]
            assert "1" not in registry.tags.get("prod/app", {})


def test_an_interrupted_copy_leaves_the_tag_and_says_so(registry):
    registry.add_image("test/app", "1")
    old = registry.add_image("prod/app", "1", layers=(b"old",))
    registry.mounts = False
    registry.script += [("PUT /v2/prod/app/blobs", requests.exceptions.ConnectionError("reset by peer"))] * 20
    result, _warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert result["failed"] and f"Not moved: {REG}/prod/app:1 ({old.digest})" in result["msg"]
    assert registry.tags["prod/app"]["1"] == old.digest


def test_a_destination_that_answers_403_is_taken_as_new(registry):
    registry.add_image("test/app", "1")
    registry.script.append(("HEAD /v2/prod/app/manifests/1", refusal(403, "DENIED")))
    result, _warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", referrers=False)
    assert result["changed"] is True
    registry.script.append(("HEAD /v2/prod/app/manifests/2", refusal(403, "DENIED")))
    result, _warnings = run(image=f"{REG}/prod/app:2", source=f"{REG}/test/app:1", overwrite=False)
    assert result["failed"] and result["request"]["status"] == 403


# -- between registries --------------------------------------------------------------------------------------------------


def test_a_copy_between_registries_streams_what_is_missing(registry):
    image = registry.add_image("test/app", "1", layers=(b"a" * 1000, b"b" * 2000))
    registry.add_blob("prod/app", b"a" * 1000)
    result = both(image=f"{REG}/prod/app:1", source="other.example.com/test/app:1")
    assert result["blobs"] == {"mounted": 0, "existing": 1, "copied": 2}
    assert result["bytes_transferred"] == image.size - 1000
    assert not any("mount=" in line for line in registry.log)
    assert registry.hosts == {REG, "other.example.com"}


def test_a_blob_that_changes_on_its_way_is_not_taken(registry):
    registry.add_image("test/app", "1", layers=(b"good",))
    registry.blobs["test/app"][m.digest_of(b"good")] = b"evil"
    result, _warnings = run(image=f"{REG}/prod/app:1", source="other.example.com/test/app:1")
    assert result["failed"] and m.digest_of(b"good") in result["msg"] and "prod/app" not in registry.tags
    assert b"evil" not in registry.blobs.get("prod/app", {}).values()


# -- referrers -----------------------------------------------------------------------------------------------------------


def signature(registry, repository, subject, kind="application/x.signature"):
    return registry.add_image(
        repository, layers=(kind.encode(),), subject=subject.descriptor.to_dict(), artifactType=kind
    )


def test_referrers_come_along_by_the_api(registry):
    registry.referrers_api = True
    image = registry.add_image("test/app", "1")
    signed = signature(registry, "test/app", image)
    about = signature(registry, "test/app", signed, "application/x.attestation")
    result = both(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert result["referrers"] == [signed.digest, about.digest]
    assert {signed.digest, about.digest} <= set(registry.manifests["prod/app"])
    assert run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")[0]["changed"] is False


def test_referrers_come_along_by_the_fallback_tag(registry):
    image = registry.add_image("test/app", "1")
    signed = signature(registry, "test/app", image)
    listed = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [signed.descriptor.to_dict()]}
    registry.add_manifest("test/app", m.Manifest.build(listed, m.OCI_INDEX), fallback_tag(image.digest))
    own = registry.add_image("prod/app", "old", layers=(b"own",))
    there = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [own.descriptor.to_dict()]}
    registry.add_manifest("prod/app", m.Manifest.build(there, m.OCI_INDEX), fallback_tag(image.digest))
    result = both(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert result["referrers"] == [signed.digest]
    kept = m.Manifest(
        registry.manifests["prod/app"][registry.tags["prod/app"][fallback_tag(image.digest)]][1], m.OCI_INDEX
    )
    assert [child.digest for child in kept.children] == [own.digest, signed.digest]
    assert run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")[0]["changed"] is False


def test_cosign_tags_come_along(registry):
    image = registry.add_image("test/app", "1")
    sig = cosign_tags(image.digest)[0]
    signed = registry.add_image("test/app", sig, layers=(b"sig",))
    result = both(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert registry.tags["prod/app"][sig] == signed.digest
    assert result["diff"]["after"][sig] == signed.digest
    registry.add_image("prod/app", sig, layers=(b"another",))
    result, warnings = run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", overwrite=False)
    assert result["changed"] is False and sig in warnings[0]


def test_cosign_tags_are_found_where_listing_is_not_allowed(registry):
    image = registry.add_image("test/app", "1")
    sig = cosign_tags(image.digest)[0]
    registry.add_image("test/app", sig, layers=(b"sig",))
    registry.script += [("GET /v2/test/app/tags/list", refusal(403, "DENIED"))] * 3
    run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1")
    assert sig in registry.tags["prod/app"]


def test_without_referrers_nobody_asks_for_them(registry):
    registry.add_image("test/app", "1")
    run(image=f"{REG}/prod/app:1", source=f"{REG}/test/app:1", referrers=False)
    assert not any("referrers" in line or "tags/list" in line for line in registry.log)
