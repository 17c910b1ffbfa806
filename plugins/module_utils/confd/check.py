# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_check: everything that would break, found before anything moves."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import SlipwayError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import center, keys, masking, resources
from .coverage import Coverage, Rules
from .findings import ERROR, Finding, ordered, table
from .lint import lint
from .resources import Resource
from .scanner import Lookup, scan
from .tokens import TemplateError

SPEC = center.CENTER + Spec(
    options={
        "confdir": {"type": "path", "required": True},
        "prefix": {"type": "str", "default": "/"},
        "keys": {"type": "dict", "no_log": False},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "dialect": {"type": "str", "choices": ["legacy", "fork"], "default": "legacy"},
        "confd_prefix": {"type": "str"},
        "allow_blanks": {"type": "list", "elements": "str", "default": []},
        "fail": {"type": "bool", "default": True},
    },
)


class Environment(t.NamedTuple):
    """`values`: relative keys, None where there is nothing to compare with; `findings` about keys that were refused."""

    values: t.Optional[t.Dict[str, str]]
    findings: t.List[Finding]


def run(params: Params, context: Context) -> Result:
    prefix = keys.clean_prefix(params["prefix"], whole_store=True)
    environment = _environment(params, prefix)
    if environment.values is None:
        context.warn("No keys and no config centre are named: missing and unused keys were not looked for.")
    confdir = Path(params["confdir"])
    loaded = resources.load(confdir, params["dialect"], params["confd_prefix"])
    stored = None if environment.values is None else keys.absolute(prefix, environment.values)
    coverage = Coverage(Rules(params["backend"], params["dialect"], prefix), stored)
    findings = [*environment.findings, *loaded.findings]
    broken = _scan_all(confdir, loaded.resources, coverage, findings)
    findings += coverage.findings
    if not broken:  # a resource or template that cannot be read may be the one that reads a key
        findings += coverage.unused_findings()
    findings += lint(environment.values or {}, _allowed(params["allow_blanks"]))
    unused = [] if broken else [coverage.rules.shown(key) for key in coverage.unused()]
    return _answer(ordered(findings), coverage, unused, params["fail"])


def _answer(findings: t.List[Finding], coverage: Coverage, unused: t.List[str], fail: bool) -> Result:
    errors = [found for found in findings if found.severity == ERROR]
    facts = {
        "findings": [found.as_dict() for found in findings],
        "required": sorted(coverage.required),
        "unused": unused,
    }
    if errors and fail:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        raise SlipwayError(f"The settings and their templates have {count}:\n{table(errors)}", **facts)
    return {"changed": False, **facts, "msg": table(findings) or "The settings and their templates fit."}


def _allowed(names: t.Iterable[str]) -> t.Set[str]:
    return {"/" + name.strip("/") for name in names}


def _environment(params: Params, prefix: str) -> Environment:
    """From `keys`, else from the config centre, else none."""
    if params["keys"] is not None:
        flat = keys.flatten(params["keys"])
        problems = [*flat.problems, *keys.too_long(prefix, flat.values)]
        return Environment(flat.values, [Finding("bad_key", ERROR, problem) for problem in problems])
    if not params["nodes"] and not params["path"]:
        return Environment(None, [])
    deadline = Deadline(units.seconds(params["timeout"], "timeout"))
    with center.open_center(params, deadline) as store:
        return Environment(keys.relative(prefix, store.read(prefix).keys), [])


def _scan_all(confdir: Path, found: t.Sequence[Resource], coverage: Coverage, findings: t.List[Finding]) -> bool:
    """Every template into `coverage`; whether one could not be read."""
    broken = any(each.check == "toml" for each in findings)
    scanned: t.Dict[str, t.Optional[t.List[Lookup]]] = {}
    for resource in found:
        if resource.template not in scanned:
            scanned[resource.template] = _scanned(confdir, resource.template, findings)
        lookups = scanned[resource.template]
        if lookups is None:
            broken = True
        else:
            coverage.add(resource, lookups)
    return broken


def _scanned(confdir: Path, template: str, findings: t.List[Finding]) -> t.Optional[t.List[Lookup]]:
    """The template's look-ups; None where there is none to read, with the finding that says why."""
    path = confdir / "templates" / template
    if not template or not path.is_file():
        return None  # said of its resource
    file = f"templates/{template}"
    try:
        return scan(path.read_bytes().decode("utf-8"))
    except TemplateError as error:
        message = f"confd cannot parse it: {error.message}"
        findings.append(Finding("template", ERROR, message, file=file, line=error.line))
    except UnicodeDecodeError as error:
        findings.append(Finding("template", ERROR, f"is no UTF-8 ({error})", file=file))
    return None


CONFD_CHECK = Operation(
    name="confd_check",
    spec=SPEC,
    run=run,
    requires=(resources.TOML,),
    secrets=masking.values_to_hide,
    shown=masking.shown,
)
