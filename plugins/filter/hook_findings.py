# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the hooks of an app file, all of it, before anything is done."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

# Hooks that run while there is no release yet: no image to run a command in.
_WITHOUT_IMAGE = ("before_build", "after_build", "before_config", "after_config")
_KEYS = ("run", "entrypoint", "deadline")


def hook_findings(hooks: t.Mapping[str, t.Any], folder: str) -> t.List[str]:
    """`hooks` as the app file says them; task files are relative to `folder`. Returns sentences, none if all is well."""
    if not hasattr(hooks, "items"):
        raise AnsibleFilterError("app.hooks: is no mapping of hooks.")
    findings = []
    for hook, said in hooks.items():
        items = list(said) if isinstance(said, (list, tuple)) else [said]
        for number, item in enumerate(items, 1):
            where = f"app.hooks.{hook}" + (f"[{number}]" if len(items) > 1 else "")
            findings += [f"{where}: {finding}" for finding in _of(hook, item, folder)]
    return findings


def _of(hook: str, item: t.Any, folder: str) -> t.List[str]:
    if isinstance(item, str):
        path = os.path.join(folder, item)
        return [] if os.path.isfile(path) else [f"there is no task file {path}."]
    if not hasattr(item, "items"):
        return [f"{item!r} is neither a task file nor a mapping with run."]
    findings = [f"{key!r} is unknown; there are {', '.join(_KEYS)}." for key in item if key not in _KEYS]
    if not item.get("run"):
        findings.append("run is missing; it is the command to run in a container of the new image.")
    elif hook in _WITHOUT_IMAGE:
        findings.append("run needs the image of a release; use before_deploy, or a task file.")
    return findings


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"hook_findings": hook_findings}
