# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine as a builder: build and push by docker-py, with every error that hides in a stream brought out."""

from __future__ import annotations

import collections
import os
import re
import secrets
import typing as t
from dataclasses import asdict, dataclass

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, DeniedError, ParameterError, SlipwayError, UnreachableError
from ..common.progress import Meter, Progress
from ..engine.connection import docker_url, open_client, wants_tls
from ..engine.faults import translated
from ..engine.transfers import Transfers
from ..registry.credentials import Credentials
from ..registry.reference import DOCKER_HUB, Reference
from .artifact import FOLDER, LINK, Entry, file_entry

try:
    import urllib3

    from ..engine.docker_py import auth as docker_auth
    from ..engine.docker_py import exclude_paths, tar
except ImportError:  # app_image requires docker before it comes here
    urllib3 = None

_SHOWN_LINES = 20
_NOISE = ("--->", "Removing intermediate container")
_STEP = re.compile(r"Step (\d+/\d+) : (.+)")
_BLOCK = 1 << 18
_HUB_KEY = "https://index.docker.io/v1/"
_DENIED = ("denied", "unauthorized", "authentication required", "no basic auth")


@dataclass(frozen=True)
class Build:
    """One docker build; `context` and `dockerfile` are absolute paths."""

    context: str
    dockerfile: str
    build_args: t.Mapping[str, str]
    labels: t.Mapping[str, str]
    target: t.Optional[str]
    platform: t.Optional[str]
    pull: bool
    no_cache: bool
    cache_from: t.Tuple[str, ...]
    network: t.Optional[str]

    def inputs(self) -> t.Dict[str, t.Any]:
        """What of it decides how the image turns out, as JSON data; the files themselves are not in it."""
        data = asdict(self)
        for name in ("context", "pull", "no_cache", "cache_from"):
            del data[name]
        data["dockerfile"] = os.path.relpath(self.dockerfile, self.context)
        return data


@dataclass(frozen=True)
class Pushed:
    """What the engine says it pushed: the manifest's digest, and the first 12 hex digits of the diff_ids that it sent."""

    digest: str
    layers: t.FrozenSet[str]


def context_entries(build: Build) -> t.List[Entry]:
    """The files of the context that .dockerignore lets through, and the Dockerfile wherever it lies."""
    relative = os.path.relpath(build.dockerfile, build.context)
    outside = relative.startswith("..")
    entries = [file_entry(build.dockerfile, ".dockerfile")] if outside else []
    for name in sorted(exclude_paths(build.context, _ignored(build.context), None if outside else relative)):
        path = os.path.join(build.context, name)
        if os.path.islink(path):
            entries.append(Entry(name, LINK, mode=0o777, target=os.readlink(path)))
        elif os.path.isdir(path):
            entries.append(Entry(name, FOLDER, mode=0o755))
        elif os.path.isfile(path):
            entries.append(file_entry(path, name))
        else:
            raise ParameterError(f"context: {path} is a socket, a pipe or a device; name it in .dockerignore.")
    return entries


def _ignored(context: str) -> t.List[str]:
    """The patterns of .dockerignore, read as docker-py reads them for the build itself."""
    try:
        with open(os.path.join(context, ".dockerignore"), encoding="utf-8") as stream:
            lines = [line.strip() for line in stream.read().splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"context: {context}/.dockerignore cannot be read: {error}.") from error
    return [line for line in lines if line and not line.startswith("#")]


def pack_context(build: Build) -> t.Tuple[t.IO[bytes], str]:
    """The context as a tar in a temporary file, without what .dockerignore names, and the Dockerfile's name in it.

    Raises ParameterError when a file cannot be read.
    """
    name: str = os.path.relpath(build.dockerfile, build.context)
    content = None
    try:
        if name.startswith(".."):
            name = f".dockerfile.{secrets.token_hex(20)}"  # docker-py's own way: no name that the context may have
            with open(build.dockerfile, encoding="utf-8") as stream:
                content = stream.read()
        return tar(build.context, exclude=_ignored(build.context), dockerfile=(name, content)), name
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"context: {build.context} cannot be packed: {error}.") from error


class _Body:
    """A file as the body of a request, of a known length and in large pieces, followed by a meter."""

    def __init__(self, file: t.IO[bytes], meter: Meter) -> None:
        self.len = file.seek(0, os.SEEK_END)
        self._file = file
        self._meter = meter
        meter.expect(self.len)

    def __iter__(self) -> t.Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            yield block
            self._meter.add(len(block))


class Engine:
    """A Docker engine while it builds; a context manager that closes the connection."""

    def __init__(self, params: t.Mapping[str, t.Any], progress: Progress) -> None:
        self._params = params
        self._progress = progress
        self.url = docker_url(params["docker_host"])
        self._client: t.Any = None

    @property
    def is_plain_tcp(self) -> bool:
        """Whether what is sent there can be read on the way."""
        return self.url.startswith(("tcp://", "http://")) and not wants_tls(self._params, self.url)

    def __enter__(self) -> Engine:
        self._client = open_client(self._params)
        return self

    def __exit__(self, *_unused: object) -> None:
        self._client.close()

    def build(
        self, build: Build, name: str, labels: t.Mapping[str, str], login: Credentials, deadline: Deadline
    ) -> str:
        """Build and tag as `name`; the image's id. SlipwayError carries the daemon's message and the last output."""
        what = f"build {name} from {build.dockerfile}"
        if login:  # of the user's own logins, docker-py would send all to the engine
            registry = name.split("/", 1)[0]
            self._client._auth_configs = docker_auth.AuthConfig({"auths": {_key(registry): _auth(login)}})
        file, dockerfile = pack_context(build)
        with file, translated(self.url, what):
            with self._progress.meter(f"send the context of {name} to {self.url}") as meter:
                stream = self._client.build(
                    fileobj=_Body(file, meter),
                    custom_context=True,
                    dockerfile=dockerfile,
                    tag=name,
                    buildargs=dict(build.build_args),
                    labels={**build.labels, **labels},
                    target=build.target,
                    platform=build.platform,
                    pull=build.pull,
                    nocache=build.no_cache,
                    cache_from=list(build.cache_from),
                    network_mode=build.network,
                    rm=True,
                    forcerm=True,
                    decode=True,
                    timeout=deadline.remaining(),
                )
            with self._progress.meter(f"build {name}") as meter:
                return self._built(stream, what, deadline, meter)

    def _built(self, stream: t.Iterator[t.Dict[str, t.Any]], what: str, deadline: Deadline, meter: Meter) -> str:
        tail: t.Deque[str] = collections.deque(maxlen=_SHOWN_LINES)
        image_id = ""
        layers = Transfers(meter)
        for event in self._events(stream, what, deadline):
            layers.take(event)
            lines = str(event.get("stream") or "").splitlines()
            tail.extend(line for line in lines if line.strip() and not line.strip().startswith(_NOISE))
            if event.get("status") and not event.get("progressDetail"):
                tail.append(str(event["status"]))
            if _error(event):
                raise self._failure(what, _error(event), list(tail))
            image_id = (event.get("aux") or {}).get("ID") or image_id
            _tell_step(lines, meter)
        if not image_id:
            raise SlipwayError(f"{self.url}: {what}: the engine ended its answer without an image.", log=list(tail))
        return image_id

    def push(self, image_id: str, reference: Reference, login: Credentials, deadline: Deadline) -> Pushed:
        """Tag the image and push it. SlipwayError carries the daemon's message."""
        what = f"push {reference}"
        with translated(self.url, what):
            self._client.timeout = max(1.0, deadline.remaining())
            self._client.tag(image_id, reference.name, reference.tag)
            # An empty dict and not None: None makes docker-py look for other logins, and some engines crash without any.
            auth = _auth(login) if login else {}
            stream = self._client.push(reference.name, tag=reference.tag, stream=True, decode=True, auth_config=auth)
            with self._progress.meter(what) as meter:
                return self._pushed(stream, what, deadline, meter)

    def _pushed(self, stream: t.Iterator[t.Dict[str, t.Any]], what: str, deadline: Deadline, meter: Meter) -> Pushed:
        digest = ""
        sent: t.Set[str] = set()
        layers = Transfers(meter)
        for event in self._events(stream, what, deadline):
            layers.take(event)
            if _error(event):
                raise self._failure(what, _error(event), [])
            if event.get("status") == "Pushed":
                sent.add(str(event.get("id")))
            digest = (event.get("aux") or {}).get("Digest") or digest
        if not digest:
            raise SlipwayError(f"{self.url}: {what}: the engine ended its answer without the image's digest.")
        return Pushed(digest, frozenset(sent))

    def _events(
        self, stream: t.Iterator[t.Dict[str, t.Any]], what: str, deadline: Deadline
    ) -> t.Iterator[t.Dict[str, t.Any]]:
        """The stream's JSON objects, until the deadline; a connection that breaks in the middle is UnreachableError."""
        try:
            for event in stream:
                if deadline.expired():
                    raise self._too_late(what, deadline)
                yield event
        except urllib3.exceptions.ReadTimeoutError as error:
            raise self._too_late(what, deadline) from error
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{self.url}: {what}: the connection broke off: {error}.") from error

    def _too_late(self, what: str, deadline: Deadline) -> DeadlineError:
        return DeadlineError(
            f"{self.url}: {what}: not done after {deadline.seconds:g} s (build_timeout). The engine may still be at it; "
            "nothing was pushed under the image's name unless it says so in the registry."
        )

    def _failure(self, what: str, message: str, tail: t.List[str]) -> SlipwayError:
        output = f" Last output: {' | '.join(tail)}" if tail else ""
        kind = DeniedError if any(word in message.lower() for word in _DENIED) else SlipwayError
        return kind(f"{self.url}: {what}: {message.rstrip('.')}.{output}", log=tail)


def _tell_step(lines: t.Iterable[str], meter: Meter) -> None:
    """Which step of the Dockerfile an engine has come to, and the last line that a step said."""
    for line in filter(None, (line.strip() for line in lines)):
        step = _STEP.match(line)
        if step:
            meter.set(0, 0)  # what an earlier step pulled is no part of this one
        meter.note(f"step {step.group(1)}, {step.group(2)}" if step else line)


def _error(event: t.Mapping[str, t.Any]) -> str:
    """What the engine says went wrong, in a stream that began with HTTP 200."""
    detail = event.get("errorDetail") or {}
    return str(event.get("error") or detail.get("message") or "").strip()


def _auth(login: Credentials) -> t.Dict[str, str]:
    if login.identity_token:
        return {"identitytoken": login.identity_token}
    return {"username": login.username, "password": login.secret}


def _key(registry: str) -> str:
    return _HUB_KEY if registry == DOCKER_HUB else registry
