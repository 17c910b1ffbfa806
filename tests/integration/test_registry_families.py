# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both families of media types, what hangs on images, layers that live elsewhere, and deletions that must not spread."""

from __future__ import annotations

import json
import os

import pytest
import registry_servers as servers
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import cosign_tags, fallback_tag
from registry_faults import Fault, proxy
from registry_helper import Pusher

pytestmark = pytest.mark.lab
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    foreign = {"validation": {"manifests": {"urls": {"allow": ["^https://layers.example.com/"]}}}}
    with servers.registry(folder / "here", **foreign) as here, servers.registry(folder / "there", **foreign) as there:
        yield here.host, there.host


@pytest.fixture
def here(hosts):
    return Pusher(hosts[0], Access(), {})


@pytest.fixture
def there(hosts, here):
    found = Pusher(hosts[1], Access(), {})
    found.folder = here.folder
    return found


def listed(pusher, repository, target, children, docker):
    """An index or manifest list of `children`, written with blanks that a copy must keep."""
    media_type = m.DOCKER_LIST if docker else m.OCI_INDEX
    manifests = [
        {**child.descriptor.to_dict(), "platform": {"os": "linux", "architecture": name}}
        for name, child in children.items()
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}, indent=5).encode()
    return pusher.put(repository, m.Manifest(raw, media_type), target)


@pytest.mark.parametrize("docker", [True, False], ids=["docker", "oci"])
@pytest.mark.parametrize("way", ["mounted", "streamed"])
def test_both_families_come_over_byte_for_byte(here, there, docker, way):
    children = {
        name: here.image("test/app", layers=(os.urandom(3000), b"shared"), docker=docker, architecture=name)
        for name in ("amd64", "arm64")
    }
    index = listed(here, "test/app", "1", children, docker)
    target = here if way == "mounted" else there
    result = target.foretold("prod/app", "1", source=here.name("test/app", "1"), tags=["stable", "latest"])
    assert result["tags"] == ["1", "stable", "latest"] and result["media_type"] == index.media_type
    assert result["blobs"]["mounted" if way == "mounted" else "copied"] == 5
    for tag in ("1", "stable", "latest"):
        found = target.client.get_manifest(target.repository("prod/app"), tag)
        assert (found.raw, found.media_type) == (index.raw, index.media_type)
    for child in children.values():
        found = target.client.get_manifest(target.repository("prod/app"), child.digest)
        assert (found.raw, found.media_type) == (child.raw, child.media_type)
    assert target.foretold("prod/app", "1", source=here.name("test/app", "1"))["requests"] <= 6


def hang_on(pusher, repository, image):
    """Cosign's three tags and a referrer under the fallback tag; {tag or digest: digest}."""
    found = {tag: pusher.image(repository, tag, layers=(tag.encode(),)).digest for tag in cosign_tags(image.digest)}
    referrer = pusher.image(
        repository, layers=(image.digest.encode(),), subject=image.descriptor.to_dict(), artifactType="x/sbom"
    )
    index = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [referrer.descriptor.to_dict()]}
    fallback = pusher.put(repository, m.Manifest.build(index, m.OCI_INDEX), fallback_tag(image.digest))
    return {**found, referrer.digest: referrer.digest, fallback_tag(image.digest): fallback.digest}


@pytest.mark.parametrize("way", ["mounted", "streamed"])
def test_all_that_hangs_on_an_image_and_its_platforms_comes_along(here, there, way):
    child = here.image("test/app", layers=(os.urandom(100),))
    index = here.index("test/app", "1", amd64=child)
    hanging = {**hang_on(here, "test/app", index), **hang_on(here, "test/app", child)}
    target = here if way == "mounted" else there
    target.foretold("prod/app", "1", source=here.name("test/app", "1"))
    assert {name: target.digest("prod/app", name) for name in hanging} == hanging
    without = target.run("bare/app", "1", source=here.name("test/app", "1"), referrers=False)
    assert without["changed"] and not any(target.digest("bare/app", name) for name in hanging)


def test_a_layer_that_lives_elsewhere_stays_there(here, there):
    config = here.blob("app", b"{}", m.DOCKER_CONFIG)
    own = here.blob("app", b"own", m.DOCKER_LAYER_GZIP)
    digest = m.digest_of(b"foreign")
    foreign = {**m.Descriptor(FOREIGN, digest, 7).to_dict(), "urls": ["https://layers.example.com/one"]}
    data = {"schemaVersion": 2, "mediaType": m.DOCKER_MANIFEST, "config": config, "layers": [foreign, own]}
    image = here.put("app", m.Manifest.build(data, m.DOCKER_MANIFEST), "1")
    result = there.foretold("app", "1", source=here.name("app", "1"))
    assert result["blobs"]["copied"] == 2 and there.raw("app", "1") == image.raw
    assert not there.client.has_blob(there.repository("app"), digest)


def test_schema_1_is_refused(here, there):
    here.image("app", "1")
    with proxy(here.host) as old:
        kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        old.faults.append(
            Fault("GET .*/manifests/1", status=200, body=b'{"schemaVersion": 1}', headers={"Content-Type": kind})
        )
        refused = there.run("app", "1", source=f"{old.host}/{here.repository('app')}:1")
    assert refused["failed"] and "schema 1" in refused["msg"] and there.digest("app", "1") is None


# -- deletions -----------------------------------------------------------------------------------------------------------


def test_a_tag_goes_and_all_that_hangs_on_its_image_stays_with_the_sibling(here):
    image = here.image("app", "1", "2", layers=(os.urandom(50),))
    hanging = hang_on(here, "app", image)
    here.foretold("app", "1", state="absent")
    assert here.digest("app", "1") is None and here.raw("app", "2") == image.raw
    assert {name: here.digest("app", name) for name in hanging} == hanging


def test_the_last_tag_takes_along_what_hangs_on_its_image_and_nothing_else(here):
    image = here.image("app", "1", layers=(os.urandom(50),))
    other = here.image("app", "2", layers=(os.urandom(50),))
    hanging, kept = hang_on(here, "app", image), hang_on(here, "app", other)
    signature = here.client.get_manifest(here.repository("app"), cosign_tags(image.digest)[0])
    here.put("app", signature, "kept-for-the-record")
    here.run("app", "1", state="absent")
    left = {name: here.digest("app", name) for name in (*hanging, *kept)}
    assert {name: digest for name, digest in left.items() if digest} == {
        **kept,
        cosign_tags(image.digest)[0]: signature.digest,  # its own further tag keeps it
    }
    assert here.digest("app", image.digest) is None and here.raw("app", "2") == other.raw


def test_a_platform_below_two_indexes_is_kept_until_the_last_one_goes(here):
    child = here.image("app", "child", layers=(os.urandom(50),))
    inner = here.index("app", "inner", amd64=child)
    outer = here.index("app", "outer", amd64=inner)
    for digest in (child.digest, inner.digest):
        refused = here.run("app", digest, state="absent", force_siblings=True)
        assert refused["failed"] and "outer" in refused["msg"]
    for tag in ("child", "inner"):
        here.foretold("app", tag, state="absent")
    assert here.raw("app", "outer") == outer.raw
    assert here.raw("app", inner.digest) == inner.raw and here.raw("app", child.digest) == child.raw


def test_a_tag_that_is_pushed_anew_meanwhile_is_not_deleted(here):
    image = here.image("app", "1", layers=(os.urandom(50),))
    new = here.image("app", layers=(b"new",))
    with proxy(here.host) as road:
        # The registry is asked for the list of tags only after it has refused to delete one by its name.
        road.faults.append(Fault("GET .*/tags/list", then=lambda: here.put("app", new, "1")))
        name = f"{road.host}/{here.repository('app')}:1"
        refused = here.run("app", "1", image=name, state="absent")
    assert refused["failed"] and "became" in refused["msg"]
    assert here.digest("app", "1") == new.digest and here.digest("app", image.digest)


def test_pruning_a_real_repository(here):
    images = {version: here.image("app", version, layers=(os.urandom(50),)) for version in ("1.0", "1.1", "1.2", "1.3")}
    hang_on(here, "app", images["1.0"])
    kept = hang_on(here, "app", images["1.3"])
    child = here.image("app", layers=(os.urandom(50),))
    here.index("app", "0.9", amd64=child)
    before = here.everything()
    options = {
        "in_use": [{"who": "prod-1", "image_id": images["1.1"].config.digest}],
        "keep_last": 1,
        "max_delete": "100%",
    }
    said = here.prune("app", check_mode=True, **options)
    assert here.everything() == before
    done = here.prune("app", plan_digest=said["plan_digest"], **options)
    assert done["deleted"] == said["deleted"] and set(done["tags"]) >= {"0.9", "1.0", "1.2"}
    assert here.digest("app", child.digest) is None
    left = set(here.client.tags(here.repository("app")))
    assert left == {"1.1", "1.3", *(name for name in kept if not name.startswith("sha256:"))}
    assert {name: here.digest("app", name) for name in kept} == kept
