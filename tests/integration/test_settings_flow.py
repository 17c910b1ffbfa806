# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings on their way through the playbooks: shown before they change, refused when a key is missing, watched afterwards."""

from __future__ import annotations

import typing as t

import pytest
import redis
from confd_helper import CONFD_CONFIG, CONFD_CONFIG_INFO, execute
from fault_site import Breakable
from lab_command import NETWORK

pytestmark = [pytest.mark.lab, pytest.mark.confd]


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab, lab_confd):
    found = Breakable(tmp_path_factory.mktemp("settings"), "settle", 18093, {"test": ["h2"], "prod": ["h5"]}, lab_confd)
    found.write_app(config=config(found))
    yield found
    found.clean()


def config(site: Breakable, **more: t.Any) -> dict[str, t.Any]:
    return {**site.app()["config"], "schema": {"/greeting": "non-empty"}, "start": "../source/start.sh", **more}


def center(env: str) -> redis.Redis:
    return redis.Redis(host=NETWORK + {"test": ".21", "prod": ".22"}[env])


def stored(site: Breakable, env: str) -> dict[str, str]:
    """Keys, history and all, as they stand in the centre."""
    client = center(env)
    names = sorted([*client.scan_iter(f"/{site.name}/*"), *client.scan_iter(f"slipway!/{site.name}!*")])
    return {name.decode(): client.get(name).decode() for name in names}


def info_options(env: str) -> dict[str, t.Any]:
    return {"backend": "redis", "nodes": [f"{center(env).connection_pool.connection_kwargs['host']}:6379"]}


def info(site: Breakable, env: str) -> dict[str, t.Any]:
    return execute(CONFD_CONFIG_INFO, {**info_options(env), "prefix": f"/{site.name}"})


def apply(site: Breakable, env: str, keys: dict[str, t.Any], **args: t.Any) -> None:
    nodes = info_options(env)
    done = execute(
        CONFD_CONFIG, {**nodes, "prefix": f"/{site.name}", "keys": keys, "secret_keys": ["/password"], **args}
    )
    assert not done.get("failed"), done


def test_check_and_diff_show_keys_and_files_and_write_nothing(site):
    apply(site, "prod", {"greeting": "good day", "password": "secret-of-prod"})
    before = stored(site, "prod")
    site.write_keys("prod", {"greeting": "good evening"})
    shown = site.play("configure", "--check", "--diff", env="prod", app=site.name)
    assert stored(site, "prod") == before
    for part in ('-/greeting = "good day"', '+/greeting = "good evening"', "-good day/14", "+good evening/14"):
        assert part in shown.flat, part
    real = site.play("configure", env="prod", app=site.name)
    assert real.changed == shown.changed and "+good evening" not in real.output


def test_all_environments_side_by_side(site):
    apply(site, "prod", {"greeting": "good evening", "password": "secret-of-prod"})
    site.write_app(config=config(site, expect_different=["/password"]))
    site.write_keys("test", {"greeting": "good morning", "only": "here"})
    before = stored(site, "prod"), stored(site, "test")
    shown = site.play("configure", app=site.name, envs="all")
    assert (stored(site, "prod"), stored(site, "test")) == before
    rows = {line.split()[1]: line for line in shown.output.splitlines() if line.strip().startswith(("- /", "- KEY"))}
    assert rows["KEY"].split()[1:] == ["KEY", "TEST", "PROD", "NOTE"]
    assert (
        '"good morning"' in rows["/greeting"]
        and '"good evening"' in rows["/greeting"]
        and "differs" in rows["/greeting"]
    )
    assert "not everywhere" in rows["/only"]
    assert rows["/password"].count("<secret ") == 2 and "should" not in rows["/password"]
    assert "secret-of" not in shown.output
    wrong = site.play("configure", app=site.name, envs="test,produ", ok=False)
    assert "produ" in wrong.flat and "envs=all, or some of test,prod" in wrong.flat
    site.write_keys("test", {"greeting": "good morning"})


def test_deploy_refuses_when_a_key_is_missing_or_should_differ(site):
    site.play("build", app=site.name, version="1.0.0")
    apply(site, "prod", {"greeting": "good evening", "password": "secret-of-prod"})
    site.write_app(config=config(site, expect_different=["/greeting"], against="prod"))
    site.write_keys("common", {"other": 1})
    site.write_keys("test", {"greeting": "good evening"})
    refused = site.play("deploy", env="test", app=site.name, ok=False)
    assert "/password" in refused.flat and "no such key" in refused.flat
    assert "has the same value as in prod" in refused.flat
    assert site.containers("test", running_only=False) == [] and stored(site, "test") == {}
    site.write_app(config=config(site))


def test_status_shows_what_hands_changed_and_the_history_keeps_what_the_ledger_names(site):
    site.write_keys("test", {"greeting": "good morning"})
    keys = site.folder / "apps" / "config" / "test.yml"
    meddling = {"task": "Pull and verify", "run": f"echo 'greeting: too late' >{keys}"}
    site.begin("deploy", acts=[meddling], env="test", app=site.name).end(ok=True)
    assert keys.read_text() == "greeting: too late\n"
    assert site.settings("test") == {"good morning/14"}, "what was planned"
    released = info(site, "test")
    assert [entry["release"] for entry in released["history"]] == [1]
    center("test").set(f"/{site.name}/greeting", "by hand")
    assert "config centre edited by hand" in site.play("status", env="test", app=site.name).flat
    for number in range(60):
        apply(site, "test", {"greeting": f"number {number}"}, keep_revisions=[released["revision"]])
    site.write_keys("test", {"greeting": "for later"})
    site.play("configure", env="test", app=site.name)
    assert "config centre has other settings" in site.play("status", env="test", app=site.name).flat
    history = info(site, "test")["history"]
    assert released["revision"] in {entry["revision"] for entry in history} and len(history) == 51
