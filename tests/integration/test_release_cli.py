# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release and release_info as ansible-playbook runs them: in the controller, and as ordinary modules."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("controller", "module")
APP = {"app": "webapi", "environment_name": "prod"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def image(version: str) -> dict[str, str]:
    digest = f"sha256:{version.replace('.', ''):0>64}"
    return {"version": version, "image": f"registry.example.com/prod/webapi:{version}", "digest": digest}


def release(state: str, **options) -> tuple[str, dict]:
    return "release", {**APP, "state": state, **options}


def info(**options) -> tuple[str, dict]:
    return "release_info", {**APP, **options}


ROLL_OUT = [
    release("locked", lock_owner="run-1", owner="ann", build_url="https://ci.example.com/7"),
    release("built", artifact={"md5": "9e107d9d372bb6826bd81d3542a419d6", "size": 10485760}, **image("1.0.0")),
    release("opened", run_spec={"ports": ["8080:8080"], "memory": "1g"}, config_revision="c1", **image("1.0.0")),
    release("recorded", release=1, host="h1", outcome="switched", container_id="c0", timings={"gate": 1.5}),
    release("closed", release=1, outcome="healthy", summary="1 of 1 hosts"),
]
REST = [
    release("opened", run_spec={"memory": "1g", "ports": ["8080:8080"]}, config_revision="c1", **image("1.0.0")),
    release("opened", **image("1.1.0")),
    release("opened", **image("1.2.0")),  # abandons 1.1.0, with a warning
    release("closed", release=3, outcome="reverted"),
    release("built", **{**image("1.0.0"), "digest": "sha256:" + "e" * 64}),
    release("locked", lock_owner="run-2", owner="bob"),
    release("locked", lock_owner="run-1"),
    release("unlocked", lock_owner="run-2"),
    release("unlocked", force=True, owner="carol"),
    release("closed", release=9, outcome="healthy"),
    release("closed", release=1, outcome="switched"),
    release("closed", release=1),
    release("ended", release=1),
    release("opened", relase=1, **image("1.0.0")),
    release("opened", run_spec=["a list"], **image("1.0.0")),
    info(),
    info(to="1.0.0"),
    info(to="7.0.0"),
    info(version="1.0.0"),
    info(to="1.0.0", app=None),
    info(limit="many"),
]


class Run:
    """One ansible-playbook run: each step's registered result, and everything that was printed or logged."""

    def __init__(self, folder: Path, way: str, steps: list[tuple[str, dict]], *flags: str, ledger: str = "") -> None:
        folder.mkdir()
        self.ledger = ledger or str(folder / "state" / "ledger.db")
        self._out = folder / "results.json"
        (folder / "play.yml").write_text(json.dumps([self._play(steps)]))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work" / "collections"),
            "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"]
        command += ["-e", f"slipway_execution={way}", "-e", f"ansible_python_interpreter={sys.executable}", *flags]
        done = subprocess.run(
            [*command, "play.yml"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert self._out.exists(), done.stdout + done.stderr
        self.results = json.loads(self._out.read_text())
        self.told = done.stdout + done.stderr + (folder / "ansible.log").read_text()

    def _play(self, steps: list[tuple[str, dict]]) -> dict:
        tasks = [
            {
                "name": f"{place}",
                f"slipway.delivery.{module}": {"ledger": self.ledger, **options},
                "register": f"result_{place}",
                "ignore_errors": True,
            }
            for place, (module, options) in enumerate(steps)
        ]
        every = ", ".join(f"result_{place}" for place in range(len(steps)))
        written = {"content": f"{{{{ [{every}] | to_json }}}}", "dest": str(self._out), "mode": "0600"}
        tasks.append({"name": "Results", "ansible.builtin.copy": written, "check_mode": False, "diff": False})
        return {"name": "Ledger", "hosts": "all", "gather_facts": False, "tasks": tasks}

    def comparable(self) -> list[dict]:
        """The results without what two runs cannot share: their times, their folders, and Ansible's own traces."""
        text = TIME.sub("<time>", json.dumps(self.results)).replace(self.ledger, "<ledger>")
        return [{key: value for key, value in result.items() if key != "exception"} for result in json.loads(text)]


def test_both_ways_give_the_same(tmp_path):
    runs = {way: Run(tmp_path / way, way, ROLL_OUT + REST) for way in WAYS}
    in_controller, as_module = (runs[way].comparable() for way in WAYS)
    for step, one, other in zip(ROLL_OUT + REST, in_controller, as_module):
        assert one == other, step
    facts = runs["controller"].results
    assert [result["changed"] for result in facts[:8]] == [True] * 5 + [False, True, True]
    assert [bool(result.get("failed")) for result in facts[8:20]] == [False, *[True] * 2, *[False] * 3, *[True] * 6]
    assert facts[7]["warnings"] == [
        "Release 2 (1.1.0) was left open by a run that did not end; it is closed as abandoned."
    ]
    assert "is locked by ann on " in facts[10]["msg"]
    assert facts[20]["current"]["number"] == 1
    assert facts[20]["current"]["run_spec"] == {"ports": ["8080:8080"], "memory": "1g"}
    assert facts[20]["hosts"]["h1"]["timings"] == {"gate": 1.5}


@pytest.mark.parametrize("way", WAYS)
def test_check_mode_predicts_and_leaves_no_trace(tmp_path, way):
    predicted = Run(tmp_path / "check", way, ROLL_OUT, "--check", "--diff")
    assert not Path(predicted.ledger).parent.exists()
    real = Run(tmp_path / "real", way, ROLL_OUT, "--diff")
    assert [result["changed"] for result in predicted.results] == [result["changed"] for result in real.results]
    for place, name in ((0, "lock"), (1, "arrival"), (2, "release"), (3, "host")):
        assert predicted.comparable()[place][name] == real.comparable()[place][name]
        assert predicted.comparable()[place]["diff"] == real.comparable()[place]["diff"]
    assert predicted.results[4]["release"]["number"] == real.results[4]["release"]["number"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_password_in_the_url_is_told_nowhere(tmp_path, way):
    url = "postgresql+psycopg://slipway:geh%23eim@127.0.0.1:1/slipway"
    steps = [ROLL_OUT[0], release("nonsense"), release("opened", unknown=1), info()]
    run = Run(tmp_path / way, way, steps, "-vvvv", ledger=url)
    assert [result["failed"] for result in run.results] == [True] * 4
    told = run.told + json.dumps(run.results)
    assert "geh%23eim" not in told
    assert "geh#eim" not in told
    assert "127.0.0.1:1/slipway" in told


def test_many_controllers_at_once(tmp_path):
    """Eight ansible-playbook runs that start together on a ledger that none of them has seen."""
    ledger = tmp_path / "shared" / "ledger.db"
    script = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-c", "local", "-m", "slipway.delivery.release"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work" / "collections")}
    started = []
    for place in range(8):
        options = {"ledger": str(ledger), **APP, "state": "opened", **image(f"1.{place}.0")}
        command = [*script, "-a", json.dumps(options), "-e", f"slipway_execution={WAYS[place % 2]}"]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    for run in started:
        told = run.communicate(timeout=120)[0].decode()
        assert run.returncode == 0, told
    asked = Run(tmp_path / "asked", "controller", [info()], ledger=str(ledger)).results[0]
    assert [item["number"] for item in asked["history"]] == list(range(8, 0, -1))
    assert [item["state"] for item in asked["history"]] == ["open"] + ["abandoned"] * 7
