# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd v3's JSON gateway: base64 in and out, a token that is renewed, endpoints that stand in for one another."""

from __future__ import annotations

import base64
import re
import typing as t
from urllib.parse import urlsplit

from ...common.deadline import Deadline
from ...common.errors import DeniedError, ParameterError, SlipwayError, UnreachableError
from .base import raw, text

try:
    import requests
    import urllib3
except ImportError:
    requests = None

_WAIT = 5.0  # seconds for one answer; the deadline bounds them all
_LONGEST_TEXT = 300
_WRAPPED = re.compile(r"^(?:<[^>]*>|\w+\([^()]*\)): ")
_PAUSE = 0.1  # seconds before a cluster without a leader is asked again
_DENIED = 7
_UNAUTHENTICATED = 16
_NAMELESS = "Where etcd has users, its gateway takes no client certificate with a common name: use one without."
_TOO_LARGE = "The change and its history record, which has every key, are beyond etcd's 1.5 MiB a request."
_HINTS = {
    "too large": _TOO_LARGE,
    "larger than max": _TOO_LARGE,
    "space exceeded": "Compact and defragment etcd, then disarm its alarm (etcdctl alarm disarm). Nothing was changed.",
}
Message = t.Dict[str, t.Any]


class Login(t.NamedTuple):
    username: str
    password: str


class Gateway:
    """POSTs messages to the first endpoint that answers, and stays with it until it fails."""

    def __init__(
        self, nodes: t.Sequence[str], deadline: Deadline, login: t.Optional[Login], tls: t.Mapping[str, t.Any]
    ) -> None:
        """`tls`: `on` (for nodes that name no scheme), `verify` and `cert` as requests takes them."""
        self._urls = [_url(node, tls["on"]) for node in nodes]
        self._deadline = deadline
        self._login = login
        self._verify, self._cert = tls["verify"], tls["cert"]
        self._token: t.Optional[str] = None
        self._session: t.Any = None

    @property
    def where(self) -> str:
        return f"etcd {', '.join(self._urls)}"

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._token = None, None

    def call(self, method: str, message: Message) -> Message:
        """The answer to `/v3/<method>`. A token that is no longer taken is renewed once."""
        if self._login is not None and self._token is None:
            self._authenticate(self._login)
        status, answer = self._post(method, message)
        if status == 401 and self._login is not None:
            self._authenticate(self._login)
            status, answer = self._post(method, message)
        if status != 200:
            raise self._refusal(method, status, answer)
        if "header" not in answer:
            raise SlipwayError(
                f"{self.where} answers {method}, and not as etcd v3 does. Look at nodes: what listens there?"
            )
        return answer

    def _authenticate(self, login: Login) -> None:
        self._token = None
        status, answer = self._post("auth/authenticate", {"name": login.username, "password": login.password})
        if status != 200:
            hint = _NAMELESS if "CommonName" in _said(answer) else "Check username and password."
            raise DeniedError(f"{self.where} refuses the login of {login.username}: {_said(answer)}. {hint}")
        self._token = str(answer["token"])

    def _post(self, method: str, message: Message) -> t.Tuple[int, Message]:
        """Status and body from the first endpoint that answers; UnreachableError names what each of them did.

        Where an endpoint is there and cannot answer, because the cluster is choosing another leader, all are asked again
        until the deadline. Asking twice is safe: what writes compares with what was read.
        """
        while True:
            failures: t.Dict[str, str] = {}
            alive = False
            for url in list(self._urls):
                try:
                    answer = self._send(f"{url}/v3/{method}", message)
                    status, body = answer.status_code, _body(answer)
                except requests.exceptions.SSLError as error:
                    failures[url] = f"TLS: {_reason(error)}"
                except (
                    requests.exceptions.RequestException,
                    OSError,
                ) as error:  # OSError: a certificate it cannot load
                    failures[url] = _reason(error)
                else:
                    if status < 500 and isinstance(body, dict):
                        return status, body
                    alive = alive or status >= 500  # another program's answer stays what it is
                    failures[url] = f"{status} {_said(body)}"
                self._urls = [*self._urls[1:], url]  # the next one first, from now on
            if not alive or self._deadline.expired():
                listed = "\n".join(f"- {url}: {failure}" for url, failure in failures.items())
                raise UnreachableError(f"No etcd endpoint answers {method}:\n{listed}")
            self._deadline.pause(_PAUSE)

    def _send(self, url: str, message: Message) -> t.Any:
        if self._session is None:
            self._session = requests.Session()
            if self._verify is False:
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was asked for
            self._session.trust_env = False  # config centres are inside; a proxy is not on the way
        return self._session.post(
            url,
            json=message,
            headers={"Authorization": self._token} if self._token else {},
            timeout=max(0.1, min(_WAIT, self._deadline.remaining())),
            verify=self._verify,
            cert=self._cert,
            allow_redirects=False,
        )

    def _refusal(self, method: str, status: int, answer: Message) -> SlipwayError:
        message = f"{self.where} refuses {method}: {status} {_said(answer)}"
        code = answer.get("code")
        if code in (_DENIED, _UNAUTHENTICATED) or "user name is empty" in _said(answer):
            return DeniedError(
                f"{message}. Set username and password of a user who may read and write the prefix and slipway!<prefix>!*."
            )
        for part, hint in _HINTS.items():
            if part in _said(answer):
                return SlipwayError(f"{message}. {hint}")
        return SlipwayError(f"{message}.")


def encode(value: str) -> str:
    return base64.b64encode(raw(value)).decode("ascii")


def decode(value: str) -> str:
    return text(base64.b64decode(value))


def _body(answer: t.Any) -> t.Any:
    """The answer's JSON; text that is none, as some refusals are, as a message."""
    try:
        return answer.json()
    except ValueError:
        return {"message": " ".join(answer.text[:_LONGEST_TEXT].split()) or "an empty answer"}


def _said(answer: t.Any) -> str:
    if not isinstance(answer, dict):
        return "and no answer of etcd's"
    return str(answer.get("message") or answer.get("error") or "no reason given")


def _reason(error: Exception) -> str:
    """requests' errors without the objects and addresses that they are wrapped in."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    return _WRAPPED.sub("", str(inner)) or type(error).__name__


def _url(node: str, tls: bool) -> str:
    scheme = "https" if tls else "http"
    parts = urlsplit(node if "://" in node else f"{scheme}://{node}")
    try:
        port = parts.port or 2379
    except ValueError as error:
        raise ParameterError(f"nodes: {node!r}: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ParameterError(f"nodes: {node!r} is no etcd endpoint; write host:port or https://host:port.")
    if parts.username or parts.password:
        raise ParameterError(f"nodes: {parts.hostname}: give user and password as username and password.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
