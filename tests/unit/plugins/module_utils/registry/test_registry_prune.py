# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_prune: what it reads, what it deletes, and what it does when the registry changes under its hands."""

from __future__ import annotations

import re

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags, fallback_tag
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_prune import REGISTRY_PRUNE
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import answer, refusal

REG = "reg.example.com"
pytestmark = pytest.mark.usefixtures("pauses")
SHA = "sha256:" + "9" * 64


def prune(check_mode=False, **params):
    options = {"repository": f"{REG}/app", "in_use": [], "keep_last": 1, "max_delete": "100%", **params}
    validated = ArgumentSpecValidator(REGISTRY_PRUNE.spec.options, **REGISTRY_PRUNE.spec.rules()).validate(options)
    assert not validated.error_messages
    context = Context(check_mode=check_mode)
    result = REGISTRY_PRUNE.execute(validated.validated_parameters, context)
    return {**result, "warnings": context.warnings}


def both(registry, **params):
    """The real result, after check mode only read and foretold it."""
    before = len(registry.log)
    foretold = prune(check_mode=True, **params)
    assert all(line.startswith(("GET", "HEAD")) for line in registry.log[before:])
    result = prune(**params)
    assert {**foretold, "requests": 0} == {**result, "requests": 0}
    return result


def versions(registry, *tags, repository="app"):
    """One image for each entry, which names its tags."""
    return [registry.add_image(repository, *entry.split(), labels={"is": entry}) for entry in tags]


def deletes(registry):
    return [line.rsplit("/", 1)[1] for line in registry.log if line.startswith("DELETE")]


def meanwhile(registry, pattern, change):
    """`change` the registry right before it answers the first request that matches."""
    original, pending = registry.send, [change]

    def send(request, **options):
        if pending and re.search(pattern, f"{request.method} {request.url}"):
            pending.pop()()
        return original(request, **options)

    registry.send = send


def test_old_versions_go_oldest_first(registry):
    one, two, _three = versions(registry, "1.9.0", "1.10.0", "1.11.0 stable")
    result = both(registry)
    assert result["deleted"] == [one.digest, two.digest] == deletes(registry)
    assert result["tags"] == ["1.10.0", "1.9.0"] and result["images"] == {"found": 3, "deleted": 2}
    assert result["diff"]["before"] == {"1.9.0": one.digest, "1.10.0": two.digest}
    assert sorted(registry.tags["app"]) == ["1.11.0", "stable"]
    assert prune()["changed"] is False


def test_every_digest_has_its_reasons(registry):
    one, two, three = versions(registry, "1.0", "1.1 latest", "1.2")
    result = prune(check_mode=True, in_use=[{"who": "prod-1", "image": f"{REG}/app:1.2", "digest": three.digest}])
    why = {item["digest"]: (item["action"], item["why"]) for item in result["plan"]}
    assert why[one.digest] == ("delete", ["no rule keeps it"])
    assert why[two.digest] == ("keep", ["latest is no version that could be ordered"])
    assert why[three.digest] == (
        "keep",
        [f"in use: prod-1 {REG}/app:1.2 {three.digest}", "1.2 is among the newest 1"],
    )
    assert result["plan"][0]["digest"] == one.digest


@pytest.mark.parametrize(
    "entry",
    [
        lambda image: image.digest,
        lambda image: image.config.digest,
        lambda image: f"{REG}/app:1.0",
        lambda image: "other-name:5000/app:1.0",
        lambda image: f"other-name:5000/elsewhere@{image.digest}",
        lambda image: {"image": f"{REG}/app", "image_id": image.config.digest},
        lambda image: {"image": image.config.digest[7:19], "name": "webapi", "status": "exited"},
    ],
    ids=["digest", "image id", "tag", "tag by an alias", "digest elsewhere", "dict", "short id"],
)
def test_what_is_in_use_stays_by_whatever_name(registry, entry):
    image, *_others = versions(registry, "1.0", "1.1", "1.2")
    assert both(registry, in_use=[entry(image)], allow_unknown=False)["tags"] == ["1.1"]


def test_a_use_that_is_not_found_stops_everything(registry):
    versions(registry, "1.0", "1.1")
    for entry in (SHA, f"{REG}/app:9", {"image": f"{REG}/app", "digest": SHA}):
        result = prune(in_use=[entry])
        assert result["failed"] and "in_use names what" in result["msg"] and "Nothing was deleted" in result["msg"]
    assert prune(in_use=[f"{REG}/other@{SHA}"], check_mode=True)["tags"] == ["1.0"]
    allowed = prune(in_use=[SHA], allow_unknown=True)
    assert allowed["tags"] == ["1.0"] and "in_use names what" in allowed["warnings"][0]


def test_an_untagged_index_in_use_keeps_its_platforms(registry):
    shared, newest = versions(registry, "1.0", "1.1")
    index = registry.add_index("app", "moved", {"amd64": shared})
    del registry.tags["app"]["moved"]
    assert prune(in_use=[f"{REG}/app@{index.digest}"])["deleted"] == []
    assert prune()["deleted"] == [shared.digest] and newest.digest in registry.manifests["app"]


def test_an_index_goes_before_its_platforms_and_shared_ones_stay(registry):
    amd, arm, shared = (registry.add_image("app", labels={"is": name}) for name in ("amd", "arm", "shared"))
    old = registry.add_index("app", "1.0", {"amd64": amd, "arm64": shared})
    new = registry.add_index("app", "1.1", {"amd64": arm, "arm64": shared})
    result = both(registry)
    assert result["deleted"] == [old.digest, amd.digest]
    assert set(registry.manifests["app"]) == {new.digest, arm.digest, shared.digest}


@pytest.mark.parametrize("api", [True, False])
def test_signatures_go_with_their_image_and_stay_with_others(registry, api):
    registry.referrers_api = api
    old, new = versions(registry, "1.0", "1.1")
    signatures = {}
    for image in (old, new):
        listed = registry.add_image("app", labels={"sig": image.digest}, subject=image.descriptor.to_dict())
        cosigned = registry.add_image("app", cosign_tags(image.digest)[0], labels={"cosign": image.digest})
        signatures[image.digest] = {listed.digest, cosigned.digest}
        if not api:
            index = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [listed.descriptor.to_dict()]}
            fallback = registry.add_manifest("app", m.Manifest.build(index, m.OCI_INDEX), fallback_tag(image.digest))
            signatures[image.digest].add(fallback.digest)
    result = both(registry)
    assert set(result["deleted"]) == {old.digest, *signatures[old.digest]} and result["deleted"][-1] == old.digest
    assert set(registry.manifests["app"]) == {new.digest, *signatures[new.digest]}


def test_ages(registry):
    versions(registry, "1.0", "1.1", "1.2")
    assert prune(check_mode=True, keep_newer_than="3650d")["deleted"] == []
    assert prune(check_mode=True, min_age="3650d")["deleted"] == []
    made_up = registry.add_image("app", "0.9", annotations={"org.opencontainers.image.created": "1970-01-01T00:00:00Z"})
    old, *_others = (registry.tags["app"][tag] for tag in ("1.0", "1.1", "1.2"))
    pushed = prune(check_mode=True, pushed={old: "2099-01-01T00:00:00Z"})
    assert (
        old not in pushed["deleted"] and made_up.digest in pushed["deleted"]
    )  # its config has a date that makes sense


def test_dates_are_read_of_those_alone_that_may_go(registry):
    images = versions(registry, "1.0", "1.1", "1.2")
    prune(check_mode=True)
    read = {line.rsplit("/", 1)[1] for line in registry.log if "/blobs/" in line}
    assert read == {image.config.digest for image in images[:2]}


def test_a_schema_1_image_stays_and_an_unknown_type_stops_everything(registry):
    versions(registry, "1.0", "1.1")
    old = answer(200, {"schemaVersion": 1}, Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws")
    head = answer(200, Content_Type=next(iter(m.SCHEMA1_TYPES)), Docker_Content_Digest=SHA, Content_Length="20")
    registry.tags["app"]["0.1"] = SHA
    registry.script += [(r"GET .*/0.1", old), (r"HEAD .*/0.1", head)]
    result = prune(check_mode=True)
    assert result["tags"] == ["1.0"]
    assert {item["digest"]: item["why"] for item in result["plan"]}[SHA][0].startswith("cannot be read whole")
    odd = answer(200, {"schemaVersion": 2}, Content_Type="application/x-new")
    head = answer(200, Content_Type="application/x-new", Docker_Content_Digest=SHA, Content_Length="20")
    registry.script += [(r"GET .*/0.1", odd), (r"HEAD .*/0.1", head)]
    stopped = prune()
    assert stopped["failed"] and "application/x-new" in stopped["msg"] and not deletes(registry)


def test_a_listed_tag_without_manifest_is_left_alone_or_stops_everything(registry):
    versions(registry, "1.0", "1.1")
    registry.tags["app"]["broken"] = SHA
    result = prune(check_mode=True)
    assert result["tags"] == ["1.0"] and ":broken is listed" in result["warnings"][0]
    registry.script.append((r"HEAD .*/broken", answer(200, Content_Type="application/x-new")))
    stopped = prune()
    assert stopped["failed"] and "Nothing was deleted" in stopped["msg"] and not deletes(registry)


def test_an_index_that_lacks_a_platform_stays(registry):
    gone = registry.add_image("app", labels={"is": "gone"})
    index = registry.add_index("app", "0.9", {"amd64": gone})
    versions(registry, "1.0", "1.1")
    del registry.manifests["app"][gone.digest]
    result = both(registry)
    assert result["tags"] == ["1.0"] and index.digest in registry.manifests["app"]


@pytest.mark.parametrize("request_line", [r"GET .*/tags/list", r"GET .*/manifests/1\.1", r"GET .*/blobs/"])
def test_what_cannot_be_read_stops_everything(registry, request_line):
    versions(registry, "1.0", "1.1")
    registry.script += [(request_line, refusal(403, "DENIED", "not yours"))]
    result = prune()
    assert result["failed"] and result["request"]["status"] == 403 and not deletes(registry)


def test_more_than_max_delete_fails_with_its_plan(registry):
    versions(registry, "1.0", "1.1", "1.2", "1.3")
    for most, allowed in (("50%", 2), ("2", 2)):
        for check_mode in (True, False):
            result = prune(check_mode=check_mode, max_delete=most)
            assert result["failed"] and f"allows {allowed}" in result["msg"] and len(result["plan"]) == 4
            assert result["changed"] is False
    assert not deletes(registry)
    assert prune(max_delete="3")["images"] == {"found": 4, "deleted": 3}


def test_only_the_plan_that_was_looked_at(registry):
    versions(registry, "1.0", "1.1")
    seen = prune(check_mode=True)["plan_digest"]
    versions(registry, "0.9")
    stale = prune(plan_digest=seen)
    assert stale["failed"] and stale["plan_digest"] in stale["msg"] and not deletes(registry)
    assert prune(plan_digest=stale["plan_digest"])["tags"] == ["0.9", "1.0"]


# -- what changes meanwhile ----------------------------------------------------------------------------------------------


def test_a_tag_that_is_put_on_an_image_meanwhile_keeps_it(registry):
    one, two, _three = versions(registry, "1.0", "1.1", "1.2")
    meanwhile(registry, "DELETE", lambda: registry.tags["app"].update(stable=two.digest))
    result = prune()
    assert result["deleted"] == [one.digest] and "stable is no version" in result["left"][two.digest]
    assert "was to be deleted, and stays" in result["warnings"][0]


def test_a_tag_that_moves_on_meanwhile_is_not_lost(registry):
    one, two, three = versions(registry, "1.0", "1.1", "1.2")
    new = registry.add_image("app", labels={"is": "new"})
    meanwhile(registry, "DELETE", lambda: registry.tags["app"].update({"1.1": new.digest}))
    result = prune()
    assert result["deleted"][0] == one.digest and two.digest in result["left"]
    assert registry.tags["app"]["1.1"] == new.digest and three.digest in registry.manifests["app"]


def test_a_new_index_meanwhile_keeps_the_platform_it_lists(registry):
    _one, two, _three = versions(registry, "1.0", "1.1", "1.2")
    meanwhile(registry, "DELETE", lambda: registry.add_index("app", "2.0", {"amd64": two}))
    result = prune()
    assert two.digest in result["left"] and "belongs to" in result["left"][two.digest]


def test_the_first_refusal_ends_it_and_says_what_went(registry):
    one, _two, _three = versions(registry, "1.0", "1.1", "1.2")
    meanwhile(registry, "DELETE", lambda: registry.script.append((r"DELETE .*", answer(202))))
    registry.script.append((r"DELETE .*", answer(202)))
    registry.script.append((r"DELETE .*", refusal(403, "DENIED", "immutable")))
    result = prune()
    assert result["failed"] and result["changed"] and one.digest in result["deleted"]


def test_deletion_that_is_off(registry):
    versions(registry, "1.0", "1.1")
    registry.deletion = False
    result = prune()
    assert result["failed"] and "Deletion is off" in result["msg"] and "Nothing was deleted" in result["msg"]
    assert result["changed"] is False


def test_a_registry_that_deletes_more_than_it_was_told_is_found_out(registry):
    versions(registry, "1.0", "1.1")
    meanwhile(registry, "DELETE", lambda: registry.tags["app"].pop("1.1"))
    result = prune()
    assert result["failed"] and "1.1" in result["msg"] and "no longer there" in result["msg"] and result["changed"]


# -- options -------------------------------------------------------------------------------------------------------------


def test_all_wrong_options_are_named_at_once(registry):
    result = prune(
        keep_last=0,
        keep_tags=["("],
        group_by="[",
        keep_newer_than="soon",
        min_age="later",
        max_delete="most",
        plan_digest="7",
        pushed={SHA: "yesterday"},
        in_use=["UPPER/case", {"name": "x"}, {"digest": "sha256:1"}],
    )
    assert result["failed"] and not registry.log
    for words in ("keep_last", "keep_tags", "group_by", "keep_newer_than", "min_age", "max_delete", "plan_digest"):
        assert words in result["msg"]
    assert all(f"in_use[{index}]" in result["msg"] for index in range(3)) and f"pushed[{SHA}]" in result["msg"]


@pytest.mark.parametrize("text", ["app:1", f"{REG}/app@{SHA}"])
def test_one_image_is_no_repository(registry, text):
    result = prune(repository=text)
    assert result["failed"] and "leave tag and digest out" in result["msg"]


def test_an_empty_repository_has_nothing_to_do(registry):
    result = both(registry, repository=f"{REG}/nowhere")
    assert result["changed"] is False and result["plan"] == []
