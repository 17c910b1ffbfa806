# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references: what is understood, and what is refused with which words."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.registry.reference import Reference
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reg.example.com/shop/webapi:1.4.2", ("reg.example.com", "shop/webapi", "1.4.2", None)),
        ("10.0.0.1:5000/app", ("10.0.0.1:5000", "app", None, None)),
        ("localhost/app:x", ("localhost", "app", "x", None)),
        ("[::1]:5000/a/b:1", ("[::1]:5000", "a/b", "1", None)),
        (f"reg.example.com/app@{DIGEST}", ("reg.example.com", "app", None, DIGEST)),
        (f"reg.example.com:443/app:1@{DIGEST}", ("reg.example.com:443", "app", "1", DIGEST)),
        ("busybox", ("docker.io", "library/busybox", None, None)),
        ("busybox:1", ("docker.io", "library/busybox", "1", None)),
        ("shop/webapi", ("docker.io", "shop/webapi", None, None)),
        ("index.docker.io/busybox", ("docker.io", "library/busybox", None, None)),
        ("registry-1.docker.io/shop/webapi:2", ("docker.io", "shop/webapi", "2", None)),
        ("Reg.Example.com/app", ("reg.example.com", "app", None, None)),
    ],
)
def test_parse(text, expected):
    reference = Reference.parse(text, "image")
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (None, "it is empty"),
        (" reg.example.com/app", "it has blanks"),
        ("reg.example.com/app:1\n", "it has blanks"),
        ("https://reg.example.com/app", "starts with a scheme"),
        ("reg.example.com/Shop/app", "no upper case letters: 'shop/app'"),
        ("reg.example.com/app:", "'' behind the last colon is no tag"),
        ("reg.example.com/app:-1", "'-1' behind the last colon is no tag"),
        ("reg.example.com/app:" + "x" * 129, "is no tag"),
        ("reg.example.com/app@sha256:abc", "behind the @ is no digest"),
        ("reg.example.com/app@", "behind the @ is no digest"),
        (f"reg.example.com/app@{DIGEST.upper()}", "behind the @ is no digest"),
        ("reg.example.com/", "it names no repository"),
        ("reg.example.com//app", "'' is no part of a repository name"),
        ("reg.example.com/../app", "'..' is no part of a repository name"),
        ("reg.example.com/a___b", "'a___b' is no part of a repository name"),
        ("reg.example.com:99999/app", "'99999' is no port"),
        ("reg.example.com:port/app", "'port' is no port"),
        ("-reg.example.com/app", "'-reg.example.com' is no host name"),
        ("reg.example.com/" + "a" * 256, "256 characters"),
    ],
)
def test_refuses_and_says_why(text, reason):
    with pytest.raises(ParameterError) as caught:
        Reference.parse(text, "source")
    assert caught.value.msg.startswith("source: ")
    assert reason in caught.value.msg


def test_locator():
    assert Reference.parse("r.io/a", "x").locator == "latest"
    assert Reference.parse("r.io/a:1", "x").locator == "1"
    assert Reference.parse(f"r.io/a:1@{DIGEST}", "x").locator == DIGEST


def test_with_tag_and_digest_name_something_else_of_the_same_repository():
    reference = Reference.parse(f"r.io/a:1@{DIGEST}", "x")
    assert str(reference.with_tag("2")) == "r.io/a:2"
    assert str(Reference.parse("r.io/a:1", "x").with_digest(DIGEST)) == f"r.io/a@{DIGEST}"
    with pytest.raises(ParameterError):
        reference.with_tag("no tag")
    with pytest.raises(ParameterError):
        reference.with_digest("1")


LABEL = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\Z")
HOSTS = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PORTS = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
COMPONENT = st.from_regex(r"\A[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}\Z")
REPOSITORIES = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)
TAGS = st.one_of(st.none(), st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}\Z"))
DIGESTS = st.one_of(st.none(), st.from_regex(r"\Asha256:[0-9a-f]{64}\Z"))
REFERENCES = st.builds(
    lambda host, port, *rest: Reference(host + port, *rest), HOSTS, PORTS, REPOSITORIES, TAGS, DIGESTS
)


@given(REFERENCES)
def test_what_is_written_is_read_again(reference):
    assert Reference.parse(str(reference), "image") == reference


@given(st.text(max_size=60))
def test_any_text_is_a_canonical_reference_or_a_parameter_error(text):
    try:
        reference = Reference.parse(text, "image")
    except ParameterError:
        return
    assert Reference.parse(str(reference), "image") == reference
    assert reference.repository == reference.repository.lower()
