# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image's options: everything that is wrong is told at once, and what is right is normalised."""

from __future__ import annotations

import datetime

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.engine.connection import CONNECTION
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import SPEC, engine_option
from ansible_collections.slipway.delivery.plugins.module_utils.image.dockerfile import read_dockerfile_order
from ansible_collections.slipway.delivery.plugins.module_utils.image.options import (
    parse_time,
    read_order,
    resolve_created,
    words,
)

GOOD = {"image": "r.example.com/shop/webapi:1.4.2", "base": "r.example.com/base/tomcat:10", "artifact": "app.war"}


def validated(**options):
    result = ArgumentSpecValidator(SPEC.options, **SPEC.rules()).validate(options)
    assert not result.error_messages, result.error_messages
    return result.validated_parameters


def order(**options):
    return read_order(validated(**{**GOOD, **options}))


def refused(**options):
    with pytest.raises(ParameterError) as raised:
        order(**options)
    return raised.value.msg


def test_defaults():
    result = order(image="r.example.com/shop/webapi")
    assert str(result.image) == "r.example.com/shop/webapi:latest"
    assert (result.tags, result.created, result.compression, result.overwrite) == ((), "source", "gzip", True)


def test_settings_are_normalised():
    result = order(
        env={"N": 5, "F": 0.5, "S": "x"},
        ports=["8080", "9000-9002/UDP"],
        entrypoint="java -jar '/my app.jar'",
        cmd=["-x", 5],
        working_dir="/srv//app/",
        healthcheck={"test": ["CMD", "true"], "interval": "1m30s", "start_period": "500ms", "retries": 3},
        files=[{"src": "a", "dest": "/etc/a/"}, {"src": "/b", "dest": "/b", "mode": "0640"}],
        tags=["a", "b", "a"],
        chdir="/src",
    )
    settings = result.settings
    assert settings.env == {"N": "5", "F": "0.5", "S": "x"}
    assert settings.ports == ("8080/tcp", "9000/udp", "9001/udp", "9002/udp")
    assert settings.entrypoint == ("java", "-jar", "/my app.jar")
    assert settings.cmd == ("-x", "5")
    assert settings.working_dir == "/srv/app"
    assert settings.healthcheck == {
        "Test": ["CMD", "true"],
        "Interval": 90 * 10**9,
        "StartPeriod": 5 * 10**8,
        "Retries": 3,
    }
    assert [(f.src, f.dest, f.mode, f.into) for f in result.files] == [
        ("/src/a", "/etc/a", None, True),
        ("/b", "/b", 0o640, False),
    ]
    assert (result.tags, result.folder) == (("a", "b"), "/src")


def test_every_finding_at_once():
    message = refused(
        image="r.example.com/a:1@sha256:" + "0" * 64,
        tags=["b/d"],
        base="",
        artifact=None,
        dest="../x",
        ports=["eighty", "0"],
        env={"A": None},
        labels={"": "x"},
        volumes=["relative"],
        stop_signal="please",
        created="yesterday",
        platform="Linux",
        healthcheck={"test": 5, "interval": "soon"},
        pull=True,
    )
    for said in (
        "image: 'r.example.com/a:1@sha256:",
        "tags: 'b/d'",
        "base: method layers needs",
        "artifact: there is nothing",
        "dest: '../x'",
        "ports: 'eighty'",
        "ports: '0'",
        "env: the value of A is None",
        "labels: ''",
        "volumes: 'relative'",
        "stop_signal: 'please'",
        "created: 'yesterday'",
        "platform: 'Linux'",
        "healthcheck:",
        "pull: works with method dockerfile only",
    ):
        assert said in message
    assert message.startswith("15 options cannot work. ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"files": [{"src": "a", "dest": "/a", "mode": 420}]}, "three octal digits in quotes"),
        ({"files": [{"src": "a", "dest": "/a", "mode": "4755"}]}, "three octal digits in quotes"),
        ({"files": [{"src": "a", "dest": "/"}]}, "the image's root"),
        ({"dest": "/a/../b"}, "without '..'"),
        ({"entrypoint": "sh -c 'open"}, "cannot be split"),
        ({"entrypoint": {"a": 1}}, "neither a string nor a list"),
        ({"env": {"A=B": "x"}}, "is no name"),
        ({"env": {"A": True}}, "quote it"),
        ({"ports": ["9-5"]}, "no port"),
        ({"healthcheck": {"test": []}}, "must be a shell command"),
        ({"healthcheck": {"test": "x", "timeout": "1 minute"}}, "healthcheck: timeout"),
    ],
)
def test_one_finding_is_told_alone(options, said):
    message = refused(**options)
    assert said in message
    assert "options cannot work" not in message


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("curl -f localhost", ["CMD-SHELL", "curl -f localhost"]),
        (["curl", "-f", "localhost"], ["CMD", "curl", "-f", "localhost"]),  # as app_container takes it
        (["CMD", "true"], ["CMD", "true"]),
        ("NONE", ["NONE"]),
        (["NONE"], ["NONE"]),
    ],
)
def test_health_check_command(test, expected):
    assert order(healthcheck={"test": test}).settings.healthcheck == {"Test": expected}


def test_words():
    assert words(None, "cmd") is None
    assert words([], "cmd") == ()
    assert words("", "cmd") == ()


@pytest.mark.parametrize(
    ("option", "environ", "expected"),
    [
        ("source", {}, ("2026-03-01T12:00:00Z", False)),
        ("source", {"SOURCE_DATE_EPOCH": "0"}, ("1970-01-01T00:00:00Z", True)),
        ("epoch", {"SOURCE_DATE_EPOCH": "5"}, ("1970-01-01T00:00:00Z", True)),
        ("now", {}, ("2027-01-15T08:00:00Z", False)),
        ("2026-01-01T00:00:00Z", {}, ("2026-01-01T00:00:00Z", True)),
    ],
)
def test_created(option, environ, expected):
    assert resolve_created(option, 1772366400, environ, 1800000000.7) == expected


def test_created_refuses_a_bad_environment_and_times_without_a_zone():
    with pytest.raises(ParameterError, match="SOURCE_DATE_EPOCH is 'x'"):
        resolve_created("source", 0, {"SOURCE_DATE_EPOCH": "x"}, 0)
    assert "RFC 3339" in refused(created="2026-01-01T00:00:00")
    assert order(created="2026-01-01T02:00:00+02:00").created == "2026-01-01T00:00:00Z"
    assert parse_time("2026-01-01T00:00:00z").tzinfo == datetime.timezone.utc


def test_engine_options_keep_their_names_unless_the_registry_has_them():
    assert [engine_option(name) for name in ("docker_host", "tls", "ca_path", "timeout")] == [
        "docker_host",
        "tls",
        "docker_ca_path",
        "docker_timeout",
    ]
    assert all(engine_option(name) in SPEC.options for name in CONNECTION.options)


def test_dockerfile_paths_and_options(tmp_path):
    (tmp_path / "ctx").mkdir()
    (tmp_path / "Other").write_text("FROM scratch\n")
    common = {"image": "r.example.com/a:1", "method": "dockerfile", "chdir": str(tmp_path), "context": "ctx"}
    result = read_dockerfile_order(validated(**common, dockerfile="../Other", build_args={"V": 1}, build_timeout="90s"))
    assert (result.build.context, result.build.dockerfile) == (str(tmp_path / "ctx"), str(tmp_path / "Other"))
    assert (result.build.build_args, result.build_timeout) == ({"V": "1"}, 90.0)
    with pytest.raises(ParameterError) as raised:
        read_dockerfile_order(
            validated(**common, files=[{"src": "a", "dest": "/a"}], env={"A": "b"}, compression="zstd", created="epoch")
        )
    for said in (
        "5 options",
        f"no file at {tmp_path}/ctx/Dockerfile",
        "files: works with method layers only; write it in the Dockerfile",
        "env: works",
        "compression: works with method layers only; leave it out",
        "created: works",
    ):
        assert said in raised.value.msg
    with pytest.raises(ParameterError, match="there is no folder at"):
        read_dockerfile_order(validated(**{**common, "context": "none"}))
