# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: bytes kept, digests checked, types agreed on."""

from __future__ import annotations

import json

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import IntegrityError, UnsupportedError

LAYER = {"mediaType": m.OCI_LAYER_GZIP, "digest": "sha256:" + "1" * 64, "size": 10}
CONFIG = {"mediaType": m.OCI_CONFIG, "digest": "sha256:" + "2" * 64, "size": 5}


def image(**more):
    return {"schemaVersion": 2, "mediaType": m.OCI_MANIFEST, "config": CONFIG, "layers": [LAYER, LAYER], **more}


def test_reads_an_image_and_keeps_its_bytes():
    raw = json.dumps(image(), indent=3).encode() + b"\n"
    manifest = m.Manifest(raw, m.OCI_MANIFEST + "; charset=utf-8")
    assert manifest.raw == raw
    assert manifest.digest == m.digest_of(raw)
    assert manifest.media_type == m.OCI_MANIFEST
    assert [layer.digest for layer in manifest.layers] == [LAYER["digest"]] * 2
    assert [blob.digest for blob in manifest.blobs] == [CONFIG["digest"], LAYER["digest"]]
    assert manifest.size == 15
    assert manifest.children == [] and not manifest.is_index


def test_an_index_has_children_and_no_size():
    child = {"mediaType": m.OCI_MANIFEST, "digest": "sha256:" + "3" * 64, "size": 7, "platform": {"os": "linux"}}
    manifest = m.Manifest.build({"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": [child]}, m.OCI_INDEX)
    assert manifest.is_index and manifest.size is None and manifest.blobs == []
    assert manifest.children[0].to_dict() == child


def test_a_digest_that_differs_is_refused():
    with pytest.raises(IntegrityError, match="sha256:" + "0" * 64):
        m.Manifest(json.dumps(image()).encode(), m.OCI_MANIFEST, "sha256:" + "0" * 64)


def test_sha512_digests_are_checked_as_such():
    raw = json.dumps(image()).encode()
    digest = m.digest_of(raw, "sha512:")
    assert m.Manifest(raw, m.OCI_MANIFEST, digest).digest == digest


@pytest.mark.parametrize(
    ("raw", "media_type", "error", "words"),
    [
        (b"<html>login</html>", m.OCI_MANIFEST, IntegrityError, "no JSON"),
        (b"[]", m.OCI_MANIFEST, IntegrityError, "no object"),
        (json.dumps(image()).encode(), m.DOCKER_MANIFEST, IntegrityError, "calls itself"),
        (b'{"schemaVersion": 1}', "application/json", UnsupportedError, "schema 1"),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", UnsupportedError, "schema 1"),
        (b"{}", "application/json", UnsupportedError, "no image manifest"),
        (b" " * (m.MANIFEST_LIMIT + 1), m.OCI_MANIFEST, IntegrityError, "refused"),
    ],
)
def test_refuses(raw, media_type, error, words):
    with pytest.raises(error, match=words):
        m.Manifest(raw, media_type)


@pytest.mark.parametrize("broken", [{"size": 1}, {"digest": "sha256:1"}, {"digest": "sha256:1", "size": -1}, 7])
def test_broken_descriptors_are_refused_when_read(broken):
    manifest = m.Manifest.build(image(layers=[broken]), m.OCI_MANIFEST)
    with pytest.raises(IntegrityError, match="descriptor"):
        assert manifest.layers


def test_foreign_layers_are_told_apart():
    docker = m.Descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "sha256:1", 1)
    oci = m.Descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", "sha256:1", 1)
    assert docker.foreign and oci.foreign and not m.Descriptor(m.OCI_LAYER_GZIP, "sha256:1", 1).foreign


def test_a_manifest_without_a_type_in_the_header_uses_its_own():
    assert m.Manifest(json.dumps(image()).encode(), "application/json").media_type == m.OCI_MANIFEST
    bare = image()
    del bare["mediaType"]
    assert m.Manifest(json.dumps(bare).encode(), "").media_type == m.OCI_MANIFEST
