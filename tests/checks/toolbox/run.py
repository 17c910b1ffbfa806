# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a tool the way every check does: no terminal, no input, bounded, its whole output kept for the reader."""

from __future__ import annotations

import os
import shlex
import subprocess
import typing as t
from pathlib import Path

from . import ROOT

# What a developer's shell may have set and a check must not depend on.
_FOREIGN = ("ANSIBLE_", "PYTHONPATH", "PYTHONHOME", "PYTEST_", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")


class ToolFailed(Exception):
    """A tool ended with another code than 0; the message is its command line and all that it printed."""


def environment(**extra: str) -> t.Dict[str, str]:
    """The process environment without what steers Ansible, pytest or Python, plus `extra`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    clean.update(LC_ALL="C.UTF-8", NO_COLOR="1", ANSIBLE_NOCOLOR="1", PIP_NO_INPUT="1", **extra)
    return clean


def run(
    command: t.Sequence[t.Union[str, Path]],
    cwd: Path = ROOT,
    env: t.Optional[t.Mapping[str, str]] = None,
    timeout: float = 900.0,
    errors_apart: bool = False,
) -> str:
    """What `command` printed; ToolFailed unless it ended with 0 within `timeout` seconds.

    Standard error is interleaved as printed, or with `errors_apart` only shown on failure: for output that is parsed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=dict(env or environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"$ {shlex.join(words)}\n{_text(error.stdout)}\nstill running after {timeout:g} s") from None
    except OSError as error:
        raise ToolFailed(f"$ {shlex.join(words)}\ncould not be started: {error}") from None
    if done.returncode:
        raise ToolFailed(f"$ {shlex.join(words)}\n{done.stdout}{done.stderr or ''}\nexit code {done.returncode}")
    return done.stdout


def _text(output: t.Union[bytes, str, None]) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
