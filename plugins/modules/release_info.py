#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers from the ledger: what is current, what came before, where a rollback goes, which images are in use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Ask the ledger what is released where
version_added: 0.1.0
description:
  - Reads the ledger that M(slipway.delivery.release) keeps, at one moment, and writes nothing. A ledger that does not exist
    yet is an empty one.
  - A rollback without a name goes to the healthy release before the current one, with other content. Rolling back twice goes
    back twice. After releases 1 and 2, a rollback to 1 makes release 3 with the content of 1, and the next target is what was
    healthy before 1. What was rolled back from is reached again only by its name (O(to)) or by deploying it.
  - While the newest attempt left hosts behind (it is open, abandoned, mixed, or failed with hosts that did not go back), a
    rollback goes to the current release, the last that was healthy. When that attempt was a rollback itself, it goes on to
    where it was going.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes.info
  - slipway.delivery.ledger
options:
  app:
    description: Name of the app; without it, every app of the ledger.
    type: str
  environment_name:
    description:
      - Name of the environment; without it, every environment. Most answers are about one app in one environment, and empty
        unless both are named.
    type: str
  to:
    description:
      - What a rollback goes back to, a version or a release number that was healthy there. A name that is both is the
        version; V(#7) is always a number. Fails, listing what is possible, for any other.
    type: str
  version:
    description: The version that RV(candidate) is about. Fails, listing what there is, for one that did not arrive there.
    type: str
  limit:
    description: How many releases RV(history) has at most.
    type: int
    default: 20
  keep:
    description: How many of the newest healthy releases of each environment count as in use.
    type: int
    default: 5
seealso:
  - module: slipway.delivery.release
"""

EXAMPLES = r"""
---
- name: Where would a rollback go
  slipway.delivery.release_info:
    ledger: /var/lib/slipway/ledger.db
    app: webapi
    environment_name: prod
  register: ledger

- name: Show it
  ansible.builtin.debug:
    msg: "{{ ledger.rollback_reason }}"

- name: Images that no retention may touch
  slipway.delivery.release_info:
    ledger: /var/lib/slipway/ledger.db
    keep: 3
"""

RETURN = r"""
current:
  description: The newest healthy release, which the environment is meant to run.
  returned: success, null while there is none
  type: dict
  contains: &release
    number: {description: Its number., returned: always, type: int, sample: 42}
    version: {description: The app's version., returned: always, type: str, sample: 1.4.2}
    image: {description: Reference of its image., returned: always, type: str, sample: "registry.example.com/prod/webapi:1.4.2"}
    digest:
      description: Manifest digest of its image.
      returned: always
      type: str
      sample: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
    config_revision: {description: Revision of its settings., returned: always, type: str, sample: 9c1185a5c5e9}
    run_spec: {description: How its container runs., returned: always, type: dict, sample: {memory: 1g}}
    content:
      description: Hash of digest, config revision and run spec; releases that run the same have the same.
      returned: always
      type: str
      sample: sha256:0a041b9462caa4a31bac3567e0b6e6fd9100787db2ab433d96f6d178cabfce90
    kind: {description: V(deploy) or V(rollback)., returned: always, type: str, sample: deploy}
    rollback_of: {description: The release that a rollback goes back to., returned: always, type: int, sample: 41}
    reason: {description: Why it was opened., returned: always, type: str, sample: hotfix for the login}
    owner: {description: Who opened it., returned: always, type: str, sample: ann}
    build_url: {description: The CI job that opened it., returned: always, type: str, sample: https://ci.example.com/job/webapi/7/}
    state:
      description: V(open), V(healthy), V(failed), V(reverted), V(mixed) or V(abandoned).
      returned: always
      type: str
      sample: healthy
    message: {description: What was said when it was closed., returned: always, type: str, sample: 2 of 2 hosts switched}
    attempt: {description: How often it was begun., returned: always, type: int, sample: 1}
    opened_at: {description: When it was opened., returned: always, type: str, sample: "2026-03-01T09:30:00.000Z"}
    closed_at: {description: When it was closed., returned: always, type: str, sample: "2026-03-01T09:31:12.250Z"}
previous:
  description: The newest healthy release before it that has other content.
  returned: success, null while there is none
  type: dict
  contains: *release
open:
  description: The release that is being rolled out, or whose run was killed.
  returned: success, null while there is none
  type: dict
  contains: *release
rollback_target:
  description: The release that a rollback goes back to, by O(to) or by the rules above.
  returned: success, null when there is none
  type: dict
  contains: *release
rollback_reason:
  description: Why it is this one, or why there is none.
  returned: success, null unless app and environment are named
  type: str
  sample: Release 42 (1.4.2) is current; 41 (1.4.1) was healthy before it.
history:
  description: The newest releases, the newest first.
  returned: success
  type: list
  elements: dict
  contains: *release
candidates:
  description: What can be deployed there, the newest arrival first.
  returned: success
  type: list
  elements: dict
  contains: &arrival
    version: {description: The app's version., returned: always, type: str, sample: 1.4.2}
    digest:
      description: Manifest digest of the image.
      returned: always
      type: str
      sample: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
    image: {description: Reference of the image., returned: always, type: str, sample: "registry.example.com/test/webapi:1.4.2"}
    how: {description: V(built) or V(promoted)., returned: always, type: str, sample: built}
    from_environment: {description: Where a promoted image came from., returned: always, type: str, sample: test}
    artifact: {description: What it was built from., returned: always, type: dict, sample: {md5: 9e107d9d372bb6826bd81d3542a419d6}}
    source: {description: Where its source is., returned: always, type: dict, sample: {branch: main}}
    build_url: {description: The CI job., returned: always, type: str, sample: https://ci.example.com/job/webapi/7/}
    at: {description: When it arrived., returned: always, type: str, sample: "2026-03-01T09:12:00.000Z"}
newest:
  description: The newest of them.
  returned: success, null while there is none
  type: dict
  contains: *arrival
candidate:
  description: The arrival of O(version), or the newest.
  returned: success, null while there is none
  type: dict
  contains: *arrival
healthy_versions:
  description: Versions that were ever healthy there, the most recent first.
  returned: success
  type: list
  elements: str
  sample: [1.4.2, 1.4.1]
next_version:
  description: The version after the newest build of the app in any environment; V(1.0.0) when nothing was built.
  returned: success, null unless the app is named
  type: str
  sample: 1.4.3
hosts:
  description: How every host came through the last release it took part in, by host name.
  returned: success
  type: dict
  sample:
    web1:
      host: web1
      release: 42
      attempt: 1
      outcome: switched
      digest: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
      container_id: 4f0c1e6a9d2b
      timings: {outage: 2.4}
      why: null
      at: "2026-03-01T09:30:41.118Z"
lock:
  description: The lock, also when its time is over and nobody took it since.
  returned: success, null when nobody holds it
  type: dict
  contains: &lock
    owner: {description: Who holds it., returned: always, type: str, sample: ann}
    host: {description: The machine that took it., returned: always, type: str, sample: ci-7}
    build_url: {description: The CI job that holds it., returned: always, type: str, sample: https://ci.example.com/job/webapi/7/}
    lock_owner: {description: Token of the run that holds it., returned: always, type: str, sample: 0f7b2c31}
    since: {description: When it was taken., returned: always, type: str, sample: "2026-03-01T09:29:58.000Z"}
    renewed_at: {description: When it was renewed last., returned: always, type: str, sample: "2026-03-01T09:34:58.000Z"}
    expires: {description: When another run may take it over., returned: always, type: str, sample: "2026-03-01T09:44:58.000Z"}
    fence: {description: Its fencing number., returned: always, type: int, sample: 17}
    expired: {description: Whether its time is over., returned: always, type: bool, sample: false}
environments:
  description: A summary for every app and environment that O(app) and O(environment_name) leave.
  returned: success
  type: list
  elements: dict
  contains:
    app: {description: Name of the app., returned: always, type: str, sample: webapi}
    environment_name: {description: Name of the environment., returned: always, type: str, sample: prod}
    current: {description: As RV(current)., returned: always, type: dict, contains: *release}
    previous: {description: As RV(previous)., returned: always, type: dict, contains: *release}
    open: {description: As RV(open)., returned: always, type: dict, contains: *release}
    newest: {description: As RV(newest)., returned: always, type: dict, contains: *arrival}
    lock: {description: As RV(lock)., returned: always, type: dict, contains: *lock}
digests_in_use:
  description:
    - Digests that no retention may remove, of the app in all its environments, or of all apps. Those of current, previous,
      open and unsettled releases, of rollback targets, and of the last O(keep) healthy releases.
  returned: success
  type: list
  elements: str
  sample: [sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03]
forgotten_digests:
  description:
    - Digests of releases of O(app) in O(environment_name) that are not in RV(digests_in_use), so that
      M(slipway.delivery.app_prune) may take their images off the hosts. Empty unless both are given.
  returned: success
  type: list
  elements: str
  sample: []
in_use:
  description: The releases behind RV(digests_in_use), each with the reason.
  returned: success
  type: list
  elements: dict
  contains:
    app: {description: Name of the app., returned: always, type: str, sample: webapi}
    environment_name: {description: Name of the environment., returned: always, type: str, sample: prod}
    release: {description: Number of the release., returned: always, type: int, sample: 42}
    version: {description: The app's version., returned: always, type: str, sample: 1.4.2}
    digest:
      description: Manifest digest of its image.
      returned: always
      type: str
      sample: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
    why:
      description: V(current), V(previous), V(rollback target), V(not settled) or V(one of the last 5 healthy).
      returned: always
      type: str
      sample: current
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.release_info import RELEASE_INFO


def main() -> None:
    run_module(RELEASE_INFO)


if __name__ == "__main__":
    main()
