# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that reach a Docker engine, with the names that community.docker made familiar."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - The engine to talk to, as V(unix:///path), V(tcp://host:port) or V(ssh://user@host).
      - If not set, the environment variable E(DOCKER_HOST) is used. The Docker command's current context is not.
    type: str
    default: unix:///var/run/docker.sock
    aliases: [docker_url]
  tls:
    description:
      - Talk TLS. Any of O(validate_certs=true), O(ca_path), O(client_cert), O(client_key) and O(tls_hostname) implies it.
      - If not set, the environment variable E(DOCKER_TLS) is used.
    type: bool
    default: false
  validate_certs:
    description:
      - With TLS the engine's certificate is verified unless this is V(false).
      - If not set, the environment variable E(DOCKER_TLS_VERIFY) is used.
    type: bool
    aliases: [tls_verify]
  ca_path:
    description:
      - File with the CA certificates that the engine's certificate is verified against.
      - If not set and TLS is used, C(ca.pem) in the folder that E(DOCKER_CERT_PATH) names.
    type: path
    aliases: [ca_cert, tls_ca_cert, cacert_path]
  client_cert:
    description:
      - File with the certificate that proves to the engine who we are.
      - If not set and TLS is used, C(cert.pem) in the folder that E(DOCKER_CERT_PATH) names.
    type: path
    aliases: [tls_client_cert, cert_path]
  client_key:
    description:
      - File with the key of O(client_cert).
      - If not set and TLS is used, C(key.pem) in the folder that E(DOCKER_CERT_PATH) names.
    type: path
    aliases: [tls_client_key, key_path]
  tls_hostname:
    description:
      - The name to look for in the engine's certificate when it is not the one in O(docker_host).
      - If not set, the environment variable E(DOCKER_TLS_HOSTNAME) is used.
    type: str
  api_version:
    description:
      - Version of the engine's API to speak. V(auto) takes the newest that the engine knows, and costs no request.
      - The oldest that works is V(1.41), which is Docker 20.10.
      - If not set, the environment variable E(DOCKER_API_VERSION) is used.
    type: str
    default: auto
    aliases: [docker_api_version]
  timeout:
    description:
      - Seconds to wait for each of the engine's answers. A connection has to come about in 10 seconds at most.
      - If not set, the environment variable E(DOCKER_TIMEOUT) is used.
    type: int
    default: 60
  use_ssh_client:
    description:
      - For V(ssh://) engines, call the C(ssh) command instead of the Python package paramiko.
    type: bool
    default: false
requirements:
  - Docker API 1.41 (Docker 20.10) or newer
  - "Python package docker 7.1 or newer (with its extra C(ssh) for V(ssh://) engines)"
"""
