# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an environment's settings are. Its twin is module_utils/confd/center.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backend:
    description:
      - What keeps the settings. V(file) is one flat JSON file of strings, which every confd reads with its file backend.
        V(redis) and V(etcd) (version 3, by its JSON gateway) are servers.
    type: str
    choices: [file, redis, etcd]
    default: file
  path:
    description:
      - The JSON file of backend V(file), on the machine that the module runs on. Its first writer makes it with mode 0640;
        later ones keep mode and owner.
      - The history lies beside it in the folder C(.NAME.history), which its owner alone may read. Give confd the file, not
        its folder; mount the folder, not the file, into a container, since each change is a rename.
    type: path
  nodes:
    description:
      - Servers of the other backends, V(host:port), tried in their order until one answers. For redis also
        V(rediss://host:port) and the path of a unix socket, for etcd also V(https://host:port).
    type: list
    elements: str
    default: []
  username:
    description: User name; for redis that of an ACL user, if it is not V(default).
    type: str
  password:
    description: Password for the server.
    type: str
  db:
    description: Number of the redis database.
    type: int
    default: 0
  tls:
    description:
      - Whether to speak TLS to nodes that do not say it themselves. Without it, a CA or a client certificate means TLS, as it
        does for confd.
    type: bool
  validate_certs:
    description: Whether the server's certificate must be valid and for this host.
    type: bool
    default: true
  ca_path:
    description: CA that signed the server's certificate, a PEM file; without it, those that Python trusts.
    type: path
  client_cert:
    description: Client certificate, a PEM file.
    type: path
  client_key:
    description: Key of the client certificate, a PEM file.
    type: path
  timeout:
    description:
      - How long to try in all, a duration as V(1m30s) or in seconds. Within it a change that lost against another writer is
        planned again and retried, and so is one whose answer was lost.
    type: str
    default: 10s
requirements:
  - redis >= 4.3 for backend V(redis)
  - requests >= 2.31 for backend V(etcd)
"""
