# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request and its answer, over connections that are kept.

They are urllib3's, set up by requests (trust, client certificates, proxies). requests' Session is left out: what it does
around each request takes more time than a small request itself, and here it would only have to be switched off again.
"""

from __future__ import annotations

import http.client
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
except ImportError:  # reported by the Operation's `requires`
    requests = None
    HTTPAdapter = object

POOL = 8
# What an exchange can raise: no answer came, or there is nothing that could be sent.
FAILURES: t.Tuple[t.Type[Exception], ...] = (OSError, http.client.HTTPException, ValueError)
if requests is not None:
    FAILURES = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, *FAILURES)

Parameters = t.Sequence[t.Tuple[str, str]]


@dataclass(frozen=True)
class Sent:
    """A request as it went out."""

    method: str
    url: str
    headers: t.Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer, its body unread in `raw`."""

    method: str
    url: str
    raw: t.Any

    @property
    def status_code(self) -> int:
        return t.cast(int, self.raw.status)

    @property
    def headers(self) -> t.Mapping[str, str]:
        return t.cast("t.Mapping[str, str]", self.raw.headers)

    @property
    def next_link(self) -> str:
        """The URL of `Link: <...>; rel="next"`, empty where there is none."""
        links = requests.utils.parse_header_links(self.headers.get("Link", ""))
        return next((str(link.get("url", "")) for link in links if link.get("rel") == "next"), "")

    def close(self) -> None:
        """Let it go. A body that was not read to its end takes the connection along."""
        self.raw.close()
        self.raw.release_conn()


class Pools(HTTPAdapter):
    """Where connection pools come from."""

    def pool(self, url: str, verify: t.Any, certificate: t.Any, proxies: t.Mapping[str, str]) -> t.Tuple[t.Any, bool]:
        """The pool for this URL's host, and whether it is a proxy's, which wants to be told the whole URL."""
        request = requests.Request("GET", url).prepare()
        find = getattr(self, "get_connection_with_tls_context", None)  # since requests 2.32
        pool = find(request, verify, proxies=proxies, cert=certificate) if find else self.get_connection(url, proxies)
        self.cert_verify(pool, url, verify, certificate)
        return pool, not self.request_url(request, proxies).startswith("/")


class Exchanger:
    """Sends requests, one answer for each: no login, no redirect, no second try. Safe to share between threads."""

    def __init__(self, verify: t.Any, certificate: t.Any, user_agent: str) -> None:
        self._pools = Pools(pool_connections=POOL, pool_maxsize=POOL, max_retries=0)
        self._trust = (verify, certificate)
        if verify is False:  # the task said so: the library need not say it again on stderr
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
        self._cookies = requests.cookies.RequestsCookieJar()  # load balancers keep an upload on one server by them
        self._places: t.Dict[t.Tuple[str, str], t.Tuple[t.Any, bool]] = {}
        self._never = urllib3.Retry(False, redirect=False)

    def close(self) -> None:
        self._pools.close()

    def exchange(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        params: t.Optional[Parameters],
        body: t.Any,
        timeout: t.Tuple[float, float],
    ) -> Answer:
        """The answer. Raises one of FAILURES. `timeout` is to connect, and without a byte.

        `body` is bytes, None, or something to iterate over that knows its length as `len`.
        """
        if params:
            url += f"{'&' if '?' in url else '?'}{urlencode(params)}"
        parts = urlsplit(url)
        pool, whole = self._place(parts.scheme, parts.netloc, url)
        sent = Sent(method, url, self._outgoing(url, headers, body))
        raw = pool.request(
            method,
            url if whole else f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            body=body,
            headers=sent.headers,
            retries=self._never,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=timeout[0], read=timeout[1]),
            preload_content=False,
            decode_content=False,
        )
        if "Set-Cookie" in raw.headers:
            requests.cookies.extract_cookies_to_jar(self._cookies, sent, raw)
        return Answer(method, url, raw)

    def _outgoing(self, url: str, headers: t.Mapping[str, str], body: t.Any) -> t.Dict[str, str]:
        outgoing = {**self._headers, **headers}
        if body is not None and not isinstance(body, bytes):
            outgoing["Content-Length"] = str(body.len)
        if len(self._cookies):
            cookie = requests.cookies.get_cookie_header(self._cookies, Sent("", url, outgoing))
            if cookie:
                outgoing["Cookie"] = cookie
        return outgoing

    def _place(self, scheme: str, host: str, url: str) -> t.Tuple[t.Any, bool]:
        """The pool for a place. The environment's proxies for it are read once: that is a tenth of a small request's time."""
        place = (scheme, host)
        if place not in self._places:
            self._places[place] = self._pools.pool(url, *self._trust, requests.utils.get_environ_proxies(url))
        return self._places[place]
