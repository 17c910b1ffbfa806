#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers an nginx sends an app's requests to: checked, reloaded gracefully, drained."""

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_upstream
short_description: Say which servers nginx sends an app's requests to, and drain those that leave
version_added: 0.1.0
description:
  - Writes one file with an nginx C(upstream), and on request the C(server) block before it, runs C(nginx -t), reloads nginx
    gracefully, waits until the new configuration is the one that takes requests, and then until nginx has no connection left
    to the servers that have gone.
  - Runs on the host of nginx.
  - The file is replaced in one go, and the one before it is back when nginx refuses it or does not take it. Killed at any
    instant, the next run puts it right. A file that Slipway did not write is left alone.
  - For every server the file says which host it is, so that one host can be taken out and put back without the others being
    known (O(hosts)). Tasks that change files of one O(conf_dir) at the same time wait for each other.
extends_documentation_fragment:
  - slipway.delivery.attributes
options:
  name:
    description: Name of the upstream, and of the file without C(.conf).
    type: str
    required: true
  state:
    description: With V(absent) the file is removed.
    type: str
    choices: [present, absent]
    default: present
  conf_dir:
    description: Folder whose C(*.conf) nginx includes in its C(http) block.
    type: path
    required: true
  servers:
    description: The servers. Required with O(state=present); an empty list takes O(hosts) out.
    type: list
    elements: dict
    suboptions:
      host:
        description: The host as the inventory calls it.
        type: str
        required: true
      address:
        description: Name or IP address at which the edge reaches it.
        type: str
        required: true
      port:
        description: The port there.
        type: int
        required: true
      release:
        description: Number of the release that it serves, for people.
        type: int
      container:
        description: The container's id, for people.
        type: str
  hosts:
    description: The hosts that O(servers) is about. What the file says of others stays. Without it O(servers) is all there is.
    type: list
    elements: str
  all_hosts:
    description: Every host there is; servers of hosts that are not listed go.
    type: list
    elements: str
  keep_last:
    description:
      - When no server would be left, leave those there are, and warn. What is being replaced may answer some requests still; an
        empty upstream answers none.
    type: bool
    default: true
  leaving:
    description:
      - Servers whose connections are waited for, whether this task takes them out or one before it did.
    type: list
    elements: dict
    suboptions:
      address:
        description: As in O(servers[].address).
        type: str
        required: true
      port:
        description: As in O(servers[].port).
        type: int
        required: true
  listen:
    description:
      - What the C(server) block listens on, each as nginx's C(listen) takes it. Without it there is no such block, and one of
        your own has C(proxy_pass http://NAME;).
      - Add C(deferred) to the port in one file, so that no connection is closed on a reload whose first request is on its way.
    type: list
    elements: str
  server_name:
    description: The names of the C(server) block, separated by blanks.
    type: str
  server_options:
    description: What stands after every server's address, such as V(max_fails=3 fail_timeout=5s).
    type: str
  upstream_lines:
    description: Further directives of the upstream, such as V(keepalive 32;).
    type: list
    elements: str
  server_lines:
    description: Further directives of the C(server) block.
    type: list
    elements: str
  nginx:
    description: The command that runs nginx, to which C(-t) is added.
    type: str
    default: nginx
  pid_file:
    description:
      - The file with the process id of nginx. It gets the signal to reload, and its processes tell when the reload is done
        and which connections are left.
      - With an empty text nothing can be seen of them; then O(reload) is needed, and O(drain) is waited in full.
    type: str
    default: /run/nginx.pid
  reload:
    description: A command that reloads nginx, instead of the signal.
    type: str
  quiesce:
    description:
      - How long, before a reload, nginx lets clients know with each answer that the connection ends with it. nginx closes kept-alive
        connections when it reloads, also under a request that is just arriving; after this time they have ended by themselves.
      - Works in the C(server) block that O(listen) makes. As long as the slowest requests, and none is cut off. C(0s) is off.
    type: str
    default: 0s
  drain:
    description: How long to wait for the connections to servers that leave. After that the task goes on, with a warning.
    type: str
    default: 10s
seealso:
  - module: slipway.delivery.app_container
  - module: slipway.delivery.app_container_info
author:
  - Slipway contributors (@slipway)
"""

EXAMPLES = r"""
---
- name: Send requests to both hosts
  slipway.delivery.edge_upstream:
    name: prod-webapi
    conf_dir: /etc/nginx/conf.d
    listen: ["80 deferred"]
    server_name: shop.example.com
    servers:
      - {host: prod-1, address: 10.0.0.11, port: 8080}
      - {host: prod-2, address: 10.0.0.12, port: 8080}
  delegate_to: edge-1

- name: Take one host out, and wait until its requests are answered
  slipway.delivery.edge_upstream:
    name: prod-webapi
    conf_dir: /etc/nginx/conf.d
    listen: ["80 deferred"]
    server_name: shop.example.com
    hosts: [prod-1]
    servers: []
    drain: 30s
    quiesce: 3s
  delegate_to: edge-1
"""

RETURN = r"""
conf_file:
  description: The file.
  returned: success
  type: str
  sample: /etc/nginx/conf.d/prod-webapi.conf
servers:
  description: The servers that nginx sends requests to now.
  returned: success
  type: list
  elements: dict
  contains: &server
    host:
      description: The host as the inventory calls it.
      returned: success
      type: str
      sample: prod-1
    address:
      description: Where the edge reaches it.
      returned: success
      type: str
      sample: 10.0.0.11
    port:
      description: The port there.
      returned: success
      type: int
      sample: 8080
    release:
      description: The release that it serves; V(null) if that was not said.
      returned: success
      type: int
      sample: 42
    container:
      description: The container's short id; V(null) if that was not said.
      returned: success
      type: str
      sample: 39f32261745e
previous:
  description: The servers before.
  returned: success
  type: list
  elements: dict
  contains: *server
kept:
  description: Hosts that were to leave and stay, as nothing else would answer (O(keep_last)).
  returned: success
  type: list
  elements: str
  sample: []
reloaded:
  description: Whether nginx was reloaded.
  returned: success
  type: bool
  sample: true
drained:
  description: The servers that left, and how that went; empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: Where it was reached.
      returned: success
      type: str
      sample: 10.0.0.11
    port:
      description: The port there.
      returned: success
      type: int
      sample: 8080
    seconds:
      description: How long its connections, and those of the others, were waited for.
      returned: success
      type: float
      sample: 1.902
    connections:
      description: Connections that were left at the end; V(null) when nobody can tell.
      returned: success
      type: int
      sample: 0
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.edge.edge_upstream import EDGE_UPSTREAM


def main() -> None:
    run_module(EDGE_UPSTREAM)


if __name__ == "__main__":
    main()
