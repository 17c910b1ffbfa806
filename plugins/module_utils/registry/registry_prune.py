# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module registry_prune: delete the images of a repository that no rule keeps and nobody uses."""

from __future__ import annotations

import re
import time
import typing as t

from ..common.errors import ParameterError, SlipwayError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from ..common.times import epoch
from ..common.units import seconds
from .access import REGISTRY_SPEC, access_from
from .client import RegistryClient
from .errors import ConflictError, RegistryError
from .prune import Pruner, Survey
from .prune_read import RepositoryReader
from .reference import Reference, check_digest
from .repository import Use
from .retention import Plan, Rules

SPEC = (
    Spec(
        options={
            "repository": {"type": "str", "required": True},
            "in_use": {"type": "list", "elements": "raw", "required": True},
            "keep_last": {"type": "int", "default": 10},
            "keep_tags": {"type": "list", "elements": "str", "default": []},
            "keep_newer_than": {"type": "str"},
            "group_by": {"type": "str"},
            "min_age": {"type": "str", "default": "24h"},
            "pushed": {"type": "dict", "default": {}},
            "max_delete": {"type": "str", "default": "50%"},
            "plan_digest": {"type": "str"},
            "allow_unknown": {"type": "bool", "default": False},
        }
    )
    + REGISTRY_SPEC
)
_SHORT_ID = re.compile(r"^[0-9a-f]{12,64}\Z")
_LIMIT = re.compile(r"^(?P<number>[0-9]+)(?P<percent>%?)\Z")


def run(params: Params, context: Context) -> Result:
    """Plan, and unless in check mode carry it out; see the module's documentation for the result."""
    findings: t.List[str] = []
    repository = _repository(params["repository"])
    rules = _rules(params, findings)
    uses = _uses(params["in_use"], repository, findings)
    limit = _checked(findings, _limit, params["max_delete"])
    if params["plan_digest"]:
        _checked(findings, check_digest, params["plan_digest"], "plan_digest")
    if findings:
        raise ParameterError(" ".join(findings))
    with RegistryClient(repository.registry, access_from(params)) as client:
        reader = RepositoryReader(client, repository.repository)
        survey = Survey(reader, rules, uses, params["allow_unknown"])
        pruner = Pruner(client, survey)
        try:
            _check_limits(survey.plan, limit, params)
            if not context.check_mode:
                pruner.apply()
        except RegistryError as error:
            error.facts.update(_result(pruner, client, foretold=False))
            raise
        for message in [*reader.warnings, *_unknown(survey.plan), *client.warnings]:
            context.warn(message)
        for digest, why in pruner.skipped.items():
            context.warn(f"{survey.name}@{digest} was to be deleted, and stays: {why}.")
        return _result(pruner, client, foretold=context.check_mode)


def _result(pruner: Pruner, client: RegistryClient, foretold: bool) -> Result:
    made = pruner.planned
    deleted = list(made.steps) if foretold else pruner.deleted
    gone = set(deleted)
    tags = {tag: item.digest for item in made.decisions if item.digest in gone for tag in item.tags}
    shown = sorted(made.decisions, key=lambda item: (not item.delete, item.tags, item.digest))
    return {
        "changed": bool(deleted),
        "repository": made.repository,
        "plan": [item.shown() for item in shown],
        "plan_digest": made.digest,
        "deleted": deleted,
        "left": dict(pruner.skipped),
        "tags": sorted(tags),
        "images": {"found": made.images, "deleted": made.doomed},
        "requests": client.requests,
        "diff": {
            "before_header": made.repository,
            "after_header": made.repository,
            "before": {**tags, **{digest: digest for digest in deleted if digest not in tags.values()}},
            "after": {},
        },
    }


def _unknown(made: Plan) -> t.List[str]:
    return [f"in_use names what {made.repository} does not have: {label}." for label in made.unknown]


def _check_limits(made: Plan, limit: t.Optional[t.Callable[[int], int]], params: Params) -> None:
    if params["plan_digest"] and params["plan_digest"] != made.digest:
        raise ConflictError(
            f"{made.repository}: the plan is {made.digest} now, not {params['plan_digest']}. Nothing was deleted.",
            advice="Tags, uses or ages have changed since that plan was made: look at the new one.",
        )
    most = limit(made.images) if limit else 0
    if made.doomed > most:
        raise ConflictError(
            f"{made.repository}: {made.doomed} of {made.images} images would be deleted, and max_delete "
            f"({params['max_delete']}) allows {most}. Nothing was deleted.",
            advice="Look at the plan; if it is right, raise max_delete.",
        )


# -- options -------------------------------------------------------------------------------------------------------------


def _repository(text: str) -> Reference:
    found = Reference.parse(text, "repository")
    if found.tag or found.digest:
        raise ParameterError(f"repository: {text!r} names one image; leave tag and digest out.")
    return found


def _checked(findings: t.List[str], read: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
    """What `read` makes of the arguments; None when it complains, which goes to `findings`."""
    try:
        return read(*arguments)
    except SlipwayError as error:
        findings.append(error.msg)
        return None


def _rules(params: Params, findings: t.List[str]) -> Rules:
    if params["keep_last"] < 1:
        findings.append(f"keep_last: {params['keep_last']} is too small; the newest image always stays.")
    newer, group_by = params["keep_newer_than"], params["group_by"]
    return Rules(
        keep_last=params["keep_last"],
        now=time.time(),
        keep_tags=tuple(_checked(findings, _pattern, text, "keep_tags") for text in params["keep_tags"]),
        keep_newer_than=_checked(findings, seconds, newer, "keep_newer_than") if newer else None,
        min_age=_checked(findings, seconds, params["min_age"], "min_age") or 0.0,
        group_by=_checked(findings, _pattern, group_by, "group_by") if group_by else None,
        pushed={
            digest: _checked(findings, _time, text, f"pushed[{digest}]") for digest, text in params["pushed"].items()
        },
    )


def _pattern(text: str, option: str) -> t.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ParameterError(f"{option}: {text!r} is no regular expression ({error}).") from error


def _time(text: t.Any, option: str) -> float:
    try:
        return epoch(str(text))
    except ValueError as error:
        raise ParameterError(f"{option}: {text!r} is no time such as 2026-03-01T09:30:00Z.") from error


def _limit(text: str) -> t.Callable[[int], int]:
    match = _LIMIT.match(text.strip())
    if not match:
        raise ParameterError(f"max_delete: {text!r} is neither a number of images nor a percentage such as 50%.")
    number = int(match.group("number"))
    return (lambda images: images * number // 100) if match.group("percent") else (lambda images: number)


def _uses(entries: t.Sequence[t.Any], repository: Reference, findings: t.List[str]) -> t.List[Use]:
    found = []
    for index, entry in enumerate(entries):
        use = _checked(findings, _use, entry, f"in_use[{index}]", repository)
        if use:
            found.append(use)
    return found


def _use(entry: t.Any, option: str, repository: Reference) -> Use:
    """One entry: a digest, a reference, or a dict with `image`, `digest` or `image_id` as facts about containers have."""
    if not isinstance(entry, dict):
        entry = {"digest" if str(entry).startswith(("sha256:", "sha512:")) else "image": entry}
    digests = [check_digest(entry[key], f"{option}.{key}") for key in ("digest", "image_id") if entry.get(key)]
    image = str(entry.get("image") or "")
    if not image and not digests:
        raise ParameterError(f"{option}: neither image, digest nor image_id is in {sorted(entry)}.")
    label = " ".join(str(part) for part in (entry.get("who"), image, *digests) if part)
    if not image:
        return Use(label, digests=tuple(digests))
    if image.startswith(("sha256:", "sha512:")):
        return Use(label, digests=(check_digest(image, f"{option}.image"), *digests))
    if _SHORT_ID.match(image):
        return Use(label, digests=tuple(digests), prefix=image)
    named = Reference.parse(image, f"{option}.image")
    if named.digest:
        digests.append(named.digest)
    here = named.repository == repository.repository
    tag = (named.tag or (None if named.digest else named.locator)) if here else None
    return Use(label, tag, tuple(dict.fromkeys(digests)), must_resolve=named.name == repository.name)


REGISTRY_PRUNE = Operation("registry_prune", SPEC, run, requires=("requests",))
