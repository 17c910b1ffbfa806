# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's work as a plain value: what it is called, what it takes, what it needs, and the function that does it.

Two thin shells call an Operation and nothing else does: `module_shell.run_module` (the ordinary AnsiballZ module) and
the action plugins' `DirectAction` (inside the controller's worker).
"""

from __future__ import annotations

import importlib
import traceback
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import missing_required_lib

from .errors import MissingLibraryError, SlipwayError
from .progress import Progress
from .spec import Spec

Params = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]


@dataclass
class Context:
    """How a task was called. `warn` shows a message to the user as Ansible's warnings do, `progress` how far work has come."""

    check_mode: bool = False
    diff_mode: bool = False
    warnings: t.List[str] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)


def no_secrets(params: Params) -> t.Set[str]:
    """For operations whose secrets all stand in `no_log` options."""
    return set()


def as_given(params: Params) -> Params:
    """For operations whose parameters may be shown as they are, `no_log` options apart."""
    return params


@dataclass(frozen=True)
class Operation:
    """`run` takes the validated parameters and the context and returns the result (`changed` always in it).

    `requires` are the Python packages the work cannot do without, by import name. `long` says that the work may take so
    long that it tells of its progress.

    Where secrets stand inside an option that is not secret as a whole, two functions tell the shells about them:
    `secrets` names the values to cut out of everything the task says, as those of `no_log` options are; `shown` gives the
    parameters as they may stand in `invocation` and in the target's log. Both also meet parameters that have not been
    validated (an argument error is censored too), so neither may raise.
    """

    name: str
    spec: Spec
    run: t.Callable[[Params, Context], Result]
    requires: t.Tuple[str, ...] = ()
    secrets: t.Callable[[Params], t.Set[str]] = no_secrets
    shown: t.Callable[[Params], Params] = as_given
    long: bool = False

    def missing(self) -> t.List[str]:
        """Import names of required packages that are not installed in this Python."""
        return [name for name in self.requires if not _importable(name)]

    def execute(self, params: Params, context: Context) -> Result:
        """Run the work; every failure comes back as a result with `failed`, so the shells cannot differ in it."""
        try:
            require(*self.requires)
            return self.run(params, context)
        except SlipwayError as error:
            return {"failed": True, "changed": False, **error.facts, "msg": error.msg}
        except Exception as error:  # the one catch-all: an unforeseen error is a defect, and must still be censored
            return {
                "failed": True,
                "changed": False,
                "msg": f"{self.name}: unforeseen {type(error).__name__}: {error}. This is a defect of slipway.delivery.",
                "exception": traceback.format_exc(),
            }


def require(*names: str) -> None:
    """Raise MissingLibraryError, naming each package and this Python, unless all can be imported."""
    missing = [name for name in names if not _importable(name)]
    if missing:
        raise MissingLibraryError(" ".join(missing_required_lib(name) for name in missing))


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
