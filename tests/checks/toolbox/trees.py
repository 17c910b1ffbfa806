# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the checkout where tools look for a collection: ansible-test takes no symlink."""

from __future__ import annotations

import filecmp
import os
import shutil
import typing as t
from pathlib import Path

from . import COLLECTION, ROOT, WORK
from .run import run


def sources() -> t.List[Path]:
    """Every file that belongs to the collection, relative to the root: tracked, or new and not ignored.

    Without git (an unpacked archive) that is every file outside the folders that the checks make.
    """
    if (ROOT / ".git").exists():
        # safe.directory: a checkout may belong to another user than the one who tests it, as in most CI containers.
        git = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = [Path(name) for name in run(git).split("\0") if name]
    else:
        listed = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not _made(path.relative_to(ROOT))]
    return sorted(path for path in set(listed) if (ROOT / path).is_symlink() or (ROOT / path).is_file())


def _made(path: Path) -> bool:
    hidden = any(part.startswith(".") and part not in (".ci", ".gitignore", ".ansible-lint") for part in path.parts)
    return hidden or "__pycache__" in path.parts or "target" in path.parts


def link_checkout() -> None:
    """Make the checkout itself usable as an installed collection: .work/collections is on the path in ansible.cfg."""
    link = WORK / "collections" / COLLECTION
    if link.resolve() != ROOT:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)


def collection_copy(name: str) -> Path:
    """A fresh copy of the sources under .work/`name`/ansible_collections/slipway/delivery; returns that folder.

    Unchanged files keep their time stamps, so tools that cache by them stay quick.
    """
    target = WORK / name / COLLECTION
    target.mkdir(parents=True, exist_ok=True)
    wanted = sources()
    _remove_others(target, set(wanted))
    for path in wanted:
        _copy(ROOT / path, target / path)
    return target


def _remove_others(target: Path, wanted: t.Set[Path]) -> None:
    for folder, _folders, files in os.walk(target, topdown=False):
        for name in files:
            path = Path(folder, name)
            if path.relative_to(target) not in wanted:
                path.unlink()
        if Path(folder) != target and not os.listdir(folder):
            os.rmdir(folder)


def _copy(source: Path, target: Path) -> None:
    if target.is_symlink() or source.is_symlink():
        target.unlink(missing_ok=True)
    elif target.exists() and filecmp.cmp(source, target) and source.stat().st_mode == target.stat().st_mode:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
