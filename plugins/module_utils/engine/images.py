# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image has to run, by digest, and getting it onto the engine. Everything goes through the engine.

A tag is only a name: it is resolved to a digest first, and what is created is checked against that.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from ..common.errors import ConflictError, DeniedError, ParameterError, SlipwayError, UnreachableError
from .actual import Container
from .desired import Wanted
from .engine import Attrs, Engine
from .faults import NotFoundError, translated
from .parse import Reference
from .transfers import Transfers

try:
    from .docker_py import auth as docker_auth
except ImportError:  # Operation.requires reports it
    docker_auth = None

PULL_SILENCE = 600.0  # seconds without a word from the daemon after which a pull counts as stuck
Auth = t.Optional[t.Dict[str, str]]


@dataclass(frozen=True)
class Choice:
    """The image that has to run.

    `digest` is its manifest digest, or None for one that no registry knows. `local` is what the engine says about it,
    None while it is not there; `create_from` is the reference to create a container from, `pull` the one to fetch.
    `presumed`: it is known from a container that was made from it, and was not looked at itself.
    """

    reference: Reference
    digest: t.Optional[str]
    local: t.Optional[Attrs] = None
    pull: str = ""
    presumed: bool = False

    @property
    def id(self) -> t.Optional[str]:
        return self.local["Id"] if self.local else None

    @property
    def create_from(self) -> str:
        """The tag where it names this very image, so that people recognise it; else the digest, else the id."""
        tags = (self.local or {}).get("RepoTags") or []
        if self.reference.tag and familiar(self.reference.text) in tags:
            return self.reference.text
        return self.reference.pinned(self.digest) if self.digest else str(self.id)

    def is_of(self, container: Container) -> bool:
        """True when the container was made from this image."""
        if self.digest and container.digest:
            return self.digest == container.digest or (self.id is not None and container.attrs["Image"] == self.id)
        return self.id is not None and container.attrs["Image"] == self.id


def credentials(engine: Engine, params: t.Mapping[str, t.Any], reference: Reference) -> Auth:
    """The registry login to send along: the options', else the auth file's; None leaves it to docker-py's own search."""
    if params["registry_username"]:
        return {"username": params["registry_username"], "password": params["registry_password"]}
    if params["registry_auth_file"]:
        what = f"use {params['registry_auth_file']}"
        config = engine.call(what, docker_auth.load_config, config_dict=_auth_file(params["registry_auth_file"]))
        registry, _rest = docker_auth.resolve_repository_name(reference.name)
        return engine.call(what, config.resolve_authconfig, registry) or {}
    return None


def _auth_file(path: str) -> t.Dict[str, t.Any]:
    """The file's content; docker-py itself passes over a file that it cannot read."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except (OSError, ValueError) as error:
        raise ParameterError(f"registry_auth_file: {path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ParameterError(f"registry_auth_file: {path} is no Docker configuration.")
    return {"auths": {}, **content}


def resolve(engine: Engine, wanted: Wanted, auth: Auth, known: t.Sequence[Container], offline: bool) -> Choice:
    """The Choice for `wanted`, without writing anything.

    Reads the engine, and through it the registry when the image is not here or `pull` is `always`. `known` are our
    containers: one that carries the wanted digest needs no look at images. `offline` says that a failing registry is
    for the later pull to report. Raises NotFoundError, ConflictError, DeniedError, UnreachableError, SlipwayError.
    """
    reference = wanted.image
    if reference is None:  # the argument spec requires it for state started
        raise ValueError("no image to resolve")
    if wanted.digest:
        return _by_digest(engine, wanted, reference, wanted.digest, auth, known, offline)
    if wanted.pull != "always":
        local = engine.image(reference.text)
        if local:
            return Choice(reference, _digest_of(local, reference, known), local)
        _refuse_if_never(engine, wanted, reference.text)
    remote = _remote_digest(engine, reference.text, auth, offline)
    if remote is None:
        return Choice(reference, None, pull=reference.text)
    local = engine.image(reference.pinned(remote))
    return Choice(reference, remote, local, pull="" if local else reference.pinned(remote))


def _by_digest(
    engine: Engine,
    wanted: Wanted,
    reference: Reference,
    digest: str,
    auth: Auth,
    known: t.Sequence[Container],
    offline: bool,
) -> Choice:
    carrier = next((container for container in known if container.digest == digest), None)
    if carrier is not None:
        return Choice(reference, digest, {"Id": carrier.attrs["Image"]}, presumed=True)
    local = engine.image(reference.pinned(digest))
    if local:
        return Choice(reference, digest, local)
    if wanted.pull == "never":
        _refuse_other(engine, reference, digest)
    _refuse_moved_tag(engine, reference, digest, auth, offline)
    return Choice(reference, digest, pull=reference.pinned(digest))


def _refuse_if_never(engine: Engine, wanted: Wanted, image: str) -> None:
    if wanted.pull == "never":
        raise NotFoundError(f"{engine.host}: image {image} is not here, and pull is never. Load it, or allow the pull.")


def _refuse_other(engine: Engine, reference: Reference, digest: str) -> None:
    """pull: never, and no image of that digest: say what is here under the tag instead."""
    local = engine.image(reference.text) if reference.tag else None
    if local is None:
        raise NotFoundError(
            f"{engine.host}: {reference.pinned(digest)} is not here, and pull is never. Load it, or allow the pull."
        )
    here = ", ".join(local.get("RepoDigests") or []) or f"{local['Id']} without a registry's digest"
    raise ConflictError(
        f"{engine.host}: {reference.text} is here as {here}, not as {digest}, and pull is never. Nothing was changed."
    )


def _refuse_moved_tag(engine: Engine, reference: Reference, digest: str, auth: Auth, offline: bool) -> None:
    """ConflictError when the tag that was named along with the digest means another image in the registry."""
    remote = None
    if reference.tag:
        try:
            remote = _remote_digest(engine, reference.text, auth, offline)
        except NotFoundError:
            remote = None  # a tag that is gone does not matter while the digest is there
    if remote and remote != digest:
        raise ConflictError(
            f"{engine.host}: {reference.text} is {remote} in the registry, not {digest} as asked, so it is refused; "
            f"nothing was changed. Was the tag pushed again? To run that digest whatever the tag says, set image to "
            f"{reference.pinned(digest)}."
        )
    if not remote:
        _remote_digest(engine, reference.pinned(digest), auth, offline)


def _remote_digest(engine: Engine, image: str, auth: Auth, offline: bool) -> t.Optional[str]:
    """The manifest digest that the registry has for `image`, asked through the engine; nothing is downloaded."""
    what = f"ask the registry for {image}"
    try:
        facts = engine.call(what, engine.client.inspect_distribution, image, auth)
    except NotFoundError as error:
        raise NotFoundError(f"{error.msg} There is no such image: check its name, tag or digest.") from error
    except (UnreachableError, DeniedError):
        raise  # the engine itself is gone, or the registry does not want us
    except SlipwayError:
        if not offline:
            raise
        return None  # some registries and mirrors answer pulls alone; if it is down, the pull says so
    return facts["Descriptor"]["digest"]


def _digest_of(local: Attrs, reference: Reference, known: t.Sequence[Container]) -> t.Optional[str]:
    """The local image's manifest digest in this repository; of several, the one that a container of ours carries."""
    name = familiar(reference.name)
    entries = (entry.partition("@") for entry in local.get("RepoDigests") or [])
    digests = sorted({digest for repository, _sep, digest in entries if repository == name})
    carried = [container.digest for container in known if container.digest in digests]
    return (carried or digests or [None])[0]


def familiar(name: str) -> str:
    """Docker's own short spelling of a Docker Hub repository; other names are as they are."""
    for prefix in ("index.docker.io/", "docker.io/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            return name[len("library/") :] if name.startswith("library/") else name
    return name


def fetch(engine: Engine, choice: Choice, auth: Auth, may_pull: bool = True) -> Choice:
    """Pull what the choice lacks, verify it, and give it its tag. The choice with `local` and `digest` filled in."""
    if not choice.pull:
        choice = _look_again(engine, choice, may_pull) if choice.presumed else choice
        if choice.local:
            return choice
    digest = pull(engine, choice.pull, auth) or choice.digest
    if choice.digest and digest != choice.digest:
        raise ConflictError(
            f"{engine.host}: pulled {choice.pull}, and got {digest} instead of {choice.digest}. Nothing was changed."
        )
    got = replace(choice, digest=digest, pull="")
    local = engine.image(got.reference.pinned(digest) if digest else choice.pull)
    if local is None:
        raise SlipwayError(f"{engine.host}: pulled {choice.pull}, but the engine does not have it. Is its disk full?")
    if got.reference.tag and familiar(got.reference.text) not in (local.get("RepoTags") or []):
        name, tag = got.reference.name, got.reference.tag
        engine.call(f"tag {got.reference.text}", engine.client.tag, local["Id"], name, tag)
        local = {**local, "RepoTags": [*(local.get("RepoTags") or []), familiar(got.reference.text)]}
    return replace(got, local=local)


def _look_again(engine: Engine, choice: Choice, may_pull: bool) -> Choice:
    """What is known of the image came from a container's label: ask for the image itself before it is used."""
    pinned = choice.reference.pinned(choice.digest or "")
    local = engine.image(pinned)
    if local is None and not may_pull:
        raise NotFoundError(f"{engine.host}: image {pinned} is not here any more, and pull is never.")
    return replace(choice, local=local, pull="" if local else pinned, presumed=False)


def pull(engine: Engine, image: str, auth: Auth) -> t.Optional[str]:
    """Pull and return the digest that the daemon names.

    An error that comes in the stream of a 200 answer is raised like any other, with the daemon's words.
    """
    client = engine.client
    what = f"pull {image}"
    name, separator, tag = image.rpartition("@")
    if not separator:
        name, _sep, tag = image.rpartition(":")
    headers = {}
    if auth is not None:
        headers["X-Registry-Auth"] = docker_auth.encode_header(auth)
    else:
        registry, _rest = docker_auth.resolve_repository_name(name)
        header = engine.call(what, docker_auth.get_config_header, client, registry)
        headers.update({"X-Registry-Auth": header} if header else {})
    with translated(engine.host, what):
        response = client.post(
            f"{client.base_url}/v{client.api_version}/images/create",
            params={"fromImage": name, "tag": tag},
            headers=headers,
            stream=True,
            timeout=max(PULL_SILENCE, client.timeout),
        )
        client._raise_for_status(response)
        with engine.progress.meter(what) as meter:
            layers = Transfers(meter)
            try:
                return read_pull(response.iter_lines(), f"{engine.host}: {what}", layers)
            finally:
                engine.bytes_pulled += layers.fetched


def read_pull(lines: t.Iterable[bytes], prefix: str, layers: t.Optional[Transfers] = None) -> t.Optional[str]:
    """The digest in a pull's progress stream. SlipwayError for an error in the stream, or a stream that was cut.

    `layers` takes in what the stream says of them.
    """
    digest = None
    ended = False
    for line in lines:
        if not line.strip():
            continue
        message = json.loads(line)
        error = (message.get("errorDetail") or {}).get("message") or message.get("error")
        if error:
            raise SlipwayError(f"{prefix}: {error}")
        if layers is not None:
            layers.take(message)
        status = str(message.get("status", ""))
        if status.startswith("Digest: "):
            digest = status[len("Digest: ") :]
        ended = ended or status.startswith("Status: ")
    if not ended:
        raise SlipwayError(f"{prefix}: the daemon ended the pull without saying that it is complete.")
    return digest
