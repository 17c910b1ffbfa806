# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a config centre must do: show one consistent moment, and change it in one step or not at all."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote

from ...common.errors import ConflictError

# Names of the history's strings begin so: not with a slash, so no prefix of a template reaches them.
_TREE = "slipway"


@dataclass(frozen=True)
class Snapshot:
    """A prefix at one moment: absolute keys, the history's head, and a token that says which moment it was.

    Values that are no UTF-8 (somebody else wrote them) carry their bytes as surrogate escapes.
    """

    keys: t.Dict[str, str]
    head: t.Optional[str]
    guard: t.Any


@dataclass(frozen=True)
class Delta:
    """What to write, all of it or nothing: absolute keys, the history's head and records by number."""

    put: t.Dict[str, str]
    remove: t.Tuple[str, ...]
    head: str
    records: t.Dict[int, str] = field(default_factory=dict)
    drop_records: t.Tuple[int, ...] = ()


class Backend(abc.ABC):
    """One config centre. Errors: UnreachableError, DeniedError, ConflictError, ParameterError, each naming `where`."""

    # Whether the prefix may be the root: only a store that holds one app's keys and nothing else.
    whole_store: t.ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def where(self) -> str:
        """The store in the reader's words, for example `redis 10.0.0.5:6379/0`."""

    @abc.abstractmethod
    def read(self, prefix: str) -> Snapshot:
        """The prefix now. ConflictError for what Slipway cannot keep (another type, a value above the prefix)."""

    @abc.abstractmethod
    def record(self, prefix: str, number: int) -> t.Optional[str]:
        """One record of the prefix's history; None if it is not there."""

    @abc.abstractmethod
    def apply(self, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        """Write `delta` in one step if nothing under `prefix` changed since `snapshot`, else ConflictError.

        UnreachableError may mean that it was written and the answer was lost: the head then holds the new entry.
        """

    def risks(self, prefix: str, snapshot: Snapshot) -> t.List[str]:
        """Why this store may lose settings by itself, as far as it tells us. Reads alone; never a reason to fail."""
        return []

    @abc.abstractmethod
    def close(self) -> None:
        """Give connections back. Never raises."""

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def history_name(prefix: str, part: t.Union[int, str]) -> str:
    """`slipway!/webapi!00000042` or `slipway!/webapi!head`; prefixes cannot run into each other."""
    return f"{_TREE}!{quote(prefix or '/', safe='/')}!{f'{part:08d}' if isinstance(part, int) else part}"


def raise_problems(where: str, prefix: str, problems: t.Sequence[str]) -> None:
    """ConflictError with all of them, unless there is none."""
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise ConflictError(
            f"{where} has, at {prefix or '/'}, what cannot be kept as settings; nothing was changed:\n{listed}"
        )


def moved(where: str, prefix: str) -> ConflictError:
    return ConflictError(
        f"{where}: somebody else changed {prefix or '/'} between reading and writing; nothing was written by this task."
    )


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
