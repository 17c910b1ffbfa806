# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_prune: take the images of an app's forgotten releases off a host, and nothing else.

The caller names the digests that may go (the ledger knows which releases nobody can go back to any more). Only names in the
app's own repository are taken away, so an image that another environment runs, or that another repository names too, stays.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..common.errors import ConflictError, ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import labels, parse
from .connection import CONNECTION
from .engine import Attrs, Engine
from .faults import NotFoundError
from .images import familiar

APP_PRUNE_SPEC = (
    Spec(
        options={
            "app": {"type": "str", "required": True},
            "environment_name": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "digests": {"type": "list", "elements": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
        }
    )
    + CONNECTION
)


@dataclass(frozen=True)
class Item:
    """One image on the host: what it is called in the repository, and why it goes or stays."""

    id: str
    digest: str
    references: t.Tuple[str, ...]
    size: int
    reason: str
    goes: bool

    def facts(self) -> t.Dict[str, t.Any]:
        return {
            "id": self.id,
            "digest": self.digest,
            "references": list(self.references),
            "size": self.size,
            "reason": self.reason,
        }


def plan(
    images: t.Sequence[Attrs], containers: t.Sequence[Attrs], repository: str, digests: t.Set[str], keep: t.Set[str]
) -> t.List[Item]:
    """What becomes of each image of `repository` on the host.

    `images` and `containers` are the engine's lists, the containers with the stopped ones. An image goes only when its digest
    is among `digests`, not in `keep`, and no container was made from it: of whatever app, running or not.
    """
    users: t.Dict[str, t.List[str]] = {}
    for container in containers:
        users.setdefault(container["ImageID"], []).append(container["Names"][0].lstrip("/"))
    items = [_item(image, users, familiar(repository), digests, keep) for image in images]
    return sorted((item for item in items if item), key=lambda item: (item.goes, item.references))


def _item(
    image: Attrs, users: t.Mapping[str, t.List[str]], repository: str, digests: t.Set[str], keep: t.Set[str]
) -> t.Optional[Item]:
    pinned = [entry for entry in image.get("RepoDigests") or [] if entry.rpartition("@")[0] == repository]
    tags = [entry for entry in image.get("RepoTags") or [] if entry.rpartition(":")[0] == repository]
    if not pinned:
        return None  # never came from this repository
    own = sorted({entry.rpartition("@")[2] for entry in pinned})
    goes, reason = False, "not one of the releases to forget"
    kept = sorted(set(own) & keep)
    if kept:
        reason = "kept: a release that can be gone back to"
    elif set(own) <= digests:
        using = sorted(users.get(image["Id"], []))
        goes, reason = not using, f"used by {', '.join(using)}" if using else "no release that is kept has it"
    references = tuple([*sorted(tags), *sorted(pinned)])
    return Item(image["Id"], (kept or own)[0], references, int(image.get("Size") or 0), reason, goes)


def forgotten_tasks(containers: t.Sequence[Attrs], app: str, environment: str) -> t.List[Attrs]:
    """One-off containers of this app and environment that a killed run left behind, ended."""
    return [
        container
        for container in containers
        if labels.TASK_OF in (container.get("Labels") or {})
        and container["Labels"].get(labels.APP) == app
        and container["Labels"].get(labels.ENVIRONMENT) == environment
        and container["State"] in ("exited", "dead", "created")
    ]


def run(params: Params, context: Context) -> Result:
    """Remove what may go. Raises ParameterError, UnreachableError, SlipwayError."""
    _check(params)
    with Engine.connect(params) as engine:
        containers = engine.containers()
        images = engine.call("list images", engine.client.images)
        items = plan(images, containers, params["repository"], set(params["digests"]), set(params["keep"]))
        tasks = forgotten_tasks(containers, params["app"], params["environment_name"])
        going = [item for item in items if item.goes]
        if not context.check_mode:
            for container in tasks:
                engine.remove(container["Id"])
            going = [item for item in going if _removed(engine, item, context)]
    names = [container["Names"][0].lstrip("/") for container in tasks]
    before = {reference: item.size for item in going for reference in item.references}
    return {
        "changed": bool(going or tasks),
        "removed": [item.facts() for item in going],
        "kept": [item.facts() for item in items if item not in going],
        "containers": names,
        "diff": {"before": {**before, **dict.fromkeys(names, "ended")}, "after": {}},
    }


def _check(params: Params) -> None:
    wrong = []
    for option in ("digests", "keep"):
        for value in params[option]:
            try:
                parse.digest(value, option)
            except ParameterError as error:
                wrong.append(error.msg)
    if wrong:
        raise ParameterError(" ".join(wrong))


def _removed(engine: Engine, item: Item, context: Context) -> bool:
    """Take the image's names in the repository away, which removes it where it has no other. False if it is in use now."""
    for reference in item.references:
        try:
            engine.call(f"remove image {reference}", engine.client.remove_image, reference)
        except NotFoundError:
            continue  # the engine drops the digest along with a repository's last tag
        except ConflictError as error:
            context.warn(f"{error.msg} It was left: a container was made from it meanwhile.")
            return False
    return True


APP_PRUNE = Operation(name="app_prune", spec=APP_PRUNE_SPEC, run=run, requires=("docker",))
