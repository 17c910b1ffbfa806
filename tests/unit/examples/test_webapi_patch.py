# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's bad release is a patch to the sample web app; it has to keep up with the app."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
WEBAPI = ROOT / "examples" / "webapi"
SETTINGS = ROOT / "playbooks" / "apps" / "config" / "webapi"


def test_applies_without_fuzz(tmp_path: Path) -> None:
    copy = shutil.copytree(WEBAPI / "src", tmp_path / "src").parent
    command = ["patch", "-p1", "--fuzz=0", "--forward", "-i", str(WEBAPI / "demo" / "1.2.0.patch")]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "offset" not in done.stdout
    changed = (copy / "src/main/java/com/example/webapi/Settings.java").read_text()
    assert 'SUGGESTIONS = "suggestions"' in changed


def test_only_production_lacks_what_it_asks_for() -> None:
    features = {path.stem: yaml.safe_load(path.read_text()).get("features", {}) for path in SETTINGS.glob("*.yml")}
    assert {name for name, switches in features.items() if "suggestions" in switches} == {"test", "staging"}
