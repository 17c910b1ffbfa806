#!/usr/bin/python
# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds an app image from a WAR, a JAR, a folder or a Dockerfile, and pushes it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_image
short_description: Build an app image and push it
version_added: 0.1.0
description:
  - With O(method=layers), puts a C(.war), a C(.jar) or a folder on top of a base image and pushes the result straight to the
    registry. No Docker engine takes part, and the layers of the base are neither pulled nor unpacked.
  - With O(method=dockerfile), has a Docker engine build a Dockerfile and push the image.
  - The files are split into layers by how often they change, so that a new build of an app sends only what is new; a
    build of the same input sends nothing, and is told by three requests.
  - The same input gives the same image digest on every machine. Names, content and execute bits of the files decide about
    layers; dates, owner, umask, time zone and order on disk do not. The image's own date is O(created).
author: Slipway contributors (@slipway)
extends_documentation_fragment:
  - slipway.delivery.attributes
  - slipway.delivery.registry
requirements:
  - docker >= 7.1 (Python package), for O(method=dockerfile)
  - zstandard (Python package), for O(compression=zstd)
attributes:
  check_mode:
    details:
      - With O(method=layers), the digest that is returned is the one that the real run makes.
      - With O(method=dockerfile), whether anything changes is known; the digest of an image that has not been built is not.
  idempotent:
    details:
      - With O(method=dockerfile), an image that carries the label of the same input is not built again, unless O(pull) or
        O(no_cache) ask for it.
options:
  image:
    description: Where the image goes, with a tag; V(latest) without one.
    type: str
    required: true
  tags:
    description: Further tags of the same repository that name the image as well.
    type: list
    elements: str
    default: []
  method:
    description: Who builds. See the description of the module.
    type: str
    choices: [layers, dockerfile]
    default: layers
  chdir:
    description: The folder that relative paths of O(artifact), O(files) and O(context) start at.
    type: path
  artifact:
    description:
      - What the app's own build made, a C(.war), a C(.jar) or a folder.
      - With O(method=dockerfile), only its checksums are returned; the Dockerfile copies it.
    type: path
  overwrite:
    description: Whether a tag may be moved from another image to this one. V(false) makes that an error.
    type: bool
    default: true
  labels:
    description: Labels of the image.
    type: dict
    default: {}
  platform:
    description:
      - The platform to build for, such as V(linux/arm64), where O(base) is an image for several. V(linux/amd64) if this is
        not set, on any machine.
      - With O(method=dockerfile), as C(docker build --platform) takes it.
    type: str
  base:
    description:
      - The image to build on, by tag or by digest. Layers of a base in the same registry are mounted; from another
        registry they are streamed.
      - Required with O(method=layers).
    type: str
  dest:
    description:
      - Where the artifact goes in the image. A path that ends like the archive (V(/app/app.jar)) takes it as the file it is;
        any other takes it unpacked.
      - If it is not set, a WAR goes to C(webapps/ROOT) of the E(CATALINA_HOME) that the base sets, a Spring Boot JAR to
        V(/app), unpacked, and another JAR to V(/app/app.jar). A folder needs it.
    type: str
  files:
    description: Further files and folders. Each item becomes a layer above the artifact's.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: A file, or a folder whose content is taken.
        type: path
        required: true
      dest:
        description: The file or folder in the image. With a C(/) behind, a single file goes below it under its own name.
        type: str
        required: true
      mode:
        description:
          - Permission bits of the files as three octal digits in quotes, such as V("0644"). Folders get the execute bit wherever there
            is a read bit.
          - If it is not set, C(0755) for what its owner may execute, and C(0644) for the rest.
        type: raw
  entrypoint:
    description:
      - The image's entrypoint, a list, or a string that is split into words as a shell does. The base's O(cmd) is then
        dropped.
      - If neither this nor O(cmd) is set, a JAR is started by its C(Main-Class), and anything else as the base says.
    type: raw
  cmd:
    description: The image's command, a list, or a string that is split into words as a shell does.
    type: raw
  env:
    description: Environment variables. They replace the base's of the same name. This is no place for secrets.
    type: dict
    default: {}
  ports:
    description: Ports that the app listens on, such as V(8080), V(8080/tcp) or V(9000-9010/udp).
    type: list
    elements: str
    default: []
  user:
    description: The user that the container runs as.
    type: str
  working_dir:
    description: The folder that the container starts in.
    type: str
  volumes:
    description: Folders of the image that are volumes.
    type: list
    elements: str
    default: []
  healthcheck:
    description: How an engine asks whether the container is healthy.
    type: dict
    suboptions:
      test:
        description: A shell command; a list of words, run as it is (C(CMD) and C(CMD-SHELL) may stand before them); or V(NONE) to drop
          the base's.
        type: raw
        required: true
      interval:
        description: Time between two checks, such as V(5s).
        type: str
      timeout:
        description: Time that one check may take, such as V(3s).
        type: str
      start_period:
        description: Time after the start in which failures do not count, such as V(1m30s).
        type: str
      retries:
        description: How many failures in a row make it unhealthy.
        type: int
  stop_signal:
    description: The signal that stops the container, such as V(SIGTERM).
    type: str
  created:
    description:
      - The image's date. V(source) takes E(SOURCE_DATE_EPOCH) if it is set, else the newest date inside the archive, or of
        the files of a folder, which a fresh checkout does not keep; V(epoch) is 1970; V(now) is the time of the build, and
        differs in every image; or a time such as V(2026-03-01T12:00:00Z).
      - A date that nobody named (V(source) without E(SOURCE_DATE_EPOCH), and V(now)) is no reason to build again.
    type: str
    default: source
  compression:
    description:
      - How new layers are compressed. With V(gzip), layers that hold mostly archives (the dependencies of a WAR) are
        framed as gzip and not compressed again. V(none) is the most portable. V(zstd) makes an OCI image, and needs engines and
        registries that know it.
    type: str
    choices: [gzip, none, zstd]
    default: gzip
  context:
    description: The folder that is sent to the engine, apart from what its C(.dockerignore) names. O(chdir) if it is not set.
    type: path
  dockerfile:
    description: The Dockerfile, relative to O(context). It may lie outside.
    type: path
  build_args:
    description: Values for the C(ARG) lines of the Dockerfile. They can be read in the image, so this is no place for secrets.
    type: dict
    default: {}
  target:
    description: The stage of the Dockerfile to build.
    type: str
  pull:
    description: Whether the engine looks for newer base images. It then always builds, and its cache decides what is new.
    type: bool
    default: false
  no_cache:
    description: Whether every step is run again.
    type: bool
    default: false
  cache_from:
    description: Images whose layers the engine may use as its cache.
    type: list
    elements: str
    default: []
  network:
    description: The network that C(RUN) steps see, such as V(host) or V(none).
    type: str
  build_timeout:
    description: How long an engine may take to build and push.
    type: str
    default: 1h
  base_username:
    description:
      - User name for the registry of O(base). Where both images are in one registry and no C(base_) option is set, the options
        without that prefix count for both; another registry never hears that login.
    type: str
  base_password:
    description: Password or access token that goes with O(base_username).
    type: str
  base_auth_file:
    description: As O(auth_file), for the registry of O(base).
    type: path
  base_validate_certs:
    description: As O(validate_certs), for the registry of O(base).
    type: bool
    default: true
  base_ca_path:
    description: As O(ca_path), for the registry of O(base).
    type: path
  base_client_cert:
    description: As O(client_cert), for the registry of O(base).
    type: path
  base_client_key:
    description: As O(client_key), for the registry of O(base).
    type: path
  base_insecure:
    description: As O(insecure), for the registry of O(base).
    type: bool
    default: false
  base_timeout:
    description: As O(timeout), for the registry of O(base).
    type: str
    default: 1m
  docker_host:
    description: The engine that builds, for O(method=dockerfile); C(unix:///path), C(tcp://host:port) or C(ssh://user@host).
    type: str
    default: unix:///var/run/docker.sock
    aliases: [docker_url]
  tls:
    description: Whether to speak TLS to the engine. Setting any of its certificate options does as well.
    type: bool
    default: false
  docker_validate_certs:
    description: Whether the engine's certificate must be trusted; it must, unless this is V(false).
    type: bool
  docker_ca_path:
    description: File with the certificate authority of the engine.
    type: path
  docker_client_cert:
    description: Client certificate for the engine.
    type: path
  docker_client_key:
    description: Key of O(docker_client_cert).
    type: path
  tls_hostname:
    description: The name in the engine's certificate, where it is not the one in O(docker_host).
    type: str
  api_version:
    description: Version of the engine's API; V(auto) is one that every supported engine speaks.
    type: str
    default: auto
    aliases: [docker_api_version]
  docker_timeout:
    description: Seconds that an ordinary answer of the engine may take. Build and push have O(build_timeout).
    type: int
    default: 60
  use_ssh_client:
    description: Whether C(ssh://) uses the C(ssh) command and its configuration, not Paramiko.
    type: bool
    default: false
notes:
  - The engine's TLS options and its time limit begin with C(docker_) here, since the registry's have the plain names.
  - Deflate may give other bytes where Python does not use the classic zlib (zlib-ng, for one). An image that is there is
    recognised all the same; O(compression=none) makes even the digest of a new one the same.
  - A name twice in an archive counts once, as the last of the two. Names that climb out of the archive, absolute names, and
    links that leave it are refused.
  - Folders above a destination are part of a layer, with the modes that base images usually give them. Name C(/usr/bin) and
    not C(/bin) where the base has that as a link.
seealso:
  - module: slipway.delivery.registry_image
  - module: slipway.delivery.app_container
"""

EXAMPLES = r"""
---
- name: Put a web app on Tomcat
  slipway.delivery.app_image:
    image: registry.example.com/test/webapi:1.4.2
    base: registry.example.com/base/tomcat:10
    artifact: target/webapi.war
    dest: /usr/local/tomcat/webapps/ROOT
    files:
      - {src: confd/, dest: /etc/confd, mode: "0644"}
      - {src: start.sh, dest: /start.sh, mode: "0755"}
    entrypoint: [/start.sh]
    ports: ["8080"]
  register: webapi

- name: What was built
  ansible.builtin.debug:
    msg: "{{ webapi.digest }} from a WAR with md5 {{ webapi.artifact.md5 }}"

- name: A Spring Boot JAR, in its own layers
  slipway.delivery.app_image:
    image: registry.example.com/test/orders:2.0.0
    base: registry.example.com/base/jre:21@sha256:0f1c8a4e3b0d0c6b3c1c0e6f6d2f4f1f9f0a7a6d5c4b3a29181706f5e4d3c2b1
    artifact: target/orders-2.0.0.jar

- name: A Python service by its Dockerfile, on an engine elsewhere
  slipway.delivery.app_image:
    image: registry.example.com/test/power:1.0.3
    tags: ["1.0"]
    method: dockerfile
    context: power/
    build_args: {PYTHON_VERSION: "3.12"}
    docker_host: tcp://build.example.com:2376
    docker_ca_path: /etc/slipway/ca.pem
    docker_client_cert: /etc/slipway/cert.pem
    docker_client_key: /etc/slipway/key.pem
"""

RETURN = r"""
digest:
  description: The manifest digest of the image. Null where check mode cannot know it.
  returned: success
  type: str
  sample: sha256:c997f064723c66ed94966b14b41376e2de1104a00688c57c1d6978f7a4537927
previous_digest:
  description: What O(image) named before. Null when it did not exist.
  returned: success
  type: str
  sample: sha256:4842b3ea440fcb5398f90005fc0e27cb2a32fdc392500f4f69aa40614acdab50
tags:
  description: Every tag that names the image now, the one of O(image) first.
  returned: success
  type: list
  elements: str
  sample: ["1.4.2", "stable"]
base_digest:
  description: What O(base) named when the image was built.
  returned: success, with O(method=layers)
  type: str
  sample: sha256:f24073b5e1e71e684391eba47043d746b1fbb3061a5976ed0525e46313ef727f
artifact:
  description: What was built in. Null without O(artifact).
  returned: success
  type: dict
  contains:
    path:
      description: Where it was read.
      type: str
      sample: /src/webapi/target/webapi.war
    size:
      description: Bytes of the archive, or of all files of the folder.
      type: int
      sample: 8123456
    md5:
      description: Checksum of the archive. Of a folder, the same as RV(artifact.content_md5) of that folder alone.
      type: str
      sample: 48e961cf5baa9bfc10ec7527f44e4c5c
    sha256:
      description: Checksum of the archive. Of a folder, one over names, modes and content.
      type: str
      sample: 07f5d97bace6726830c7e8853c0a333bd0d71a6b1c09fa17181e2bbacceaf52d
    content_md5:
      description:
        - Checksum over all files at O(dest), which a container can compute too with C(find . -type f -print0 | LC_ALL=C sort -z
          | xargs -0 -r md5sum | md5sum) in that folder. It is also in the image's label C(slipway.build.content_md5).
        - Of an archive that goes in as a file, it is over that one file.
      type: str
      sample: 3dc48c8e605d13f699b4abf74267f36b
layers:
  description: The layers on top of the base, lowest first; with O(method=dockerfile), all layers.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description:
        - V(dependencies), V(snapshot-dependencies), V(resources), V(classes), V(spring-boot-loader) or a layer's name in
          C(layers.idx), V(archive) for an archive as a file, V(content) for a folder, V(files) for an item of O(files),
          V(dockerfile).
      type: str
      sample: classes
    dest:
      description: Where in the image. Not with O(method=dockerfile).
      type: str
      sample: /usr/local/tomcat/webapps/ROOT
    digest:
      description: Digest of the compressed layer.
      type: str
      sample: sha256:ef98a403b0feaf38cbe860d3d292d3cf9def2533f876452095d11bd1fc629e03
    diff_id:
      description: Digest of the layer's content.
      type: str
      sample: sha256:f24c3c1fa7fc143b57accaa8cd9d9b53974ced5911209530adf0a02b7b36d0e0
    size:
      description: Bytes of the compressed layer.
      type: int
      sample: 18123
    files:
      description: How many files are in it. Not with O(method=dockerfile).
      type: int
      sample: 42
    reused:
      description: Whether an image of the repository had it already.
      type: bool
      sample: false
bytes_uploaded:
  description: Bytes of layers and config that were sent to the registry, or would be; of layers with O(method=dockerfile).
  returned: success
  type: int
  sample: 18123
requests:
  description: Requests to registries, without those of a Docker engine.
  returned: success
  type: int
  sample: 3
timings:
  description: Seconds for each step, and V(total).
  returned: success
  type: dict
  sample: {artifact: 0.21, base: 0.01, layers: 0.66, push: 0.05, total: 0.93}
log:
  description: The last lines of the build's output.
  returned: failure, with O(method=dockerfile)
  type: list
  elements: str
  sample: ["Step 4/5 : RUN python -m pytest", "1 failed, 11 passed in 0.31s"]
diff:
  description: The image before and after; layers with what they hold, and how it runs.
  returned: success
  type: dict
  contains:
    before:
      description: What O(image) named before; empty when it did not exist.
      type: dict
      sample: {}
    after:
      description: What it names now, or would name.
      type: dict
      sample: {"digest": "sha256:c997f064723c66ed94966b14b41376e2de1104a00688c57c1d6978f7a4537927"}
"""

from ansible_collections.slipway.delivery.plugins.module_utils.common.module_shell import run_module
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE


def main() -> None:
    run_module(APP_IMAGE)


if __name__ == "__main__":
    main()
