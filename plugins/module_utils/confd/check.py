# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_check: everything that would break, found before anything moves."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import ParameterError, SlipwayError
from ..common.operation import Context, Operation, Params, Result, require
from ..common.spec import Spec
from . import (
    against,
    binary,
    center,
    compare,
    history,
    image_confd,
    keys,
    lint,
    masking,
    preview,
    resources,
    schema,
    startup,
)
from .binary import Confd, LocalConfd
from .coverage import Coverage, Rules
from .findings import ERROR, INFO, WARNING, Finding, ordered, table
from .functions import LEGACY, NAMES
from .image_confd import ImageConfd
from .masking import Mask, SecretKeys
from .preview import Side
from .resources import Resource
from .shown import File, unified
from .templates import Templates

SPEC = center.CENTER + Spec(
    options={
        "confdir": {"type": "path"},
        "prefix": {"type": "str", "default": "/"},
        "keys": {"type": "dict", "no_log": False},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "dialect": {"type": "str", "choices": ["auto", "legacy", "fork"], "default": "auto"},
        "confd_prefix": {"type": "str"},
        "allow_blanks": {"type": "list", "elements": "str", "default": []},
        "schema": {"type": "dict", "default": {}},
        "against": {"type": "dict"},
        "expect_different": {"type": "list", "elements": "str", "no_log": False},
        "may_differ": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "compare_word": {"type": "str", "no_log": True},
        "start": {"type": "path"},
        "render": {"type": "bool", "default": False},
        "confd": {"type": "path"},
        "env": {"type": "dict", "default": {}},
        "secret_env": {"type": "dict", "default": {}, "no_log": True},
        "image": {"type": "str"},
        "docker_host": {"type": "str"},
        "docker_connection": {"type": "dict"},
        "fail": {"type": "bool", "default": True},
    },
)
_IN_IMAGES = "/etc/confd"
_ENVIRONMENT = "the settings"


@dataclass
class Source:
    """Where templates and resources lie, and the confd that reads them, if there is one to run."""

    confdir: t.Optional[Path]
    dialect: str
    confd: t.Optional[Confd] = None
    image: t.Optional[ImageConfd] = None
    findings: t.List[Finding] = field(default_factory=list)


def run(params: Params, context: Context) -> Result:
    deadline = Deadline(units.seconds(params["timeout"], "timeout"))
    rules = schema.parse(params["schema"])
    other = against.parse(params)
    prefix = keys.clean_prefix(params["prefix"], whole_store=True)
    here, findings = _environment(params, prefix, deadline)
    if here is None and not params["confdir"] and not params["image"]:
        raise ParameterError("confdir: there is nothing to check. Say confdir or image, and keys or a config centre.")
    if here is None:
        context.warn("No keys and no config centre are named: missing and unused keys were not looked for.")
    secret = here.secret if here else SecretKeys(params["secret_keys"])
    for name in SecretKeys(params["secret_keys"]).matching_nothing(here.values) if here else []:
        context.warn(f"secret_keys: {name} matches no key of {prefix or '/'}; is it spelt as the key is?")
    there, said = against.read(other, secret)
    findings += said
    values = here.values if here else {}
    with _source(params, deadline) as source:
        looked = _look(params, prefix, source, here)
        findings += [*source.findings, *_with_twins(looked.findings, values)]
        findings += lint.lint(values, _allowed(params["allow_blanks"]))
        if here is not None:
            findings += schema.findings(rules, values)
        if here is not None and there is not None:
            expected = params["expect_different"]
            judged = None if expected is None else SecretKeys(expected)
            findings += compare.findings(values, there.values, there.name, judged, SecretKeys(params["may_differ"]))
        files = _render(source, looked, here, there, findings)
    return _answer(params, ordered(findings), looked, files, here, there)


@dataclass(frozen=True)
class Looked:
    """What reading templates and resources gave."""

    resources: t.List[Resource]
    templates: Templates
    coverage: Coverage
    complete: bool
    findings: t.List[Finding]

    @property
    def unused(self) -> t.List[str]:
        return [self.coverage.rules.shown(key) for key in self.coverage.unused()] if self.complete else []

    @property
    def renderable(self) -> t.List[Resource]:
        templates = self.templates
        return [
            each
            for each in self.resources
            if each.template in templates.contents and each.template not in templates.broken
        ]


def _with_twins(findings: t.Iterable[Finding], values: t.Iterable[str]) -> t.Iterator[Finding]:
    """Keys that are missing, with those that only look like them."""
    present = list(values)
    for found in findings:
        twins = lint.twins(found.key, present) if found.check == "missing_key" and found.key else []
        shown = ", ".join(ascii(twin)[1:-1] for twin in twins)
        yield replace(found, message=f"{found.message}; {shown} only looks like it") if twins else found


def _look(params: Params, prefix: str, source: Source, here: t.Optional[Side]) -> Looked:
    if source.confdir is None:
        message = "neither confdir nor image is named, so no template was looked at"
        nothing = Coverage(Rules(params["backend"], source.dialect, prefix), None)
        return Looked(
            [], Templates(None, source.dialect, frozenset()), nothing, False, [Finding("template", INFO, message)]
        )
    loaded = resources.load(source.confdir, source.dialect, params["confd_prefix"])
    stored = None if here is None else keys.absolute(prefix, here.values)
    coverage = Coverage(Rules(params["backend"], source.dialect, prefix), stored)
    environment = source.image.environment if source.image else {**params["env"], **params["secret_env"]}
    templates = Templates(source.confdir, source.dialect, environment)
    complete = templates.cover(loaded.resources, coverage) and not any(each.check == "toml" for each in loaded.findings)
    findings = [*loaded.findings, *templates.findings, *coverage.findings]
    if complete:  # a resource or template that cannot be read may be the one that reads a key
        findings += coverage.unused_findings()
    if source.image is not None:
        findings += _without_folder(source.image, loaded.resources)
    return Looked(loaded.resources, templates, coverage, complete, findings)


def _without_folder(image: ImageConfd, found: t.Iterable[Resource]) -> t.Iterator[Finding]:
    for resource in found:
        folder = resource.dest.rpartition("/")[0]
        if folder and not image.has_folder(folder):
            message = f"writes {resource.dest}, and the image has no {folder}: confd fails unless a mount or the start makes it"
            yield Finding("dest_folder", WARNING, message, file=resource.file)


@contextlib.contextmanager
def _source(params: Params, deadline: Deadline) -> t.Iterator[Source]:
    if params["image"]:
        require("docker")
        with (
            image_confd.opened(params, deadline) as image,
            tempfile.TemporaryDirectory(prefix="slipway-confdir-") as folder,
        ):
            yield _of_image(params, image, Path(folder))
        return
    confdir = Path(params["confdir"]) if params["confdir"] else None
    source = Source(confdir, LEGACY if params["dialect"] == "auto" else params["dialect"])
    with contextlib.ExitStack() as stack:
        if params["render"] and confdir is not None:
            _find_confd(params, deadline, source, stack)
        if params["start"]:
            source.findings += _start(Path(params["start"]), source.dialect)
        yield source


def _find_confd(params: Params, deadline: Deadline, source: Source, stack: contextlib.ExitStack) -> None:
    path = binary.find(params["confd"])
    if path is None:
        message = "no confd was found (option confd, variable CONFD, PATH), so the files were not rendered"
        source.findings.append(Finding("render", INFO, message))
        return
    variables = {name: str(value) for name, value in {**params["env"], **params["secret_env"]}.items()}
    found = LocalConfd(path, variables, deadline)
    if params["dialect"] not in ("auto", found.dialect):
        message = f"{path} is {NAMES[found.dialect]} and not {NAMES[params['dialect']]}, so the files were not rendered"
        source.findings.append(Finding("render", WARNING, message))
        return
    source.dialect = found.dialect
    source.confd = stack.enter_context(found.folder())


def _start(path: Path, dialect: str) -> t.List[Finding]:
    try:
        script = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return [Finding("start", ERROR, f"cannot be read: {error.strerror}", file=str(path))]
    return list(startup.findings(script, path.name, dialect))


def _of_image(params: Params, image: ImageConfd, folder: Path) -> Source:
    """The image's own files in `folder`, since they are what its confd will read."""
    place = params["confdir"] or _IN_IMAGES
    found = image.files(place)
    if not found:
        raise ParameterError(
            f"confdir: {image.image} has no folder {place}. confd itself would end well there, and write nothing."
        )
    for name, file in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    source = Source(folder, image.dialect, image if params["render"] and image.found else None, image)
    if not image.found:
        source.findings.append(Finding("image", ERROR, f"{image.image} has no program {image.binary}"))
    elif params["dialect"] not in ("auto", image.dialect):
        message = f"{image.image} has {NAMES[image.dialect]}, and not {NAMES[params['dialect']]}"
        source.findings.append(Finding("image", WARNING, message))
    for name, script in image.start_scripts().items():
        source.findings += startup.findings(script, name, image.dialect)
    return source


def _environment(params: Params, prefix: str, deadline: Deadline) -> t.Tuple[t.Optional[Side], t.List[Finding]]:
    """From `keys`, else from the config centre, else none; and the keys that were refused."""
    if params["keys"] is not None:
        flat = keys.flatten(params["keys"])
        problems = [*flat.problems, *keys.too_long(prefix, flat.values)]
        side = Side(_ENVIRONMENT, flat.values, SecretKeys(params["secret_keys"]))
        return side, [Finding("bad_key", ERROR, problem) for problem in problems]
    if not params["nodes"] and not params["path"]:
        return None, []
    with center.open_center(params, deadline) as store:
        snapshot = store.read(prefix)
        remembered = history.load_head(snapshot.head, store.where).secret_keys
    values = keys.relative(prefix, snapshot.keys)
    problems = keys.flatten(values).problems  # hands can put there what no task would
    side = Side(_ENVIRONMENT, values, SecretKeys([*params["secret_keys"], *remembered]))
    return side, [Finding("bad_key", ERROR, problem) for problem in problems]


def _render(
    source: Source, looked: Looked, here: t.Optional[Side], there: t.Optional[Side], findings: t.List[Finding]
) -> t.Optional[t.List[File]]:
    """The files, and what rendering them found; None where nothing was rendered."""
    if source.confd is None or here is None:
        return None
    sides = [here] if there is None else [here, there]
    if any("\ud800" <= letter <= "\udfff" for side in sides for value in side.values.values() for letter in value):
        findings.append(Finding("render", WARNING, "a value is no UTF-8, so the files were not rendered"))
        return None
    able = looked.renderable
    previewer = preview.Previewer(source.confd, looked.templates.contents, able, looked.coverage.rules)
    now, *more = previewer.pictures(sides)
    findings += preview.findings(able, now, looked.coverage.rules, findings)
    if more:
        findings += preview.unlike(able, more[0])
    return preview.files(able, now, more[0] if more else None)


def _answer(
    params: Params,
    findings: t.List[Finding],
    looked: Looked,
    files: t.Optional[t.List[File]],
    here: t.Optional[Side],
    there: t.Optional[Side],
) -> Result:
    errors = [found for found in findings if found.severity == ERROR]
    before = there.name if there else ""
    diffs = [file.diff(before, _ENVIRONMENT) for file in files or [] if file.changed]
    facts: Result = {
        "findings": [found.as_dict() for found in findings],
        "table": table(findings).splitlines(),
        "required": sorted(looked.coverage.required),
        "unused": looked.unused,
        "dialect": looked.templates.dialect,
        "rendered": files is not None,
        "files": [file.facts() for file in files or []],
        "diff": diffs,
        "diff_lines": [line for each in diffs for line in unified(each)],
        "differences": compare.differences(here.values, there.values) if here and there else None,
        **_side_by_side(params, here),
    }
    if errors and params["fail"]:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        raise SlipwayError(f"The settings and their templates have {count}:\n{table(errors)}", **facts)
    return {"changed": False, **facts, "msg": table(findings) or "The settings and their templates fit."}


def _side_by_side(params: Params, here: t.Optional[Side]) -> Result:
    """What several runs, each for one environment, need to be compared afterwards."""
    word = params["compare_word"]
    if not word or here is None:
        return {"settings": None, "fingerprints": None}
    mask = Mask(here.secret, here.values)
    shown = {key: mask.value(key, value) for key, value in sorted(here.values.items())}
    return {"settings": shown, "fingerprints": compare.fingerprints(here.values, word)}


def _allowed(names: t.Iterable[str]) -> t.Set[str]:
    return {"/" + name.strip("/") for name in names}


def _secrets(params: Params) -> t.Set[str]:
    given = params.get("secret_env")
    hidden = {str(value) for value in given.values()} if isinstance(given, dict) else set()
    return masking.values_to_hide(params) | against.values_to_hide(params) | {each for each in hidden if each}


def _shown(params: Params) -> Params:
    return against.shown(masking.shown(params))


CONFD_CHECK = Operation(
    name="confd_check",
    spec=SPEC,
    run=run,
    requires=(resources.TOML,),
    secrets=_secrets,
    shown=_shown,
)
