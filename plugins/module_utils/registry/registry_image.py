# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module registry_image: retag, promote, copy and delete images by a registry's HTTP API."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack

from ..common.errors import ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from .access import REGISTRY_SPEC, SOURCE_SPEC, access_from, given
from .client import RegistryClient
from .copy import CopyApplier, CopyReader
from .copy_plan import COPY, EXISTING, MOUNT, CopyPlan, CopyRequest, plan_copy
from .delete import DeletePlan, Deleter, DeleteRequest, read_delete_plan
from .reference import Reference, check_digest, check_tag

SPEC = (
    Spec(
        options={
            "image": {"type": "str", "required": True},
            "source": {"type": "str"},
            "tags": {"type": "list", "elements": "str", "default": []},
            "digest": {"type": "str"},
            "overwrite": {"type": "bool", "default": True},
            "referrers": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force_siblings": {"type": "bool", "default": False},
        }
    )
    + REGISTRY_SPEC
    + SOURCE_SPEC
)


def run(params: Params, context: Context) -> Result:
    """`state: present` copies or retags, `state: absent` deletes; see the module's documentation for the result."""
    image = Reference.parse(params["image"], "image")
    for index, tag in enumerate(params["tags"]):
        check_tag(tag, f"tags[{index}]")
    digest = _expected_digest(params, image)
    if params["state"] == "absent":
        return _absent(params, context, image, digest)
    return _present(params, context, _copy_request(params, image, digest))


def _expected_digest(params: Params, image: Reference) -> t.Optional[str]:
    digest = check_digest(params["digest"], "digest") if params["digest"] else None
    if digest and image.digest and digest != image.digest:
        raise ParameterError(f"image says {image.digest} and digest says {digest}; they must be the same.")
    return digest or image.digest


def _copy_request(params: Params, image: Reference, digest: t.Optional[str]) -> CopyRequest:
    source = Reference.parse(params["source"], "source") if params["source"] else image
    if digest and source.digest and source.digest != digest:
        raise ParameterError(f"source says {source.digest}, and the image must be {digest}; they must be the same.")
    own = [image.tag or image.locator] if params["source"] else []
    targets = tuple(dict.fromkeys([*own, *params["tags"]]))
    return CopyRequest(source, image, targets, digest, params["overwrite"], params["referrers"])


def _present(params: Params, context: Context, request: CopyRequest) -> Result:
    with ExitStack() as stack:
        destination = stack.enter_context(RegistryClient(request.destination.registry, access_from(params)))
        source = destination
        if params["source"] and (not request.same_registry or given(params, "source_")):
            access = access_from(params, "source_")
            if not request.same_registry or access != destination.access:
                source = stack.enter_context(RegistryClient(request.source.registry, access))
        if not context.check_mode:
            destination.will_push(request.destination.repository)
        plan = plan_copy(request, CopyReader(request, source, destination).read())
        result = copy_result(plan)
        warnings = list(plan.warnings)
        if plan.changed and not context.check_mode:
            with context.progress.meter(f"copy {request.source} to {request.destination.name}") as meter:
                outcome = CopyApplier(plan, source, destination, meter).apply()
            result["blobs"] = {how: len(digests) for how, digests in outcome.blobs.items()}
            result["bytes_transferred"] = outcome.bytes_copied
            if request.targets:
                result["previous_digest"] = outcome.previous.get(request.targets[0], plan.previous)
            warnings = outcome.warnings
        clients = [destination] if source is destination else [destination, source]
        for message in [*warnings, *(warning for client in clients for warning in client.warnings)]:
            context.warn(message)
        result["requests"] = sum(client.requests for client in clients)
        return result


def copy_result(plan: CopyPlan) -> Result:
    """The result that the plan foretells, complete but for `requests`."""
    request = plan.request
    counts = {how: sum(move.how == how for move in plan.blobs) for how in (MOUNT, EXISTING, COPY)}
    return {
        "changed": plan.changed,
        "image": str(request.destination),
        "digest": plan.root.digest,
        "previous_digest": plan.previous,
        "media_type": plan.root.media_type,
        "size": plan.root.size,
        "tags": _tags(request),
        "referrers": list(plan.referrers),
        "bytes_transferred": sum(move.descriptor.size for move in plan.blobs if move.how == COPY),
        "blobs": counts,
        "diff": copy_diff(plan),
    }


def _tags(request: CopyRequest) -> t.List[str]:
    """Every tag that the task was given, which all name the image afterwards."""
    own = [] if request.destination.digest and not request.destination.tag else [request.destination.tag or "latest"]
    return list(dict.fromkeys([*own, *(target for target in request.targets if ":" not in target)]))


def copy_diff(plan: CopyPlan) -> t.Dict[str, t.Any]:
    """Tags (and digests) of the repository that change, and what they name before and after."""
    before: t.Dict[str, str] = {}
    after: t.Dict[str, str] = {}
    for put in (*plan.puts, *plan.side_puts):
        after[put.target] = put.manifest.digest
        if put.before:
            before[put.target] = put.before
    for digest in plan.referrers:
        after[digest] = digest
    return _diff(plan.request.destination.name, before, after)


def _diff(name: str, before: t.Dict[str, str], after: t.Dict[str, str]) -> t.Dict[str, t.Any]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _absent(params: Params, context: Context, image: Reference, digest: t.Optional[str]) -> Result:
    if params["source"]:
        raise ParameterError("source goes with state: present; state: absent deletes image and tags.")
    by_digest = bool(image.digest and not image.tag)
    if by_digest and params["tags"]:
        raise ParameterError(
            "tags and an image by digest: deleting a digest takes all its tags. Name either the tags or the digest."
        )
    tags = () if by_digest else tuple(dict.fromkeys([image.tag or image.locator, *params["tags"]]))
    request = DeleteRequest(image, tags, digest, params["referrers"], params["force_siblings"])
    with RegistryClient(image.registry, access_from(params)) as client:
        plan = read_delete_plan(client, request)
        result = delete_result(plan)
        if plan.changed and not context.check_mode:
            deleter = Deleter(client, plan)
            deleter.apply()
            result["tags"] = sorted(deleter.removed)
            for tag in deleter.removed:
                result["diff"]["before"].setdefault(tag, result["previous_digest"])
            for message in deleter.warnings:
                context.warn(message)
        for message in client.warnings:
            context.warn(message)
        result["requests"] = client.requests
    return result


def delete_result(plan: DeletePlan) -> Result:
    """The result that the plan foretells, complete but for `requests`."""
    first = plan.tags.get(plan.request.tags[0]) if plan.request.tags else plan.digest
    before = dict(plan.tags)
    if plan.digest:
        before.update({target: plan.digest for target in (plan.digest, *plan.siblings)})
    return {
        "changed": plan.changed,
        "image": str(plan.request.repository),
        "digest": None,
        "previous_digest": first,
        "media_type": None,
        "size": None,
        "tags": sorted([*plan.tags, *plan.siblings]),
        "referrers": [],
        "bytes_transferred": 0,
        "blobs": {MOUNT: 0, EXISTING: 0, COPY: 0},
        "diff": _diff(plan.request.repository.name, before, {}),
    }


REGISTRY_IMAGE = Operation("registry_image", SPEC, run, requires=("requests",), long=True)
