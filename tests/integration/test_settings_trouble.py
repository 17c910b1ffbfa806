# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are broken, unreadable, secret or contested, through the playbooks: one clear error, nothing written, nothing told."""

from __future__ import annotations

import base64
import contextlib
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
import redis
from confd_helper import CONFD_CONFIG_INFO, execute
from lab_command import NETWORK
from site_helper import Run, Site

pytestmark = [pytest.mark.lab, pytest.mark.confd]
CENTERS = {"test": f"{NETWORK}.21", "prod": f"{NETWORK}.22"}
VAULT_WORD = "vault-password-of-the-test"
SECRETS = {"password": "literal-sesame-9431", "vaulted": "vaulted-sesame-7712", "variable": "secret-of-prod"}


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab, lab_confd):
    found = Site(tmp_path_factory.mktemp("trouble"), "settrouble", 18401, {"test": ["h3"], "prod": ["h4"]}, lab_confd)
    yield found
    found.clean()


@pytest.fixture(autouse=True)
def as_it_was(site):
    """Each test begins with the same files, and with prod's settings applied."""
    site.write_app()
    for env in CENTERS:
        site.write_keys(env, {"greeting": f"hello from {env}"})
    site.write_environment("prod", ["h4"], promote_from="test")
    yield


def stored(site: Site, env: str = "prod") -> dict[bytes, bytes]:
    client = redis.Redis(host=CENTERS[env])
    names = [*client.scan_iter(f"/{site.name}/*"), *client.scan_iter(f"slipway!/{site.name}!*")]
    return {name: client.get(name) for name in names}


def refused(site: Site, playbook: str, *arguments: str, **variables: t.Any) -> Run:
    before = stored(site, variables["env"])
    run = site.play(playbook, *arguments, app=site.name, ok=False, **variables)
    assert stored(site, variables["env"]) == before
    assert "unforeseen" not in run.output and "Traceback" not in run.output
    return run


BROKEN = {
    "a list": ("- a\n- b\n", "config/prod.yml: "),
    "no yaml": ("greeting: [x\npassword: literal-sesame-9431\n", "config/prod.yml: "),
    "binary": (b"\x00\xff\xfe", "config/prod.yml: "),
    "nothing in it": ("", "/greeting  getv needs it"),
    "an unknown variable": ("greeting: '{{ nobody_set_this }}'\n", "'nobody_set_this' is undefined"),
    "a blank too many": ("greeting: 'hello '\n", "/greeting  ends with U+0020 SPACE"),
    "a zero-width blank in a key": ("'gree\u200bting': hello\n", "U+200B"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_settings_that_cannot_be_read_or_applied(site, name):
    content, said = BROKEN[name]
    path = site.folder / "apps" / "config" / "prod.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    run = refused(site, "configure", env="prod")
    assert " ".join(said.split()) in run.flat, run.output[-3000:]
    assert "literal-sesame" not in run.output


def test_a_settings_file_that_is_not_there(site):
    (site.folder / "apps" / "config" / "prod.yml").unlink()
    run = refused(site, "configure", env="prod")
    assert "config/prod.yml: Could not find or access" in run.flat and "remote_src" not in run.output


def test_an_environment_to_compare_with_that_is_not_there(site):
    unknown = refused(site, "configure", env="prod", against="tset")
    assert "the inventory has no such environment: say -e against=<test>" in unknown.flat
    itself = refused(site, "configure", env="prod", against="prod")
    assert "that is the environment itself" in itself.flat
    config = {**site.app()["config"], "expect_different": ["/password"], "against": "tset"}
    site.write_app(config=config)
    assert "the inventory has no such environment" in refused(site, "configure", env="prod").flat
    site.write_app(config={**config, "against": "prod"})  # as an app file says it for all of its environments
    site.play("configure", "--check", env="prod", app=site.name)


def test_without_templates_values_are_checked_all_the_same(site):
    """An app may leave its templates in the image, and one blank too many breaks it as well."""
    config = {name: value for name, value in site.app()["config"].items() if name != "confdir"}
    site.write_app(config={**config, "schema": {"/greeting": "int"}})
    site.write_keys("prod", {"greeting": "hello\u00a0"})
    run = refused(site, "configure", env="prod")
    assert "/greeting has U+00A0" in run.flat and "/greeting is no whole number" in run.flat
    shown = site.play("configure", app=site.name, envs="all", ok=False)
    assert "U+00A0" in shown.flat and "no *toml" not in shown.output


def test_a_config_centre_that_is_down(site):
    nowhere = {"backend": "redis", "nodes": ["127.0.0.1:9"], "timeout": "2s", "address": "127.0.0.1"}
    site.write_environment("prod", ["h4"], promote_from="test", config_center=nowhere)
    run = refused(site, "configure", env="prod")
    assert "No redis node answers" in run.flat and "127.0.0.1:9" in run.flat
    shown = refused(site, "configure", "--check", "--diff", env="prod")
    assert "No redis node answers" in shown.flat


def test_two_at_once_are_two_whole_revisions(site):
    """The same environment, from two controllers that know nothing of each other."""
    commands = []
    for number in range(2):
        folder = site.folder if not number else site.folder.with_name(site.folder.name + "-two")
        if number:
            subprocess.run(["cp", "-r", str(site.folder), str(folder)], check=True)
        keys = "".join(f"key{index}: '{number}'\n" for index in range(40))
        (folder / "apps" / "config" / "prod.yml").write_text(f"greeting: hello from {number}\n{keys}")
        command, env = site.command("configure", env="prod", app=site.name, reason=f"writer {number}")
        commands.append(
            subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    outputs = [running.communicate(timeout=120)[0].decode() for running in commands]
    assert [running.returncode for running in commands] == [0, 0], outputs
    info = execute(
        CONFD_CONFIG_INFO, {"backend": "redis", "nodes": [f"{CENTERS['prod']}:6379"], "prefix": f"/{site.name}"}
    )
    assert sorted(entry["reason"] for entry in info["history"][:2]) == ["writer 0", "writer 1"]
    assert all("@" in entry["author"] and entry["time"].endswith("Z") for entry in info["history"][:2])
    winner = info["history"][0]["reason"][-1]
    assert {value for key, value in info["keys"].items() if key.startswith("/key")} == {winner} and not info["drifted"]


def test_all_environments_side_by_side_with_their_files(site):
    for env in CENTERS:
        site.play("configure", env=env, app=site.name)
        site.write_keys(env, {"greeting": f"good morning {env}"})
    before = stored(site, "test"), stored(site, "prod")
    shown = site.play("configure", app=site.name, envs="all")
    assert (stored(site, "test"), stored(site, "prod")) == before
    for env in CENTERS:
        assert f"-hello from {env}/14" in shown.output and f"+good morning {env}/14" in shown.output


def write_secrets(site: Site) -> list[str]:
    """Secrets in each way that people write them; what the command line needs for it."""
    word = site.folder / "word"
    word.write_text(VAULT_WORD)
    vault = [str(site.ansible / "ansible-vault"), "encrypt_string", "--vault-password-file", str(word)]
    sealed = subprocess.run([*vault, SECRETS["vaulted"]], capture_output=True, text=True, check=True).stdout
    (site.folder / "apps" / "config" / "prod.yml").write_text(
        f"greeting: hello\npassword: {SECRETS['password']}\nurl: http://u:{SECRETS['password']}@h/\n"
        f"vaulted: {sealed}variable: '{{{{ app_password }}}}'\n"
    )
    conf = site.source / "confd"
    conf.joinpath("templates", "app.tmpl").write_text(
        '{{getv "/greeting"}} {{base64Encode (getv "/password")}} {{getv "/url"}}\n{{getv "/vaulted"}}\n{{getv "/variable"}}\n'
    )
    toml = conf / "conf.d" / "app.toml"
    toml.write_text(toml.read_text().replace('keys = ["/greeting", "/password"]', 'keys = ["/"]'))
    site.write_app(config={**site.app()["config"], "secret_keys": ["/password", "/vaulted", "/variable"]})
    site.write_keys("common", {})
    return ["--vault-password-file", str(word)]


@contextlib.contextmanager
def command_lines() -> t.Iterator[set[str]]:
    """Command lines of all processes as long as the body runs."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes().decode("utf-8", "replace"))

    watcher = threading.Thread(target=look)
    watcher.start()
    yield seen
    done.set()
    watcher.join()


def test_no_secret_is_told_anywhere(site):
    """With -vvvv and --diff; in check mode and not; side by side; when it fails; in files, and in command lines."""
    vault = write_secrets(site)
    loud = [*vault, "-vvvv", "--diff"]
    outputs = []
    with command_lines() as seen:
        outputs.append(site.play("configure", "--check", *loud, env="prod", app=site.name))
        outputs.append(site.play("configure", *loud, env="prod", app=site.name))
        outputs.append(site.play("configure", *loud, env="prod", app=site.name, against="test"))
        outputs.append(site.play("configure", *loud, app=site.name, envs="prod"))
        site.write_environment("prod", ["h4"], ledger=str(site.folder / "led.db"))
        outputs.append(site.play("status", *loud, env="prod", app=site.name, ok=None))
        path = site.folder / "apps" / "config" / "prod.yml"
        path.write_text(path.read_text() + "broken: 'x '\n")
        outputs.append(site.play("configure", *loud, env="prod", app=site.name, ok=False))
    assert stored(site)[f"/{site.name}/vaulted".encode()] == SECRETS["vaulted"].encode()
    told = "\n".join(run.output for run in outputs)
    assert "+/password = <secret" in told and "/broken" in told and "<secret>" in told
    for secret in SECRETS.values():
        hidden = base64.b64encode(secret.encode()).decode()
        assert secret not in told and hidden not in told
        assert not [line for line in seen if secret in line]
        left = subprocess.run(
            ["grep", "-rlF", secret, str(site.folder), "/dev/shm"], capture_output=True, text=True, check=False
        )
        allowed = {str(site.folder / name) for name in ("apps/config/prod.yml", "inventory/prod.yml")}
        assert {
            line for line in left.stdout.splitlines() if "slipway-confd" in line or str(site.folder) in line
        } <= allowed


def test_no_secret_is_told_by_a_deploy(site):
    vault = write_secrets(site)
    site.write_environment("test", ["h3"], app_password=SECRETS["variable"])
    (site.folder / "apps" / "config" / "test.yml").write_text(
        (site.folder / "apps" / "config" / "prod.yml").read_text()
    )
    site.play("build", *vault, app=site.name, version="1.0.0")
    told = [
        site.play("deploy", *vault, "-vvvv", "--diff", env="test", app=site.name).output,
        site.play("status", *vault, "-vvvv", env="test", app=site.name).output,
    ]
    (site.folder / "apps" / "config" / "test.yml").write_text(f"greeting: x\npassword: {SECRETS['password']}\n")
    told.append(site.play("deploy", *vault, "-vvvv", "--diff", env="test", app=site.name, ok=False).output)
    assert "/vaulted" in told[-1]  # refused: it is missing
    for secret in SECRETS.values():
        assert all(secret not in output for output in told)
