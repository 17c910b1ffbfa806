# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ansible-core releases this machine can run, and on which of its Pythons."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

Version = t.Tuple[int, int]

# Controller Pythons of each ansible-core that the collection supports, lowest and highest
# (docs.ansible.com, "Releases and maintenance", ansible-core support matrix).
SUPPORTED: t.Dict[str, t.Tuple[Version, Version]] = {
    "2.17": ((3, 10), (3, 12)),
    "2.18": ((3, 11), (3, 13)),
    "2.19": ((3, 11), (3, 13)),
    "2.20": ((3, 12), (3, 14)),
    "2.21": ((3, 12), (3, 14)),
}
REFERENCE = "2.19"  # the newest that Debian 12's own Python runs: what people develop with
_NAME = re.compile(r"^python3\.\d+$")


@dataclass(frozen=True)
class Core:
    """One ansible-core series and the interpreter that it runs on here."""

    series: str
    python: Path
    python_version: Version

    def __str__(self) -> str:
        return f"ansible-core {self.series} on Python {dotted(self.python_version)}"


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


@functools.cache
def pythons() -> t.Dict[Version, Path]:
    """This machine's Python 3 interpreters by version; each one was started, so a dead shim is not among them."""
    found: t.Dict[Version, Path] = {}
    for candidate in _candidates():
        version = _version(candidate)
        if version and version not in found:
            found[version] = candidate
    return dict(sorted(found.items()))


def _candidates() -> t.Iterator[Path]:
    folders = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    folders += sorted(_pyenv_root().glob("versions/*/bin"))
    own = Path(sys.base_prefix, "bin")
    for folder in [own, *folders]:
        # A pyenv shim stands for an interpreter only where somebody selected it, and ansible-test clears that choice;
        # an environment's Python would make environments inside environments.
        if folder.name == "shims" or (folder.parent / "pyvenv.cfg").exists() or not folder.is_dir():
            continue
        yield from sorted(entry for entry in folder.iterdir() if _NAME.match(entry.name))


def _pyenv_root() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _version(python: Path) -> t.Optional[Version]:
    try:
        answer = subprocess.run(
            [str(python), "-c", "import sys, venv; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def core(series: str) -> t.Optional[Core]:
    """`series` on the best Python for it here: the oldest series on its oldest, the others on their newest."""
    lowest, highest = SUPPORTED[series]
    usable = [version for version in pythons() if lowest <= version <= highest]
    if not usable:
        return None
    preferred = (3, 11)  # Debian 12's own, for every series that still runs on it
    chosen = preferred if preferred in usable else usable[-1]
    return Core(series, pythons()[chosen], chosen)


def reference() -> Core:
    """What `.venv` is made of. Without any Python that fits, SystemExit says which ones do."""
    chosen = core(REFERENCE)
    if chosen is None:
        lowest, highest = map(dotted, SUPPORTED[REFERENCE])
        seen = ", ".join(map(dotted, pythons())) or "none"
        raise SystemExit(f"ansible-core {REFERENCE} needs a Python from {lowest} to {highest}; found here: {seen}.")
    return chosen


def matrix() -> t.List[Core]:
    """The oldest, the reference and the newest ansible-core that this machine's Pythons allow."""
    possible = [found for found in map(core, SUPPORTED) if found]
    wanted = {possible[0].series, REFERENCE, possible[-1].series}
    return [found for found in possible if found.series in wanted]


def missing_from_matrix() -> t.List[str]:
    """In words, each end of the supported range that no Python here can run; empty when both ends are covered."""
    gaps = []
    for end in (next(iter(SUPPORTED)), list(SUPPORTED)[-1]):
        if core(end) is None:
            lowest, highest = map(dotted, SUPPORTED[end])
            gaps.append(f"ansible-core {end} needs a Python from {lowest} to {highest}")
    return gaps
