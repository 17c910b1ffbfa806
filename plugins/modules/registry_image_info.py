#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a registry about an image, without pulling it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_info
short_description: Ask a registry about an image
version_added: 0.1.0
description:
  - Reads an image's digest, platforms, labels, layers and referrers from its registry, and on request all tags of its
    repository, without pulling anything but the image's config.
  - An image that does not exist is an answer, RV(exists=false), and no failure. A registry that cannot be reached or that
    refuses the login is one.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes.info
  - slipway.delivery.registry
options:
  image:
    description:
      - The image by tag or digest. Without either, the tag is V(latest). With both, a tag that names another digest is an
        error.
    type: str
    required: true
  tags:
    description: Whether all tags of the repository are returned with their digests, which takes one request for each tag.
    type: bool
    default: false
  referrers:
    description: Whether signatures, SBOMs and attestations are looked for.
    type: bool
    default: true
  platform:
    description:
      - Which platform of an index RV(labels), RV(created), RV(size) and RV(layers) are about, such as V(linux/arm64). Without
        it V(linux/amd64), or the first where there is no such.
    type: str
seealso:
  - module: slipway.delivery.registry_image
"""

EXAMPLES = r"""
---
- name: See what the tag is
  slipway.delivery.registry_image_info:
    image: registry.example.com/prod/webapi:1.4.2
  register: webapi

- name: Stop unless it is there
  ansible.builtin.assert:
    that: webapi.exists

- name: List all versions with their digests
  slipway.delivery.registry_image_info:
    image: registry.example.com/prod/webapi
    tags: true
    referrers: false
"""

RETURN = r"""
exists:
  description: Whether the registry has this image. Where it has not, the facts below are null or empty.
  returned: success
  type: bool
  sample: true
image:
  description: The reference as it was understood, Docker Hub's short names written out.
  returned: success
  type: str
  sample: registry.example.com/prod/webapi:1.4.2
registry:
  description: Host and port of the registry.
  returned: success
  type: str
  sample: registry.example.com
repository:
  description: The repository's name in the registry.
  returned: success
  type: str
  sample: prod/webapi
digest:
  description: Manifest digest; for an image of several platforms, the index's.
  returned: success
  type: str
  sample: sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
media_type:
  description: Media type of the manifest or index.
  returned: success
  type: str
  sample: application/vnd.oci.image.manifest.v1+json
size:
  description: Bytes of config and layers of RV(platform), as the registry holds them.
  returned: success
  type: int
  sample: 84213911
created:
  description: When the image says it was made, RFC 3339.
  returned: success
  type: str
  sample: "2026-03-01T10:20:30Z"
platform:
  description: The platform that labels, size and layers are about.
  returned: success
  type: str
  sample: linux/amd64
platforms:
  description: All platforms of the image, in its own order.
  returned: success
  type: list
  elements: dict
  contains:
    platform:
      description: The parts in one word.
      returned: always
      type: str
      sample: linux/arm64/v8
    os:
      description: Operating system.
      returned: always
      type: str
      sample: linux
    architecture:
      description: Processor architecture, in Go's words.
      returned: always
      type: str
      sample: arm64
    variant:
      description: Variant of the architecture, or empty.
      returned: always
      type: str
      sample: v8
    digest:
      description: Manifest digest of this platform.
      returned: always
      type: str
      sample: sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
labels:
  description: Labels of the image's config.
  returned: success
  type: dict
  sample: {"org.opencontainers.image.version": "1.4.2"}
annotations:
  description: Annotations of the manifest.
  returned: success
  type: dict
  sample: {}
config_digest:
  description: Digest of the config, which Docker's classic image store shows as the image's id.
  returned: success
  type: str
  sample: sha256:0c1f5f1f4d2f9a6e5c8a4a3fd8a39e3f6c1c2f96d3b0c3f2d1a0b9c8d7e6f5a4
layers:
  description: Layers of RV(platform), the lowest first.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: Digest of the layer as the registry holds it.
      returned: always
      type: str
      sample: sha256:7e18e8b1e2c4c9d1b6a2d1d0e3e5f7a9b8c6d4e2f0a1b3c5d7e9f8a6b4c2d0e1
    size:
      description: Its bytes.
      returned: always
      type: int
      sample: 31411200
    media_type:
      description: Its media type.
      returned: always
      type: str
      sample: application/vnd.oci.image.layer.v1.tar+gzip
referrers:
  description: Manifests that refer to the image.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: Digest of the referring manifest.
      returned: always
      type: str
      sample: sha256:9b2e4f6a8c0d1e3f5a7b9c8d6e4f2a0b1c3d5e7f9a8b6c4d2e0f1a3b5c7d9e8f
    media_type:
      description: Its media type.
      returned: always
      type: str
      sample: application/vnd.oci.image.manifest.v1+json
    artifact_type:
      description: What it is, in the words of who made it; null where that is not said.
      returned: always
      type: str
      sample: application/spdx+json
    size:
      description: Bytes of the referring manifest.
      returned: always
      type: int
      sample: 512
    annotations:
      description: Its annotations.
      returned: always
      type: dict
      sample: {}
    tag:
      description: The cosign tag that it was found by; null for one that names its subject.
      returned: always
      type: str
      sample: null
tags:
  description: All tags of the repository, sorted by name; empty unless O(tags=true).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The tag.
      returned: always
      type: str
      sample: 1.4.2
    digest:
      description: The digest it names.
      returned: always
      type: str
      sample: sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
requests:
  description: HTTP requests that the task made.
  returned: success
  type: int
  sample: 4
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image_info import REGISTRY_IMAGE_INFO


def main() -> None:
    run_module(REGISTRY_IMAGE_INFO)


if __name__ == "__main__":
    main()
