# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one registry: its connections, its login, redirects, retries, counters."""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
import time
import typing as t
from urllib.parse import urlencode, urljoin, urlsplit

from . import auth
from .access import Access, client_certificate, is_loopback, trust
from .answers import ERROR_LIMIT, RETRY_STATUS, display_url, status_error, transport_error
from .auth import RegistryAuth, Scopes
from .credentials import find_credentials
from .errors import DeniedError, IntegrityError, RegistryError, UnreachableError
from .exchange import FAILURES, Answer, Exchanger, Parameters
from .reference import DOCKER_HUB

try:
    import urllib3
except ImportError:  # reported by the Operation's `requires`
    urllib3 = None

ATTEMPTS = 5
BASE_DELAY = 0.5
MAX_DELAY = 30.0
MAX_RETRY_AFTER = 300.0
CONNECT_TIMEOUT = 10.0
MAX_REDIRECTS = 5
USER_AGENT = "slipway.delivery/0.1.0"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class Transport:
    """Sends requests to `host`. Safe to share between threads.

    `requests` counts what was sent, token services, redirects and repeats included. `warnings` collects what the
    registry says in Warning headers. `sleep` and `jitter` are for tests.
    """

    def __init__(
        self,
        host: str,
        access: Access,
        sleep: t.Callable[[float], None] = time.sleep,
        jitter: t.Callable[[], float] = random.random,
    ) -> None:
        self.host = host
        self.access = access
        self.base = base_url(host, access)
        self._own_origin = origin(self.base)
        self._exchanger = Exchanger(trust(access, host), client_certificate(access, host), USER_AGENT)
        self._sleep = sleep
        self._jitter = jitter
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._is_registry = False
        self.requests = 0
        self.warnings: t.List[str] = []
        plain = self.base.startswith("http://")
        self.auth = RegistryAuth(host, access, find_credentials(access, host), self._fetch_token, plain)

    def close(self) -> None:
        self._exchanger.close()

    def send(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        expect: t.Collection[int] = (200,),
        headers: t.Optional[t.Mapping[str, str]] = None,
        params: t.Optional[Parameters] = None,
        body: t.Any = None,
        attempts: int = ATTEMPTS,
        timeout: t.Optional[float] = None,
    ) -> Answer:
        """The first answer whose status is in `expect`, its body unread. Raises RegistryError.

        `url` may be a path. 429, 5xx and broken connections are tried again up to `attempts` times; a `body` that can be
        read only once must come with attempts=1. An error has `transient` set where another try might have helped.
        """
        target = urljoin(self.base, url)
        challenged: t.Set[bool] = set()  # once without a login, and once with one that was refused
        attempt = 1
        while True:
            try:
                response, used = self._follow(method, target, scopes, headers, params, body, timeout)
            except RegistryError as error:
                if not error.transient or attempt >= attempts:
                    raise
                self._back_off(attempt)
                attempt += 1
                continue
            if response.status_code in expect:
                _give_back(method, response)
                return response
            if response.status_code == 401 and bool(used) not in challenged:
                final = bool(used and challenged and auth.is_denial(response.headers.get("WWW-Authenticate", "")))
                challenged.add(bool(used))
                if not final and self._learn(response, scopes, used, body):
                    continue
            if response.status_code in RETRY_STATUS:
                self._heed_retry_after(response)
                if attempt < attempts:
                    response.close()
                    self._back_off(attempt)
                    attempt += 1
                    continue
            raise self._error(response, method, attempt)

    def read(self, response: Answer, limit: int) -> bytes:
        """The whole body, at most `limit` bytes; IntegrityError when there is more, RegistryError when it breaks."""
        try:
            chunks, total = [], 0
            for chunk in response.raw.stream(64 * 1024, decode_content=True):
                total += len(chunk)
                if total > limit:
                    raise IntegrityError(f"{display_url(response.url)} sent more than the {limit} bytes allowed.")
                chunks.append(chunk)
            return b"".join(chunks)
        except FAILURES as error:
            raise transport_error(error, response.method, response.url) from error
        finally:
            response.close()

    def fetch(self, method: str, url: str, scopes: Scopes, limit: int, **options: t.Any) -> t.Tuple[Answer, bytes]:
        """`send` and `read` as one unit that is tried again as a whole when the body breaks off."""
        for attempt in range(1, ATTEMPTS + 1):
            response = self.send(method, url, scopes, **options)
            try:
                return response, self.read(response, limit)
            except RegistryError as error:
                if not error.transient or attempt == ATTEMPTS:
                    raise
                self._back_off(attempt)
        raise AssertionError("the loop above returns or raises")

    def back_off(self, attempt: int) -> None:
        """Wait before the next try of work that a caller repeats as a whole (full jitter, 0.5 s doubling to 30 s)."""
        self._back_off(attempt)

    # -- one exchange ------------------------------------------------------------------------------------------------

    def _follow(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        headers: t.Optional[t.Mapping[str, str]],
        params: t.Optional[Parameters],
        body: t.Any,
        timeout: t.Optional[float],
    ) -> t.Tuple[Answer, str]:
        """The answer after redirects (reads only), and the Authorization that the registry itself saw."""
        used = ""
        for _hop in range(MAX_REDIRECTS + 1):
            authorization = self.auth.header(scopes) if self._own(url) else ""
            used = authorization or used
            response = self._exchange(method, url, authorization, headers, params, body, timeout)
            location = response.headers.get("Location")
            if method not in ("GET", "HEAD") or response.status_code not in _REDIRECTS or not location:
                return response, used
            response.close()
            url, params = self._redirected(method, url, location), None
        raise RegistryError(f"{self.host} redirects in a circle at {display_url(url)}.", method, display_url(url))

    def _redirected(self, method: str, url: str, location: str) -> str:
        target = urljoin(url, location)
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise DeniedError(
                f"{self.host} redirects {method} {urlsplit(url).path} from TLS to {display_url(target)}.",
                method,
                display_url(target),
                advice="It is not followed. Correct the registry's external address or its storage's redirect.",
            )
        return target

    def _exchange(
        self,
        method: str,
        url: str,
        authorization: str,
        headers: t.Optional[t.Mapping[str, str]],
        params: t.Optional[Parameters],
        body: t.Any,
        timeout: t.Optional[float],
    ) -> Answer:
        self._wait_for_host()
        with self._lock:
            self.requests += 1
        outgoing = {**(headers or {}), **({"Authorization": authorization} if authorization else {})}
        timeouts = (min(CONNECT_TIMEOUT, self.access.timeout), timeout or self.access.timeout)
        try:
            response = self._exchanger.exchange(method, url, outgoing, params, body, timeouts)
        except FAILURES as error:
            raise transport_error(error, method, url) from error
        self._note(response)
        return response

    def _note(self, response: Answer) -> None:
        """Take in what an answer's headers say beside the answer."""
        headers = response.headers
        if not self._is_registry and headers.get("Docker-Distribution-Api-Version") and self._own(response.url):
            self._is_registry = True
        if "Warning" in headers:
            self._note_warnings(headers["Warning"])

    def _own(self, url: str) -> bool:
        return url.startswith(self.base) or origin(url) == self._own_origin

    def _learn(self, response: Answer, scopes: Scopes, used: str, body: t.Any) -> bool:
        header = response.headers.get("WWW-Authenticate", "")
        if not header or not self._own(response.url):
            return False
        repeatable = body is None or isinstance(body, bytes)
        learnt = self.auth.learn(header, scopes, used)
        if learnt and repeatable:
            response.close()
        return learnt and repeatable

    def _fetch_token(
        self, url: str, params: t.List[t.Tuple[str, str]], authorization: str, form: bool
    ) -> t.Tuple[int, t.Dict[str, t.Any]]:
        """One question to the token service, tried again as any other; redirects are not followed."""
        method = "POST" if form else "GET"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = (
                    self._exchange(method, url, authorization, FORM, None, urlencode(params).encode(), None)
                    if form
                    else self._exchange(method, url, authorization, None, params, None, None)
                )
                body = self.read(response, ERROR_LIMIT * 4)
            except RegistryError as error:
                if not error.transient or attempt == ATTEMPTS:
                    raise
            else:
                if response.status_code not in RETRY_STATUS or attempt == ATTEMPTS:
                    return response.status_code, _json_object(body)
                self._heed_retry_after(response)
            self._back_off(attempt)
        raise AssertionError("the loop above returns or raises")

    def _error(self, response: Answer, method: str, attempts: int) -> RegistryError:
        try:
            body = response.raw.read(ERROR_LIMIT) if response.raw is not None else b""
        except (urllib3.exceptions.HTTPError, OSError):
            body = b""  # the status says enough; the words of the error broke off
        finally:
            response.close()
        words = self.auth.scrub(body.decode("utf-8", "replace")).encode("utf-8")
        error = status_error(response, method, words, self.auth.credentials, attempts)
        if error.status == 404 and not error.code:
            self._check_registry()
        return error

    def _check_registry(self) -> None:
        """A 404 without a registry's words may come from any web server, and must not pass for "no such image".

        Only a registry answers its own root with 200 or 401 (OCI distribution spec, end-1). Asked once.
        """
        if self._is_registry:
            return
        response = self._exchange("GET", f"{self.base}v2/", "", None, None, None, None)
        response.close()
        if response.status_code not in (200, 401):
            url = display_url(response.url)
            raise UnreachableError(
                f"{self.host} is no registry: it answered GET /v2/ with HTTP {response.status_code}.",
                "GET",
                url,
                advice="Check host and port, and what a proxy in between does with this address.",
            )
        self._is_registry = True

    def _note_warnings(self, value: str) -> None:
        for part in value.split("299 - ")[1:]:
            message = f"{self.host}: {part.strip(' ,').strip(chr(34))}"
            with self._lock:
                if message not in self.warnings:
                    self.warnings.append(message)

    # -- pauses ------------------------------------------------------------------------------------------------------

    def _back_off(self, attempt: int) -> None:
        self._sleep(self._jitter() * min(MAX_DELAY, BASE_DELAY * 2 ** (attempt - 1)))

    def _heed_retry_after(self, response: Answer) -> None:
        """Retry-After holds for the whole host, so every thread waits."""
        value = response.headers.get("Retry-After")
        if not value:
            return
        try:
            delay = urllib3.util.Retry().parse_retry_after(value)
        except urllib3.exceptions.InvalidHeader:
            return
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + min(delay, MAX_RETRY_AFTER))

    def _wait_for_host(self) -> None:
        with self._lock:
            delay = self._resume_at - time.monotonic()
        if delay > 0:
            self._sleep(delay)


def base_url(host: str, access: Access) -> str:
    """Where the registry's API is. Plain HTTP only by `insecure: true`, or for a loopback registry without TLS."""
    if host == DOCKER_HUB:
        return "https://registry-1.docker.io/"
    if access.insecure or (is_loopback(host) and not _speaks_tls(host)):
        return f"http://{host}/"
    return f"https://{host}/"


def _speaks_tls(host: str) -> bool:
    """Whether a loopback port takes a TLS handshake. Nothing is sent over it, so nothing needs to be verified here."""
    parts = urlsplit(f"https://{host}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        address = (parts.hostname or "", parts.port or 443)
        with socket.create_connection(address, timeout=3) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def origin(url: str) -> t.Tuple[str, str, int]:
    """(scheme, host, port): what must be the same for a login to go along."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def _json_object(body: bytes) -> t.Dict[str, t.Any]:
    try:
        data = json.loads(body.decode("utf-8"))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _give_back(method: str, response: Answer) -> None:
    """An answer without a body frees its connection for the next request; closed unread, it would take that along."""
    if method == "HEAD" or response.status_code == 204 or response.headers.get("Content-Length") == "0":
        response.raw.drain_conn()
