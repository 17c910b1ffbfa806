#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slipway runs on one Docker host: facts, logs, use of resources, checksums."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_container_info
short_description: Facts about the containers that Slipway runs on a Docker host
version_added: 0.1.0
description:
  - Returns the facts of M(slipway.delivery.app_container) for one or all containers that it made on a host, and on request their
    logs, what they use, and checksums of files inside them.
  - Containers are found by their labels. Those that Slipway did not make are not shown.
extends_documentation_fragment:
  - slipway.delivery.attributes.info
  - slipway.delivery.docker
options:
  name:
    description: Only the containers of this O(slipway.delivery.app_container#module:name).
    type: str
  app:
    description: Only those of this app.
    type: str
  environment_name:
    description: Only those of this environment.
    type: str
  previous:
    description: Show the stopped containers too that are kept to go back to.
    type: bool
    default: false
  logs:
    description: Return the log, stdout and stderr together. Values that came by C(secret_env) are masked.
    type: dict
    suboptions:
      tail:
        description: Number of lines from the end; V(0) for all.
        type: int
        default: 100
      since:
        description: Only lines that are not older than this, such as V(10m), by the engine's clock.
        type: str
  stats:
    description: Return what running containers use, measured over one second for all of them together.
    type: bool
    default: false
  checksums:
    description:
      - Files or folders inside the container to compute checksums of. The engine streams them out; nothing is run in the
        container, so it may be stopped, and need not have a shell.
    type: list
    elements: dict
    suboptions:
      path:
        description: Absolute path. If it is a symbolic link, it is followed; links inside a folder are left out.
        type: str
        required: true
      algorithm:
        description: The hash.
        type: str
        choices: [md5, sha256]
        default: sha256
      files:
        description: For a folder, return the checksum of each file too.
        type: bool
        default: false
seealso:
  - module: slipway.delivery.app_container
author:
  - Slipway contributors (@slipway)
"""

EXAMPLES = r"""
---
- name: What runs here
  slipway.delivery.app_container_info:
    docker_host: tcp://10.0.0.11:2375
  register: here

- name: The last minutes of one app's log
  slipway.delivery.app_container_info:
    docker_host: tcp://10.0.0.11:2375
    name: webapi
    logs:
      since: 10m
      tail: 0

- name: Is the WAR that runs the one that was built
  slipway.delivery.app_container_info:
    docker_host: tcp://10.0.0.11:2375
    name: webapi
    checksums:
      - path: /usr/local/tomcat/webapps/ROOT
        algorithm: md5
  register: running
  failed_when: running.containers[0].checksums[0].checksum != built_md5
"""

RETURN = r"""
containers:
  description: The matching containers, by name; of one name the current container first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The container's id.
      returned: success
      type: str
      sample: 39f32261745eb40128f787342bc4df553f9987469eba0ec647493cf3f858bf74
    name:
      description: Its name.
      returned: success
      type: str
      sample: webapi
    image:
      description: The image as it was asked for.
      returned: success
      type: str
      sample: registry.example.com/shop/webapi:1.4.2
    digest:
      description: Manifest digest of the image; V(null) for an image that no registry knows.
      returned: success
      type: str
      sample: sha256:f24073b5e1e71e684391eba47043d746b1fbb3061a5976ed0525e46313ef727f
    status:
      description: The engine's word for its state.
      returned: success
      type: str
      sample: running
    health:
      description: What its HEALTHCHECK says; V(null) without one.
      returned: success
      type: str
      sample: healthy
    restart_count:
      description: How often the engine has restarted it.
      returned: success
      type: int
      sample: 0
    ports:
      description: Its published ports.
      returned: success
      type: list
      elements: dict
      contains:
        container:
          description: The container's port.
          returned: success
          type: int
          sample: 8080
        protocol:
          description: V(tcp), V(udp) or V(sctp).
          returned: success
          type: str
          sample: tcp
        host_ip:
          description: Address on the host.
          returned: success
          type: str
          sample: 0.0.0.0
        host_port:
          description: Port on the host.
          returned: success
          type: int
          sample: 8080
    ip:
      description: Its own address on the network it was created in.
      returned: success
      type: str
      sample: 172.17.0.2
    started_at:
      description: When it was started, by the engine's clock.
      returned: success
      type: str
      sample: '2026-11-21T04:52:53.592464898Z'
    release:
      description: Number of the release it was made for.
      returned: success
      type: int
      sample: 42
    config_revision:
      description: Revision of the settings it was started with.
      returned: success
      type: str
      sample: 5f2b6c7d8e9f
    app:
      description: The app it belongs to.
      returned: success
      type: str
      sample: webapi
    environment_name:
      description: The environment it belongs to.
      returned: success
      type: str
      sample: prod
    part:
      description:
        - V(current) for the container that has the name, V(previous) for the kept one.
        - V(older) for one that was kept before it, which a swap that was killed at its very end has left; the next one removes it.
        - V(candidate) or V(restoring) for one that a swap, perhaps an interrupted one, is bringing up.
        - V(stray) for one that somebody gave another name.
      returned: success
      type: str
      sample: current
    logs:
      description: Lines of its log.
      returned: when O(logs) is set
      type: list
      elements: str
      sample: ["Starting", "Listening on 8080"]
    stats:
      description: What it uses; V(null) for a container that does not run.
      returned: when O(stats=true)
      type: dict
      contains:
        cpu_percent:
          description: Use of the CPU; 100 is one whole CPU.
          returned: when O(stats=true)
          type: float
          sample: 12.5
        memory:
          description: Bytes in use without the page cache, the limit in bytes, and the share in percent.
          returned: when O(stats=true)
          type: dict
          sample: {usage: 104857600, limit: 1073741824, percent: 9.77}
        network:
          description: Bytes received and sent since the start; V(null) without a network of its own.
          returned: when O(stats=true)
          type: dict
          sample: {received: 20480, sent: 10240}
        disk:
          description: Bytes read and written since the start.
          returned: when O(stats=true)
          type: dict
          sample: {read: 1048576, written: 4096}
        pids:
          description: Number of processes and threads.
          returned: when O(stats=true)
          type: int
          sample: 31
    checksums:
      description: One entry for each of O(checksums), in their order.
      returned: when O(checksums) is set
      type: list
      elements: dict
      contains:
        path:
          description: The path as it was asked for.
          returned: when O(checksums) is set
          type: str
          sample: /usr/local/tomcat/webapps/ROOT
        algorithm:
          description: The hash.
          returned: when O(checksums) is set
          type: str
          sample: md5
        kind:
          description: V(file), V(directory), or V(absent) when there is no such path.
          returned: when O(checksums) is set
          type: str
          sample: directory
        checksum:
          description:
            - Of a file its hash; V(null) if there is none.
            - "Of a folder the content checksum: the hash of what C(md5sum) or C(sha256sum) prints for every regular file below it,
              sorted bytewise by C(./relative/path)."
          returned: when O(checksums) is set
          type: str
          sample: 9e107d9d372bb6826bd81d3542a419d6
        size:
          description: Bytes of the file, or of all files below the folder.
          returned: when O(checksums) is set
          type: int
          sample: 1048576
        files:
          description: The hash of each file below the folder, by relative path.
          returned: when files were asked for
          type: dict
          sample: {"WEB-INF/web.xml": "d41d8cd98f00b204e9800998ecf8427e"}
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container_info import APP_CONTAINER_INFO


def main() -> None:
    run_module(APP_CONTAINER_INFO)


if __name__ == "__main__":
    main()
