# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token service as registries name one in their challenge: it checks logins and signs tokens that a real registry verifies."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from registry_servers import Authority

SERVICE, ISSUER = "test registry", "test issuer"
Grants = t.Mapping[str, t.Collection[str]]  # beginning of a repository's name -> actions


@dataclass
class TokenService:
    """Users have a password and what they may do; "" is anybody. `asked` are the questions, as dicts of what was said.

    `lifetime` is what tokens are said to live, in seconds; of the next `stale` tokens the registry will say that they have
    expired, and the next `busy` questions are answered with 503.
    """

    authority: Authority
    passwords: t.Dict[str, str]
    grants: t.Dict[str, Grants]
    refresh_tokens: t.Dict[str, str] = field(default_factory=dict)
    lifetime: int = 300
    stale: int = 0
    busy: int = 0
    asked: t.List[t.Dict[str, t.Any]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        certificate, key = self.authority.issue("signer")
        self._key = serialization.load_pem_private_key(key.read_bytes(), None)
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(serialization.Encoding.DER)
        self._chain = [base64.b64encode(der).decode()]

    @property
    def registry_auth(self) -> t.Dict[str, t.Any]:
        """The registry's `auth` section that trusts this service."""
        bundle = str(self.authority.path)
        return {"token": {"realm": self.url, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}}

    @property
    def scopes(self) -> t.List[t.List[str]]:
        """The scopes of each question, in the order in which they stood there."""
        return [question["scopes"] for question in self.asked]

    def answer(self, user: str, scopes: t.Sequence[str]) -> t.Dict[str, t.Any]:
        """A signed token for what the user may do of `scopes`; the rest is left out, as real services do."""
        now = int(time.time())
        late = 7200 if self.stale else 0
        self.stale = max(0, self.stale - 1)
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "iat": now - late,
            "nbf": now - late - 10,
            "exp": now - late + 3600,
            "jti": str(time.monotonic_ns()),
            "access": [access for access in map(lambda scope: self._granted(user, scope), scopes) if access],
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": self._chain})
        return {
            "token": token,
            "expires_in": self.lifetime,
            "issued_at": "2001-01-01T00:00:00Z",
        }  # a clock that is wrong

    def _granted(self, user: str, scope: str) -> t.Optional[t.Dict[str, t.Any]]:
        kind, name, wanted = scope.split(":")
        allowed = [set(actions) for start, actions in self.grants.get(user, {}).items() if name.startswith(start)]
        actions = [action for action in wanted.split(",") if any(action in each for each in allowed)]
        return {"type": kind, "name": name, "actions": actions} if actions else None

    def user_of(self, question: t.Dict[str, t.Any]) -> t.Optional[str]:
        """Who asks; None for a wrong login."""
        if "refresh_token" in question:
            return self.refresh_tokens.get(question["refresh_token"])
        if not question["authorization"]:
            return ""
        user, _colon, password = base64.b64decode(question["authorization"].split()[1]).decode().partition(":")
        return user if self.passwords.get(user) == password else None

    @contextlib.contextmanager
    def running(self) -> t.Iterator[TokenService]:
        """The service on loopback, by TLS."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.respond("GET", urlsplit(self.path).query)

            def do_POST(self) -> None:
                self.respond("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

            def respond(self, method: str, text: str) -> None:
                pairs = parse_qsl(text)
                scopes = [scope for key, value in pairs if key == "scope" for scope in value.split()]
                question = {
                    **dict(pairs),
                    "method": method,
                    "scopes": scopes,
                    "authorization": self.headers.get("Authorization", ""),
                }
                service.asked.append(question)
                if service.busy:
                    service.busy -= 1
                    status, answer = 503, {}
                else:
                    user = service.user_of(question)
                    status, answer = (401, {}) if user is None else (200, service.answer(user, scopes))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: t.Any) -> None:
                """Questions are kept in `asked`."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        certificate, key = self.authority.issue("token-service")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_port}/token"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join(20)
            server.server_close()
