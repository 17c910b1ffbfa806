# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker-py, and a module that waits until it is used."""

from __future__ import annotations

import importlib
import operator
import subprocess
import sys

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine import docker_py

LOAD = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.slipway.delivery.plugins.module_utils.engine import docker_py
assert "docker" in sys.modules
assert not [name for name in sys.modules if name.split(".")[0] in ("paramiko", "invoke")]
import docker.transport.sshconn
assert docker.transport.sshconn.paramiko.SSHClient is __import__("paramiko").SSHClient
"""


def test_paramiko_is_loaded_for_who_uses_it():
    path = next(entry for entry in sys.path if entry.endswith("collections"))
    done = subprocess.run([sys.executable, "-c", LOAD.format(path=path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A module that can be imported and says so in a file."""
    loaded = tmp_path / "loaded"
    (tmp_path / "some_library.py").write_text(f"open({str(loaded)!r}, 'a').write('once')\nVALUE = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield loaded
    sys.modules.pop("some_library", None)


def test_a_module_is_loaded_once_when_something_of_it_is_used(library):
    with docker_py.loaded_when_used("some_library"):
        module = importlib.import_module("some_library")
    assert not library.exists()
    assert "some_library" not in sys.modules, "everybody else imports the module itself"
    assert (module.VALUE, module.VALUE) == (7, 7)
    assert importlib.import_module("some_library").VALUE == 7
    assert library.read_text() == "once"
    with pytest.raises(AttributeError, match="some_library"):
        operator.attrgetter("NOTHING")(module)


def test_a_module_that_is_used_at_once_is_loaded_at_once(library):
    """As by `from some_library import VALUE`, or by whoever looks through all modules."""
    with docker_py.loaded_when_used("some_library"):
        module = importlib.import_module("some_library")
        assert module.VALUE == 7
        assert module.__file__
    assert sys.modules["some_library"].VALUE == 7
    assert library.read_text() == "once"


def test_a_module_that_is_loaded_already_is_taken_as_it_is(library):
    before = importlib.import_module("some_library")
    with docker_py.loaded_when_used("some_library"):
        assert importlib.import_module("some_library") is before
    assert sys.modules["some_library"] is before


def test_a_module_that_is_missing_is_missed_at_once():
    with docker_py.loaded_when_used("no_such_library"), pytest.raises(ImportError):
        importlib.import_module("no_such_library")


def test_the_module_comes_back_to_its_place_when_the_import_fails(library):
    with pytest.raises(ZeroDivisionError), docker_py.loaded_when_used("some_library"):
        importlib.import_module("some_library")
        raise ZeroDivisionError
    assert "some_library" not in sys.modules
