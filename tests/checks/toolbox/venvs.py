# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments, made when first asked for and brought up to date when their requirements change."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from . import CACHE, ROOT
from .cores import REFERENCE, Core, dotted, reference
from .run import ToolFailed, environment, run

DEVELOPMENT = ROOT / ".venv"
_STAMP = "slipway-stamp"
_INSTALL_SECONDS = 1800.0  # a cold cache behind a slow line


@dataclass(frozen=True)
class Venv:
    """An environment by its folder; `python`, `bin` and `tool()` are what checks use."""

    path: Path

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    def tool(self, name: str) -> Path:
        return self.bin / name

    def environment(self, **extra: str) -> t.Dict[str, str]:
        """For tools that call other tools of the same environment by name."""
        return environment(PATH=os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)]), **extra)


def development() -> Venv:
    """`.venv`: the reference ansible-core and every tool of the checks."""
    return _ensure(DEVELOPMENT, reference(), ["-r", "requirements-dev.txt"])


def for_core(core: Core) -> Venv:
    """The environment of one ansible-core series: what units and sanity need, nothing else."""
    if core.series == REFERENCE:
        return development()
    path = CACHE / "venvs" / f"core-{core.series}-python-{dotted(core.python_version)}"
    return _ensure(path, core, ["-r", "requirements-test.txt", f"ansible-core~={core.series}.0"])


def with_packages(name: str, core: Core, packages: t.Sequence[str]) -> Venv:
    """An environment of its own for something that must not be mixed with ours."""
    return _ensure(CACHE / "venvs" / name, core, packages)


def _ensure(path: Path, core: Core, requirements: t.Sequence[str]) -> Venv:
    venv = Venv(path)
    stamp = path / _STAMP
    digest = _digest(core, requirements)
    with _locked(path):
        if stamp.exists() and stamp.read_text() == digest:
            return venv
        print(f"making {path.relative_to(ROOT)} ({core}) ...", file=sys.stderr, flush=True)
        if not _runs(venv, core):
            shutil.rmtree(path, ignore_errors=True)
            _create(path, core)
        env = environment(PIP_DISABLE_PIP_VERSION_CHECK="1")
        run([venv.python, "-m", "pip", "install", "--quiet", *requirements], env=env, timeout=_INSTALL_SECONDS)
        stamp.write_text(digest)
    return venv


@contextlib.contextmanager
def _locked(path: Path) -> t.Iterator[None]:
    """One maker at a time: two makes in the same checkout wait for each other."""
    locks = CACHE / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / path.name, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(core: Core, requirements: t.Sequence[str]) -> str:
    parts = [str(core), str(core.python), *requirements]
    parts += [file.read_text() for file in sorted(ROOT.glob("requirements*.txt"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _runs(venv: Venv, core: Core) -> bool:
    """Whether the environment is there, whole, and of the wanted Python: a version may be on a machine more than once."""
    if venv.python.resolve() != core.python.resolve():
        return False
    try:
        run([venv.python, "-c", "import pip"], timeout=60)
    except ToolFailed:
        return False
    return True


def _create(path: Path, core: Core) -> None:
    if subprocess.run([str(core.python), "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        _install_venv_package(core)
    path.parent.mkdir(parents=True, exist_ok=True)
    run([core.python, "-m", "venv", path], timeout=300)


def _install_venv_package(core: Core) -> None:
    """Debian keeps ensurepip in a package of its own."""
    package = f"python{dotted(core.python_version)}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"{core.python} cannot make virtual environments; install {package}.")
    env = environment(DEBIAN_FRONTEND="noninteractive")
    run(["apt-get", "update", "-q"], env=env)
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], env=env)
