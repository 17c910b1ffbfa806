#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings an environment's settings in a config centre to what is wanted, and keeps every revision."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confd_config
short_description: Bring an environment's settings to what is wanted, and back
version_added: 0.1.0
description:
  - Keeps the settings of one app in one environment, the keys that confd templates read, in a file, in redis or in etcd. The
    same settings give the same result and the same revision in each of them.
  - Only what differs is written, in one step, so no reader ever sees half of a change. If somebody else changed the settings
    meanwhile, nothing is overwritten, and the change is planned anew from what is there.
  - Every applied revision is kept with author, time and reason, outside the tree that templates can read. What was in the
    store before, or was edited by hand, is kept as well before it is changed, so it can be restored like any other.
  - B(Secrets) are the values of O(secret_keys). They stand in no output, diff, error or log of this module. A secret of fewer
    than 4 characters is hidden wherever this module shows a value by its key, but is not searched for inside other texts.
    The store holds them, and its history too, in clear text, since confd cannot decrypt; protect the store accordingly.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.confd
options:
  prefix:
    description:
      - The app's part of the store, for example V(/webapi). The key V(/db/url) is stored as V(/webapi/db/url).
      - Only a file may be used from its root (V(/)), since servers are shared by several apps.
    type: str
    required: true
  keys:
    description:
      - "The settings without the prefix, nested (C(db: {url: ...})) or flat (C(/db/url: ...)) or both. Required with
        O(state=present)."
      - All values become strings. Text stays as it is, also empty, also with blanks at its ends; booleans become V(true) and
        V(false), integers decimal numbers, floats their shortest form (write V("1.10") in quotes to keep the zero). A list
        becomes one key for each item, V(/hosts/0), V(/hosts/1); an empty list or map has no keys. Null is refused.
      - Refused, all at once, is what confd cannot address. That is a key with a value and keys below it, C(* ? [ ] \), empty
        parts, C(.) and C(..), control characters, blanks at the ends of a part, invalid UTF-8, more than 1000 bytes with
        the prefix.
    type: dict
  secret_keys:
    description:
      - Keys whose values are secret, a key (V(/db/password)), a folder with all below it (V(/db/secrets)), or a pattern for
        single parts (V(/*/password)); V(/) is all of them. A name that matches nothing is warned about.
      - The store remembers the names, not to show these values later. With O(state=present) and O(purge=true) this list
        replaces the remembered one, otherwise it adds to it.
    type: list
    elements: str
    default: []
  purge:
    description: Whether keys under the prefix that are not in O(keys) go away. For O(state=present).
    type: bool
    default: true
  state:
    description:
      - V(present) applies O(keys), V(absent) removes all keys under the prefix, V(restored) brings back exactly the content
        of O(revision), whatever happened since.
      - The history stays in each case, so V(absent) can be undone, too.
    type: str
    choices: [present, absent, restored]
    default: present
  revision:
    description: The revision to restore, in full or its first digits, at least 8.
    type: str
  reason:
    description: Why, for the history.
    type: str
    default: ''
  author:
    description: Who, for the history; by default the user that the module runs as, and the machine.
    type: str
  release:
    description: The number of the release that these settings are for, for the history.
    type: int
  history_limit:
    description: How many changes the history keeps, the newest ones; at least 2.
    type: int
    default: 50
  keep_revisions:
    description: Revisions that the history keeps however old they are, such as those of releases one may roll back to.
    type: list
    elements: str
    default: []
notes:
  - Warns of a redis server that may lose settings by itself, see RV(slipway.delivery.confd_config_info#module:risks).
  - A revision is made of the content alone, by a hash so slow (about 50 ms) that nobody finds a password by trying.
seealso:
  - module: slipway.delivery.confd_config_info
  - module: slipway.delivery.confd_check
"""

EXAMPLES = r"""
---
- name: Settings of webapi in production
  slipway.delivery.confd_config:
    backend: redis
    nodes: ["10.0.0.5:6379"]
    password: "{{ redis_password }}"
    prefix: /webapi
    keys:
      db: {url: "jdbc:mysql://db.example.com/shop", pool: 20, password: "{{ db_password }}"}
      features: {checkout: true}
    secret_keys: [/db/password]
    reason: more connections for the sale
  register: applied

- name: Exactly what was there before
  slipway.delivery.confd_config:
    backend: redis
    nodes: ["10.0.0.5:6379"]
    password: "{{ redis_password }}"
    prefix: /webapi
    state: restored
    revision: "{{ applied.previous_revision }}"

- name: One more setting, and no other touched
  slipway.delivery.confd_config:
    backend: file
    path: /etc/webapi/values.json
    prefix: /
    keys: {/theme/color: green}
    purge: false
"""

RETURN = r"""
revision:
  description: The revision afterwards, 32 hexadecimal digits that stand for the content; null when there are no keys.
  returned: success
  type: str
  sample: 3f1c5a9e0b7d2c4486a1f0e9d8c7b6a5
previous_revision:
  description: The revision before; null when there were no keys.
  returned: success
  type: str
  sample: 9c1185a5c5e9fc54612808977ee8f548
added:
  description: Keys that were not there before, without the prefix.
  returned: success
  type: list
  elements: str
  sample: [/features/checkout]
changed_keys:
  description: Keys whose values changed.
  returned: success
  type: list
  elements: str
  sample: [/db/pool, /db/password]
removed:
  description: Keys that went away.
  returned: success
  type: list
  elements: str
  sample: [/db/timeout]
diff:
  description:
    - C(before) and C(after), a line for each key that changes. A secret is shown as C(<secret>), and where it changed as
      C(<secret changed>). Characters that are invisible, or look like a blank, are shown as escapes.
  returned: success
  type: dict
  sample:
    before_header: redis 10.0.0.5:6379, db 0 /webapi (now)
    before: "/db/password = <secret>\n/db/pool = \"10\"\n"
    after_header: redis 10.0.0.5:6379, db 0 /webapi (wanted)
    after: "/db/password = <secret changed>\n/db/pool = \"20\"\n"
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.confd.config import CONFD_CONFIG


def main() -> None:
    run_module(CONFD_CONFIG)


if __name__ == "__main__":
    main()
