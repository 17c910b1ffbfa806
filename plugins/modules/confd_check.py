#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks an environment's settings against the confd templates that read them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confd_check
short_description: Check an environment's settings against the templates that read them
version_added: 0.1.0
description:
  - Finds, before anything moves, what would make confd fail or write what nobody meant, and tells all of it at once. Reads
    the templates without rendering them, so neither confd nor a running container is needed.
  - Errors are keys that a template needs and the environment lacks, keys that are there and not covered by the resource's
    C(keys), stray blanks and look-alike characters in values, keys that confd cannot address, templates and resources that
    confd cannot parse, C(src) without a file, C(mode) without a leading 0, and two resources with one C(dest).
  - Warnings are keys that nobody reads, empty values and placeholders, patterns that match nothing, and options that confd
    ignores. What cannot be known without running confd, such as a key that is computed, is an info.
  - A key is needed when a template reads it by C(getv) without a default, or by C(get), in a place that its C(if exists) let
    confd come to.
  - No finding quotes a value, secret or not.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.confd
attributes:
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
options:
  confdir:
    description: confd's folder, with C(conf.d) and C(templates); in an image often C(/etc/confd).
    type: path
    required: true
  prefix:
    description: Where the environment's keys are stored, as for M(slipway.delivery.confd_config).
    type: str
    default: /
  keys:
    description:
      - The settings to check, as for M(slipway.delivery.confd_config), before they are applied. O(backend) then only says by whose
        rule a resource's C(keys) cover them, and nothing is contacted.
      - Without it, the settings are read from the config centre that O(path) or O(nodes) name. Without these either, only
        templates and resources are checked, with a warning.
    type: dict
  secret_keys:
    description: Keys whose values are secret, as for M(slipway.delivery.confd_config).
    type: list
    elements: str
    default: []
  dialect:
    description:
      - The confd that will read. V(legacy) is kelseyhightower/confd 0.16, V(fork) is abtreece/confd from 0.32 on. They differ in
        prefixes and in functions.
    type: str
    choices: [legacy, fork]
    default: legacy
  confd_prefix:
    description:
      - The prefix that confd itself is started with. With V(legacy) it replaces the resources' own, with V(fork) it comes before
        them. By default C(prefix) of C(confd.toml) in O(confdir), if there is one.
    type: str
  allow_blanks:
    description: Keys whose values are meant to have blanks at their ends, tabs or look-alike characters.
    type: list
    elements: str
    default: []
  fail:
    description: Whether the task fails when there is an error; otherwise the findings say so.
    type: bool
    default: true
requirements:
  - tomli >= 2.0, where Python is older than 3.11
seealso:
  - module: slipway.delivery.confd_config
"""

EXAMPLES = r"""
---
- name: Check the settings before they are applied
  slipway.delivery.confd_check:
    confdir: confd/
    backend: redis
    prefix: /webapi
    keys:
      db: {url: "jdbc:mysql://db.example.com/shop", pool: 20, password: "{{ db_password }}"}
    secret_keys: [/db/password]

- name: Check what production has now
  slipway.delivery.confd_check:
    confdir: confd/
    backend: redis
    nodes: ["10.0.0.5:6379"]
    prefix: /webapi
    fail: false
  register: checked
"""

RETURN = r"""
msg:
  description: The findings as a table, or that there are none. When the task fails, the errors.
  returned: always
  type: str
  sample: |-
    The settings and their templates have 1 error:
    error  templates/webapi.properties.tmpl:8  /db/url  getv needs it, and the environment has no such key
findings:
  description: All findings, errors first.
  returned: always, unless the options themselves are wrong
  type: list
  elements: dict
  contains:
    check:
      description:
        - V(missing_key), V(uncovered_key), V(unused_key), V(bad_key), V(computed), V(no_match), V(function), V(blank), V(placeholder),
          V(template), V(resource) or V(toml).
      returned: always
      type: str
      sample: missing_key
    severity: {description: "V(error), V(warning) or V(info).", returned: always, type: str, sample: error}
    message: {description: What is wrong., returned: always, type: str, sample: "getv needs it, and the environment has no such key"}
    key:
      description: The key without the prefix, or as it is stored if it lies outside; null where it is about none.
      returned: always
      type: str
      sample: /db/url
    file:
      description: The file below O(confdir); null where it is about the environment.
      returned: always
      type: str
      sample: templates/webapi.properties.tmpl
    line: {description: The line in that file; null where it is about none., returned: always, type: int, sample: 8}
required:
  description: Keys that the templates cannot do without, without the prefix.
  returned: always, unless the options themselves are wrong
  type: list
  elements: str
  sample: [/db/password, /db/url]
unused:
  description: Keys of the environment that no template reads. Empty when a resource or template could not be parsed.
  returned: always, unless the options themselves are wrong
  type: list
  elements: str
  sample: [/db/timeout]
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK


def main() -> None:
    run_module(CONFD_CHECK)


if __name__ == "__main__":
    main()
