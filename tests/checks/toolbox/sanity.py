# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test with PyPI alone: a home of its own, the real interpreters on PATH, and pip for its environments."""

from __future__ import annotations

import os
import re
import textwrap
import typing as t
from pathlib import Path

from . import CACHE, run
from .cores import REFERENCE, Core, dotted, pythons
from .venvs import Venv

# ansible-test fetches get-pip.py from its project's own server, and takes the file from this cache if it is there.
# This one installs the same pip from the package index, by that very pip's wheel beside it.
_GET_PIP = '''\
"""Install pip into the environment that runs this file, with the wheel that lies beside it."""
import os, runpy, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-{version}-py3-none-any.whl"))
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", "--upgrade", "--force-reinstall"] + wanted
runpy.run_module("pip", run_name="__main__", alter_sys=True)
'''

_ASK_VERSIONS = textwrap.dedent("""
    from types import SimpleNamespace
    from ansible_test._internal.constants import SUPPORTED_PYTHON_VERSIONS
    from ansible_test._internal.python_requirements import get_venv_packages
    print(*{get_venv_packages(SimpleNamespace(version=v))["pip"] for v in SUPPORTED_PYTHON_VERSIONS})
""")

# Pythons that this machine lacks, and a locale that minimal systems lack: neither says anything about the collection.
# At its end ansible-test says all its warnings again, under a line that counts them.
_EXPECTED = re.compile(
    r"could not be found|C\.UTF-8|en_US\.UTF-8|Skipping tests? disabled by default|Reviewing previous \d+ warning"
)


def command(venv: Venv, core: Core) -> t.List[str]:
    """The reference core looks at every file and imports it on every Python of this machine; the others at what people
    run, on their own Python."""
    words = [str(venv.tool("ansible-test")), "sanity", "--color", "no"]
    others = ["--python", dotted(core.python_version), "--exclude", "tests/"]
    return words if core.series == REFERENCE else words + others


def home(venv: Venv) -> Path:
    """ansible-test keeps its environments under ~/.ansible/test; one home each, since several run at a time."""
    return CACHE / "ansible-test" / venv.path.name.lstrip(".")


def environment(venv: Venv, tree: Path) -> t.Dict[str, str]:
    """Environment variables for ansible-test of `venv` on the copy in `tree`; makes the home that they name."""
    _prepare_pip(venv)
    folders = [str(venv.bin), *(str(python.parent) for python in pythons().values()), os.defpath, "/usr/sbin", "/sbin"]
    # The content root is named because ansible-test would otherwise ask the git of the checkout around the copy, which
    # ignores all of it.
    path = os.pathsep.join(dict.fromkeys(folders))
    return run.environment(
        HOME=str(home(venv)), PATH=path, ANSIBLE_TEST_CONTENT_ROOT=str(tree), PIP_CACHE_DIR=str(CACHE / "pip")
    )


def _prepare_pip(venv: Venv) -> None:
    folder = home(venv) / ".ansible" / "test" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    for version in run.run([venv.python, "-c", _ASK_VERSIONS]).split():
        script = folder / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            download = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
            run.run([venv.python, "-m", "pip", *download, f"pip=={version}"])
            script.write_text(_GET_PIP.format(version=version))


def unexpected_warning(line: str) -> bool:
    return line.startswith("WARNING:") and not _EXPECTED.search(line)
