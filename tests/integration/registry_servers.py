# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real registries for one test: docker-registry processes on loopback, with TLS, logins and tokens as the test wants them."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import shutil
import socket
import subprocess
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Authority:
    """A certificate authority of this test, and the certificates that it signs, as PEM files in `folder`."""

    folder: Path
    name: str = "authority"
    key: t.Any = field(init=False)
    certificate: t.Any = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def issue(self, name: str) -> t.Tuple[Path, Path]:
        """A certificate for localhost and 127.0.0.1, good for servers and clients: (certificate, key)."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(name, key.public_key(), ca=False)
        certificate_path, key_path = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_path, key_path

    def _sign(self, name: str, public_key: t.Any, ca: bool) -> t.Any:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Registry:
    """A running registry. `log` is its access log, one JSON object a line with status, method and address."""

    host: str
    folder: Path
    process: subprocess.Popen

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextlib.contextmanager
def registry(
    folder: Path, host: str = "", http: t.Any = None, storage: t.Any = None, **config: t.Any
) -> t.Iterator[Registry]:
    """docker-registry on loopback with its storage in `folder`; deletion is on unless `storage` says otherwise."""
    program = shutil.which("docker-registry")
    assert program, "the lab installs docker-registry"
    host = host or f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.json").write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": False}},
                "storage": {
                    "filesystem": {"rootdirectory": str(folder / "storage")},
                    "delete": {"enabled": True},
                    **(storage or {}),
                },
                "http": {"addr": host, **(http or {})},
                **config,
            }
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "registry.json")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_for(host, lambda: process.poll() is None, (folder / "log").read_text)
        yield Registry(host, folder, process)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(host: str, alive: t.Callable[[], bool], log: t.Callable[[], str]) -> None:
    """Until something listens there; AssertionError after 20 seconds or when it ended."""
    address, _colon, port = host.rpartition(":")
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, int(port)), timeout=1).close()
            return
        except OSError:
            assert alive(), log()
            assert time.monotonic() < deadline, f"{host} does not listen\n{log()}"
            time.sleep(0.02)


def htpasswd(path: Path, user: str, password: str) -> t.Dict[str, t.Any]:
    """The registry's `auth` section for one account."""
    program = shutil.which("htpasswd")
    assert program, "the lab installs htpasswd"
    subprocess.run([program, "-icBC", "5", str(path), user], input=password, text=True, check=True, capture_output=True)
    return {"htpasswd": {"realm": "test", "path": str(path)}}


def tls(authority: Authority, clients: t.Optional[Authority] = None) -> t.Dict[str, t.Any]:
    """The registry's `http` section: a certificate of `authority`, and client certificates of `clients` demanded."""
    certificate, key = authority.issue("registry")
    section: t.Dict[str, t.Any] = {"certificate": str(certificate), "key": str(key)}
    if clients:
        section["clientcas"] = [str(clients.path)]
    return {"tls": section}
