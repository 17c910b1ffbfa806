# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire, seen by a real server: headers, bodies, cookies, proxies, kept connections, and what breaks."""

from __future__ import annotations

import http.server
import socket
import threading
from types import SimpleNamespace

import pytest
import urllib3
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.answers import transport_error
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import UnreachableError
from ansible_collections.slipway.delivery.plugins.module_utils.registry.exchange import FAILURES, Answer, Exchanger


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes every request, and answers with the headers that the test asked for."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append(
            SimpleNamespace(path=self.path, headers=self.headers, body=self.rfile.read(length), method=self.command)
        )
        self.send_response(200)
        for name, value in {"Content-Length": "2", **self.server.answer}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_GET = do_HEAD = do_PUT = do_POST = handle_any

    def log_message(self, *_args):
        """Nothing: the tests look at what was noted."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.seen, found.answer, found.connections = [], {}, 0
        found.url = f"http://127.0.0.1:{found.server_address[1]}"
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def exchanger():
    found = Exchanger(True, None, "test/1")
    yield found
    found.close()


def ask(exchanger, url, method="GET", headers=None, params=None, body=None):
    answer = exchanger.exchange(method, url, headers or {}, params, body, (5, 5))
    answer.raw.drain_conn()
    return answer


def test_one_connection_serves_many_requests(server, exchanger):
    for number in range(20):
        assert ask(exchanger, f"{server.url}/{number}", "HEAD").status_code == 200
    assert server.connections == 1
    assert [request.path for request in server.seen] == [f"/{number}" for number in range(20)]


def test_headers_and_parameters_of_a_read(server, exchanger):
    ask(
        exchanger, f"{server.url}/v2/a/tags/list?last=x", params=[("n", "5"), ("q", "a b&c")], headers={"Accept": "x/y"}
    )
    (request,) = server.seen
    assert request.path == "/v2/a/tags/list?last=x&n=5&q=a+b%26c"
    assert dict(request.headers) == {
        "Host": server.url[len("http://") :],
        "User-Agent": "test/1",
        "Accept": "x/y",
        "Accept-Encoding": "identity",
    }


@pytest.mark.parametrize("body", [b"0123456789", b"", None])
def test_bytes_go_with_one_length(server, exchanger, body):
    ask(exchanger, f"{server.url}/x", "PUT", body=body)
    (request,) = server.seen
    assert request.body == (body or b"")
    assert request.headers.get_all("Content-Length") == [str(len(body or b""))]
    assert request.headers.get("Transfer-Encoding") is None


def test_a_stream_of_known_length_is_not_chunked(server, exchanger):
    class Stream:
        len = 7

        def __iter__(self):
            return iter((b"012", b"3456"))

    ask(exchanger, f"{server.url}/x", "PUT", body=Stream())
    (request,) = server.seen
    assert (request.body, request.headers.get_all("Content-Length")) == (b"0123456", ["7"])
    assert request.headers.get("Transfer-Encoding") is None


def test_cookies_go_back_to_whoever_set_them(server, exchanger):
    server.answer = {"Set-Cookie": "lb=node2; Path=/"}
    ask(exchanger, f"{server.url}/1")
    server.answer = {}
    ask(exchanger, f"{server.url}/2")
    ask(exchanger, server.url.replace("127.0.0.1", "localhost") + "/3")
    assert [request.headers.get("Cookie") for request in server.seen] == [None, "lb=node2", None]


def test_a_proxy_of_the_environment_is_told_the_whole_url(server, exchanger, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:secret@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    ask(exchanger, "http://registry.test:5000/v2/?a=b")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ask(exchanger, f"{server.url}/direct")
    proxied, direct = server.seen
    assert proxied.path == "http://registry.test:5000/v2/?a=b"
    assert proxied.headers["Proxy-Authorization"].startswith("Basic ")
    assert (direct.path, direct.headers.get("Proxy-Authorization")) == ("/direct", None)


def test_a_login_file_of_the_user_is_not_read(server, exchanger, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ask(exchanger, f"{server.url}/1")
    assert server.seen[0].headers.get("Authorization") is None


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"),
        ('</first>; rel="first", <http://x/y>; rel=next', "http://x/y"),
        ('</first>; rel="first"', ""),
        ("", ""),
    ],
)
def test_the_next_page(link, expected):
    assert Answer("GET", "http://x", urllib3.HTTPResponse(headers={"Link": link})).next_link == expected


def test_a_header_that_would_be_two_is_not_sent(server, exchanger):
    with pytest.raises(FAILURES):
        ask(exchanger, f"{server.url}/1", headers={"Authorization": "Bearer a\r\nX-Other: b"})
    assert server.seen == []


def closed_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_nobody_listens_there(pauses):
    client = RegistryClient(f"127.0.0.1:{closed_port()}", Access(insecure=True))
    with pytest.raises(UnreachableError, match="could not be reached: the connection was refused"):
        client.head_manifest("app", "1")
    assert len(pauses) == 4


def test_a_server_that_only_listens(pauses):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = RegistryClient(f"127.0.0.1:{deaf.getsockname()[1]}", Access(insecure=True, timeout=0.05))
        with pytest.raises(UnreachableError, match="no byte came within the timeout"):
            client.head_manifest("app", "1")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (urllib3.exceptions.ProxyError("Cannot connect to proxy.", OSError("refused")), "the proxy of the environment"),
        (urllib3.exceptions.ConnectTimeoutError(None, "Connection timed out."), "the connection timed out"),
        (urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out."), "no byte came within the timeout"),
        (urllib3.exceptions.SSLError("certificate verify failed: x (_ssl.c:1)"), "TLS failed"),
        (urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError()), "the connection broke"),
        (urllib3.exceptions.NewConnectionError(None, "[Errno 113] No route to host"), "there is no route to it"),
        (
            urllib3.exceptions.NewConnectionError(None, "[Errno -3] Temporary failure in name resolution"),
            "its name has no address",
        ),
    ],
)
def test_what_broke_is_told(error, said):
    assert said in str(transport_error(error, "GET", "http://x/"))


def test_answers_that_were_read_leave_their_connection(server):
    with RegistryClient(server.url[len("http://") :], Access(insecure=True)) as client:
        for number in range(20):
            assert client.transport.fetch("GET", f"/{number}", {}, 100)[1] == b"{}"
    assert server.connections == 1
