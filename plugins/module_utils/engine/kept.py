# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container that is kept to go back to, while a swap puts another one in its place: nothing is lost before that is done."""

from __future__ import annotations

import typing as t

from . import labels
from .actual import Actual, Container
from .engine import Engine


def put_aside(
    engine: Engine, actual: Actual, old: t.Optional[Container], new: Container, keep: bool
) -> t.Optional[Container]:
    """Free the kept container's name for `old`. What was kept before is given back: to be removed when the swap is done."""
    kept, older_name = actual.kept, labels.part_name(actual.name, labels.OLDER)
    if old is None:
        return actual.older if keep else kept
    if kept is None or kept.id in (new.id, old.id):
        return actual.older
    if actual.older is not None:
        engine.remove(actual.older.id)  # left by a run that was killed when its swap was done
    if kept.name != older_name:
        engine.rename(kept.id, older_name)
    return kept


def put_away(engine: Engine, actual: Actual, new: Container) -> None:
    """Remove the container of a swap that is off; what was kept before it is kept again, also if it was being restored."""
    kept_name = labels.part_name(actual.name, labels.KEPT)
    if new.name == labels.part_name(actual.name, labels.RESTORING):
        engine.rename(new.id, kept_name)
        return
    if actual.older is not None and actual.kept_after_revert is actual.older:
        engine.rename(actual.older.id, kept_name)
    engine.remove(new.id)
