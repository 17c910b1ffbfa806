# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, made anew for every start of the lab: its CA with server and client certificates, and a CA that nobody trusts."""

from __future__ import annotations

from pathlib import Path

from lab.layout import REGISTRY, RUN, TLS_HOST
from lab.proc import run

FOLDER = RUN / "tls"
CA_CERT = FOLDER / "ca.pem"
REGISTRY_CERT, REGISTRY_KEY = FOLDER / "registry.pem", FOLDER / "registry-key.pem"
DOCKER_CERT, DOCKER_KEY = FOLDER / "docker.pem", FOLDER / "docker-key.pem"
CLIENT_CERT, CLIENT_KEY = FOLDER / "client.pem", FOLDER / "client-key.pem"
OTHER_CA_CERT = FOLDER / "other-ca.pem"
OTHER_CLIENT_CERT, OTHER_CLIENT_KEY = FOLDER / "other-client.pem", FOLDER / "other-client-key.pem"
_CONFIG = FOLDER / "openssl.cnf"
_DAYS = "30"


def up() -> None:
    """Make what is missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o700)
    if OTHER_CLIENT_CERT.exists():
        return
    _CONFIG.write_text("[req]\ndistinguished_name = dn\n[dn]\n")  # openssl's own would add extensions of its choice
    _authority("ca", "Slipway lab CA")
    _certificate("ca", "registry", "registry", f"subjectAltName=IP:{REGISTRY.address}")
    _certificate("ca", "docker", "docker", f"subjectAltName=IP:{TLS_HOST.address},DNS:{TLS_HOST.name}")
    _certificate("ca", "client", "lab client", "extendedKeyUsage=clientAuth")
    _authority("other-ca", "Another CA")
    _certificate("other-ca", "other-client", "a stranger", "extendedKeyUsage=clientAuth")


def _request(name: str, subject: str, *extensions: str) -> list[str]:
    """openssl's arguments for a new key and a certificate with those extensions."""
    added = [argument for extension in extensions for argument in ("-addext", extension)]
    return [
        "openssl",
        "req",
        "-x509",
        "-config",
        str(_CONFIG),
        "-days",
        _DAYS,
        "-subj",
        f"/CN={subject}",
        *added,
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-keyout",
        str(_key(name)),
        "-out",
        str(_pem(name)),
    ]


def _authority(name: str, subject: str) -> None:
    """A self-signed certificate authority."""
    run(
        _request(
            name,
            subject,
            "basicConstraints=critical,CA:TRUE",
            "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash",
        )
    )


def _certificate(authority: str, name: str, subject: str, extension: str) -> None:
    """A certificate signed by that authority."""
    request = _request(name, subject, "basicConstraints=critical,CA:FALSE", "authorityKeyIdentifier=keyid", extension)
    run([*request, "-CA", str(_pem(authority)), "-CAkey", str(_key(authority))])


def _pem(name: str) -> Path:
    return FOLDER / f"{name}.pem"


def _key(name: str) -> Path:
    return FOLDER / f"{name}-key.pem"
