#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows an environment's settings, their revision and their history."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confd_config_info
short_description: Show an environment's settings, their revision and history
version_added: 0.1.0
description:
  - Reads what M(slipway.delivery.confd_config) keeps, at one moment, and writes nothing.
  - Secret values are never shown. Secret is what O(secret_keys) names and what it named when the settings were last applied.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes.info
  - slipway.delivery.confd
options:
  prefix:
    description: The app's part of the store, for example V(/webapi).
    type: str
    required: true
  secret_keys:
    description: Further keys whose values are not shown, named as for M(slipway.delivery.confd_config).
    type: list
    elements: str
    default: []
  revision:
    description: A revision of the history to return as RV(record), in full or its first digits, at least 8.
    type: str
seealso:
  - module: slipway.delivery.confd_config
"""

EXAMPLES = r"""
---
- name: What does production run with
  slipway.delivery.confd_config_info:
    backend: redis
    nodes: ["10.0.0.5:6379"]
    prefix: /webapi
  register: settings

- name: Somebody edited by hand
  ansible.builtin.fail:
    msg: "Now {{ settings.revision }}, last applied {{ settings.recorded_revision }}"
  when: settings.drifted
"""

RETURN = r"""
revision:
  description: Revision of the content that is there now; null when there are no keys.
  returned: success
  type: str
  sample: 3f1c5a9e0b7d2c4486a1f0e9d8c7b6a5
recorded_revision:
  description: Revision of the newest history entry; null after a removal, and when there is no history.
  returned: success
  type: str
  sample: 3f1c5a9e0b7d2c4486a1f0e9d8c7b6a5
drifted:
  description: Whether the keys are not those of the newest history entry, so somebody changed them by other means.
  returned: success
  type: bool
  sample: false
risks:
  description:
    - Why the store may lose settings by itself. Of redis, that it keeps nothing on disk, evicts keys, is a replica, or that keys have
      a time to live; each is a warning as well. What the user may not ask of the server is not judged.
  returned: success
  type: list
  elements: str
  sample: ["it keeps nothing on disk, so a restart loses all settings. Set appendonly yes, or save."]
keys:
  description: The settings without the prefix; C(<secret>) for secret values, also where they stand inside another value.
  returned: success
  type: dict
  sample: {/db/pool: "20", /db/password: <secret>}
secret_keys:
  description: The keys among them that are secret.
  returned: success
  type: list
  elements: str
  sample: [/db/password]
history:
  description: The changes that are kept, the newest first.
  returned: success
  type: list
  elements: dict
  contains: &entry
    number: {description: Counts the changes of this prefix., returned: always, type: int, sample: 7}
    revision: {description: Revision after the change; null after a removal., returned: always, type: str, sample: 3f1c5a9e0b7d2c4486a1f0e9d8c7b6a5}
    time: {description: When it was applied., returned: always, type: str, sample: "2026-03-01T09:30:00Z"}
    author: {description: Who applied it., returned: always, type: str, sample: deploy@ci-7}
    reason: {description: Why., returned: always, type: str, sample: more connections for the sale}
    release: {description: The release that it was for; null where none was named., returned: always, type: int, sample: 42}
    action:
      description:
        - V(applied), V(removed) or V(restored). V(found) is what was in the store without a record, kept before it was changed.
      returned: always
      type: str
      sample: applied
    added: {description: How many keys were added., returned: always, type: int, sample: 1}
    changed: {description: How many keys got another value., returned: always, type: int, sample: 2}
    removed: {description: How many keys went away., returned: always, type: int, sample: 0}
record:
  description: The newest record of O(revision).
  returned: success, null without O(revision)
  type: dict
  contains:
    number: {description: As in RV(history)., returned: always, type: int, sample: 7}
    revision: {description: As in RV(history)., returned: always, type: str, sample: 3f1c5a9e0b7d2c4486a1f0e9d8c7b6a5}
    previous: {description: Revision before the change., returned: always, type: str, sample: 9c1185a5c5e9fc54612808977ee8f548}
    time: {description: As in RV(history)., returned: always, type: str, sample: "2026-03-01T09:30:00Z"}
    author: {description: As in RV(history)., returned: always, type: str, sample: deploy@ci-7}
    reason: {description: As in RV(history)., returned: always, type: str, sample: more connections for the sale}
    release: {description: As in RV(history)., returned: always, type: int, sample: 42}
    action: {description: As in RV(history)., returned: always, type: str, sample: applied}
    added: {description: Keys that were added., returned: always, type: list, elements: str, sample: [/features/checkout]}
    changed: {description: Keys that got another value., returned: always, type: list, elements: str, sample: [/db/pool]}
    removed: {description: Keys that went away., returned: always, type: list, elements: str, sample: []}
    keys: {description: The whole content then., returned: always, type: dict, sample: {/db/pool: "20", /db/password: <secret>}}
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config_info import CONFD_CONFIG_INFO


def main() -> None:
    run_module(CONFD_CONFIG_INFO)


if __name__ == "__main__":
    main()
