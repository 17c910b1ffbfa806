# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images may leave a host: whatever the host looks like, never one that is used, kept or unknown."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import labels
from ansible_collections.slipway.delivery.plugins.module_utils.engine.prune import forgotten_tasks, plan
from hypothesis import given
from hypothesis import strategies as st

REPOSITORY = "registry.example.com:5000/prod/shop/webapi"
OTHER = "registry.example.com:5000/test/shop/webapi"


def digest(number):
    return f"sha256:{number:064x}"


def image(number, repositories=(REPOSITORY,), tags=("1.0",)):
    return {
        "Id": f"sha256:image{number}",
        "RepoTags": [f"{repository}:{tag}" for repository in repositories for tag in tags],
        "RepoDigests": [f"{repository}@{digest(number)}" for repository in repositories],
        "Size": 100,
    }


def container(number, name="webapi", state="exited", **marks):
    return {"ImageID": f"sha256:image{number}", "Names": [f"/{name}"], "State": state, "Labels": marks, "Id": name}


def test_a_forgotten_image_goes_with_its_tags_and_digest():
    (item,) = plan([image(1, tags=("1.0", "1.0.0"))], [], REPOSITORY, {digest(1)}, set())
    assert item.goes
    assert item.references == (f"{REPOSITORY}:1.0", f"{REPOSITORY}:1.0.0", f"{REPOSITORY}@{digest(1)}")


def test_only_the_names_of_this_environment_go():
    (item,) = plan([image(1, (REPOSITORY, OTHER))], [], REPOSITORY, {digest(1)}, set())
    assert all(reference.startswith(REPOSITORY) for reference in item.references)


@pytest.mark.parametrize(
    ("images", "containers", "digests", "keep", "reason"),
    [
        ([image(1)], [container(1, "webapi.previous")], {digest(1)}, set(), "used by webapi.previous"),
        ([image(1)], [container(1, "somebody-else")], {digest(1)}, set(), "used by somebody-else"),
        ([image(1)], [], {digest(1)}, {digest(1)}, "kept: a release that can be gone back to"),
        ([image(1)], [], {digest(2)}, set(), "not one of the releases to forget"),
    ],
)
def test_what_stays_says_why(images, containers, digests, keep, reason):
    (item,) = plan(images, containers, REPOSITORY, digests, keep)
    assert (item.goes, item.reason) == (False, reason)


def test_images_of_other_repositories_are_not_even_looked_at():
    longer = image(1, (f"{REPOSITORY}-admin",))
    nameless = {"Id": "sha256:x", "RepoTags": None, "RepoDigests": None}
    assert plan([image(1, (OTHER,)), longer, nameless], [], REPOSITORY, {digest(1)}, set()) == []


def test_docker_hub_repositories_have_a_short_name_on_the_engine():
    pulled = {"Id": "sha256:a", "RepoTags": ["shop/webapi:1"], "RepoDigests": [f"shop/webapi@{digest(1)}"]}
    (item,) = plan([pulled], [], "docker.io/shop/webapi", {digest(1)}, set())
    assert item.goes


NUMBERS = st.integers(min_value=0, max_value=5)
REPOSITORIES = st.lists(st.sampled_from([REPOSITORY, OTHER, f"{REPOSITORY}2"]), min_size=1, unique=True)
DIGESTS = st.sets(NUMBERS.map(digest))


@given(st.lists(st.builds(image, NUMBERS, REPOSITORIES)), st.lists(st.builds(container, NUMBERS)), DIGESTS, DIGESTS)
def test_nothing_used_kept_or_unknown_ever_goes(images, containers, digests, keep):
    used = {entry["ImageID"] for entry in containers}
    for item in plan(images, containers, REPOSITORY, digests, keep):
        if item.goes:
            assert item.id not in used
            assert item.digest in digests - keep
            assert all(reference.startswith((f"{REPOSITORY}:", f"{REPOSITORY}@")) for reference in item.references)


def test_ended_commands_of_this_app_and_environment_alone():
    mine = {labels.TASK_OF: "webapi", labels.APP: "webapi", labels.ENVIRONMENT: "prod"}
    listed = [
        container(1, "webapi.task", "exited", **mine),
        container(1, "running.task", "running", **mine),
        container(1, "test.task", "exited", **{**mine, labels.ENVIRONMENT: "test"}),
        container(1, "webapi", "exited", **{labels.APP: "webapi", labels.ENVIRONMENT: "prod"}),
    ]
    assert [entry["Id"] for entry in forgotten_tasks(listed, "webapi", "prod")] == ["webapi.task"]
