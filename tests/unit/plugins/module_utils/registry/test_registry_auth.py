# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins: what is sent to whom, in which order, and what never is."""

from __future__ import annotations

import base64
import json
import os
import stat

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.registry import access as access_module
from ansible_collections.slipway.delivery.plugins.module_utils.registry import transport
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access, access_from, trust
from ansible_collections.slipway.delivery.plugins.module_utils.registry.auth import parse_challenges, scope_text
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.credentials import find_credentials
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import DeniedError
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import answer, refusal

PASSWORD = "s3cret-word"
LOGIN = Access(username="joe", password=PASSWORD)
BASIC = "Basic " + base64.b64encode(f"joe:{PASSWORD}".encode()).decode()
CHALLENGE = 'Bearer realm="https://auth.example.com/token",service="reg",scope="repository:app:pull"'


def basic_401():
    return refusal(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="Registry"')


def bearer_401(challenge=CHALLENGE):
    return refusal(401, "UNAUTHORIZED", WWW_Authenticate=challenge)


def authorizations(registry):
    return [request.headers.get("Authorization") for request in registry.seen]


# -- challenges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        ("Basic realm=x", [("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push"})],
        ),
        (
            'Negotiate, Bearer realm="https://a/t", Basic realm="q\\"q"',
            [("negotiate", {}), ("bearer", {"realm": "https://a/t"}), ("basic", {"realm": 'q"q'})],
        ),
        ("Negotiate oRQwEqADCgEB==, Basic realm=x", None),
        ("", []),
        (",,,", []),
    ],
)
def test_parse_challenges(header, expected):
    found = [(challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(header)]
    if expected is None:
        assert ("basic", {"realm": "x"}) in found
    else:
        assert found == expected


def test_scopes_that_write_stand_first():
    scopes = {"a/read": frozenset(("pull",)), "z/write": frozenset(("push", "pull"))}
    assert scope_text(scopes) == ["repository:z/write:pull,push", "repository:a/read:pull"]


# -- Basic ---------------------------------------------------------------------------------------------------------------


def test_basic_is_sent_after_its_challenge_and_from_then_on(registry, pauses):
    registry.add_image("app", "1")
    registry.script.append(("HEAD", basic_401()))
    client = RegistryClient("reg.example.com", LOGIN)
    client.head_manifest("app", "1")
    client.head_manifest("app", "1")
    assert authorizations(registry) == [None, BASIC, BASIC]


def test_a_wrong_password_is_named_by_its_origin_and_never_shown(registry, pauses):
    echo = refusal(401, "UNAUTHORIZED", f"bad login {PASSWORD}", WWW_Authenticate="Basic realm=x")
    registry.script += [("HEAD", basic_401()), ("HEAD", echo)]
    with pytest.raises(DeniedError) as caught:
        RegistryClient("reg.example.com", LOGIN).head_manifest("app", "1")
    assert "the task's username and password" in caught.value.msg
    assert PASSWORD not in caught.value.msg + json.dumps(caught.value.facts) + repr(LOGIN)


def test_no_login_says_where_one_could_come_from(registry, pauses):
    registry.script.append(("HEAD", basic_401()))
    with pytest.raises(DeniedError, match="Give username and password, or an auth_file"):
        RegistryClient("reg.example.com").head_manifest("app", "1")


def test_no_login_over_plain_http_on_loopback(registry, pauses, monkeypatch):
    monkeypatch.setattr(transport, "_speaks_tls", lambda _host: False)
    registry.script.append(("HEAD", basic_401()))
    with pytest.raises(DeniedError, match="was not sent"):
        RegistryClient("localhost:5000", LOGIN).head_manifest("app", "1")
    assert authorizations(registry) == [None]
    assert registry.seen[0].url.startswith("http://localhost:5000/")


def test_a_login_over_plain_http_when_told(registry, pauses):
    registry.script.append(("HEAD", basic_401()))
    access = Access(username="joe", password=PASSWORD, insecure=True)
    assert RegistryClient("10.0.0.1:5000", access).head_manifest("app", "1") is None
    assert authorizations(registry) == [None, BASIC]
    assert registry.seen[0].url.startswith("http://10.0.0.1:5000/")


def test_netrc_is_not_heard(registry, pauses, tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine reg.example.com login eve password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    RegistryClient("reg.example.com").head_manifest("app", "1")
    assert authorizations(registry) == [None]


# -- redirects -----------------------------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_goes_without_login(registry, pauses):
    registry.script += [
        ("HEAD /v2", basic_401()),
        ("HEAD /v2", answer(307, Location="https://storage.example.com/v2/app/blobs/x?signature=abc")),
        ("storage|signature", answer(200)),
    ]
    assert RegistryClient("reg.example.com", LOGIN).has_blob("app", "sha256:x")
    assert authorizations(registry) == [None, BASIC, None]
    assert registry.hosts == {"reg.example.com", "storage.example.com"}


def test_a_redirect_within_the_host_keeps_the_login_and_another_port_does_not(registry, pauses):
    registry.script += [
        ("HEAD", basic_401()),
        ("HEAD", answer(302, Location="/elsewhere")),
        ("HEAD", answer(302, Location="https://reg.example.com:8443/x")),
        ("HEAD", answer(200)),
    ]
    RegistryClient("reg.example.com", LOGIN).has_blob("app", "sha256:x")
    assert authorizations(registry) == [None, BASIC, BASIC, None]


def test_a_redirect_to_plain_http_is_not_followed(registry, pauses):
    registry.script.append(("HEAD", answer(302, Location="http://reg.example.com/x?token=abc")))
    with pytest.raises(DeniedError, match="not followed") as caught:
        RegistryClient("reg.example.com").has_blob("app", "sha256:x")
    assert "abc" not in caught.value.msg


# -- Bearer --------------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_once_with_everything_that_was_announced(registry, pauses):
    image = registry.add_image("app", "1")
    registry.script += [("HEAD", bearer_401()), ("GET /token", answer(200, {"token": "t1", "expires_in": 300}))]
    client = RegistryClient("reg.example.com", LOGIN)
    client.will_push("app")
    client.head_manifest("app", "1")
    client.put_manifest("app", "2", image)
    assert registry.log == [
        "HEAD /v2/app/manifests/1",
        "GET /token?service=reg&scope=repository%3Aapp%3Apull%2Cpush",
        "HEAD /v2/app/manifests/1",
        "PUT /v2/app/manifests/2",
    ]
    assert authorizations(registry) == [None, BASIC, "Bearer t1", "Bearer t1"]


def test_a_mount_asks_for_both_repositories_the_written_one_first(registry, pauses):
    registry.script += [("POST", bearer_401()), ("GET /token", answer(200, {"access_token": "t1"}))]
    client = RegistryClient("reg.example.com")
    client.mount_blob("prod/app", "sha256:x", "a/app")
    assert (
        registry.log[1]
        == "GET /token?service=reg&scope=repository%3Aprod%2Fapp%3Apull%2Cpush&scope=repository%3Aa%2Fapp%3Apull"
    )


def test_an_expired_token_is_renewed_before_use(registry, pauses, monkeypatch):
    registry.script += [
        ("HEAD", bearer_401()),
        ("GET /token", answer(200, {"token": "t1", "expires_in": 60})),
        ("GET /token", answer(200, {"token": "t2", "expires_in": 60})),
    ]
    client = RegistryClient("reg.example.com")
    now = [0.0]
    monkeypatch.setattr(client.transport.auth, "_clock", lambda: now[0])
    client.head_manifest("app", "1")
    now[0] = 54.0
    client.head_manifest("app", "1")
    now[0] = 56.0
    client.head_manifest("app", "1")
    assert authorizations(registry)[-3:] == ["Bearer t1", None, "Bearer t2"]
    assert authorizations(registry).count("Bearer t1") == 2


def test_a_refused_token_is_replaced_once_and_then_final(registry, pauses):
    registry.script += [
        ("HEAD", bearer_401()),
        ("GET /token", answer(200, {"token": "t1"})),
        ("HEAD", bearer_401()),
        ("GET /token", answer(200, {"token": "t2"})),
        ("HEAD", bearer_401()),
    ]
    with pytest.raises(DeniedError):
        RegistryClient("reg.example.com").head_manifest("app", "1")
    assert registry.log.count("HEAD /v2/app/manifests/1") == 3


def test_a_good_token_without_the_right_is_final_at_once(registry, pauses):
    status, body, headers = bearer_401()
    lacking = {**headers, "WWW-Authenticate": headers["WWW-Authenticate"] + ',error="insufficient_scope"'}
    registry.script += [
        ("HEAD", bearer_401()),
        ("GET /token", answer(200, {"token": "t1"})),
        ("HEAD", (status, body, lacking)),
    ]
    with pytest.raises(DeniedError):
        RegistryClient("reg.example.com").head_manifest("app", "1")
    assert registry.log.count("HEAD /v2/app/manifests/1") == 2


def test_a_service_that_refuses_the_wide_scope_is_asked_for_the_narrow_one(registry, pauses):
    registry.script += [
        ("HEAD", bearer_401()),
        ("GET /token", answer(403, {})),
        ("GET /token", answer(200, {"token": "t1"})),
    ]
    client = RegistryClient("reg.example.com")
    client.will_push("app")
    client.head_manifest("app", "1")
    assert [line for line in registry.log if "token" in line] == [
        "GET /token?service=reg&scope=repository%3Aapp%3Apull%2Cpush",
        "GET /token?service=reg&scope=repository%3Aapp%3Apull",
    ]


def test_an_identity_token_is_posted(registry, pauses, tmp_path):
    auth_file = tmp_path / "auth.json"
    auth_file.write_text(json.dumps({"auths": {"reg.example.com": {"identitytoken": "idt"}}}))
    registry.script += [("HEAD", bearer_401()), ("POST /token", answer(200, {"access_token": "t1"}))]
    RegistryClient("reg.example.com", Access(auth_file=str(auth_file))).head_manifest("app", "1")
    posted = registry.seen[1]
    assert b"grant_type=refresh_token" in posted.body and b"refresh_token=idt" in posted.body
    assert "Authorization" not in posted.headers
    assert authorizations(registry)[-1] == "Bearer t1"


def test_a_token_service_without_tls_is_not_asked(registry, pauses):
    registry.script.append(("HEAD", bearer_401('Bearer realm="http://auth.example.com/token"')))
    with pytest.raises(DeniedError, match="not reached by TLS"):
        RegistryClient("reg.example.com", LOGIN).head_manifest("app", "1")
    assert registry.hosts == {"reg.example.com"}


def test_a_login_the_token_service_refuses(registry, pauses):
    registry.script += [("HEAD", bearer_401()), ("GET /token", answer(401, {"details": PASSWORD}))]
    with pytest.raises(DeniedError, match=r"gave no token for repository:app:pull \(HTTP 401\)") as caught:
        RegistryClient("reg.example.com", LOGIN).head_manifest("app", "1")
    assert PASSWORD not in caught.value.msg


# -- where logins come from ----------------------------------------------------------------------------------------------


def login_file(path, auths, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = {host: {"auth": base64.b64encode(pair.encode()).decode()} for host, pair in auths.items()}
    path.write_text(json.dumps({"auths": encoded, **more}))
    return str(path)


def test_order_of_login_files(tmp_path, monkeypatch):
    host = "reg.example.com"
    sources = [
        ("XDG_RUNTIME_DIR", tmp_path / "run", "containers/auth.json"),
        ("REGISTRY_AUTH_FILE", tmp_path / "podman.json", ""),
        ("HOME", tmp_path / "home", ".docker/config.json"),
        ("DOCKER_CONFIG", tmp_path / "docker", "config.json"),
    ]
    for variable, folder, name in sources:
        login_file(folder / name if name else folder, {host: f"{variable}:x"})
        monkeypatch.setenv(variable, str(folder))
        assert find_credentials(Access(), host).username == variable
    own = login_file(tmp_path / "own.json", {host: "own:x:y"})
    found = find_credentials(Access(auth_file=own), host)
    assert (found.username, found.secret, found.origin) == ("own", "x:y", own)
    assert find_credentials(Access(auth_file=own, username="arg", password="p"), host).username == "arg"
    assert not find_credentials(Access(auth_file=own), "other.example.com")


@pytest.mark.parametrize("key", ["reg.example.com", "https://reg.example.com", "https://reg.example.com/v1/"])
def test_names_of_a_registry_in_a_login_file(tmp_path, key):
    path = login_file(tmp_path / "a.json", {key: "joe:x"})
    assert find_credentials(Access(auth_file=path), "reg.example.com").username == "joe"


def test_docker_hub_in_a_login_file(tmp_path):
    path = login_file(tmp_path / "a.json", {"https://index.docker.io/v1/": "joe:x"})
    assert find_credentials(Access(auth_file=path), "docker.io").username == "joe"


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"reg.example.com": {"auth": "%%%"}}}'])
def test_a_broken_login_file_is_an_error_without_its_contents(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ParameterError, match=str(path)) as caught:
        find_credentials(Access(auth_file=str(path)), "reg.example.com")
    assert "%%%" not in caught.value.msg


def helper(tmp_path, monkeypatch, script):
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nread host\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_a_login_helper_is_asked_for_this_host_only(tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, 'echo "{\\"Username\\":\\"$host\\",\\"Secret\\":\\"x\\"}"')
    path = login_file(tmp_path / "a.json", {"reg.example.com": "file:x"}, credHelpers={"reg.example.com": "test"})
    found = find_credentials(Access(auth_file=path), "reg.example.com")
    assert (found.username, found.secret) == ("reg.example.com", "x")
    assert not find_credentials(Access(auth_file=path), "other.example.com")


def test_a_login_helper_may_hold_an_identity_token(tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"idt\\"}"')
    path = login_file(tmp_path / "a.json", {}, credsStore="test")
    assert find_credentials(Access(auth_file=path), "reg.example.com").identity_token == "idt"


def test_a_login_helper_that_knows_nothing_falls_through(tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")
    path = login_file(tmp_path / "a.json", {"reg.example.com": "file:x"}, credsStore="test")
    assert find_credentials(Access(auth_file=path), "reg.example.com").username == "file"


@pytest.mark.parametrize("script", ["echo no json", "echo '{}'"])
def test_a_login_helper_that_talks_nonsense_is_an_error(tmp_path, monkeypatch, script):
    helper(tmp_path, monkeypatch, script)
    path = login_file(tmp_path / "a.json", {}, credsStore="test")
    with pytest.raises(ParameterError, match="docker-credential-test"):
        find_credentials(Access(auth_file=path), "reg.example.com")


def test_a_login_helper_that_is_not_installed_is_an_error(tmp_path):
    path = login_file(tmp_path / "a.json", {}, credsStore="not-installed-anywhere")
    with pytest.raises(ParameterError, match="cannot be run"):
        find_credentials(Access(auth_file=path), "reg.example.com")


# -- options -------------------------------------------------------------------------------------------------------------


def test_access_from_reads_prefixed_options():
    params = {"source_username": "joe", "source_password": "x", "source_insecure": True, "source_timeout": "1m30s"}
    access = access_from(params, "source_")
    assert (access.username, access.insecure, access.timeout, access.validate_certs) == ("joe", True, 90.0, True)


def test_access_from_names_all_files_that_are_missing(tmp_path):
    with pytest.raises(ParameterError) as caught:
        access_from({"ca_path": str(tmp_path / "ca.pem"), "client_cert": str(tmp_path / "c.pem")})
    assert "ca_path" in caught.value.msg and "client_cert" in caught.value.msg


@pytest.mark.parametrize("timeout", ["0", "soon"])
def test_access_from_refuses_a_timeout(timeout):
    with pytest.raises(ParameterError, match="timeout"):
        access_from({"timeout": timeout})


def test_trust_in_order(tmp_path, monkeypatch):
    certs = tmp_path / "certs.d"
    monkeypatch.setattr(access_module, "CERTS_D", str(certs))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/bundle.pem")
    assert trust(Access(), "reg.example.com:5000") == "/bundle.pem"
    (certs / "reg.example.com:5000").mkdir(parents=True)
    ca = certs / "reg.example.com:5000" / "ca.crt"
    ca.touch()
    assert trust(Access(), "reg.example.com:5000") == str(ca)
    assert trust(Access(ca_path="/own.pem"), "reg.example.com:5000") == "/own.pem"
    assert trust(Access(ca_path="/own.pem", validate_certs=False), "reg.example.com:5000") is False
