#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the images of a repository that no rule keeps and nobody uses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_prune
short_description: Delete the images of a repository that no rule keeps and nobody uses
version_added: 0.1.0
description:
  - Makes a plan over one repository, with a reason for each digest, and carries it out. Check mode makes the plan only.
  - An image (a digest with all its tags) goes only when no rule keeps any of its tags and nothing in O(in_use) means it. What
    an image needs or what is about it (platforms of an index, signatures, SBOMs) stays and goes with it.
  - What cannot be read is never deleted, nor is anything else when it could be needed by what cannot be read.
  - Versions are ordered as versions, not as text. A tag that is no version (V(latest), V(main-4f2a9c)) keeps its image, unless
    O(group_by) says where in it the version stands.
  - Right before each deletion the image's tags are looked at again, and all other tags time and again. What was tagged, moved or
    put to use in the meantime stays. At the end, everything that was to stay is looked at once more.
  - Registries free the space when they collect garbage, which is theirs to start.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.registry
options:
  repository:
    description: The repository, such as V(registry.example.com/prod/webapi).
    type: str
    required: true
  in_use:
    description:
      - What hosts run, what they keep to go back to, and what releases need, of all environments. An empty list has to be
        said too.
      - Each item is a digest, an image reference, or a dict with any of C(image), C(digest) and C(image_id); other keys are
        not read, so facts of M(slipway.delivery.app_container_info) and M(slipway.delivery.release_info) can be given as they
        are. C(who) is shown in the plan's reasons.
      - A digest may be that of the manifest, of an index, of a platform in it, or of a config (which Docker shows as image ID).
        It is compared whatever registry the reference names.
    type: list
    elements: raw
    required: true
  allow_unknown:
    description:
      - Whether items of O(in_use) may name what this repository does not have. Without it, an item that names this repository,
        or that is a bare digest, must be found, or nothing is deleted. Items that name another repository need not be found.
    type: bool
    default: false
  keep_last:
    description: How many images of each stream of versions stay, the newest. At least 1.
    type: int
    default: 10
  keep_tags:
    description: Regular expressions; an image stays when one is found in any of its tags.
    type: list
    elements: str
    default: []
  keep_newer_than:
    description: Images younger than this stay, such as V(30d).
    type: str
  group_by:
    description:
      - Regular expression that splits tags into streams; what its groups found names the stream, and O(keep_last) counts in each.
        A group named C(version) is what is read as the version, else the whole tag is. Tags in which it is not found are no
        versions.
      - Without it, there is one stream, and one more for each ending that is no pre-release (V(1.4.2-alpine)).
    type: str
  min_age:
    description:
      - Images younger than this stay, since they may have been pushed and not yet deployed. V(0) for none.
      - The age is that of the image's own date (or of O(pushed)), since registries do not tell when it was pushed. Dates before the
        year 2000, which reproducible builds make up, count as unknown, and an image of unknown age stays.
    type: str
    default: 24h
  pushed:
    description: Digests with the time that they were pushed at, where somebody knows, such as C(at) of a ledger's arrivals.
    type: dict
    default: {}
  max_delete:
    description: How many images may go at once, as a number or as a share of all. A plan with more fails and deletes nothing.
    type: str
    default: 50%
  plan_digest:
    description: RV(plan_digest) of a plan that was looked at. With any other plan, nothing is deleted.
    type: str
seealso:
  - module: slipway.delivery.registry_image
  - module: slipway.delivery.app_container_info
  - module: slipway.delivery.release_info
"""

EXAMPLES = r"""
---
- name: See what would go, and why
  slipway.delivery.registry_prune:
    repository: registry.example.com/prod/webapi
    keep_last: 10
    keep_tags: ["^stable$"]
    in_use: "{{ containers_of_all_hosts + ledger.in_use }}"
  check_mode: true
  register: retention

- name: Delete exactly that
  slipway.delivery.registry_prune:
    repository: registry.example.com/prod/webapi
    keep_last: 10
    keep_tags: ["^stable$"]
    in_use: "{{ containers_of_all_hosts + ledger.in_use }}"
    plan_digest: "{{ retention.plan_digest }}"

- name: Keep the newest five builds of each branch (main-17, release-3)
  slipway.delivery.registry_prune:
    repository: registry.example.com/test/webapi
    group_by: "^(?P<branch>[a-z]+)-(?P<version>[0-9]+)$"
    keep_last: 5
    keep_newer_than: 14d
    in_use: "{{ containers_of_all_hosts }}"
"""

RETURN = r"""
repository:
  description: Registry and repository, Docker Hub's short names written out.
  returned: success
  type: str
  sample: registry.example.com/prod/webapi
plan:
  description: What becomes of each manifest and why, those that go first. Also there when the task failed after planning.
  returned: success
  type: list
  elements: dict
  contains:
    digest:
      description: Its digest.
      returned: always
      type: str
      sample: sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
    tags:
      description: Its tags; none for a platform of an index.
      returned: always
      type: list
      elements: str
      sample: ["1.3.0"]
    kind:
      description: V(image), V(index), V(referrer) (a signature or the like) or V(schema1).
      returned: always
      type: str
      sample: image
    action:
      description: V(delete) or V(keep).
      returned: always
      type: str
      sample: delete
    why:
      description: Every reason.
      returned: always
      type: list
      elements: str
      sample: [no rule keeps it]
plan_digest:
  description: One hash over what would be deleted, for O(plan_digest).
  returned: success
  type: str
  sample: sha256:0a041b9462caa4a31bac3567e0b6e6fd9100787db2ab433d96f6d178cabfce90
deleted:
  description: Digests that went, in their order; in check mode those that would.
  returned: success
  type: list
  elements: str
  sample: []
left:
  description: Digests of the plan that stayed after all, as something changed in the meantime, and what.
  returned: success
  type: dict
  sample: {}
tags:
  description: Tags that went.
  returned: success
  type: list
  elements: str
  sample: ["1.3.0"]
images:
  description: How many images there were, and how many of them the plan deletes.
  returned: success
  type: dict
  contains:
    found:
      description: Digests with a tag of their own.
      returned: always
      type: int
      sample: 42
    deleted:
      description: Those that the plan deletes.
      returned: always
      type: int
      sample: 7
requests:
  description: HTTP requests that the task made, logins and repeated ones included.
  returned: success
  type: int
  sample: 96
diff:
  description: The tags that go, and what they name now. The headers name the repository.
  returned: success
  type: dict
  sample:
    before_header: registry.example.com/prod/webapi
    after_header: registry.example.com/prod/webapi
    before:
      "1.3.0": sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
    after: {}
request:
  description: The request that failed.
  returned: when the registry refused a request
  type: dict
  contains:
    method:
      description: HTTP method.
      returned: always
      type: str
      sample: DELETE
    url:
      description: Address without query and user.
      returned: always
      type: str
      sample: https://registry.example.com/v2/prod/webapi/manifests/sha256:5a365bc0007382ba6abe1f3edc3c89df61a4150a1c6caffefc466881eec1b3d4
    status:
      description: HTTP status; null when nothing was answered.
      returned: always
      type: int
      sample: 405
    code:
      description: The registry's error code.
      returned: always
      type: str
      sample: UNSUPPORTED
    detail:
      description: The registry's own message.
      returned: always
      type: str
      sample: The operation is unsupported.
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_prune import REGISTRY_PRUNE


def main() -> None:
    run_module(REGISTRY_PRUNE)


if __name__ == "__main__":
    main()
