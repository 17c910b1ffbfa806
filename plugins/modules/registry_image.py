#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retag, promote, copy and delete images by a registry's HTTP API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image
short_description: Retag, promote, copy or delete an image in a registry
version_added: 0.1.0
description:
  - Makes a tag of a registry name an image of the same repository, of another one, or of another registry, without pulling
    it. The manifest is copied byte by byte, so the digest stays the same; an index brings all its platforms.
  - A retag takes 3 requests and moves no bytes. Between repositories of one registry, blobs are mounted. Between registries
    they are streamed and verified, and never touch a disk.
  - Tags are moved last. An interrupted copy leaves every tag as it was.
  - Deleting removes the tag that was named and nothing else, also on registries that can only delete a digest together with
    all its tags.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.registry
  - slipway.delivery.registry.source
options:
  image:
    description:
      - The image to make or to delete, such as V(registry.example.com/prod/webapi:1.4.2). Without tag and digest, the tag is
        V(latest).
      - A digest behind the tag says what the image must be, as O(digest) does. A digest without a tag names the manifest
        itself.
    type: str
    required: true
  source:
    description:
      - The image that O(image) shall be, by tag or digest.
      - Without it, O(image) must exist already, and only O(tags) are made.
    type: str
  tags:
    description:
      - Further tags of O(image)'s repository that shall name the same digest, or with O(state=absent) go with it.
    type: list
    elements: str
    default: []
  digest:
    description: The digest that the source, or with O(state=absent) the tag, must have. With any other, nothing happens.
    type: str
  overwrite:
    description:
      - Whether a tag that names another digest is moved. With V(false), such a tag is an error.
      - Registries have no atomic form of this check. It is made before the work, and again before the tag is put when blobs
        had to go over in between.
    type: bool
    default: true
  referrers:
    description:
      - Whether signatures, SBOMs and attestations are copied with the image (found by the referrers API, by its fallback tag,
        and by cosign's tags), or deleted with a digest that is deleted. Within one repository they are there already.
    type: bool
    default: true
  state:
    description:
      - V(present) makes the tags name the image.
      - V(absent) deletes them. An O(image) by digest deletes the manifest, and is refused while it has tags, unless
        O(force_siblings=true), or while it is a platform of a tagged index.
    type: str
    choices: [present, absent]
    default: present
  force_siblings:
    description:
      - With O(state=absent), whether other tags of the same digest may be removed too where the registry cannot do
        without.
    type: bool
    default: false
seealso:
  - module: slipway.delivery.registry_image_info
"""

EXAMPLES = r"""
---
- name: Promote what was tested, by digest, under two tags
  slipway.delivery.registry_image:
    source: registry.example.com/test/webapi@sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
    image: registry.example.com/prod/webapi:1.4.2
    tags: [stable]
    overwrite: false
    username: deployer
    password: "{{ registry_password }}"

- name: Bring a base image from another registry
  slipway.delivery.registry_image:
    source: docker.io/library/tomcat:10-jre17
    image: registry.example.com/base/tomcat:10
    ca_path: /etc/ssl/company-ca.pem

- name: Give an image that is there a further tag
  slipway.delivery.registry_image:
    image: registry.example.com/prod/webapi:1.4.2
    tags: [latest]

- name: Delete one tag, and only that
  slipway.delivery.registry_image:
    image: registry.example.com/prod/webapi:1.3.0
    state: absent
"""

RETURN = r"""
image:
  description: The reference as it was understood, Docker Hub's short names written out.
  returned: success
  type: str
  sample: registry.example.com/prod/webapi:1.4.2
digest:
  description: Manifest digest that all the tags name; null after O(state=absent).
  returned: success
  type: str
  sample: sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
previous_digest:
  description: Digest that O(image) named before; null if it did not exist.
  returned: success
  type: str
  sample: sha256:e03c1e2f2fa4ee3d5adba0c87d3e4dd9a4ac25ef0b95f5bfba5ff8d6d7a9d9a0
media_type:
  description: Media type of the manifest; null with O(state=absent).
  returned: success
  type: str
  sample: application/vnd.oci.image.manifest.v1+json
size:
  description:
    - Bytes of config and layers as the registry holds them; null for an index, whose platforms differ, and with
      O(state=absent).
  returned: success
  type: int
  sample: 84213911
tags:
  description: The tags that name the image now, of those that the task was given; with O(state=absent), those that were removed.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2", "stable"]
referrers:
  description: Digests of the signatures, SBOMs and attestations that were copied.
  returned: success
  type: list
  elements: str
  sample: []
requests:
  description: HTTP requests that the task made, logins and repeated ones included.
  returned: success
  type: int
  sample: 3
bytes_transferred:
  description: Bytes of blobs that went through this task. Mounted blobs and manifests do not count.
  returned: success
  type: int
  sample: 0
blobs:
  description:
    - How many blobs came over in which way. Check mode foretells that every blob of the same registry can be mounted.
  returned: success
  type: dict
  contains:
    mounted:
      description: Blobs that the registry took from another of its repositories.
      returned: always
      type: int
      sample: 11
    existing:
      description: Blobs that were there already.
      returned: always
      type: int
      sample: 0
    copied:
      description: Blobs that were streamed.
      returned: always
      type: int
      sample: 0
diff:
  description: The tags that change, and the digests that they name before and after. The headers name the repository.
  returned: success
  type: dict
  sample:
    before_header: registry.example.com/prod/webapi
    after_header: registry.example.com/prod/webapi
    before: {}
    after:
      "1.4.2": sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
request:
  description: The request that failed.
  returned: when the registry refused a request
  type: dict
  contains:
    method:
      description: HTTP method.
      returned: always
      type: str
      sample: PUT
    url:
      description: Address without query and user.
      returned: always
      type: str
      sample: https://registry.example.com/v2/prod/webapi/manifests/1.4.2
    status:
      description: HTTP status; null when nothing was answered.
      returned: always
      type: int
      sample: 403
    code:
      description: The registry's error code.
      returned: always
      type: str
      sample: DENIED
    detail:
      description: The registry's own message.
      returned: always
      type: str
      sample: requested access to the resource is denied
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE


def main() -> None:
    run_module(REGISTRY_IMAGE)


if __name__ == "__main__":
    main()
