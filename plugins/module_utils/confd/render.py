# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files exactly as confd will write them, by running confd itself on what each resource lets it see.

All templates, of all environments that are compared, are rendered in one run: each job has a prefix of its own in the file of
values. Which keys a job has is decided here, by the rule of the real backend, since that of the file backend is another.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from .backends.file import dump
from .binary import Confd, Output, Ran
from .resources import Resource

_MISSING = re.compile(r"key does not exist: (/\S*)")
_MESSAGE = re.compile(r".*(?:template: |Unable to process template )(.*)")
_MOST_MISSING = 50  # keys that one template lacks; each costs a run
_PLACEHOLDER = "1"  # of a missing key, for those after it: a number, true, and text


@dataclass(frozen=True)
class Job:
    """One template and the values that it sees, by the names it has for them."""

    resource: Resource
    values: t.Dict[str, str]
    once: bool = False  # where it fails, why does not matter


@dataclass
class Rendered:
    """What became of a job: the file, or why there is none. `missing` are names of keys that confd asked for in vain."""

    output: t.Optional[Output] = None
    error: str = ""
    missing: t.List[str] = field(default_factory=list)


def seen(resource: Resource, stored: t.Mapping[str, str], backend: str, dialect: str) -> t.Dict[str, str]:
    """The values that the resource's template sees of the store, by the template's names for them."""
    return {resource.name(key): value for key, value in stored.items() if resource.sees(key, backend, dialect, stored)}


def render(confd: Confd, templates: t.Mapping[str, bytes], jobs: t.Sequence[Job]) -> t.List[Rendered]:
    """Every job's file. `templates` are the contents by path below the templates folder."""
    if not jobs:
        return []
    ran = _run(confd, templates, jobs)
    results = []
    for number, job in enumerate(jobs):
        output = ran.files.get(f"{_name(number)}/file")
        if output is None and not job.once:
            results.append(_alone(confd, templates, job))
        else:
            results.append(Rendered(output))
    return results


def _alone(confd: Confd, templates: t.Mapping[str, bytes], job: Job) -> Rendered:
    """A job that failed among others, by itself: its error is then its own, and every missing key can be asked for."""
    missing: t.List[str] = []
    values = dict(job.values)
    while True:
        ran = _run(confd, templates, [Job(job.resource, values)])
        output = ran.files.get(f"{_name(0)}/file")
        if output is not None:
            return Rendered(None, "", missing) if missing else Rendered(output)
        key = _missing(ran.log)
        if key is None or key in values or len(missing) >= _MOST_MISSING:
            return Rendered(None, "" if missing and key is None else _said(ran), missing)
        missing.append(key)
        values[key] = _PLACEHOLDER


def _run(confd: Confd, templates: t.Mapping[str, bytes], jobs: t.Sequence[Job]) -> Ran:
    root = confd.root
    tree = {f"confd/templates/{path}": content for path, content in templates.items()}
    values: t.Dict[str, str] = {}
    for number, job in enumerate(jobs):
        name, source = _name(number), job.resource.template
        tree[f"confd/templates/{name}/{source}"] = templates[source]
        tree[f"confd/conf.d/{name}.toml"] = _resource(job.resource, name, root).encode()
        values.update({f"/{name}{key}": value for key, value in job.values.items()})
    tree["values.json"] = dump(values).encode()
    return confd.run(tree, [f"out/{_name(number)}" for number in range(len(jobs))], root)


def _resource(resource: Resource, name: str, root: str) -> str:
    words = {"src": f"{name}/{resource.template}", "dest": f"{root}/out/{name}/file", "prefix": f"/{name}"}
    if resource.mode:
        words["mode"] = resource.mode
    lines = [f"{word} = {json.dumps(value)}" for word, value in words.items()]
    return "\n".join(["[template]", *lines, 'keys = ["/"]', ""])


def _name(number: int) -> str:
    return f"job{number:05d}"  # all of one length: the file backend takes prefixes as text


def _missing(log: str) -> t.Optional[str]:
    found = _MISSING.search(log)
    return found.group(1) if found else None


def _said(ran: Ran) -> str:
    """confd's own words, without its time stamps and our folders."""
    found = _MESSAGE.search(ran.log)
    if found:
        return re.sub(rf"\S*/?{_name(0)}/", "", found.group(1)).strip()
    last = [line for line in ran.log.splitlines() if line.strip()][-1:]
    return f"confd ended with {ran.code} and wrote no file: {''.join(last)}".rstrip(": ")
