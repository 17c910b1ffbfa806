# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client, request by request: order, headers, query, retries, redirects, errors."""

from __future__ import annotations

import io

import pytest
import requests
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.blobs import Upload
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import (
    DeniedError,
    IntegrityError,
    NotFoundError,
    RegistryError,
    UnavailableError,
    UnreachableError,
    UnsupportedError,
)
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import answer, refusal

RAW = b"0123456789" * 100
DIGEST = m.digest_of(RAW)
BROKEN = requests.exceptions.ConnectionError("Connection reset by peer")


def fresh(raw=RAW):
    return lambda: io.BytesIO(raw)


def upload(client, **more):
    client.upload_blob("app", DIGEST, len(RAW), fresh(), **more)


# -- manifests -----------------------------------------------------------------------------------------------------------


def test_every_manifest_request_names_all_types_and_no_compression(client, registry):
    registry.add_image("app", "1")
    client.head_manifest("app", "1")
    client.get_manifest("app", "1")
    assert registry.log == ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]
    for request in registry.seen:
        assert request.headers["Accept"] == m.ACCEPT
        assert request.headers["Accept-Encoding"] == "identity"
        assert "Authorization" not in request.headers


def test_head_without_digest_header_reads_the_manifest(client, registry):
    image = registry.add_image("app", "1")
    registry.digest_header = False
    assert client.head_manifest("app", "1").digest == image.digest
    assert registry.log == ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]


def test_absence_is_none_for_head_and_an_error_for_get(client, registry):
    assert client.head_manifest("app", "1") is None
    with pytest.raises(NotFoundError) as caught:
        client.get_manifest("app", "1")
    assert "There is no image reg.example.com/app:1 (MANIFEST_UNKNOWN)" in caught.value.msg
    assert caught.value.facts["request"] == {
        "method": "GET",
        "url": "https://reg.example.com/v2/app/manifests/1",
        "status": 404,
        "code": "MANIFEST_UNKNOWN",
        "detail": "manifest unknown",
    }


def test_a_manifest_asked_for_by_digest_is_checked(client, registry):
    image = registry.add_image("app", "1")
    registry.script.append(("GET", answer(200, image.raw + b" ", Content_Type=m.OCI_MANIFEST)))
    with pytest.raises(IntegrityError, match=image.digest):
        client.get_manifest("app", image.digest)


def test_put_sends_the_manifests_own_bytes_and_compares_the_digest(client, registry):
    image = registry.add_image("app")
    assert client.put_manifest("app", "1", image) == image.digest
    assert registry.seen[-1].body == image.raw
    assert registry.seen[-1].headers["Content-Type"] == m.OCI_MANIFEST
    registry.script.append(("PUT", answer(201, Docker_Content_Digest="sha256:" + "0" * 64)))
    with pytest.raises(IntegrityError, match="stored"):
        client.put_manifest("app", "2", image)


def test_docker_hub_is_asked_at_its_real_address(registry, pauses):
    RegistryClient("docker.io").head_manifest("library/busybox", "1")
    assert registry.seen[0].url == "https://registry-1.docker.io/v2/library/busybox/manifests/1"


# -- blobs ---------------------------------------------------------------------------------------------------------------


def test_upload_is_post_and_one_put_of_known_length(client, registry):
    upload(client)
    assert registry.log == [
        "POST /v2/app/blobs/uploads/",
        f"PUT /v2/app/blobs/uploads/s1?_state=x&digest={DIGEST.replace(':', '%3A')}",
    ]
    put = registry.seen[1]
    assert put.headers["Content-Length"] == str(len(RAW))
    assert "Transfer-Encoding" not in put.headers
    assert registry.blobs["app"][DIGEST] == RAW
    assert client.bytes_sent == len(RAW) and client.requests == 2


def test_a_mount_that_works_is_one_request(client, registry):
    registry.add_blob("test/app", RAW)
    assert client.mount_blob("prod/app", DIGEST, "test/app") is None
    encoded = DIGEST.replace(":", "%3A")
    assert registry.log == [f"POST /v2/prod/app/blobs/uploads/?mount={encoded}&from=test%2Fapp"]
    assert client.bytes_sent == 0


def test_a_refused_mounts_session_is_used_for_the_upload(client, registry):
    session = client.mount_blob("app", DIGEST, "nowhere")
    assert session == Upload("https://reg.example.com/v2/app/blobs/uploads/s1?_state=x")
    upload(client, upload=session)
    assert [line.split("?")[0] for line in registry.log] == [
        "POST /v2/app/blobs/uploads/",
        "PUT /v2/app/blobs/uploads/s1",
    ]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_mount_answered_with_an_error_is_no_failure(client, registry, status):
    registry.script.append(("POST", refusal(status, "UNAUTHORIZED")))
    assert client.mount_blob("app", DIGEST, "other") == Upload("")


def test_a_broken_upload_starts_again_from_post(client, registry, pauses):
    registry.script.append(("PUT", BROKEN))
    upload(client)
    assert [line.split("?")[0] for line in registry.log] == [
        "POST /v2/app/blobs/uploads/",
        "PUT /v2/app/blobs/uploads/s1",
        f"HEAD /v2/app/blobs/{DIGEST}",
        "GET /v2/app/blobs/uploads/s1",
        "DELETE /v2/app/blobs/uploads/s1",
        "POST /v2/app/blobs/uploads/",
        "PUT /v2/app/blobs/uploads/s2",
    ]
    assert pauses == [0.5]


def test_a_broken_upload_goes_on_where_the_registry_kept_what_came(client, registry):
    registry.script.append(("PUT", BROKEN))
    registry.partial["s1"] = RAW[:4]
    upload(client)
    assert [line.split("?")[0] for line in registry.log][-1] == "PUT /v2/app/blobs/uploads/s1"
    assert registry.seen[-1].headers["Content-Range"] == f"4-{len(RAW) - 1}"
    assert registry.seen[-1].headers["Content-Length"] == str(len(RAW) - 4)
    assert registry.blobs["app"][DIGEST] == RAW and client.bytes_sent == len(RAW) - 4


def test_what_a_registry_kept_wrongly_is_sent_again_whole(client, registry):
    registry.script.append(("PUT", BROKEN))
    registry.partial["s1"] = b"else"
    upload(client)
    assert registry.log[-1].startswith("PUT /v2/app/blobs/uploads/s2") and registry.blobs["app"][DIGEST] == RAW


def test_an_upload_whose_answer_was_lost_is_not_repeated(client, registry):
    registry.add_blob("app", RAW)
    registry.script.append(("PUT", BROKEN))
    upload(client)
    assert registry.log[-1] == f"HEAD /v2/app/blobs/{DIGEST}"


@pytest.mark.parametrize("raw", [b"x" * len(RAW), RAW + b"x", RAW[:-1]])
def test_wrong_bytes_never_become_a_blob(client, registry, raw):
    with pytest.raises(IntegrityError):
        client.upload_blob("app", DIGEST, len(RAW), fresh(raw))
    assert "app" not in registry.blobs


def test_every_stream_is_closed(client, registry):
    opened = []

    def factory():
        opened.append(io.BytesIO(RAW))
        return opened[-1]

    registry.script.append(("PUT", refusal(503, "UNAVAILABLE")))
    client.upload_blob("app", DIGEST, len(RAW), factory)
    assert len(opened) == 2 and all(stream.closed for stream in opened)


def test_a_refused_upload_is_final(client, registry, pauses):
    registry.script.append(("PUT", refusal(413, "", "")))
    with pytest.raises(RegistryError, match=r"413.*raise that limit"):
        upload(client)
    assert pauses == []


def test_open_blob_verifies_size_and_digest(client, registry):
    registry.add_blob("app", RAW)
    with client.open_blob("app", DIGEST, len(RAW)) as stream:
        assert b"".join(iter(lambda: stream.read(64), b"")) == RAW
    assert client.bytes_received == len(RAW)
    registry.blobs["app"][DIGEST] = b"x" * len(RAW)
    with (
        client.open_blob("app", DIGEST, len(RAW)) as stream,
        pytest.raises(IntegrityError, match="came with the digest"),
    ):
        while stream.read(4096):
            pass
    registry.blobs["app"][DIGEST] = RAW[:-1]
    with client.open_blob("app", DIGEST, len(RAW)) as stream, pytest.raises(IntegrityError, match="999 bytes"):
        while stream.read(4096):
            pass


def test_get_blob_is_limited_and_verified(client, registry):
    registry.add_blob("app", RAW)
    assert client.get_blob("app", DIGEST, 1000) == RAW
    with pytest.raises(IntegrityError, match="more than the 999 bytes"):
        client.get_blob("app", DIGEST, 999)
    registry.blobs["app"][DIGEST] = b"other"
    with pytest.raises(IntegrityError, match="came with the digest"):
        client.get_blob("app", DIGEST, 1000)


# -- tags ----------------------------------------------------------------------------------------------------------------


def test_tags_follow_links_and_are_sorted(client, registry):
    registry.script += [
        ("tags/list", answer(200, {"tags": ["b", "a"]}, Link='</v2/app/tags/list?last=b&n=2>; rel="next"')),
        ("tags/list", answer(200, {"tags": ["c"]})),
    ]
    assert client.tags("app") == ["a", "b", "c"]
    assert registry.log == ["GET /v2/app/tags/list?n=1000", "GET /v2/app/tags/list?last=b&n=2"]


def test_no_tags_and_no_repository_are_empty(client, registry):
    registry.script.append(("tags/list", answer(200, {"tags": None})))
    assert client.tags("app") == []
    assert client.tags("nowhere") == []


def test_a_list_that_continues_elsewhere_is_refused(client, registry):
    registry.script.append(("tags/list", answer(200, {"tags": []}, Link='<https://evil.example/x>; rel="next"')))
    with pytest.raises(RegistryError, match=r"another host \(evil\.example\)"):
        client.tags("app")


# -- retries and errors --------------------------------------------------------------------------------------------------


def test_backs_off_with_doubling_delays_and_gives_up(client, registry, pauses):
    registry.script += [("HEAD", refusal(502, "BAD"))] * 5
    with pytest.raises(UnavailableError, match="HTTP 502") as caught:
        client.head_manifest("app", "1")
    assert "to each of 5 attempts" in caught.value.msg
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert client.requests == 5


def test_retry_after_holds_for_the_host(client, registry, pauses):
    registry.add_image("app", "1")
    registry.script.append(("HEAD", refusal(429, "TOOMANYREQUESTS", Retry_After="7")))
    assert client.head_manifest("app", "1")
    assert pauses == [0.5, 6.5]


def test_retry_after_is_capped(client, registry, pauses):
    registry.script.append(("HEAD", refusal(429, "TOOMANYREQUESTS", Retry_After="99999")))
    client.head_manifest("app", "1")
    assert sum(pauses) == 300.0


def test_a_broken_connection_is_tried_again(client, registry, pauses):
    registry.add_image("app", "1")
    registry.script.append(("GET", BROKEN))
    assert client.get_manifest("app", "1")
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("[Errno 111] Connection refused", "connection was refused"),
        ("[Errno -2] Name or service not known", "name has no address"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer (_ssl.c:1006)",
            "ca_path",
        ),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "insecure: true"),
    ],
)
def test_unreachable_says_why_and_what_to_do(client, registry, failure, words):
    registry.script += [("HEAD", requests.exceptions.ConnectionError(failure))] * 5
    with pytest.raises(UnreachableError, match=words) as caught:
        client.head_manifest("app", "1")
    assert caught.value.status is None


@pytest.mark.parametrize(
    ("status", "kind"), [(403, DeniedError), (405, UnsupportedError), (404, NotFoundError), (400, RegistryError)]
)
def test_final_statuses_are_typed_and_not_repeated(client, registry, pauses, status, kind):
    registry.script.append(("DELETE", refusal(status, "CODE", "the registry's words")))
    with pytest.raises(kind, match=r"CODE \(the registry's words\)"):
        client.delete_manifest("app", "1")
    assert client.requests == 1 and pauses == []


def test_a_web_server_that_is_no_registry_is_not_taken_for_an_absent_image(client, registry):
    registry.version_header = False
    registry.script += [("HEAD", answer(404)), ("GET /v2/$", answer(404))] * 2
    for _attempt in range(2):
        with pytest.raises(RegistryError, match="is no registry: it answered GET /v2/ with HTTP 404"):
            client.head_manifest("app", "1")


def test_a_registry_of_few_words_is_asked_once_whether_it_is_one(client, registry):
    registry.version_header = False
    assert client.head_manifest("app", "1") is None
    assert client.head_manifest("app", "1") is None
    assert registry.log == ["HEAD /v2/app/manifests/1", "GET /v2/", "HEAD /v2/app/manifests/1"]


def test_html_of_a_proxy_is_not_repeated_in_the_error(client, registry):
    registry.script.append(("DELETE", answer(400, b"<html>nginx</html>", Content_Type="text/html")))
    with pytest.raises(RegistryError) as caught:
        client.delete_manifest("app", "1")
    assert "nginx" not in caught.value.msg


def test_warnings_of_the_registry_are_collected(client, registry):
    registry.script += [("HEAD", answer(404, Warning='299 - "storage is nearly full"'))] * 2
    client.head_manifest("app", "1")
    client.head_manifest("app", "2")
    assert client.warnings == ["reg.example.com: storage is nearly full"]
