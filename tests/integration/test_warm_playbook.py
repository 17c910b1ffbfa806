# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play that is forked from a warm interpreter is the play that a command line would have started. Needs no lab."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from faults_helper import eventually
from warm_playbook import LIBRARIES, WarmPlaybook, kill_tree

PYTHON = Path(sys.executable)


@pytest.fixture(scope="module")
def warmed():
    found = WarmPlaybook(PYTHON)
    yield found
    found.close()


class Folder:
    """Where plays of one kind run."""

    def __init__(self, warmed: WarmPlaybook, path: Path) -> None:
        self.warmed = warmed
        self.path = path
        self.log = path / "log"
        self.script = str(PYTHON.parent / "ansible-playbook")

    def start(self, *tasks: dict, **env: str):
        self.path.mkdir(exist_ok=True)
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}
        (self.path / "play.yml").write_text(json.dumps([play]))  # which is YAML too
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        home = {"ANSIBLE_HOME": str(self.path / "home")}
        return self.warmed.start([self.script, "play.yml"], self.path, {**clean, **home, **env}, self.log)

    def stops(self):
        """A play that has come to a task that does not end, with a worker and a shell."""
        here = self.path / "here"
        started = self.start({"ansible.builtin.shell": f"touch {here}; sleep 100"})
        eventually(here.exists, 30)
        return started


@pytest.fixture
def folder(warmed, tmp_path):
    return Folder(warmed, tmp_path)


SHOW = {"ansible.builtin.debug": {"msg": {"word": "{{ lookup('env', 'WORD') }}", "here": "{{ playbook_dir }}"}}}


def test_code_and_output_come_through(folder):
    good = folder.start(SHOW, WORD="pear")
    assert (good.wait(60), good.wait(0)) == (0, 0)
    assert '"word": "pear"' in folder.log.read_text() and f'"here": "{folder.path}"' in folder.log.read_text()
    bad = folder.start({"ansible.builtin.fail": {"msg": "no more pears"}})
    with pytest.raises(subprocess.TimeoutExpired):
        bad.wait(0)
    assert bad.wait(60) == 2
    assert "no more pears" in folder.log.read_text() and '"word"' not in folder.log.read_text()


def test_what_never_becomes_a_play_says_why(folder):
    folder.script = str(folder.path / "nothing")
    assert folder.start(SHOW).wait(60) == 1
    assert "No such file or directory" in folder.log.read_text()


def test_each_play_has_its_own_configuration(warmed, tmp_path):
    """Of the environment, and of the folder's ansible.cfg."""
    configuration = "[defaults]\ncallback_result_format = {}\n"
    shown = {}
    for name, words in (("one", "yaml"), ("two", "json"), ("three", "")):
        folder = Folder(warmed, tmp_path / name)
        folder.path.mkdir()
        if words:
            (folder.path / "ansible.cfg").write_text(configuration.format(words))
        assert folder.start(SHOW, WORD=name).wait(60) == 0
        shown[name] = folder.log.read_text()
        colours = folder.start(SHOW, ANSIBLE_FORCE_COLOR="1", ANSIBLE_CALLBACK_RESULT_FORMAT="yaml")
        assert colours.wait(60) == 0
        assert "\x1b[" in folder.log.read_text() and "word: ''" in folder.log.read_text()
    assert not [name for name, text in shown.items() if "\x1b[" in text]
    assert "word: one" in shown["one"] and '"word": "two"' in shown["two"] and '"word": "three"' in shown["three"]


def test_nothing_of_ansible_is_loaded_before(folder, tmp_path):
    """And what is loaded before, is; nor has the play a handle of the server's."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, sys\n"
        "print(json.dumps({'names': list(sys.modules), 'argv': sys.argv, 'path': sys.path[0],\n"
        "    'files': [os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)], 'open': os.listdir('/proc/self/fd')}))\n"
    )
    folder.script = str(script)
    assert folder.start().wait(60) == 0
    found = json.loads(folder.log.read_text())
    assert not [name for name in found["names"] if name.split(".")[0] in ("ansible", "ansible_collections")]
    assert set(LIBRARIES) <= set(found["names"])
    assert (found["argv"], found["path"]) == ([str(script), "play.yml"], str(tmp_path))
    assert found["files"] == [os.devnull, str(folder.log), str(folder.log)]
    assert len(found["open"]) == 4, "and the list itself"


def test_compiled_templates_are_kept(warmed, folder):
    """Not what they come to, and none that has a syntax of its own."""

    def kept():
        return {path.name: path.stat().st_mtime_ns for path in templates_of(warmed.server.pid).glob("*")}

    def told():
        task = {"ansible.builtin.debug": {"msg": "{{ word ~ '-' ~ (2 ** 62) | random ~ '.' }}"}}
        usual = {"ansible.builtin.template": {"src": "both.j2", "dest": "usual"}}
        square = {"ansible.builtin.template": {"src": "both.j2", "dest": "square", "variable_start_string": "[["}}
        (folder.path / "both.j2").write_text("[[ word }} is {{ word }}\n")
        tasks = [{**one, "vars": {"word": "pear"}} for one in (task, usual, square)]
        assert folder.start(*tasks).wait(60) == 0
        assert (folder.path / "usual").read_text() == "[[ word }} is pear\n"
        assert (folder.path / "square").read_text() == "pear is {{ word }}\n"
        return re.search(r"pear-\d+\.", folder.log.read_text()).group()

    folder.path.mkdir(exist_ok=True)
    first, files = told(), kept()
    assert files
    assert told() != first
    assert kept() == files, "nothing was compiled anew"


def test_no_template_is_kept_with_what_the_optimizer_made_of_it(folder, tmp_path):
    """It asks filters about constants while it compiles."""
    script = tmp_path / "script.py"
    script.write_text(
        "import jinja2, os\n"
        "environment = jinja2.Environment()\n"
        "environment.filters['here'] = lambda word: f'{word} {os.getpid()}'\n"
        "print(environment.from_string(\"{{ 'pear' | here }}\").render())\n"
    )
    folder.script = str(script)
    for _play in range(2):
        started = folder.start()
        assert started.wait(60) == 0
        assert folder.log.read_text() == f"pear {started.pid}\n"


def templates_of(server):
    return next(Path(tempfile.gettempdir()).glob(f"slipway-templates-{server}-*"))


def test_a_kill_is_told_and_the_server_goes_on(folder):
    started = folder.stops()
    kill_tree(started)
    assert started.wait(0) == -signal.SIGKILL
    assert folder.start(SHOW).wait(60) == 0


def test_an_interrupt_ends_the_play_and_its_folder_is_gone(folder):
    """Ansible removes its local temporary folder when its interpreter ends as interpreters do."""
    started = folder.stops()
    assert list((folder.path / "home" / "tmp").glob("ansible-local-*"))
    os.killpg(started.pid, signal.SIGINT)
    assert started.wait(30) not in (0, -signal.SIGKILL)
    assert "interrupted" in folder.log.read_text()
    assert not list((folder.path / "home" / "tmp").glob("ansible-local-*"))
    assert folder.start(SHOW).wait(60) == 0
    assert not list((folder.path / "home" / "tmp").glob("ansible-local-*"))


def test_only_its_owner_closes_it(folder):
    assert folder.start(SHOW).wait(60) == 0
    other = multiprocessing.get_context("fork").Process(target=folder.warmed.close)
    other.start()
    other.join(30)
    assert other.exitcode == 0
    assert folder.start(SHOW).wait(60) == 0


def test_the_server_ends_with_its_owner(tmp_path):
    """However that happens. All that it started holds the standard error; its end is the end of all of them."""
    owner = (
        "import os, sys, time; from pathlib import Path; from warm_playbook import warm\n"
        "log = Path('log'); script = Path('script.py'); script.write_text('')\n"
        "found = warm(Path(sys.executable))\n"
        "assert found is warm(Path(sys.executable)) and found.start([str(script)], '.', {}, log).wait(60) == 0\n"
        "print(found.server.pid, flush=True)\n"
    )
    for end, code in (("", 0), ("os.kill(os.getpid(), 9)", -9)):
        done = subprocess.run(
            [sys.executable, "-c", owner + end],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (code, "")
        with contextlib.suppress(OSError):  # gone, or about to be collected
            assert (Path("/proc") / done.stdout.strip() / "cmdline").read_bytes() == b""
        with pytest.raises(StopIteration):
            templates_of(done.stdout.strip())
