# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd in both command lines: taken from CONFD or PATH, or built from the Go module proxy, or the reason why not."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from lab.layout import CACHE
from lab.proc import LabError, run, say

_FOLDER = CACHE / "confd"
_GO = CACHE / "go"
_RETRY_SECONDS = 3600


@dataclass(frozen=True)
class Dialect:
    """One of the two command lines, and the module that builds it."""

    name: str
    binary: str
    module: str
    package: str

    @property
    def path(self) -> Path:
        """Where the lab keeps its own."""
        return _FOLDER / self.binary


LEGACY = Dialect("legacy", "confd", "v16", "github.com/kelseyhightower/confd")
FORK = Dialect("fork", "confd-fork", "fork", "github.com/abtreece/confd/cmd/confd")
DIALECTS = (LEGACY, FORK)


def ensure() -> None:
    """Have both dialects if this machine can; where it cannot, print the reason and go on."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("CONFD")
    if given and given not in (str(find(dialect)) for dialect in DIALECTS):
        raise LabError(
            f"CONFD is {given}, which is not a confd that runs here: set it right, or unset it and the lab builds one"
        )
    for dialect in DIALECTS:
        if find(dialect) is None and not _failed_lately(dialect):
            try:
                _build(dialect)
            except LabError as exc:
                _reason_file(dialect).write_text(str(exc))
            else:
                _reason_file(dialect).unlink(missing_ok=True)
        if find(dialect) is None:
            say(f"no {dialect.binary}, what needs it is skipped: {reason(dialect)}")


def find(dialect: Dialect) -> Path | None:
    """The binary with that command line: $CONFD, the lab's own build, PATH, in this order."""
    for candidate in (os.environ.get("CONFD"), str(dialect.path), shutil.which("confd")):
        if candidate and os.access(candidate, os.X_OK) and _dialect_of(candidate) == dialect.name:
            return Path(candidate)
    return None


def reason(dialect: Dialect) -> str:
    """Why there is none, on one line."""
    file = _reason_file(dialect)
    return " ".join(file.read_text().split()) if file.exists() else "the lab has not been up yet"


def _dialect_of(binary: str) -> str | None:
    """Which command line a confd has: only the old one knows `-version`."""
    if binary in (str(each.path) for each in DIALECTS):
        return next(each.name for each in DIALECTS if str(each.path) == binary)
    for option, name in (("-version", LEGACY.name), ("--version", FORK.name)):
        try:
            answer = run([binary, option], timeout=10)
        except LabError:
            continue  # the other dialect, or no confd at all
        if answer.startswith("confd"):
            return name
    return None


def _reason_file(dialect: Dialect) -> Path:
    return _FOLDER / f"{dialect.binary}.reason"


def _failed_lately(dialect: Dialect) -> bool:
    """A build that failed is tried again after an hour, not at every start."""
    file = _reason_file(dialect)
    return file.exists() and time.time() - file.stat().st_mtime < _RETRY_SECONDS


def _build(dialect: Dialect) -> None:
    """Build it with this machine's go, statically, in a cache that goes away afterwards."""
    if not shutil.which("go"):
        raise LabError(
            f"go is not installed, and Debian's is too old for {dialect.package}: install Go from its makers, "
            "or set CONFD to a confd binary"
        )
    say(f"building {dialect.binary} ({dialect.package}), which takes minutes, once")
    source = Path(__file__).resolve().parent / "confd" / dialect.module
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOMODCACHE": str(_GO / "mod"),
        "GOCACHE": str(_GO / "build"),
        "GOFLAGS": "-modcacherw -mod=readonly",
    }
    part = dialect.path.with_suffix(".part")
    try:
        run(
            ["nice", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(part), dialect.package],
            cwd=source,
            env=env,
            timeout=1200,
        )
    finally:
        shutil.rmtree(_GO, ignore_errors=True)
    part.rename(dialect.path)
