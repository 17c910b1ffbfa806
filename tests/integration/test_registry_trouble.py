# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies through networks and servers in trouble: what can be mended is, what cannot leaves the tags as they were."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest
import registry_servers as servers
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry import transport
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from registry_faults import Fault, proxy
from registry_helper import Pusher

pytestmark = pytest.mark.lab
OPTIONS = {"insecure": True}


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    """Two registries, each behind a proxy."""
    folder = tmp_path_factory.mktemp("roads")
    with (
        servers.registry(folder / "here") as here,
        servers.registry(folder / "there") as there,
        proxy(here.host) as near,
        proxy(there.host) as far,
    ):
        yield near, far


@pytest.fixture
def places(roads, monkeypatch):
    """(source, its proxy, destination, its proxy), with repositories of this test, no faults, and no pauses between tries."""
    monkeypatch.setattr(transport, "BASE_DELAY", 0.001)
    near, far = roads
    source, destination = (Pusher(road.host, Access(insecure=True), OPTIONS) for road in roads)
    destination.folder = source.folder
    yield source, near, destination, far
    for road in roads:
        del road.faults[:], road.seen[:]


def copy(source, destination, target="1", **params):
    return destination.run("app", target, source=source.name("app", target), source_insecure=True, **params)


def assert_whole(image, destination, target="1"):
    assert destination.raw("app", target) == image.raw
    for blob in image.blobs:
        assert (
            m.digest_of(destination.client.get_blob(destination.repository("app"), blob.digest, blob.size))
            == blob.digest
        )


ROADS = [
    ("near", "GET .*/manifests/1"),
    ("near", "GET .*/blobs/"),
    ("far", "HEAD .*/manifests/1"),
    ("far", "HEAD .*/blobs/"),
    ("far", "POST .*/uploads/"),
    ("far", "PUT .*/uploads/"),
    ("far", "PUT .*/manifests/1"),
]
FAULTS = {
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "500": {"status": 500},
    "502": {"status": 502},
    "503": {"status": 503, "headers": {"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}},
    "reset before": {"reset": "before"},
    "reset after": {"reset": "after"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_at_any_step_is_mended(places, fault):
    source, near, destination, far = places
    image = source.image("app", "1", layers=tuple(os.urandom(1000) for _layer in range(3)))
    for road, pattern in ROADS:
        (near if road == "near" else far).faults.append(Fault(pattern, **FAULTS[fault]))
    result = copy(source, destination)
    assert result["changed"] and result["blobs"]["copied"] == 4, result
    assert not [found for found in (*near.faults, *far.faults) if found.times], "a fault was never met"
    assert_whole(image, destination)


def test_a_wait_that_was_asked_for_is_kept(places):
    source, near, destination, _far = places
    source.image("app", "1")
    near.faults.append(Fault("GET .*/manifests/1", status=429, headers={"Retry-After": "1"}))
    assert copy(source, destination)["changed"]
    refused, again = near.requests("GET .*/manifests/1")[:2]
    assert again.at - refused.at >= 1


def test_a_blob_that_breaks_off_is_taken_up_where_it_broke(places):
    source, near, destination, _far = places
    image = source.image("app", "1", layers=(os.urandom(4_000_000),))
    layer = image.layers[0]
    for cut in (1_500_000, 1_000_000):
        near.faults.append(Fault(f"GET .*/blobs/{layer.digest}", cut=cut))
    assert copy(source, destination)["bytes_transferred"] == image.size
    ranges = [request.headers.get("Range", "bytes=0-") for request in near.requests(f"GET .*/blobs/{layer.digest}")]
    offsets = [int(text[len("bytes=") : -1]) for text in ranges]
    assert len(offsets) == 3 and 0 < offsets[1] <= 1_500_000 < offsets[2], offsets
    assert_whole(image, destination)


@pytest.mark.parametrize("pattern", ["GET .*/manifests/1", "GET .*/tags/list"])
def test_an_answer_that_is_cut_short_is_asked_for_again(places, pattern):
    source, near, destination, _far = places
    image = source.image("app", "1")
    near.faults.append(Fault(pattern, cut=20))
    assert copy(source, destination)["changed"] and not near.faults[0].times
    assert_whole(image, destination)


def test_an_upload_that_breaks_off_begins_again(places):
    source, _near, destination, far = places
    image = source.image("app", "1", layers=(os.urandom(2_000_000),))
    far.faults.append(Fault("PUT .*/uploads/", cut=500_000))
    assert copy(source, destination)["changed"] and not far.faults[0].times
    assert_whole(image, destination)


def test_an_upload_whose_answer_was_lost_is_not_made_twice(places):
    source, _near, destination, far = places
    image = source.image("app", "1", layers=(os.urandom(2000),))
    far.faults.append(Fault(f"PUT .*digest={image.layers[0].digest.replace(':', '(:|%3A)')}", reset="after"))
    assert copy(source, destination)["changed"] and not far.faults[0].times
    assert len(far.requests("PUT .*/uploads/")) == 2  # one for each blob


def test_slow_is_not_broken_but_silent_is(places):
    source, near, destination, _far = places
    source.image("app", "1", layers=(os.urandom(300_000),))
    near.faults.append(Fault("GET .*/blobs/", slow=0.2, times=2))
    assert copy(source, destination, source_timeout="2s")["changed"]
    near.faults.append(Fault("GET .*/manifests/2", slow=1.5))
    source.image("app", "2", layers=(b"other",))
    assert copy(source, destination, "2", source_timeout="1s")["changed"]
    assert len(near.requests("GET .*/manifests/2")) > 1


def test_a_registry_that_stays_down_is_told_with_what_was_left(places):
    source, near, destination, far = places
    old = destination.image("app", "1", layers=(b"old",))
    source.image("app", "1", layers=(b"new",))
    for road, pattern, words in (
        (far, "POST .*/uploads/", f"Not moved: {destination.name('app', '1')} ({old.digest})"),
        (near, "GET .*/blobs/", "HTTP 503"),
        (far, "PUT .*/manifests/1", "HTTP 503"),
    ):
        road.faults.append(Fault(pattern, status=503, times=1000))
        failed = copy(source, destination)
        assert failed["failed"] and words in failed["msg"] and "5 attempts" in failed["msg"], failed
        road.faults.clear()
        assert destination.digest("app", "1") == old.digest


@pytest.mark.parametrize("pattern", ["GET .*/blobs/", "GET .*/manifests/sha256"])
def test_bytes_that_change_on_the_way_are_not_taken(places, pattern):
    source, near, destination, _far = places
    old = destination.image("app", "1", layers=(b"old",))
    child = source.image("app", layers=(os.urandom(5000),))
    source.index("app", "1", amd64=child)
    near.faults.append(Fault(pattern, spoil=True, times=1000))
    failed = copy(source, destination)
    assert failed["failed"] and "digest" in failed["msg"]
    near.faults.clear()
    assert destination.digest("app", "1") == old.digest
    assert not destination.client.has_blob(destination.repository("app"), child.layers[0].digest)


def test_a_tag_that_moves_while_blobs_go_over(places):
    source, near, destination, _far = places
    source.image("app", "1")
    other = destination.image("app", "other", layers=(b"other",))
    moves = [lambda: destination.put("app", other, "1")]

    def move_once():
        moves.pop()()

    near.faults.append(Fault("GET .*/blobs/", then=move_once))
    refused = copy(source, destination, overwrite=False)
    assert refused["failed"] and "while this task was copying" in refused["msg"]
    assert destination.digest("app", "1") == other.digest
    assert copy(source, destination)["previous_digest"] == other.digest


def test_several_tags_of_which_one_fails(places):
    source, _near, destination, far = places
    image = source.image("app", "1")
    far.faults.append(Fault("PUT .*/manifests/second", status=400, times=9))
    failed = copy(source, destination, tags=["second", "third"])
    assert failed["failed"] and f"Not moved: {destination.name('app', 'second')} (absent)" in failed["msg"]
    assert destination.digest("app", "1") == image.digest and destination.digest("app", "third") is None


# -- the task in a process of its own ------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from peak_memory import peak
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
spec = REGISTRY_IMAGE.spec
params = ArgumentSpecValidator(spec.options, **spec.rules()).validate(json.loads(sys.argv[1])).validated_parameters
result = REGISTRY_IMAGE.execute(params, Context())
result["peak_bytes"] = peak()
print(json.dumps(result))
"""


def in_a_process(source, destination):
    options = {
        "image": destination.name("app", "1"),
        "source": source.name("app", "1"),
        "source_insecure": True,
        **OPTIONS,
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(options)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "step", ["POST .*/uploads/", "PUT .*/uploads/", "PUT .*/manifests/sha256", "HEAD .*/manifests/1"]
)
def test_a_copy_that_is_killed_leaves_the_tag_and_the_next_one_finishes(places, step):
    source, _near, destination, far = places
    old = destination.image("app", "1", layers=(b"old",))
    child = source.image("app", layers=(os.urandom(300_000),))
    index = source.index("app", "1", amd64=child)
    started = []
    at = 2 if step.startswith("HEAD") else 1  # the second look at the tag comes right before it is put
    far.faults += [Fault(step)] * (at - 1)
    far.faults.append(Fault(step, then=lambda: started[0].send_signal(signal.SIGKILL)))
    started.append(in_a_process(source, destination))
    started[0].communicate(timeout=60)
    assert started[0].returncode == -signal.SIGKILL
    assert destination.digest("app", "1") == old.digest
    far.faults.clear()
    assert copy(source, destination)["previous_digest"] == old.digest
    assert destination.raw("app", "1") == index.raw


class Zeros:
    def __init__(self, size):
        self.left = size

    def read(self, size):
        piece = bytes(min(size, self.left))
        self.left -= len(piece)
        return piece


def test_a_large_layer_takes_little_memory(tmp_path):
    """More bytes than the task may have in memory; tests/benchmarks/copy_memory.py does it with 2 GB."""
    size = 160 * 1024 * 1024
    digest = "sha256:" + zeros_digest(size)
    with servers.registry(tmp_path / "here") as here, servers.registry(tmp_path / "there") as there:
        source, destination = (Pusher(found.host, Access(), OPTIONS) for found in (here, there))
        destination.folder = source.folder
        source.client.upload_blob(source.repository("app"), digest, size, lambda: Zeros(size))
        config = source.blob("app", b"{}", m.OCI_CONFIG)
        layers = [m.Descriptor(m.OCI_LAYER, digest, size).to_dict()]
        data = {"schemaVersion": 2, "mediaType": m.OCI_MANIFEST, "config": config, "layers": layers}
        source.put("app", m.Manifest.build(data, m.OCI_MANIFEST), "1")
        done = in_a_process(source, destination)
        result = json.loads(done.communicate(timeout=120)[0])
        assert result["bytes_transferred"] == size + 2
        assert result["peak_bytes"] < 150 * 1024 * 1024, "the layer, or much of it, was in memory"
        assert destination.digest("app", "1") == source.digest("app", "1")


def zeros_digest(size):
    found = hashlib.sha256()
    for _block in range(size // (1024 * 1024)):
        found.update(bytes(1024 * 1024))
    return found.hexdigest()
