# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins against real registries: passwords, tokens, files and helpers, and where a login must never go."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import stat

import pytest
import registry_servers as servers
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry import transport
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from registry_faults import Fault, proxy
from registry_helper import Pusher
from registry_tokens import TokenService

pytestmark = pytest.mark.lab
USER, PASSWORD = "ann", "a pass:word with ümlaut"
OTHER_PASSWORD = "of-somebody-else"


@pytest.fixture(autouse=True)
def _nobody_at_home(monkeypatch, tmp_path):
    """No login files of whoever runs the tests, and no pauses between tries."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(transport, "BASE_DELAY", 0.001)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return servers.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def private(tmp_path_factory, authority):
    """A registry with a password and a certificate of its own authority, with one image, app:1."""
    folder = tmp_path_factory.mktemp("private")
    auth = servers.htpasswd(folder / "htpasswd", USER, PASSWORD)
    with servers.registry(folder, http=servers.tls(authority), auth=auth) as found:
        login = {"username": USER, "password": PASSWORD, "ca_path": str(authority.path)}
        pusher = Pusher(found.host, Access(**login), login)
        pusher.image("app", "1")
        yield pusher


def login_file(path, host, user=USER, password=PASSWORD, **more):
    entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode(), **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: entry}}))
    return path


def helper(folder, monkeypatch, name, answer):
    """A login helper in PATH; what it was asked lies beside it."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\ncat >> {folder}/asked; echo >> {folder}/asked\n{answer}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def without_login(pusher, **more):
    return {"username": None, "password": None, **more}


# -- passwords -----------------------------------------------------------------------------------------------------------


def test_a_password_by_option(private):
    assert private.info("app", "1")["exists"]
    moved = private.run("app", "2", source=private.name("app", "1"))
    # The challenge costs one request, once: HEAD (401), HEAD, GET, PUT.
    assert moved["changed"] and moved["requests"] == 4


@pytest.mark.parametrize("place", ["auth_file", "DOCKER_CONFIG", "home", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"])
def test_a_password_from_each_file(private, tmp_path, monkeypatch, place):
    names = {"DOCKER_CONFIG": "config.json", "home": ".docker/config.json", "XDG_RUNTIME_DIR": "containers/auth.json"}
    path = login_file(tmp_path / names.get(place, "auth.json"), private.host)
    options = without_login(private)
    if place == "auth_file":
        options["auth_file"] = str(path)
    elif place != "home":
        monkeypatch.setenv(place, str(path if place == "REGISTRY_AUTH_FILE" else tmp_path))
    assert private.info("app", "1", **options)["exists"]


def test_who_is_asked_first(private, tmp_path, monkeypatch):
    right, wrong = (
        login_file(tmp_path / name / "config.json", private.host, password=password)
        for name, password in (("right", PASSWORD), ("wrong", OTHER_PASSWORD))
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(wrong.parent))
    assert private.info("app", "1")["exists"]  # options
    assert private.info("app", "1", **without_login(private, auth_file=str(right)))["exists"]
    refused = private.info("app", "1", **without_login(private))
    assert refused["failed"] and str(wrong) in refused["msg"] and OTHER_PASSWORD not in json.dumps(refused)


@pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
def test_a_login_helper(private, tmp_path, monkeypatch, kind):
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper(tmp_path, monkeypatch, "test", f"cat <<'X'\n{answer}\nX")
    config = {"credHelpers": {private.host: "test"}} if kind == "credHelpers" else {"credsStore": "test"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert private.info("app", "1", **without_login(private))["exists"]
    assert set((tmp_path / "asked").read_text().split()) == {private.host}


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(private, tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, "none", "echo credentials not found in native keychain; exit 1")
    path = login_file(tmp_path / "config.json", private.host)
    path.write_text(json.dumps({**json.loads(path.read_text()), "credsStore": "none"}))
    assert private.info("app", "1", **without_login(private, auth_file=str(path)))["exists"]


# -- certificates --------------------------------------------------------------------------------------------------------


def test_client_certificates(tmp_path, authority):
    clients = servers.Authority(tmp_path / "clients", "clients")
    strangers = servers.Authority(tmp_path / "strangers", "strangers")
    certificate, key = clients.issue("client")
    with servers.registry(tmp_path / "mutual", http=servers.tls(authority, clients)) as found:
        login = {"ca_path": str(authority.path), "client_cert": str(certificate), "client_key": str(key)}
        pusher = Pusher(found.host, Access(**login), login)
        pusher.image("app", "1")
        assert pusher.info("app", "1")["exists"]
        both = tmp_path / "both.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        assert pusher.info("app", "1", client_cert=str(both), client_key=None)["exists"]
        refused = pusher.info("app", "1", client_cert=None, client_key=None)
        assert refused["failed"] and "client_cert" in refused["msg"]
        strange, strange_key = strangers.issue("client")
        refused = pusher.info("app", "1", client_cert=str(strange), client_key=str(strange_key))
        assert refused["failed"] and "client_cert" in refused["msg"]


def test_a_name_that_is_not_in_the_certificate(private):
    host = private.host.replace("127.0.0.1", "127.0.0.2")
    other = Pusher(host, Access(**private.options), private.options)
    refused = other.info("app", "1")
    assert refused["failed"] and host in refused["msg"]


# -- where a login must not go -------------------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path):
    """A registry that asks for a password over plain HTTP, behind a proxy that notes what it hears."""
    auth = servers.htpasswd(tmp_path / "accounts", USER, PASSWORD)
    with servers.registry(tmp_path / "plain", auth=auth) as found, proxy(found.host) as before:
        login = {"username": USER, "password": PASSWORD, "insecure": True}
        yield Pusher(before.host, Access(**login), login), before


def heard(before):
    return [request.headers["Authorization"] for request in before.seen if "Authorization" in request.headers]


def test_no_password_over_plain_http_unless_told(plain):
    pusher, before = plain
    refused = pusher.info("app", "1", insecure=False)
    assert refused["failed"] and "plain HTTP" in refused["msg"] and PASSWORD not in json.dumps(refused)
    assert before.seen and not heard(before)
    pusher.image("app", "1")
    assert pusher.info("app", "1")["exists"] and heard(before)


def test_no_password_to_where_a_redirect_leads(plain, tmp_path):
    pusher, before = plain
    image = pusher.image("app", "1")
    with servers.registry(tmp_path / "storage") as elsewhere, proxy(elsewhere.host) as storage:
        other = Pusher(storage.host, Access(), {})
        path = f"/v2/{pusher.repository('app')}/blobs/{image.config.digest}"
        raw = pusher.client.get_blob(pusher.repository("app"), image.config.digest, 10_000)
        other.client.upload_blob(pusher.repository("app"), image.config.digest, len(raw), lambda: io.BytesIO(raw))
        del storage.seen[:]
        before.faults.append(Fault(f"GET {path}", status=307, headers={"Location": f"http://{storage.host}{path}"}))
        assert pusher.info("app", "1")["labels"] == {"test": "app"}
        assert storage.requests(f"GET {path}") and not heard(storage)


def test_a_netrc_is_not_heard(plain, tmp_path, monkeypatch):
    pusher, before = plain
    pusher.image("app", "1")
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {OTHER_PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert pusher.info("app", "1")["exists"]
    wrong = base64.b64encode(f"{USER}:{OTHER_PASSWORD}".encode()).decode()
    assert f"Basic {wrong}" not in heard(before)
    del before.seen[:]
    nobody = pusher.info("app", "1", **without_login(pusher))
    assert nobody["failed"] and nobody["request"]["status"] == 401 and not heard(before)


# -- tokens --------------------------------------------------------------------------------------------------------------

ALL = ("pull", "push", "delete")


@contextlib.contextmanager
def token_registry(folder, authority):
    """A registry that believes a token service alone; ci may do anything, deployer push to prod, reader read."""
    service = TokenService(
        authority,
        {"ci": "ci-word", "deployer": "deployer-word", "reader": "reader-word"},
        {
            "ci": {"": ALL},
            "deployer": {"reg-": ()},
            "reader": {"": ("pull",)},
            "": {},
        },
        refresh_tokens={"an-identity-token": "ci"},
    )
    with service.running(), servers.registry(folder, http=servers.tls(authority), auth=service.registry_auth) as found:
        login = {"username": "ci", "password": "ci-word", "ca_path": str(authority.path)}
        yield Pusher(found.host, Access(**login), login), service


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    with token_registry(tmp_path_factory.mktemp("tokens"), authority) as found:
        found[0].image("test/app", "1", layers=(b"one", b"two", b"three"))
        yield found


@pytest.fixture
def tokens(shared):
    pusher, service = shared
    del service.asked[:]
    service.lifetime, service.stale, service.busy = 300, 0, 0
    yield pusher, service


def as_user(name, **more):
    return {"username": name, "password": f"{name}-word", **more}


def test_anybody_may_read_what_is_public(tokens):
    pusher, service = tokens
    service.grants[""] = {pusher.repository("test/"): ("pull",)}
    assert pusher.info("test/app", "1", **without_login(pusher))["exists"]
    assert service.asked[0]["authorization"] == "" and service.asked[0]["service"] == "test registry"
    refused = pusher.run("test/app", "2", source=pusher.name("test/app", "1"), **without_login(pusher))
    assert refused["failed"] and "Give username and password" in refused["msg"]
    assert pusher.digest("test/app", "2") is None


def test_a_retag_asks_for_one_token_with_all_it_will_do(tokens):
    pusher, service = tokens
    result = pusher.run("test/app", "again", source=pusher.name("test/app", "1"))
    assert result["changed"] and result["requests"] == 5  # 401, token, HEAD, GET, PUT
    assert service.scopes == [[f"repository:{pusher.repository('test/app')}:pull,push"]]
    only_reading = pusher.run("test/app", "again", source=pusher.name("test/app", "1"), check_mode=True)
    assert only_reading["changed"] is False
    assert service.scopes[1:] == [[f"repository:{pusher.repository('test/app')}:pull"]]


def test_a_promotion_asks_for_both_repositories_the_written_one_first(tokens):
    pusher, service = tokens
    result = pusher.run("prod/app", "1", source=pusher.name("test/app", "1"))
    assert result["blobs"] == {"mounted": 4, "existing": 0, "copied": 0}
    source, target = pusher.repository("test/app"), pusher.repository("prod/app")
    assert [f"repository:{target}:pull,push", f"repository:{source}:pull"] in service.scopes
    assert len(service.asked) <= 3


def test_a_mount_that_the_login_may_not_make_becomes_an_upload(tokens):
    pusher, service = tokens
    service.grants["deployer"] = {pusher.repository("guarded/"): ("pull", "push")}
    denied = pusher.run("guarded/app", "1", source=pusher.name("test/app", "1"), **as_user("deployer"))
    assert denied["failed"] and pusher.digest("guarded/app", "1") is None
    reader = {
        "source_username": "reader",
        "source_password": "reader-word",
        "source_ca_path": pusher.options["ca_path"],
    }
    result = pusher.run("guarded/app", "1", source=pusher.name("test/app", "1"), **as_user("deployer"), **reader)
    assert result["blobs"]["copied"] == 4 and "may not read the source" in result["warned"][0]
    assert pusher.digest("guarded/app", "1") == pusher.digest("test/app", "1")


def test_deleting_needs_an_action_of_its_own(tokens):
    pusher, service = tokens
    image = pusher.image("test/app", "doomed", layers=(b"doomed",))
    refused = pusher.run("test/app", "doomed", state="absent", **as_user("reader"))
    assert refused["failed"] and pusher.digest("test/app", "doomed") == image.digest
    del service.asked[:]
    assert pusher.run("test/app", "doomed", state="absent")["changed"]
    assert (
        service.scopes == [[f"repository:{pusher.repository('test/app')}:pull"]]
        or [f"repository:{pusher.repository('test/app')}:pull,push,delete"] in service.scopes
    )
    assert pusher.digest("test/app", "doomed") is None


def test_pruning_with_tokens(tokens):
    pusher, service = tokens
    for version in ("1.0", "1.1"):
        pusher.image("prune/app", version, layers=(version.encode(),))
    refused = pusher.prune("prune/app", keep_last=1, **as_user("reader"))
    assert refused["failed"] and refused["deleted"] == []
    assert pusher.prune("prune/app", keep_last=1)["tags"] == ["1.0"]
    assert [f"repository:{pusher.repository('prune/app')}:pull,push,delete"] in service.scopes


def test_tokens_are_renewed_before_they_end(tokens):
    pusher, service = tokens
    service.lifetime = 5  # the margin: such a token is used for the request at hand and no other
    result = pusher.run("renewed/app", "1", source=pusher.name("test/app", "1"))
    assert result["changed"] and len(service.asked) > 8
    assert pusher.digest("renewed/app", "1") == pusher.digest("test/app", "1")


def test_a_token_that_the_registry_refuses_is_replaced_once(tokens):
    pusher, service = tokens
    service.stale = 1
    assert pusher.info("test/app", "1")["exists"] and len(service.asked) >= 2
    service.stale = 99
    refused = pusher.info("test/app", "1")
    assert refused["failed"] and refused["request"]["status"] == 401


def test_a_token_service_that_is_busy_is_asked_again(tokens):
    pusher, service = tokens
    service.busy = 2
    assert pusher.info("test/app", "1")["exists"] and len(service.asked) == 3
    service.busy = 99
    failed = pusher.info("test/app", "1")
    assert failed["failed"] and "HTTP 503" in failed["msg"] and service.url in failed["msg"]


def test_an_identity_token(tokens, tmp_path):
    pusher, service = tokens
    path = login_file(tmp_path / "config.json", pusher.host, "00000000", "", identitytoken="an-identity-token")
    result = pusher.run(
        "test/app", "by-identity", source=pusher.name("test/app", "1"), **without_login(pusher, auth_file=str(path))
    )
    assert result["changed"]
    question = service.asked[0]
    assert question["method"] == "POST" and question["grant_type"] == "refresh_token" and question["client_id"]
    wrong = login_file(tmp_path / "config.json", pusher.host, "00000000", "", identitytoken="another")
    refused = pusher.info("test/app", "1", **without_login(pusher, auth_file=str(wrong)))
    assert refused["failed"] and "another" not in json.dumps({**refused, "msg": refused["msg"].replace(str(wrong), "")})


def test_a_password_that_the_token_service_refuses(tokens):
    pusher, _service = tokens
    refused = pusher.info("test/app", "1", password="not-the-word")
    assert refused["failed"] and "token service https://127.0.0.1" in refused["msg"]
    assert "not-the-word" not in json.dumps(refused) and m.OCI_MANIFEST not in refused["msg"]
