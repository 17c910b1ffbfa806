#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records builds, promotions, releases, host outcomes and locks in the ledger."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Record builds, releases and locks in the ledger
version_added: 0.1.0
description:
  - Keeps the ledger of an app in an environment, one state a task. What was built and promoted there, which releases were
    opened and how they ended, how each host came through, and who may deploy right now.
  - A release is an image digest, a config revision and a run spec, under a number that grows by one for each app and
    environment. The newest release that closed V(healthy) is the current one.
  - Every task is one transaction. Any number of controllers may write at once; numbers stay unique, and one of them
    holds the lock.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.ledger
attributes:
  idempotent:
    support: full
    details:
      - Renewing a lock one holds moves the end of its lease and is no change.
options:
  app:
    description: Name of the app.
    type: str
    required: true
  environment_name:
    description: Name of the environment; with O(state=promoted) the one that the image goes to.
    type: str
    required: true
  state:
    description:
      - V(built), an image was built for this environment. The same version and digest again is no change; a version that
        has another digest here already is refused unless O(replace=true).
      - V(promoted), an image came from O(from_environment). Refused unless a release of this digest was healthy there.
      - V(opened), a roll-out begins. Gives the next release number; or the current release again, when it has this content
        and no later attempt can have left hosts elsewhere; or the number of a release of this content that a killed run left
        open. An open release of other content is closed as abandoned.
      - V(recorded), a host came through the release as O(outcome) says. What was recorded of the host in this attempt before is
        replaced; earlier attempts stay.
      - V(closed), the roll-out ended as O(outcome) says. V(healthy) makes the release current; after any other outcome the
        current release stays what it was. A release is closed once. Closing a healthy one again, as anything else, warns and
        changes nothing.
      - V(locked), this run takes the lock of the app in the environment, or renews it. While another run holds it, waits for
        O(lock_wait) and then fails, naming the holder. An expired lease is taken over with a warning that names its holder.
        A run that lost its lock in this way does not get it again.
      - V(unlocked), this run gives the lock back. A lock that nobody holds is no change; one that another run holds stays,
        with a warning, unless O(force=true).
    type: str
    required: true
    choices: [built, promoted, opened, recorded, closed, locked, unlocked]
  version:
    description: The app's version. Required with O(state=built), O(state=promoted) and O(state=opened).
    type: str
  image:
    description:
      - Reference of the image in the environment's registry. Required with O(state=built), O(state=promoted) and
        O(state=opened).
    type: str
  digest:
    description:
      - Manifest digest of the image. Required with O(state=built), O(state=promoted) and O(state=opened); with
        O(state=recorded) the digest that the host runs now.
    type: str
  from_environment:
    description: Where a promoted image was healthy. Required with O(state=promoted).
    type: str
  artifact:
    description:
      - What the image was built from, for example its C(path), C(size), C(md5) and C(sha256). A promotion takes it over from
        O(from_environment) unless it is given.
    type: dict
  source:
    description:
      - Where the artifact's source is, for example its git C(url), C(branch) and C(commit). Credentials in addresses are
        not stored. A promotion takes it over from O(from_environment) unless it is given.
    type: dict
  replace:
    description: Let a version of O(state=built) or O(state=promoted) have another digest from now on.
    type: bool
    default: false
  config_revision:
    description: Revision of the app's settings that the release runs with.
    type: str
  run_spec:
    description: Everything else that decides how the container runs. It is stored and shown in full, so secrets do not belong here.
    type: dict
  kind:
    description: Whether an opened release is a deployment or a rollback; the ledger's next rollback target depends on it.
    type: str
    choices: [deploy, rollback]
    default: deploy
  rollback_of:
    description: With O(kind=rollback), number of the release that it goes back to.
    type: int
  reason:
    description: Why the release is opened.
    type: str
  owner:
    description:
      - Who does this, for people to read. Taking or ending a lock without it names the user that the module runs as.
    type: str
  build_url:
    description: Address of the CI job. Credentials in it are not stored.
    type: str
  release:
    description: Number of the release. Required with O(state=recorded) and O(state=closed).
    type: int
  host:
    description: Name of the host. Required with O(state=recorded).
    type: str
  outcome:
    description:
      - With O(state=recorded), how the host came through, one of V(switched), V(unchanged), V(reverted), V(failed),
        V(unreachable) and V(rolled_back).
      - With O(state=closed), how the roll-out ended, one of V(healthy), V(failed), V(reverted), V(mixed) and V(abandoned).
    type: str
    choices: [switched, unchanged, reverted, failed, unreachable, rolled_back, healthy, mixed, abandoned]
  container_id:
    description: With O(state=recorded), id of the container that the host runs now.
    type: str
  timings:
    description: With O(state=recorded), seconds that the steps on the host took.
    type: dict
  why:
    description: With O(state=recorded), why the host failed, as text or as the C(why) of M(slipway.delivery.app_container).
    type: raw
  summary:
    description: With O(state=closed), what there is to say about the end.
    type: str
  lock_owner:
    description:
      - Token of this run, which no other run has. Required with O(state=locked), and with O(state=unlocked) unless
        O(force=true).
      - With O(state=opened), refuses the release when another run holds the lock or took it from this one.
    type: str
  lease:
    description: How long a lock lasts unless it is renewed, as seconds or like V(10m).
    type: str
    default: 10m
  lock_wait:
    description: How long O(state=locked) waits for a lock that another run holds, as seconds or like V(5m).
    type: str
    default: '0'
  force:
    description: With O(state=unlocked), end the lock whoever holds it. For people who know that the holder is dead.
    type: bool
    default: false
seealso:
  - module: slipway.delivery.release_info
  - module: slipway.delivery.app_container
"""

EXAMPLES = r"""
---
- name: Register what was built
  slipway.delivery.release:
    ledger: /var/lib/slipway/ledger.db
    app: webapi
    environment_name: test
    state: built
    version: 1.4.2
    image: registry.example.com/test/webapi:1.4.2
    digest: "{{ built.digest }}"
    artifact: "{{ built.artifact }}"
    build_url: "{{ lookup('ansible.builtin.env', 'BUILD_URL') }}"

- name: Lock the environment for this run
  slipway.delivery.release:
    ledger: postgresql+psycopg://slipway:{{ ledger_password }}@db.example.com/slipway
    app: webapi
    environment_name: prod
    state: locked
    lock_owner: "{{ run_token }}"
    owner: ann
    lease: 10m
    lock_wait: 5m

- name: Open a release
  slipway.delivery.release:
    ledger: /var/lib/slipway/ledger.db
    app: webapi
    environment_name: prod
    state: opened
    version: 1.4.2
    image: registry.example.com/prod/webapi:1.4.2
    digest: "{{ promoted.digest }}"
    config_revision: "{{ settings.revision }}"
    run_spec: {ports: ["8080:8080"], memory: 1g}
    lock_owner: "{{ run_token }}"
  register: opened

- name: Record how this host came through
  slipway.delivery.release:
    ledger: /var/lib/slipway/ledger.db
    app: webapi
    environment_name: prod
    state: recorded
    release: "{{ opened.release.number }}"
    host: "{{ inventory_hostname }}"
    outcome: switched
    digest: "{{ swapped.container.digest }}"
    timings: "{{ swapped.timings }}"

- name: Close it
  slipway.delivery.release:
    ledger: /var/lib/slipway/ledger.db
    app: webapi
    environment_name: prod
    state: closed
    release: "{{ opened.release.number }}"
    outcome: healthy
    summary: 2 of 2 hosts switched
"""

RETURN = r"""
release:
  description: The release, as it is after the task. In check mode one that was only predicted has its number and its state alone.
  returned: when O(state) is V(opened), V(recorded) or V(closed), else null
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
      sample: open
    message: {description: What was said when it was closed., returned: always, type: str, sample: 2 of 2 hosts switched}
    attempt: {description: How often it was begun., returned: always, type: int, sample: 1}
    opened_at: {description: When it was opened., returned: always, type: str, sample: "2026-03-01T09:30:00.000Z"}
    closed_at: {description: When it was closed., returned: always, type: str, sample: "2026-03-01T09:31:12.250Z"}
reused:
  description: The current release has this content, and stays.
  returned: success
  type: bool
  sample: false
resumed:
  description: A killed run had left a release of this content open, and it goes on under its number.
  returned: success
  type: bool
  sample: false
abandoned:
  description: Number of the open release that was closed as abandoned.
  returned: when O(state=opened) found one, else null
  type: int
  sample: 41
current:
  description: The current release, after the task.
  returned: when O(state) is V(opened) or V(closed), null while there is none
  type: dict
  contains: *release
previous:
  description: The newest healthy release before it that has other content.
  returned: when O(state) is V(opened) or V(closed), null while there is none
  type: dict
  contains: *release
arrival:
  description: The image that arrived.
  returned: when O(state) is V(built) or V(promoted), else null
  type: dict
  contains:
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
host:
  description: What the ledger knows of the host in this release.
  returned: when O(state=recorded), else null
  type: dict
  contains:
    host: {description: Its name., returned: always, type: str, sample: web1}
    release: {description: Number of the release., returned: always, type: int, sample: 42}
    attempt: {description: Which attempt at the release., returned: always, type: int, sample: 1}
    outcome: {description: How it came through., returned: always, type: str, sample: switched}
    digest:
      description: Digest that it runs.
      returned: always
      type: str
      sample: sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
    container_id: {description: Container that it runs., returned: always, type: str, sample: 4f0c1e6a9d2b}
    timings: {description: Seconds that the steps took., returned: always, type: dict, sample: {outage: 2.4}}
    why: {description: Why it failed., returned: always, type: raw, sample: {status: 503}}
    at: {description: When this was recorded., returned: always, type: str, sample: "2026-03-01T09:30:41.118Z"}
lock:
  description: The lock after the task. A failure because of another run's lock returns that one.
  returned: when O(state) is V(locked) or V(unlocked), null when nobody holds it
  type: dict
  contains:
    owner: {description: Who holds it., returned: always, type: str, sample: ann}
    host: {description: The machine that took it., returned: always, type: str, sample: ci-7}
    build_url: {description: The CI job that holds it., returned: always, type: str, sample: https://ci.example.com/job/webapi/7/}
    lock_owner: {description: Token of the run that holds it., returned: always, type: str, sample: 0f7b2c31}
    since: {description: When it was taken., returned: always, type: str, sample: "2026-03-01T09:29:58.000Z"}
    renewed_at: {description: When it was renewed last., returned: always, type: str, sample: "2026-03-01T09:34:58.000Z"}
    expires: {description: When another run may take it over., returned: always, type: str, sample: "2026-03-01T09:44:58.000Z"}
    fence: {description: Its fencing number., returned: always, type: int, sample: 17}
    expired: {description: Whether its time is over., returned: always, type: bool, sample: false}
fence:
  description: Fencing number of the lock; every new holder gets a higher one.
  returned: when O(state=locked), else null
  type: int
  sample: 17
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.release import RELEASE


def main() -> None:
    run_module(RELEASE)


if __name__ == "__main__":
    main()
