# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image's own confd, run in containers without a network, and what else the image says about its settings."""

from __future__ import annotations

import contextlib
import io
import posixpath
import shlex
import tarfile
import time
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, ParameterError, SlipwayError, UnreachableError
from ..common.operation import Params
from ..engine.checksums import Stream
from ..engine.connection import CONNECTION
from ..engine.engine import Engine
from ..engine.faults import NotFoundError, translated
from .binary import Confd, Output, Ran, Tree, arguments, dialect_of
from .functions import LEGACY

_ROOT = "/slipway-confd"
_LABEL = "slipway.purpose"
_PURPOSE = "confd_check"
_LEFT_BEHIND = 3600  # seconds after which a container of a killed run is nobody's any more
_MAX_LINKS = 16
_LARGEST = 64 << 20  # bytes of templates, and of what confd writes


@contextlib.contextmanager
def opened(params: Params, deadline: Deadline) -> t.Iterator[ImageConfd]:
    """The image that the options name, on the engine that they name. ParameterError, UnreachableError, SlipwayError."""
    given = {"docker_host": params["docker_host"], **(params["docker_connection"] or {})}
    validated = ArgumentSpecValidator(CONNECTION.options).validate(
        {name: value for name, value in given.items() if value is not None}
    )
    if validated.error_messages:
        raise ParameterError("\n".join(f"docker_connection: {message}" for message in validated.error_messages))
    variables = {**(params["env"] or {}), **(params["secret_env"] or {})}
    with Engine.connect(validated.validated_parameters) as engine:
        _sweep(engine)
        found = ImageConfd(engine, params["image"], params["confd"] or "confd", variables, deadline)
        try:
            yield found
        finally:
            found.close()


def _sweep(engine: Engine) -> None:
    """Remove what a run that was killed has left behind."""
    for container in engine.containers(f"{_LABEL}={_PURPOSE}"):
        if container["Created"] < time.time() - _LEFT_BEHIND:
            engine.remove(container["Id"])


@dataclass
class ImageConfd(Confd):
    """`dialect` is settled by the first question for it; `found` says whether the image has a confd at all."""

    engine: Engine
    image: str
    binary: str
    variables: t.Mapping[str, t.Any]
    deadline: Deadline
    found: bool = True
    _config: t.Dict[str, t.Any] = field(default_factory=dict)
    _probe: str = ""

    def __post_init__(self) -> None:
        attrs = self.engine.image(self.image)
        if attrs is None:
            raise SlipwayError(
                f"{self.engine.host} has no image {self.image}, so its confd was not asked. Pull it there first, "
                "for example by app_container with state pulled."
            )
        self.where = f"confd of {self.image}"
        self._config = attrs.get("Config") or {}
        self._probe = self._create(["-version"])
        self.dialect = self._asked()

    @property
    def root(self) -> str:
        return _ROOT

    @property
    def environment(self) -> t.Dict[str, str]:
        """The image's variables and those of the container."""
        image = dict(each.partition("=")[::2] for each in self._config.get("Env") or [])
        return {**image, **{name: str(value) for name, value in self.variables.items()}}

    def close(self) -> None:
        if self._probe:
            self.engine.remove(self._probe)

    def run(self, tree: Tree, folders: t.Sequence[str], root: str) -> Ran:
        container = self._create(arguments(self.dialect, root))
        try:
            archive = _packed(root, tree, folders)
            self.engine.call("copy the settings to check", self.engine.client.put_archive, container, "/", archive)
            code = self._finished(container)
            log = self.engine.logs(container, "all")
            written = self.files(f"{root}/out", container)
        finally:
            self.engine.remove(container)
        return Ran(
            code, log, {name: file for name, file in written.items() if not name.rpartition("/")[2].startswith(".")}
        )

    def files(self, path: str, container: str = "") -> t.Dict[str, Output]:
        """Every file below a folder of the image, or a file itself as "", by relative path. Empty where there is none."""
        container = container or self._probe
        for _turn in range(_MAX_LINKS):
            try:
                pieces, _stat = self.engine.call(f"read {path}", self.engine.client.get_archive, container, path)
            except NotFoundError:
                return {}
            with translated(self.engine.host, f"read {path}"), contextlib.closing(pieces):
                found = _unpacked(Stream(pieces))
            if not isinstance(found, str):
                return found
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found))
        return {}

    def has_folder(self, path: str) -> bool:
        """Whether the image has this folder; links are followed."""
        client = self.engine.client
        url = f"{client.base_url}/v{client.api_version}/containers/{self._probe}/archive"
        with translated(self.engine.host, f"look for {path}"):
            answer = client.head(url, params={"path": path.rstrip("/") + "/."}, timeout=client.timeout)
        return bool(answer.status_code == 200)

    def start_scripts(self) -> t.Dict[str, str]:
        """What the container runs at its start: the command itself, and the scripts that it names, by their name."""
        words = [*(self._config.get("Entrypoint") or []), *(self._config.get("Cmd") or [])]
        plain = words and posixpath.basename(words[0]) == "confd"
        found = {"the image's command": " ".join(map(shlex.quote, words)) if plain else "\n".join(words)}
        for word in words:
            if word.startswith("/") and not word.endswith("/"):
                content = self.files(word).get("")
                if content is not None and content.content.startswith(b"#!"):
                    found[word] = content.content.decode("utf-8", "replace")
        return found

    def _asked(self) -> str:
        try:
            return dialect_of(self._finished(self._probe))
        except (UnreachableError, DeadlineError):
            raise
        except SlipwayError as error:
            if "executable file not found" not in error.msg and "no such file or directory" not in error.msg:
                raise
            self.found = False
            return LEGACY

    def _create(self, words: t.Sequence[str]) -> str:
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        payload = {
            "Image": self.image,
            "Entrypoint": [self.binary],
            "Cmd": list(words),
            "Env": variables,
            "Labels": {_LABEL: _PURPOSE},
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "json-file"}},
        }
        # docker-py's own way with a name would not do: there is none, the engine gives one.
        made = self.engine.call(
            f"create a container of {self.image}", self.engine.client.create_container_from_config, payload
        )
        return str(made["Id"])

    def _finished(self, container: str) -> int:
        """Start it and wait; its exit code."""
        self.engine.start(container)
        try:
            answer = self.engine.call(
                f"wait for {self.where}",
                self.engine.client.wait,
                container,
                timeout=max(1.0, self.deadline.remaining()),
            )
        except UnreachableError as error:
            if self.deadline.expired():
                raise DeadlineError(f"{self.where} did not end within {self.deadline.seconds:g} s.") from error
            raise
        return int(answer["StatusCode"])


def _packed(root: str, tree: Tree, folders: t.Sequence[str]) -> bytes:
    """The tree as an archive for the container's root; folders are writable for whoever the image runs as."""
    buffer = io.BytesIO()
    names = {root.strip("/"), *(f"{root.strip('/')}/{name}" for name in folders)}
    names |= {posixpath.dirname(f"{root.strip('/')}/{name}") for name in tree}
    above = {"/".join(name.split("/")[:length]) for name in names for length in range(1, name.count("/") + 2)}
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in sorted(above):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(entry)
        for name, content in tree.items():
            entry = tarfile.TarInfo(f"{root.strip('/')}/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _unpacked(stream: Stream) -> t.Union[str, t.Dict[str, Output]]:
    """The regular files of an archive by path relative to its first entry, or the target of a link that was asked for.

    A link inside the folder stands for the file of the same folder that it names; others are left out.
    """
    files: t.Dict[str, Output] = {}
    links: t.Dict[str, str] = {}
    top = ""
    total = 0
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for entry in archive:
            if not top:
                top = posixpath.normpath(entry.name)
                if entry.issym():
                    return entry.linkname
            name = posixpath.normpath(entry.name)[len(top) :].lstrip("/")
            if entry.issym():
                links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.linkname))
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is not None:
                total += entry.size
                if total > _LARGEST:
                    raise SlipwayError(f"{top} has more than {_LARGEST >> 20} MiB, which is no folder of templates.")
                files[name] = Output(content.read(), entry.mode & 0o7777)
    files.update({name: files[target] for name, target in links.items() if target in files})
    return files
