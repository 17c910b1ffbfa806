#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one app's container on one Docker host, replaced behind a health gate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_container
short_description: Run an app's container on a Docker host, and replace it behind a health gate
version_added: 0.1.0
description:
  - Brings one container of one app on one Docker host to the wanted image and settings, and keeps the old one until the
    new one has proved itself.
  - "A replacement goes: pull, create the new container under a temporary name (a bad option fails here, with the old one
    still serving), stop the old one, start the new one, gate, soak, swap the names, keep the old one stopped."
  - When the gate is not passed, the new container is removed and the old one runs again; the task fails and says why.
  - Killed at any instant, the next run finds what was left, and carries it on or takes it back. At no instant is there
    neither a serving container nor one that can be started.
  - What was asked for is noted in the container's labels (C(slipway.*)), secrets excepted; the image is compared by digest, and
    what Docker lets people change behind one's back (limits, restart policy, networks, running or not) with the living container.
  - Limits, restart policy and further networks are changed on the living container; every other difference replaces it.
  - A new O(release) number alone replaces nothing, so the container goes on saying the release it was made for. A new
    O(config_revision) does replace it, as settings are read at the start.
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.docker
attributes:
  idempotent:
    support: partial
    details:
      - O(state=restarted) restarts each time, and O(state=ran) runs its command each time.
options:
  name:
    description:
      - The container's name. While a swap goes on there is one with C(.next) or C(.restoring) after the name too, and
        the kept one has C(.previous). Until the swap is done, the one that was kept before has C(.older).
    type: str
    required: true
  state:
    description:
      - V(started) - the wanted container runs.
      - V(pulled) - the image is on the engine, verified; containers are not looked at.
      - V(stopped) - the container stays and does not run. Where there is none, nothing is done.
      - V(absent) - every container that Slipway made for O(name) is removed, the kept one included.
      - V(restarted) - the container is stopped, started and gated as it is; its options are not compared.
      - V(rolled_back) - the kept container and the current one change places, behind the gate. Doing it again does nothing.
        After a swap that did not come to its end, the container before it serves again.
      - V(confirmed) - a swap that was held (O(hold)) comes to its end. Where there is none, nothing is done.
      - V(ran) - O(command) has run and ended with 0, in a container of its own that is removed afterwards. It has the image and
        everything of the run spec but ports, names and fixed addresses; the serving container is not touched. Migrations are
        run so. The command runs each time, and never twice at once on one host.
    type: str
    choices: [started, pulled, stopped, absent, restarted, rolled_back, confirmed, ran]
    default: started
  image:
    description:
      - The image, C(registry/repository:tag), C(registry/repository@sha256:…), or both. Required with O(state=started),
        O(state=pulled) and O(state=ran).
    type: str
  digest:
    description:
      - Manifest digest of the image that must run. It is pulled by this digest.
      - If the tag in O(image) means another digest in the registry, nothing is done and the task fails.
    type: str
  pull:
    description:
      - V(missing) - the registry is asked only if that tag or digest is not on the engine.
      - V(always) - the tag is resolved in the registry each time, through the engine, and pulled if it means another digest.
      - V(never) - the image has to be there.
    type: str
    choices: [missing, always, never]
    default: missing
  registry_username:
    description: Who to log in to the registry as. Without it and O(registry_auth_file), the Docker configuration of the user
      that runs the task is searched.
    type: str
  registry_password:
    description: Password or token of O(registry_username). It is sent to the engine, so use TLS or ssh to reach that.
    type: str
  registry_auth_file:
    description: A Docker C(config.json) with logins.
    type: path
  command:
    description: Command to run, a list, or a line that is split as a shell would. Empty means the image's own.
    type: raw
  entrypoint:
    description: Entry point, a list or a line. Empty means the image's own.
    type: raw
  env:
    description: Environment variables. Values that YAML reads as V(true) or V(null) need quotes.
    type: dict
  secret_env:
    description:
      - Environment variables whose values are secret. They are compared with the living container and stand in no label,
        diff, message or log line that this module gives.
      - A secret that is taken out of the app's configuration has to be taken out here too.
    type: dict
  user:
    description: User, or user and group, to run as.
    type: str
  working_dir:
    description: Folder to start in.
    type: str
  hostname:
    description: The container's host name.
    type: str
  labels:
    description: Further labels. C(slipway.) is reserved.
    type: dict
  ports:
    description:
      - Ports to publish, C([[ip:]host port:]container port[/protocol]), ranges allowed. Without a host port the engine takes a
        free one. IPv6 addresses stand in brackets.
    type: list
    elements: str
  volumes:
    description:
      - Mounts, C(/on/the/host:/inside[:ro]) or C(volume:/inside), or C(/inside) for an anonymous volume.
    type: list
    elements: str
  tmpfs:
    description: In-memory mounts, C(/path[:options]).
    type: list
    elements: str
  networks:
    description:
      - Networks to join; they have to exist. The first is the one that the container is created in.
      - Networks that are not listed are left.
    type: list
    elements: dict
    suboptions:
      name:
        description: The network's name.
        type: str
        required: true
      aliases:
        description: Further names of the container in this network.
        type: list
        elements: str
      ipv4_address:
        description: Fixed address in this network.
        type: str
  network_mode:
    description:
      - V(bridge), V(host), V(none), C(container:name), or the name of a network. Without it the first of O(networks), or V(bridge).
    type: str
  extra_hosts:
    description: Names and addresses to add to the container's hosts file.
    type: dict
  dns:
    description: Name servers.
    type: list
    elements: str
  dns_search:
    description: Domains that short names are looked up in.
    type: list
    elements: str
  memory:
    description: Memory limit, a size such as V(512m).
    type: str
  memory_swap:
    description: Limit of memory and swap together, a size, or V(-1) for no limit on swap.
    type: str
  memory_reservation:
    description: Memory that is left to it under pressure, a size.
    type: str
  cpus:
    description: Number of CPUs it may use, V(1.5) for one and a half.
    type: float
  cpuset_cpus:
    description: CPUs it may run on, such as V(0-1).
    type: str
  pids_limit:
    description: Number of processes it may have; V(-1) for no limit.
    type: int
  ulimits:
    description: Limits of its processes, such as V(nofile=65536) or V(nofile=65536:131072).
    type: list
    elements: str
  shm_size:
    description: Size of C(/dev/shm).
    type: str
  restart_policy:
    description:
      - When Docker starts it again by itself. During a swap neither container has one, so that no restart of the daemon
        can start both; the new one gets it with its name.
    type: str
    choices: ['no', on-failure, always, unless-stopped]
    default: unless-stopped
  restart_retries:
    description: How often, with O(restart_policy=on-failure).
    type: int
  init:
    description: Run a small init in front, which passes signals on and reaps processes.
    type: bool
  read_only:
    description: Mount the image's file system read-only.
    type: bool
  cap_add:
    description: Linux capabilities to add.
    type: list
    elements: str
  cap_drop:
    description: Linux capabilities to take away.
    type: list
    elements: str
  devices:
    description: Devices of the host, C(/dev/on/the/host[:/dev/inside][:rwm]).
    type: list
    elements: str
  groups:
    description: Further groups, names or numbers, that its process is in.
    type: list
    elements: str
  sysctls:
    description: Kernel parameters of its own namespaces, such as C(net.core.somaxconn).
    type: dict
  security_opts:
    description: Security options, such as V(no-new-privileges:true).
    type: list
    elements: str
  privileged:
    description: Give it every privilege of the host.
    type: bool
  log_driver:
    description: Log driver. The reason of a failed gate quotes the log, so choose one that C(docker logs) can read.
    type: str
  log_options:
    description: Options of the log driver.
    type: dict
  stop_signal:
    description: Signal that asks it to end.
    type: str
  stop_timeout:
    description: How long it has to end before it is killed. Docker's default is 10 seconds.
    type: str
  healthcheck:
    description: The engine's own health check, in place of the image's.
    type: dict
    suboptions:
      test:
        description: A command for the image's shell, or a list. V(NONE) switches the image's check off.
        type: raw
      interval:
        description: Time between two checks.
        type: str
      timeout:
        description: Time a check may take.
        type: str
      retries:
        description: Failures in a row that make it unhealthy.
        type: int
      start_period:
        description: Time after the start in which failures do not count.
        type: str
  run_deadline:
    description: How long a command may take with O(state=ran). Then it is stopped, and the task fails.
    type: str
    default: 15m
  gate:
    description:
      - What has to be true of a started container before it counts. Every probe has to succeed O(gate.successes) times in a row
        within O(gate.deadline), then the container has to run for O(gate.soak) without a restart and pass once more.
      - Without a probe and without a HEALTHCHECK the gate is the soak alone, and RV(gate) says so.
      - Ports are the container's own. The probe goes to the published address on the Docker host, to the port itself with the
        host's network, to the container's address on a macvlan network, or to O(gate.address).
    type: dict
    suboptions:
      http:
        description: A GET request.
        type: dict
        suboptions:
          port:
            description: The container's port.
            type: int
            required: true
          path:
            description: Path, with a query if need be.
            type: str
            default: /
          scheme:
            description: Plain HTTP or TLS.
            type: str
            choices: [http, https]
            default: http
          validate_certs:
            description: Verify the app's certificate.
            type: bool
            default: true
          headers:
            description: Request headers, such as C(Host).
            type: dict
          status:
            description: Status codes that count as success. Redirects are not followed.
            type: list
            elements: int
            default: [200]
          body:
            description: Text that the first 16 KiB of the answer have to contain, such as the version.
            type: str
      tcp:
        description: A connection.
        type: dict
        suboptions:
          port:
            description: The container's port.
            type: int
            required: true
      exec:
        description: A command in the container, as a list; exit code 0 is success.
        type: list
        elements: str
      docker:
        description:
          - Whether the engine's own health check counts. Without this it does if there is one.
          - With V(true) a container that has none is an error.
        type: bool
      address:
        description: Host, or host and port, at which the ports are reached from where the module runs.
        type: str
      interval:
        description: Time between two rounds.
        type: str
        default: 1s
      timeout:
        description: Time that one probe may take.
        type: str
        default: 5s
      successes:
        description: Rounds in a row that have to succeed.
        type: int
        default: 3
      deadline:
        description: Time by which they have to.
        type: str
        default: 60s
      soak:
        description: Time that it has to run on without a restart.
        type: str
        default: 5s
  strategy:
    description:
      - V(stop_first) - the old container is stopped before the new one is started, as a fixed port or address asks for.
      - V(start_first) - both run until the new one has passed its gate. Not with a fixed host port, a fixed address or the host's
        network; what sends traffic to the containers has to follow the ports.
    type: str
    choices: [stop_first, start_first]
    default: stop_first
  hold:
    description:
      - With O(strategy=start_first), end when the new container has passed its gate, and leave the old one running under its name.
        RV(container) is the new one, with its ports. Send the traffic there, wait until the old one has none, then call again
        with O(state=confirmed), which asks the gate once more and stops the old one; or with O(state=rolled_back), which takes
        the new one away.
      - Where nothing runs that traffic could be moved from, the swap comes to its end.
    type: bool
    default: false
  failure_action:
    description:
      - What happens to a new container that does not pass its gate. The task fails in each case.
      - V(rollback) - it is removed, and the old one runs again.
      - V(stop) - it is stopped and left for inspection; nothing runs.
      - V(keep) - it is left running under its temporary name. The next run gates it again, or takes it back.
    type: str
    choices: [rollback, keep, stop]
    default: rollback
  keep_previous:
    description:
      - Keep the replaced container, stopped, for O(state=rolled_back). One is kept; it goes when its successor's successor has
        passed its gate.
    type: bool
    default: true
  adopt:
    description:
      - Replace a container of this name that Slipway did not make, or made for another app or environment. Without this it is
        left alone and the task fails.
    type: bool
    default: false
  release:
    description:
      - Number of the release. A container of a newer release is never replaced or removed by the deployer of an older one.
      - With O(state=rolled_back) the release to go back from. Where another one is current, nothing is done.
    type: int
  config_revision:
    description: Revision of the app's settings. Another one than the container's replaces it; without it nothing is compared.
    type: str
  config_changed:
    description:
      - Says that the settings of O(config_revision) were brought only now, and that others were there before.
      - A container that an interrupted swap left running is then started anew before its gate, as it may have read the others. So is,
        in any case, one of another O(release).
    type: bool
    default: false
  app:
    description: The app's name. It defaults to O(name).
    type: str
  environment_name:
    description: The environment's name.
    type: str
notes:
  - Two tasks that deploy the same O(name) to one host at the same time disturb each other; one of them fails. Where that can
    happen, take the lock of the app and environment around them, with M(slipway.delivery.release).
seealso:
  - module: slipway.delivery.app_container_info
  - module: slipway.delivery.release
author:
  - Slipway contributors (@slipway)
"""

EXAMPLES = r"""
---
- name: Run the web API of a release behind a health gate
  slipway.delivery.app_container:
    docker_host: tcp://10.0.0.11:2376
    ca_path: /etc/slipway/ca.pem
    client_cert: /etc/slipway/client.pem
    client_key: /etc/slipway/client-key.pem
    name: webapi
    app: webapi
    environment_name: prod
    release: 42
    image: registry.example.com/shop/webapi:1.4.2
    digest: sha256:7d1f8f5bd0b1d1e6a4e3c4a5f2b6c7d8e9f00112233445566778899aabbccdde
    ports: ["8080:8080"]
    extra_hosts:
      configCenter: 10.0.0.5
    secret_env:
      DB_PASSWORD: "{{ vault_db_password }}"
    memory: 1g
    stop_timeout: 30s
    gate:
      http:
        port: 8080
        path: /health
        body: 1.4.2
      deadline: 90s

- name: Go back to the container that ran before
  slipway.delivery.app_container:
    docker_host: tcp://10.0.0.11:2375
    name: webapi
    state: rolled_back
    gate:
      http:
        port: 8080
        path: /health

- name: Bring the database up to the new version, before any host is switched to it
  slipway.delivery.app_container:
    docker_host: tcp://10.0.0.11:2375
    name: webapi
    state: ran
    image: registry.example.com/shop/webapi:1.4.2
    command: [/start.sh, migrate]
    extra_hosts:
      configCenter: 10.0.0.5
    run_deadline: 10m

- name: Without an outage, next to each other on free ports
  slipway.delivery.app_container:
    name: webapi
    image: registry.example.com/shop/webapi:1.4.2
    ports: ["8080"]
    strategy: start_first
    gate:
      tcp:
        port: 8080
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode.
    - After a failure V(reverted) (the old container runs again), V(kept) or V(stopped) as O(failure_action) asks, V(interrupted) (the
      next run goes on from here), or V(none) (nothing was changed).
  returned: always
  type: str
  sample: replaced
  choices:
    - none
    - created
    - replaced
    - started
    - updated
    - recovered
    - cleaned
    - stopped
    - restarted
    - rolled_back
    - held
    - confirmed
    - removed
    - reverted
    - kept
    - interrupted
    - pulled
    - ran
run:
  description: How the command ended. It is in a failed result too.
  returned: with O(state=ran), except in check mode
  type: dict
  contains:
    exit_code:
      description: Its exit code; V(null) if it was stopped at O(run_deadline).
      returned: with O(state=ran)
      type: int
      sample: 0
    seconds:
      description: How long it took.
      returned: with O(state=ran)
      type: float
      sample: 4.2
    logs:
      description: Its last 50 lines, with secrets masked.
      returned: with O(state=ran)
      type: list
      elements: str
      sample: ["Successfully applied 3 migrations"]
container:
  description: The container that has the name now, and of a held swap the new one; V(null) if there is none. In check mode what
    can be foretold of it.
  returned: success, and when a new container did not pass its gate
  type: dict
  contains:
    id:
      description: The container's id; V(null) in check mode for one that would be created.
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
          description: Port on the host; V(null) in check mode where the engine will choose.
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
reachable:
  description: V(false) when the engine did not answer, so that nobody knows what runs there now.
  returned: when the task failed for that
  type: bool
  sample: false
previous:
  description: The container that was replaced or removed by this task, else the kept one; V(null) if there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      returned: success
      type: str
      sample: 6da6107ccba5812c8f28f5f8e860ed759704e30dd9e6f371b8accdef98c56c49
    image:
      description: Its image as it was asked for.
      returned: success
      type: str
      sample: registry.example.com/shop/webapi:1.4.1
    digest:
      description: Manifest digest of its image.
      returned: success
      type: str
      sample: sha256:0b0f8d1d2f7c8c0f6e5d4c3b2a19080706050403020100ffeeddccbbaa998877
    release:
      description: Number of its release.
      returned: success
      type: int
      sample: 41
    config_revision:
      description: Revision of its settings.
      returned: success
      type: str
      sample: a1b2c3d4e5f6
    kept:
      description: Whether it is there, stopped, to go back to.
      returned: success
      type: bool
      sample: true
gate:
  description: What was asked of the container before it counted; V(null) if nothing was started.
  returned: success
  type: str
  sample: http :8080/health answers 200; 3 in a row, then 5s without a restart
diff:
  description: What changed, or would change. Secrets are named without their values.
  returned: success
  type: dict
  contains:
    before:
      description: Before the task.
      returned: success
      type: dict
      sample: {state: running, image: "registry.example.com/shop/webapi:1.4.1@sha256:0b0f…"}
    after:
      description: After it.
      returned: success
      type: dict
      sample: {state: running, image: "registry.example.com/shop/webapi:1.4.2@sha256:f240…"}
bytes_pulled:
  description: Bytes of layers that the engine fetched from a registry, 0 where the image was there.
  returned: success
  type: int
  sample: 81234567
timings:
  description: How long the steps took, in seconds; 0 for a step that was not needed.
  returned: success, and on failures from the moment on that something was created
  type: dict
  contains:
    pull:
      description: Pulling the image.
      returned: success
      type: float
      sample: 2.113
    create:
      description: Creating the container.
      returned: success
      type: float
      sample: 0.15
    stop:
      description: Stopping the old container.
      returned: success
      type: float
      sample: 0.541
    start:
      description: Starting the new one.
      returned: success
      type: float
      sample: 0.248
    gate:
      description: Gate and soak.
      returned: success
      type: float
      sample: 7.718
    outage:
      description: From the old container's stop to the new one's first successful probe.
      returned: success
      type: float
      sample: 3.645
why:
  description: Why the container did not pass. Values of O(secret_env) are masked in it.
  returned: when a started container fails
  type: dict
  contains:
    probe:
      description: The probe that decided it.
      returned: when a started container fails
      type: str
      sample: http GET http://10.0.0.11:8080/health
    said:
      description: What came back, and what was wanted.
      returned: when a started container fails
      type: str
      sample: answered 503, wanted 200
    status:
      description: HTTP status, or the exit code of a command.
      returned: when a started container fails
      type: int
      sample: 503
    body:
      description: The beginning of the answer or of the command's output.
      returned: when a started container fails
      type: str
      sample: no connection to the database
    exit_code:
      description: The container's exit code; V(null) if it still ran.
      returned: when a started container fails
      type: int
      sample: 1
    oom_killed:
      description: Whether it was killed for want of memory.
      returned: when a started container fails
      type: bool
      sample: false
    logs:
      description: The last 50 lines of its log.
      returned: when a started container fails
      type: list
      elements: str
      sample: ["Starting", "Cannot connect to db:3306"]
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER


def main() -> None:
    run_module(APP_CONTAINER)


if __name__ == "__main__":
    main()
