# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answering a registry's challenge: anonymous, Basic, or a Bearer token from the token service it names."""

from __future__ import annotations

import re
import threading
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from .access import Access
from .credentials import Credentials
from .errors import DeniedError

CLIENT_ID = "slipway.delivery"
_DEFAULT_LIFETIME = 60.0  # the token spec's, for services that do not say
_EXPIRY_MARGIN = 5.0
_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9-]*)(?=[\s,]|\Z)")
_PARAMETER = re.compile(r'[\s,]*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_BLOB = re.compile(r"[\s,]*[^\s,]+")

Actions = t.FrozenSet[str]
Scopes = t.Mapping[str, Actions]  # repository -> actions
PULL: Actions = frozenset(("pull",))
PUSH: Actions = frozenset(("pull", "push"))
DELETE: Actions = frozenset(("pull", "push", "delete"))
_ORDER = ("pull", "push", "delete")


class TokenFetcher(t.Protocol):
    """How RegistryAuth reaches a token service."""

    def __call__(
        self, url: str, params: t.List[t.Tuple[str, str]], authorization: str, form: bool
    ) -> t.Tuple[int, t.Dict[str, t.Any]]:
        """The answer's status and its JSON object, {} when it is none; `form` posts the parameters."""


@dataclass(frozen=True)
class Challenge:
    """One WWW-Authenticate offer, its scheme in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]


@dataclass(frozen=True)
class _Token:
    value: str
    scopes: Scopes
    expires: float

    def covers(self, scopes: Scopes, now: float) -> bool:
        enough = all(actions <= self.scopes.get(name, frozenset()) for name, actions in scopes.items())
        return enough and now < self.expires


def parse_challenges(header: str) -> t.List[Challenge]:
    """All offers of a WWW-Authenticate header, several of which may have been joined by commas."""
    found: t.List[Challenge] = []
    position = 0
    while position < len(header):
        parameter = _PARAMETER.match(header, position)
        scheme = _SCHEME.match(header, position)
        if parameter and found:
            value = parameter.group(2) if parameter.group(2) is not None else parameter.group(3)
            t.cast(dict, found[-1].parameters)[parameter.group(1).lower()] = re.sub(r"\\(.)", r"\1", value)
            position = parameter.end()
        elif scheme:
            found.append(Challenge(scheme.group(1).lower(), {}))
            position = scheme.end()
        else:
            skipped = _BLOB.match(header, position)  # Negotiate's token, or what nobody can read
            position = skipped.end() if skipped else len(header)
    return found


def is_denial(header: str) -> bool:
    """True when a registry refuses a good token, which lacks the right that is asked for: another one would lack it too."""
    return any(challenge.parameters.get("error") == "insufficient_scope" for challenge in parse_challenges(header))


def scope_text(scopes: Scopes) -> t.List[str]:
    """Scopes as the token service reads them; those that write stand first, since some services read only the first."""
    ordered = sorted(scopes.items(), key=lambda item: (-len(item[1]), item[0]))
    return [f"repository:{name}:{','.join(a for a in _ORDER if a in actions)}" for name, actions in ordered]


class RegistryAuth:
    """The Authorization header for one registry, learnt from its challenges and kept while it is good.

    Safe to share between threads. `plain` says that requests travel over plain HTTP: credentials then stay here,
    unless the task said `insecure: true`.
    """

    def __init__(
        self,
        host: str,
        access: Access,
        credentials: Credentials,
        fetch: TokenFetcher,
        plain: bool = False,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.credentials = credentials
        self._insecure = access.insecure
        self._plain = plain
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.RLock()
        self._mode = ""
        self._bearer: t.Mapping[str, str] = {}
        self._tokens: t.List[_Token] = []
        self._wider: t.Dict[str, Actions] = {}

    def widen(self, repository: str, actions: Actions) -> None:
        """Say ahead what a repository will be asked for, so that one token serves the whole work."""
        with self._lock:
            self._wider[repository] = self._wider.get(repository, frozenset()) | actions

    def header(self, scopes: Scopes) -> str:
        """The Authorization header for a request that needs `scopes`; empty while nothing was asked for."""
        with self._lock:
            if self._mode == "basic":
                return self.credentials.basic()
            if self._mode == "bearer":
                return f"Bearer {self._token(scopes)}"
            return ""

    def learn(self, header: str, scopes: Scopes, used: str) -> bool:
        """Take in a 401's WWW-Authenticate; True when the request is worth repeating.

        `used` is the Authorization that was refused: another thread may have replaced it already.
        """
        with self._lock:
            if used and used != self._current(scopes):
                return True
            for challenge in parse_challenges(header):
                if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                    return self._learn_bearer(challenge, scopes, used)
                if challenge.scheme == "basic" and self._learn_basic(used):
                    return True
            return False

    def scrub(self, text: str) -> str:
        """`text` without the secrets that went out, for what a server echoes."""
        secrets = [self.credentials.secret, self.credentials.identity_token]
        secrets += [token.value for token in self._tokens]
        for secret in (secret for secret in secrets if secret):
            text = text.replace(secret, "********")
        return text

    def _current(self, scopes: Scopes) -> str:
        if self._mode == "basic":
            return self.credentials.basic()
        token = self._cached(scopes)
        return f"Bearer {token.value}" if token else ""

    def _learn_basic(self, used: str) -> bool:
        if used or not self.credentials.secret:
            return False
        self._may_send(self._plain, f"the registry {self.host}")
        self._mode = "basic"
        return True

    def _learn_bearer(self, challenge: Challenge, scopes: Scopes, used: str) -> bool:
        self._check_realm(challenge.parameters["realm"])
        self._bearer = challenge.parameters
        self._mode = "bearer"
        refused = used[len("Bearer ") :]
        self._tokens = [token for token in self._tokens if token.value != refused]
        self._token(scopes)
        return True

    def _cached(self, scopes: Scopes) -> t.Optional[_Token]:
        now = self._clock()
        return next((token for token in self._tokens if token.covers(scopes, now)), None)

    def _token(self, scopes: Scopes) -> str:
        cached = self._cached(scopes)
        if cached:
            return cached.value
        wide = {name: actions | self._wider.get(name, frozenset()) for name, actions in scopes.items()}
        token = self._ask(wide, scopes)
        now = self._clock()
        self._tokens = [token] + [old for old in self._tokens if now < old.expires]
        return token.value

    def _ask(self, wide: Scopes, narrow: Scopes) -> _Token:
        """A token for `wide`; where the service refuses that, for what this one request needs."""
        status = 0
        for scopes in [wide] if wide == narrow else [wide, narrow]:
            status, answer = self._request(scopes)
            value = answer.get("token") or answer.get("access_token")
            if status == 200 and value:
                return _Token(str(value), dict(scopes), self._clock() + _lifetime(answer) - _EXPIRY_MARGIN)
        realm = _without_query(self._bearer["realm"])
        raise DeniedError(
            f"{self.host}: the token service {realm} gave no token for {' '.join(scope_text(narrow)) or 'this registry'} "
            f"(HTTP {status}), asked with {self.credentials.origin}.",
            "GET",
            realm,
            status,
            advice=denied_advice(self.credentials),
        )

    def _request(self, scopes: Scopes) -> t.Tuple[int, t.Dict[str, t.Any]]:
        realm = self._bearer["realm"]
        service = self._bearer.get("service", "")
        if self.credentials:
            self._may_send(urlsplit(realm).scheme == "http", f"the token service {_without_query(realm)}")
        if self.credentials.identity_token:
            form = [
                ("grant_type", "refresh_token"),
                ("service", service),
                ("client_id", CLIENT_ID),
                ("scope", " ".join(scope_text(scopes))),
                ("refresh_token", self.credentials.identity_token),
            ]
            status, answer = self._fetch(realm, form, "", True)
            if status not in (404, 405):
                return status, answer
        params = [("service", service)] if service else []
        params += [("scope", scope) for scope in scope_text(scopes)]
        return self._fetch(realm, params, self.credentials.basic() if self.credentials.secret else "", False)

    def _check_realm(self, realm: str) -> None:
        scheme = urlsplit(realm).scheme
        if scheme == "https" or (scheme == "http" and self._plain):
            return
        raise DeniedError(
            f"{self.host} names a token service that is not reached by TLS: {_without_query(realm)}.",
            advice="It is not asked. Correct the registry's auth.token.realm.",
        )

    def _may_send(self, plain: bool, where: str) -> None:
        if plain and not self._insecure:
            raise DeniedError(
                f"{where} asks for a login over plain HTTP; the one from {self.credentials.origin} was not sent.",
                advice="Reach the registry by TLS, or set insecure: true if the network between is trusted.",
            )


def denied_advice(credentials: Credentials) -> str:
    """What to do about a refusal, by where the credentials came from."""
    if credentials:
        return f"Check that the login from {credentials.origin} is right and may do this."
    return "Give username and password, or an auth_file that has a login for this registry."


def _lifetime(answer: t.Mapping[str, t.Any]) -> float:
    try:
        return float(answer.get("expires_in") or _DEFAULT_LIFETIME)
    except (TypeError, ValueError):
        return _DEFAULT_LIFETIME


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
