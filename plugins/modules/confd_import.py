#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings settings that a team has already into a YAML file of the app."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confd_import
short_description: Bring existing settings into an app's config file
version_added: 0.1.0
description:
  - Reads settings from a file (C(.properties), YAML, JSON or dotenv) or from a config centre, and writes them as a YAML file that
    an app file can name under C(config.keys). Ansible reads exactly these settings from it again, templates in them included.
  - Values of O(secret_keys) are not written. A variable stands for each; RV(variables) lists them, to be put into a vault.
  - Blanks, look-alike characters and placeholders among the values are told as RV(findings).
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.confd
options:
  src:
    description: The file to read. Without it O(nodes) or O(path) name a config centre.
    type: path
  format:
    description:
      - What O(src) is. V(auto) goes by its name, C(*.properties), C(*.yml), C(*.yaml), C(*.json), C(*.env) or C(.env*).
      - Of a dotenv file, C($NAME) in a value stays as it is.
    type: str
    choices: [auto, properties, yaml, dotenv]
    default: auto
  prefix:
    description: Only what lies below it is imported, without it.
    type: str
    default: /
  separator:
    description:
      - What separates the parts of a name in O(src). By default V(.) for C(.properties), and nothing for the others, whose
        names stay whole (YAML is nested by itself).
    type: str
  lower:
    description: Whether names are written in lower case. With O(separator=_), C(DB_URL) becomes C(/db/url).
    type: bool
    default: false
  dest:
    description: The YAML file to write. It is replaced in one step.
    type: path
    required: true
  secret_keys:
    description: Keys whose values are secret, named as for M(slipway.delivery.confd_config).
    type: list
    elements: str
    default: []
  variable_prefix:
    description: Put before the names of variables that stand for secrets. With V(webapi), C(/db/password) is C(webapi_db_password).
    type: str
    default: ''
  force:
    description: Whether a file that is there and says something else is replaced.
    type: bool
    default: false
requirements:
  - PyYAML
seealso:
  - module: slipway.delivery.confd_config
"""

EXAMPLES = r"""
---
- name: What production has in redis
  slipway.delivery.confd_import:
    backend: redis
    nodes: ["10.0.0.5:6379"]
    prefix: /webapi
    dest: apps/config/webapi/prod.yml
    secret_keys: [/db/password]
    variable_prefix: webapi

- name: What was in a properties file
  slipway.delivery.confd_import:
    src: src/main/resources/application-test.properties
    dest: apps/config/webapi/test.yml
"""

RETURN = r"""
file:
  description: The file that was written.
  returned: success
  type: str
  sample: apps/config/webapi/prod.yml
imported:
  description: The keys that were imported.
  returned: success
  type: list
  elements: str
  sample: [/db/password, /db/pool, /db/url]
variables:
  description: By the name of each variable that stands for a secret its key.
  returned: success
  type: dict
  sample: {webapi_db_password: /db/password}
findings:
  description: What is odd about values, as M(slipway.delivery.confd_check) tells it.
  returned: success
  type: list
  elements: dict
  sample: [{check: blank, severity: error, key: /db/url, message: ends with U+0020 SPACE, file: null, line: null}]
table:
  description: The findings as lines of a table.
  returned: success
  type: list
  elements: str
  sample: ["error  environment  /db/url  ends with U+0020 SPACE"]
diff:
  description: The file before and after. What was there before is not shown where there are secrets.
  returned: success
  type: dict
  sample: {before_header: prod.yml, before: "", after_header: prod.yml, after: "---\ndb:\n  pool: '20'\n"}
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.confd.importing import CONFD_IMPORT


def main() -> None:
    run_module(CONFD_IMPORT)


if __name__ == "__main__":
    main()
