# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is reached by ssh: ordinary modules there, with docker alone in its Python; and the engine by ssh:// from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_command import NETWORK
from site_helper import COLLECTIONS, HOSTS, Site

pytestmark = [pytest.mark.lab]


def ssh_arguments(lab: dict[str, str]) -> str:
    return f"-o UserKnownHostsFile={lab['LAB_SSH_KNOWN_HOSTS']} -o StrictHostKeyChecking=yes -o ControlMaster=no"


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab):
    found = Site(tmp_path_factory.mktemp("ssh"), "overssh", 18084, {"test": ["h1"]})
    found.write_environment(
        "test",
        ["h1"],
        ansible_connection="ssh",
        ansible_host=HOSTS["h1"],
        ansible_user="root",
        ansible_python_interpreter=lab["LAB_TARGET_PYTHON"],
        ansible_ssh_private_key_file=lab["LAB_SSH_KEY"],
        ansible_ssh_common_args=ssh_arguments(lab),
    )
    inventory = found.folder / "inventory" / "test.yml"
    inventory.write_text(
        inventory.read_text().replace(f"docker_host: tcp://{HOSTS['h1']}:2375", "comment: its own socket")
    )
    yield found
    found.clean()


def test_the_main_way_over_ssh(site, lab):
    site.play("build", app=site.name, version="1.0.0")
    deployed = site.play("deploy", "-vv", env="test", app=site.name)
    assert site.versions("test") == ["1.0.0"]
    assert deployed.changed["test-h1"] >= 1
    again = site.play("deploy", env="test", app=site.name)
    assert sum(again.changed.values()) == 0
    site.play("status", env="test", app=site.name)


def test_an_unreachable_host_is_named_and_the_lock_is_given_back(site):
    inventory = site.folder / "inventory" / "test.yml"
    good = inventory.read_text()
    inventory.write_text(
        good.replace(f"ansible_host: {HOSTS['h1']}", f"ansible_host: {NETWORK}.98\n    ansible_timeout: 3")
    )
    gone = site.play("deploy", env="test", app=site.name, ok=False)
    inventory.write_text(good)
    assert "test-h1" in gone.flat
    assert sum(site.play("deploy", env="test", app=site.name).changed.values()) == 0


def test_the_engine_by_ssh(lab, tmp_path):
    """docker_host: ssh://… from the controller: the engine's own `docker system dial-stdio` on the other side."""
    wrapper = tmp_path / "ssh"  # instead of a line in somebody's ~/.ssh/config
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -i {lab["LAB_SSH_KEY"]} {ssh_arguments(lab)} "$@"\n')
    wrapper.chmod(0o755)
    options = {"docker_host": f"ssh://root@{HOSTS['h1']}", "use_ssh_client": True}
    command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "slipway.delivery.app_container_info"]
    done = subprocess.run(
        [*command, "-a", json.dumps(options)],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "SUCCESS" in done.stdout
    assert "containers" in done.stdout
