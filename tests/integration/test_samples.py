# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The samples as the README has them: the literal commands in playbooks/ of a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from lab_command import NETWORK, layout
from site_helper import HOSTS, REGISTRY, ROOT

pytestmark = [pytest.mark.lab]


def play(command: str, folder: Path, ledger: Path) -> subprocess.CompletedProcess[str]:
    """`command` as it is typed, with the environment's ledger in a temporary place."""
    return subprocess.run(
        [*command.split(), "-e", f"ledger={ledger}"],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def tags(repository: str) -> list[str]:
    answer = requests.get(f"http://{REGISTRY}/v2/{repository}/tags/list", timeout=5)
    return sorted(answer.json().get("tags") or []) if answer.ok else []


def sample(folder: Path) -> Path:
    """A copy of playbooks/ and of the service in `folder`, for the lab that this run has; where commands are given."""
    for name in ("playbooks", "examples/power"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".slipway", "__pycache__"))
    (folder / "roles").symlink_to(ROOT / "roles")  # whose names for things the playbooks read
    configuration = folder / "playbooks" / "ansible.cfg"
    configuration.write_text(configuration.read_text().replace("../.work", str(ROOT / ".work")))
    for path in (folder / "playbooks" / "inventory").rglob("*.yml"):
        path.write_text(path.read_text().replace("10.213.77.", f"{NETWORK}."))
    return folder / "playbooks"


def test_power_from_a_dockerfile_to_test(lab, tmp_path):
    folder = ROOT / "playbooks" if layout.NUMBER == 1 else sample(tmp_path)  # the sample inventory is the first lab's
    ledger = tmp_path / "ledger.db"
    try:
        built = play("ansible-playbook build.yml -e app=power -e version=9.0.0 -e replace=true", folder, ledger)
        assert built.returncode == 0, built.stdout + built.stderr
        deployed = play("ansible-playbook deploy.yml -e env=test -e app=power", folder, ledger)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        answer = requests.get(f"http://{HOSTS['h1']}:8000/power?base=2&exponent=10", timeout=5).json()
        assert answer["result"] == "1024"
        assert requests.get(f"http://{HOSTS['h1']}:8000/settings", timeout=5).json()["environment"] == "test"
        again = play("ansible-playbook deploy.yml -e env=test -e app=power", folder, ledger)
        assert "changed=0" in again.stdout
        assert not any(f"changed={count}" in again.stdout for count in range(1, 9))
        shown = play(
            f"ansible-playbook status.yml -e env=test -e app=power -e json={tmp_path}/status.json", folder, ledger
        )
        assert "ignored=0" in shown.stdout, shown.stdout + shown.stderr
        rows = json.loads((tmp_path / "status.json").read_text())["rows"]
        assert [row["drift"] for row in rows] == ["none"], rows  # an app without settings asks no config centre
    finally:
        removed = play("ansible-playbook operate.yml -e env=test -e app=power -e action=remove", folder, ledger)
    assert removed.returncode == 0, removed.stdout + removed.stderr


def test_a_failing_test_stops_the_build_before_the_push(lab, tmp_path):
    folder = sample(tmp_path)
    calculator = tmp_path / "examples" / "power" / "power" / "calculator.py"
    calculator.write_text(calculator.read_text().replace(".add(a, b)", ".subtract(a, b)"))
    before = tags("test/tools/power")
    built = play("ansible-playbook build.yml -e app=power -e version=9.9.9", folder, tmp_path / "ledger.db")
    assert built.returncode != 0
    assert "returned a non-zero code" in " ".join(built.stdout.split())
    assert "failed" in built.stdout
    assert tags("test/tools/power") == before


def test_the_inventory_names_three_environments(lab):
    listed = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "--graph"],
        cwd=ROOT / "playbooks",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert [listed.count(f"|  |--{env}-") for env in ("test", "staging", "prod")] == [1, 1, 3]
