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
    the templates without rendering them, so neither confd nor a running container is needed; with O(render=true) confd itself
    renders them as well.
  - Errors are keys that a template needs and the environment lacks, keys that are there and not covered by the resource's
    C(keys), stray blanks and look-alike characters in values, values that are not of their type, keys that confd cannot address,
    templates and resources that confd cannot parse, functions that this confd does not have, C(src) without a file, C(mode)
    without a leading 0, two resources with one C(dest), a start script that calls confd in the other dialect's command line, and
    values that two environments share and should not.
  - Warnings are keys that nobody reads, empty values and placeholders, patterns that match nothing, options that confd
    ignores, letters of another alphabet among Latin ones, and values that two environments should share and do not. What cannot
    be known without running confd, such as a key that is computed, is an info.
  - A key is needed when a template reads it by C(getv) without a default, or by C(get), in a place that its C(if exists) let
    confd come to.
  - No finding quotes a value, secret or not.
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.confd
attributes:
  diff_mode:
    description: Changes nothing. RV(diff) shows the rendered files beside those that O(against) gives.
    support: full
options:
  confdir:
    description:
      - confd's folder, with C(conf.d) and C(templates). Without it and O(image) the values alone are checked, and compared.
      - With O(image) it is the folder in that image, by default V(/etc/confd).
    type: path
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
      - The confd that will read. V(legacy) is kelseyhightower/confd 0.16, V(fork) is abtreece/confd from 0.40 on. They differ in
        prefixes, functions and command line.
      - V(auto) is that of O(image), or of the confd that renders; where there is neither, V(legacy).
    type: str
    choices: [auto, legacy, fork]
    default: auto
  confd_prefix:
    description:
      - The prefix that confd itself is started with. With V(legacy) it replaces the resources' own, with V(fork) it comes before
        them. By default C(prefix) of C(confd.toml) in O(confdir), if there is one.
    type: str
  allow_blanks:
    description: Keys whose values are meant to have blanks at their ends, tabs or look-alike characters, or to be empty.
    type: list
    elements: str
    default: []
  schema:
    description:
      - What values must look like, by key; C(*) stands for one part of a key, as in V(/features/*).
      - A type is V(int), V(bool) (V(true) or V(false)), V(url) (also V(jdbc:mysql://host/db)), V(host:port) or V(non-empty).
      - "A dictionary says more: C({type: int, min: 1, max: 50}), C({enum: [debug, info]}), C({regex: '#[0-9a-f]{6}'}) (of the
        whole value), and with any of them C(required: true)."
    type: dict
    default: {}
  against:
    description:
      - Other settings to compare with. C(keys) are such settings, as for O(keys). Otherwise they are read from a config
        centre, named by the same options as this task's own (C(backend), C(nodes), C(path), C(password) and so on); without
        these it is this task's own config centre, so V({}) compares with what it holds now.
      - C(revision) takes a revision from the history there, C(prefix) another prefix, C(secret_keys) names further secrets, and
        C(name) is what findings call it.
      - That they cannot be read is a warning among the findings.
    type: dict
  expect_different:
    description:
      - Keys whose values must not be the same in O(against), named as for O(secret_keys). That they are is an error; that others
        differ, or that one environment lacks them, is a warning.
      - Without this option differences are listed in RV(differences), and not judged.
    type: list
    elements: str
  may_differ:
    description: Keys that O(expect_different) leaves open, whose values may be the same and may be others. Named alike.
    type: list
    elements: str
    default: []
  compare_word:
    description:
      - A secret word, the same in several tasks. Each then returns RV(settings) and RV(fingerprints), by which the settings of
        several environments can be compared without showing a secret.
    type: str
  start:
    description: A start script of the container, to see which command line of confd it uses. With O(image) its own is read.
    type: path
  render:
    description:
      - Whether to render all files by running confd over a file of the settings, in a folder that is gone afterwards, without
        its check and reload commands. Each template sees what it would see of O(backend).
      - Secrets are cut out of what is shown, also where a template has changed them. For this each file is rendered a second time
        with other secrets, and what differs is not shown.
      - Without a confd the findings are those without rendering, and RV(rendered) is false.
    type: bool
    default: false
  confd:
    description:
      - The confd that renders. By default the one that the variable E(CONFD) names, or the one in E(PATH).
      - With O(image) its name in the image.
    type: path
  env:
    description: Environment variables of the container, which templates read by C(getenv).
    type: dict
    default: {}
  secret_env:
    description: More of them, whose values are never shown.
    type: dict
    default: {}
  image:
    description:
      - An image whose own confd, resources, templates and start command are checked. It has to be on O(docker_host) already.
      - confd runs in containers without a network, which are removed; they hold the settings in the clear as long as they run.
    type: str
  docker_host:
    description: The engine that has O(image), as for M(slipway.delivery.app_container).
    type: str
  docker_connection:
    description: Further options of M(slipway.delivery.app_container) to reach that engine, such as C(ca_path) or C(client_cert).
    type: dict
  fail:
    description: Whether the task fails when there is an error; otherwise the findings say so.
    type: bool
    default: true
requirements:
  - tomli >= 2.0, where Python is older than 3.11
  - Python package docker 7.1 or newer for O(image)
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
    schema:
      /db/url: url
      /db/pool: {type: int, min: 1, max: 100, required: true}

- name: Show the files as confd will write them, beside those of what the config centre holds now
  slipway.delivery.confd_check:
    confdir: confd/
    backend: redis
    nodes: ["10.0.0.5:6379"]
    prefix: /webapi
    keys: "{{ settings }}"
    render: true
    against: {}
  register: checked

- name: Check what production has against staging, by the confd and the templates of the image
  slipway.delivery.confd_check:
    image: registry.example.com/prod/webapi:1.4.2
    docker_host: tcp://10.0.0.11:2375
    render: true
    backend: redis
    nodes: ["10.0.0.5:6379"]
    prefix: /webapi
    against: {name: staging, backend: redis, nodes: ["10.0.1.5:6379"]}
    expect_different: [/db/url, /db/password]
    fail: false
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
        - V(missing_key), V(uncovered_key), V(unused_key), V(bad_key), V(computed), V(no_match), V(function), V(blank), V(look_alike),
          V(placeholder),
          V(schema), V(template), V(resource), V(toml), V(dest_folder), V(start), V(image), V(render), V(compare), V(same_value),
          V(different_value), V(only_here) or V(only_there).
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
      description: The file below O(confdir), or the start script; null where it is about the environment.
      returned: always
      type: str
      sample: templates/webapi.properties.tmpl
    line: {description: The line in that file; null where it is about none., returned: always, type: int, sample: 8}
table:
  description: The findings as lines of a table.
  returned: always, unless the options themselves are wrong
  type: list
  elements: str
  sample: ["warning  environment  /db/timeout  is in the environment, and no template reads it"]
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
dialect:
  description: The dialect that was checked for.
  returned: always, unless the options themselves are wrong
  type: str
  sample: legacy
rendered:
  description: Whether confd rendered the files.
  returned: always, unless the options themselves are wrong
  type: bool
  sample: true
files:
  description: The rendered files. One that confd cannot write is missing here, and among the findings.
  returned: always, unless the options themselves are wrong
  type: list
  elements: dict
  contains:
    dest: {description: Where confd writes it., returned: always, type: str, sample: /etc/webapi/webapi.properties}
    template: {description: Its template., returned: always, type: str, sample: templates/webapi.properties.tmpl}
    resource: {description: Its resource., returned: always, type: str, sample: conf.d/webapi.toml}
    mode: {description: Its mode., returned: always, type: str, sample: "0644"}
    size: {description: Its length in bytes., returned: always, type: int, sample: 312}
    content:
      description: Its text, with C(<secret>) for secrets; of what is not UTF-8 the bytes as escapes.
      returned: always
      type: str
      sample: "db.pool=20\ndb.password=<secret>\n"
    changed: {description: Whether it differs from what O(against) gives; null without that., returned: always, type: bool, sample: true}
diff:
  description: For each file that differs from what O(against) gives, C(before) and C(after).
  returned: always, unless the options themselves are wrong
  type: list
  elements: dict
  sample:
    - before_header: /etc/webapi/webapi.properties (what the config centre holds)
      before: "db.pool=10\n"
      after_header: /etc/webapi/webapi.properties (the settings)
      after: "db.pool=20\n"
diff_lines:
  description: The same as lines of a unified diff.
  returned: always, unless the options themselves are wrong
  type: list
  elements: str
  sample: ["-db.pool=10", "+db.pool=20"]
differences:
  description: Keys that O(against) has and the environment lacks, and the like; null without O(against).
  returned: always, unless the options themselves are wrong
  type: dict
  contains:
    only_here: {description: Keys that O(against) lacks., returned: always, type: list, elements: str, sample: []}
    only_there: {description: Keys that the environment lacks., returned: always, type: list, elements: str, sample: [/features/suggestions]}
    different: {description: Keys with two values., returned: always, type: list, elements: str, sample: [/db/url]}
    same: {description: Keys with one value., returned: always, type: list, elements: str, sample: [/theme/name]}
settings:
  description: The settings, C(<secret>) for secret ones; null without O(compare_word).
  returned: always, unless the options themselves are wrong
  type: dict
  sample: {/db/pool: "20", /db/password: <secret>}
fingerprints:
  description: By each key what is equal where values are, and tells nothing else; null without O(compare_word).
  returned: always, unless the options themselves are wrong
  type: dict
  sample: {/db/pool: 1f0c9a7be2d4, /db/password: 77ab09e4c1d2}
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.confd.check import CONFD_CHECK


def main() -> None:
    run_module(CONFD_CHECK)


if __name__ == "__main__":
    main()
