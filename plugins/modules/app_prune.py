#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the images of an app's forgotten releases off a Docker host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_prune
short_description: Take the images of an app's forgotten releases off a Docker host
version_added: 0.1.0
description:
  - Removes images of one app from one Docker host by digest, namely those in O(digests) that no container on the host was made
    from, running or not, of whatever app.
  - Only names in O(repository) are taken away. An image that another environment's repository names too stays under that name.
  - Images whose digest is not in O(digests) are never touched, so what nobody recorded is safe.
  - Containers of one-off commands that a killed run left behind, ended, are removed as well.
  - M(slipway.delivery.release_info) tells which digests are in use; the playbook C(deploy.yml) asks it after each healthy release.
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.docker
options:
  app:
    description: The app.
    type: str
    required: true
  environment_name:
    description: The environment that the host belongs to.
    type: str
    required: true
  repository:
    description: Repository of the app's images in this environment, with its registry and without a tag.
    type: str
    required: true
  digests:
    description: Manifest digests that may go.
    type: list
    elements: str
    required: true
  keep:
    description: Manifest digests that stay in any case.
    type: list
    elements: str
    default: []
seealso:
  - module: slipway.delivery.app_container
  - module: slipway.delivery.release_info
author:
  - Slipway contributors (@slipway)
"""

EXAMPLES = r"""
---
- name: What the ledger still needs
  slipway.delivery.release_info:
    ledger: /srv/slipway/ledger.db
    app: webapi
    environment_name: prod
    limit: 1000
  register: ledger
  delegate_to: localhost

- name: Forget the others
  slipway.delivery.app_prune:
    docker_host: tcp://10.0.0.11:2375
    app: webapi
    environment_name: prod
    repository: registry.example.com/prod/shop/webapi
    digests: "{{ ledger.history | map(attribute='digest') | unique | difference(ledger.digests_in_use) }}"
    keep: "{{ ledger.digests_in_use }}"
"""

RETURN = r"""
removed:
  description: Images that were removed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains: &image
    id:
      description: The engine's id of it.
      returned: success
      type: str
      sample: sha256:9e2bbca079387d7965c3a9cee6d0c53f4f4e63ff7637877a83c4c05f2a666112
    digest:
      description: Its manifest digest.
      returned: success
      type: str
      sample: sha256:f24073b5e1e71e684391eba47043d746b1fbb3061a5976ed0525e46313ef727f
    references:
      description: Its names in O(repository).
      returned: success
      type: list
      elements: str
      sample: ["registry.example.com/prod/shop/webapi:1.4.2"]
    size:
      description: Bytes, with the layers that it shares with other images.
      returned: success
      type: int
      sample: 183500800
    reason:
      description: Why it goes or stays.
      returned: success
      type: str
      sample: no release that is kept has it
kept:
  description: The app's images that stay.
  returned: success
  type: list
  elements: dict
  contains: *image
containers:
  description: Names of ended one-off containers that were removed.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.engine.prune import APP_PRUNE


def main() -> None:
    run_module(APP_PRUNE)


if __name__ == "__main__":
    main()
