# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry is reached: shared by every module that speaks to one."""

from __future__ import annotations


class ModuleDocFragment:
    # The twin of module_utils/registry/access.py: REGISTRY_SPEC.
    DOCUMENTATION = r"""
options:
  username:
    description: User name for the registry. Without it, a login is looked for in the files that O(auth_file) names.
    type: str
  password:
    description: Password or access token that goes with O(username).
    type: str
  auth_file:
    description:
      - A login file as C(docker login) and C(podman login) write it. It is asked first, then E(DOCKER_CONFIG)C(/config.json),
        C(~/.docker/config.json), E(REGISTRY_AUTH_FILE) and E(XDG_RUNTIME_DIR)C(/containers/auth.json). Login helpers
        (C(credHelpers), C(credsStore)) that such a file names are used.
    type: path
  validate_certs:
    description: Whether the certificate of the registry must be trusted. V(false) is for experiments only.
    type: bool
    default: true
  ca_path:
    description:
      - File with the certificate authorities that are trusted, in PEM format. Without it, those that Docker has for this
        registry in C(/etc/docker/certs.d), else those of E(REQUESTS_CA_BUNDLE) or the system.
    type: path
  client_cert:
    description: Client certificate in PEM format, for a registry that asks for one.
    type: path
  client_key:
    description: Key of O(client_cert), unless that file holds it too.
    type: path
  insecure:
    description:
      - Speak plain HTTP, logins included. Without it, plain HTTP is used only for a registry on this machine's loopback
        address that does not speak TLS, and no login is ever sent that way.
    type: bool
    default: false
  timeout:
    description: How long the registry may send nothing before a request counts as failed, such as V(30s) or V(1m30s).
    type: str
    default: 1m
requirements:
  - requests >= 2.31 (Python package, where the module runs)
notes:
  - The module speaks the registry's HTTP API itself; it needs no Docker engine.
  - Requests that fail by 429, by 5xx or by a broken connection are tried up to 5 times; Retry-After is honoured.
  - HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured, C(~/.netrc) is not.
"""

    # The twin of SOURCE_SPEC.
    SOURCE = r"""
options:
  source_username:
    description: User name for the source's registry. Without it, a login is looked for in the files that O(source_auth_file) names.
    type: str
  source_password:
    description: Password or access token that goes with O(source_username).
    type: str
  source_auth_file:
    description:
      - A login file as C(docker login) and C(podman login) write it. It is asked first, then E(DOCKER_CONFIG)C(/config.json),
        C(~/.docker/config.json), E(REGISTRY_AUTH_FILE) and E(XDG_RUNTIME_DIR)C(/containers/auth.json). Login helpers
        (C(credHelpers), C(credsStore)) that such a file names are used.
    type: path
  source_validate_certs:
    description: Whether the certificate of the source's registry must be trusted. V(false) is for experiments only.
    type: bool
    default: true
  source_ca_path:
    description:
      - File with the certificate authorities that are trusted, in PEM format. Without it, those that Docker has for this
        registry in C(/etc/docker/certs.d), else those of E(REQUESTS_CA_BUNDLE) or the system.
    type: path
  source_client_cert:
    description: Client certificate in PEM format, for a registry that asks for one.
    type: path
  source_client_key:
    description: Key of O(source_client_cert), unless that file holds it too.
    type: path
  source_insecure:
    description:
      - Speak plain HTTP, logins included. Without it, plain HTTP is used only for a registry on this machine's loopback
        address that does not speak TLS, and no login is ever sent that way.
    type: bool
    default: false
  source_timeout:
    description: How long the registry may send nothing before a request counts as failed, such as V(30s) or V(1m30s).
    type: str
    default: 1m
"""
