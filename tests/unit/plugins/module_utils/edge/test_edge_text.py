# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream file's text: what is written is read back, hosts are changed one at a time, others' files are refused."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ConflictError, ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.edge import upstream
from ansible_collections.slipway.delivery.plugins.module_utils.edge.upstream import Server, Site
from hypothesis import given
from hypothesis import strategies as st

A = Server("prod-1", "10.0.0.11", 8080, 41, "39f32261745e")
B = Server("prod-2", "10.0.0.12", 8080, 41, "c0ffee000000")
SITE = Site(
    "prod-webapi", listen=("80 deferred",), server_name="shop.example.com", quiet="/etc/nginx/conf.d/.slipway.quiet"
)

words = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
addresses = st.one_of(words, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
servers = st.builds(
    Server,
    words,
    addresses,
    st.integers(1, 65535),
    st.none() | st.integers(0, 10**6),
    st.just("") | st.from_regex(r"[0-9a-f]{12}", fullmatch=True),
)
sites = st.builds(
    Site,
    words,
    st.lists(words, max_size=2).map(tuple),
    words,
    st.sampled_from(["", "max_fails=3 fail_timeout=5s"]),
    st.lists(st.sampled_from(["keepalive 32;", "zone a 64k;", "# server x;"])).map(tuple),
    st.lists(st.sampled_from(["server_tokens off;", "location /old { return 410; }"])).map(tuple),
    st.just("/conf.d/.x.quiet"),
)


@given(sites, st.lists(servers, max_size=5))
def test_what_is_written_is_read_back(site, entries):
    assert upstream.parse(upstream.render(site, entries), "x.conf") == tuple(entries)


@given(st.lists(servers, max_size=6), servers)
def test_one_host_is_changed_and_no_other(before, new):
    after = upstream.merged(before, [new], [new.host], None)
    assert [entry for entry in after if entry.host == new.host] == [new]
    assert {entry for entry in after if entry.host != new.host} == {entry for entry in before if entry.host != new.host}
    assert upstream.merged(after, [], [new.host], None) == tuple(entry for entry in after if entry.host != new.host)


def test_servers_that_differ_in_the_release_alone_keep_their_order():
    """Nothing of ours writes such ones, but hands do."""
    alike = [Server("prod-1", "10.0.0.11", 8080, release) for release in (None, 0, 1, 2)]
    assert {upstream.merged(order, [], [], None) for order in itertools.permutations(alike)} == {tuple(alike)}


def test_without_hosts_the_servers_are_all_there_is():
    assert upstream.merged([A], [B], None, None) == (B,)


def test_hosts_that_are_no_more_leave():
    assert upstream.merged([A, B], [], [], ["prod-2"]) == (B,)


def test_the_file():
    assert upstream.render(SITE, [A]).splitlines()[1:] == [
        "upstream prod-webapi {",
        "    server 10.0.0.11:8080;  # host=prod-1 release=41 container=39f32261745e",
        "}",
        "server {",
        "    listen 80 deferred;",
        "    server_name shop.example.com;",
        "    proxy_http_version 1.1;",
        '    proxy_set_header Connection "";',
        "    proxy_set_header Host $http_host;",
        "    proxy_set_header X-Real-IP $remote_addr;",
        "    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "    proxy_set_header X-Forwarded-Proto $scheme;",
        "    error_page 599 = @slipway_quiet;",
        "    if (-f /etc/nginx/conf.d/.slipway.quiet) { return 599; }",
        "    location / { proxy_pass http://prod-webapi; }",
        "    location @slipway_quiet { keepalive_timeout 0; proxy_pass http://prod-webapi; }",
        "}",
    ]


def test_an_upstream_alone():
    lines = upstream.render(Site("x", upstream_lines=("keepalive 8;",), server_options="weight=2"), [A]).splitlines()
    assert lines[1:] == [
        "upstream x {",
        "    keepalive 8;",
        "    server 10.0.0.11:8080 weight=2;  # host=prod-1 release=41 container=39f32261745e",
        "}",
    ]


def test_no_server_is_a_file_that_nginx_takes():
    text = upstream.render(Site("x"), [])
    assert "server 127.0.0.1:9 down;" in text
    assert upstream.parse(text, "x.conf") == ()


def test_ipv6_stands_in_brackets():
    entry = upstream.server({"host": "a", "address": "[2001:db8::1]", "port": 80})
    text = upstream.render(Site("x"), [entry])
    assert "server [2001:db8::1]:80;" in text
    assert upstream.parse(text, "x.conf") == (entry,)


def test_a_file_of_somebody_else_is_refused():
    with pytest.raises(ConflictError, match="not written by Slipway"):
        upstream.parse("upstream webapi { server 10.0.0.11:80; }\n", "/etc/nginx/conf.d/webapi.conf")


def test_a_server_written_by_hand_is_refused_where_others_stay():
    text = upstream.render(SITE, [A]).replace("}\n", "    server 10.9.9.9:80;\n}\n", 1)
    with pytest.raises(ConflictError, match="by hand"):
        upstream.parse(text, "x.conf")
    assert upstream.parse(text, "x.conf", strict=False) == (A,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "10.0.0.1; }"},
        {"address": ""},
        {"port": 0},
        {"port": 65536},
        {"host": "prod 1"},
        {"host": "a;b"},
        {"container": "x\n}"},
    ],
)
def test_values_that_nginx_would_read_otherwise_are_refused(wrong):
    with pytest.raises(ParameterError, match="servers"):
        upstream.server({"host": "a", "address": "10.0.0.1", "port": 80, **wrong})
