# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image's options, read and checked before anything is opened or contacted: every finding in one error."""

from __future__ import annotations

import datetime
import os
import posixpath
import re
import shlex
import typing as t
from dataclasses import dataclass

from ..common import units
from ..common.errors import ParameterError
from ..registry.reference import DEFAULT_TAG, Reference, check_tag
from .config import Settings

T = t.TypeVar("T")

LAYERS = "layers"
DOCKERFILE = "dockerfile"
_NOT_FOR: t.Mapping[str, t.Sequence[str]] = {
    LAYERS: ("dockerfile", "context", "build_args", "target", "pull", "no_cache", "cache_from", "network"),
    DOCKERFILE: ("base", "dest", "files", "entrypoint", "cmd", "env", "ports", "user", "working_dir", "volumes",
                 "healthcheck", "stop_signal", "created", "compression"),
}  # fmt: skip
_UNSET: t.Mapping[str, t.Any] = {"created": "source", "compression": "gzip"}  # what these say when nobody set them
_PORT = re.compile(r"(?P<first>\d{1,5})(-(?P<last>\d{1,5}))?(/(?P<protocol>tcp|udp|sctp))?")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?")
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]+|\d{1,2}")
_MODE = re.compile(r"0?o?[0-7]{3}")
_TIMES = ("source", "epoch", "now")
_DURATIONS = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
_NANOSECONDS = 1_000_000_000


class Findings:
    """Collects what is wrong with a task's options, so that one run tells all of it."""

    def __init__(self) -> None:
        self.messages: t.List[str] = []

    def add(self, message: str) -> None:
        self.messages.append(message)

    def take(self, read: t.Callable[..., T], *arguments: t.Any) -> t.Optional[T]:
        """`read(*arguments)`, or None and a finding when that raises ParameterError."""
        try:
            return read(*arguments)
        except ParameterError as error:
            self.add(error.msg)
            return None

    def error(self) -> ParameterError:
        """One error with every message."""
        if len(self.messages) == 1:
            return ParameterError(self.messages[0])
        return ParameterError(f"{len(self.messages)} options cannot work. " + " ".join(self.messages))


@dataclass(frozen=True)
class ExtraFiles:
    """One item of `files`.

    `dest` is absolute; `into` says that it was written with a "/" behind, so that a single file goes below it. `mode` is
    the files' permission bits; None keeps their own execute bit.
    """

    src: str
    dest: str
    mode: t.Optional[int]
    into: bool = False


@dataclass(frozen=True)
class Order:
    """What is to be built by the layers method."""

    image: Reference
    tags: t.Tuple[str, ...]
    base: Reference
    platform: t.Optional[str]
    folder: str
    artifact: t.Optional[str]
    dest: t.Optional[str]
    files: t.Tuple[ExtraFiles, ...]
    settings: Settings
    created: str
    compression: str
    overwrite: bool


def read_order(params: t.Mapping[str, t.Any]) -> Order:
    """The options of method layers. Raises ParameterError with everything that is wrong with them."""
    findings = Findings()
    image = findings.take(image_reference, params["image"])
    tags = findings.take(further_tags, params)
    wrong_method(params, findings)
    base = findings.take(Reference.parse, params["base"], "base") if params["base"] else None
    if not params["base"]:
        findings.add(
            "base: method layers needs the image to build on, for example registry.example.com/base/tomcat:10."
        )
    if not params["artifact"] and not params["files"]:
        findings.add("artifact: there is nothing to put into the image; give artifact, files or both.")
    folder = start_folder(params["chdir"])
    files = tuple(item for item in (_files(entry, folder, findings) for entry in params["files"] or ()) if item)
    dest = findings.take(absolute, params["dest"], "dest") if params["dest"] else None
    settings = _settings(params, findings)
    platform = findings.take(_platform, params["platform"])
    created = findings.take(_created, params["created"])
    if image is None or base is None or tags is None or created is None or findings.messages:
        raise findings.error()
    return Order(
        image=image,
        tags=tags,
        base=base,
        platform=platform,
        folder=folder,
        artifact=params["artifact"],
        dest=dest,
        files=files,
        settings=settings,
        created=created,
        compression=params["compression"],
        overwrite=params["overwrite"],
    )


def image_reference(text: t.Any) -> Reference:
    """The image to push: a tag (or none, for `latest`), never a digest, which only the build can tell."""
    reference = Reference.parse(text, "image")
    if reference.digest:
        raise ParameterError(f"image: {text!r} names a digest; an image to be built is named by a tag.")
    return reference if reference.tag else reference.with_tag(DEFAULT_TAG)


def further_tags(params: t.Mapping[str, t.Any]) -> t.Tuple[str, ...]:
    """`tags`, each once, checked."""
    return tuple(dict.fromkeys(check_tag(tag, "tags") for tag in params["tags"] or ()))


def wrong_method(params: t.Mapping[str, t.Any], findings: Findings) -> None:
    """Options that were set and that the chosen method would ignore."""
    method = params["method"]
    other = DOCKERFILE if method == LAYERS else LAYERS
    for name in _NOT_FOR[method]:
        if params.get(name) not in (None, False, [], {}, _UNSET.get(name)):
            in_file = method == DOCKERFILE and name not in _UNSET
            where = "write it in the Dockerfile" if in_file else "leave it out"
            findings.add(f"{name}: works with method {other} only; {where}, or choose that method.")


def absolute(text: t.Any, option: str) -> str:
    """A path in the image: absolute, without `..`, normalised."""
    value = str(text)
    if not value.startswith("/") or ".." in value.split("/") or "\0" in value:
        raise ParameterError(f"{option}: {value!r} must be an absolute path in the image, without '..'.")
    clean = "/" + posixpath.normpath(value).strip("/")
    if clean == "/":
        raise ParameterError(f"{option}: {value!r} is the image's root; name a folder below it.")
    return clean


def start_folder(chdir: t.Optional[str]) -> str:
    """Where relative paths start, absolute: `chdir`, or where the task runs."""
    return os.path.abspath(os.path.expanduser(chdir or "."))


def _files(item: t.Mapping[str, t.Any], folder: str, findings: Findings) -> t.Optional[ExtraFiles]:
    dest = findings.take(absolute, item["dest"], "files: dest")
    mode = findings.take(_mode, item.get("mode"))
    return (
        ExtraFiles(os.path.join(folder, os.path.expanduser(item["src"])), dest, mode, str(item["dest"]).endswith("/"))
        if dest
        else None
    )


def _mode(text: t.Any) -> t.Optional[int]:
    if text is None:
        return None
    if not isinstance(text, str) or not _MODE.fullmatch(text):  # of a number, nobody knows in which base it was meant
        raise ParameterError(f'files: mode {text!r} is no mode; write three octal digits in quotes, as in "0644".')
    return int(text.replace("o", ""), 8)


# -- the image's config -----------------------------------------------------------------------------------------------


def _settings(params: t.Mapping[str, t.Any], findings: Findings) -> Settings:
    stop_signal = params["stop_signal"]
    if stop_signal is not None and not _SIGNAL.fullmatch(str(stop_signal)):
        findings.add(f"stop_signal: {stop_signal!r} is no signal; write for example SIGTERM.")
    working_dir = params["working_dir"]
    return Settings(
        env=findings.take(texts, params["env"], "env") or {},
        labels=findings.take(texts, params["labels"], "labels") or {},
        ports=tuple(port for item in params["ports"] or () for port in findings.take(_ports, item) or ()),
        volumes=tuple(filter(None, (findings.take(absolute, item, "volumes") for item in params["volumes"] or ()))),
        entrypoint=findings.take(words, params["entrypoint"], "entrypoint"),
        cmd=findings.take(words, params["cmd"], "cmd"),
        user=params["user"],
        working_dir=findings.take(absolute, working_dir, "working_dir")
        if working_dir not in (None, "/")
        else working_dir,
        stop_signal=stop_signal,
        healthcheck=findings.take(_healthcheck, params["healthcheck"]),
    )


def texts(mapping: t.Optional[t.Mapping[str, t.Any]], option: str) -> t.Dict[str, str]:
    """A mapping of names to text; numbers become text, what YAML made a boolean, null or list is refused."""
    result: t.Dict[str, str] = {}
    for name, value in (mapping or {}).items():
        if not name or "=" in str(name) or "\0" in str(name):
            raise ParameterError(f"{option}: {name!r} is no name.")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ParameterError(f"{option}: the value of {name} is {value!r} ({type(value).__name__}); quote it.")
        result[str(name)] = str(value)
    return result


def words(value: t.Any, option: str) -> t.Optional[t.Tuple[str, ...]]:
    """A command: a list as it is, a string split as a shell would split it (no shell runs it)."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ParameterError(f"{option}: {value!r} cannot be split into words: {error}.") from error
    if not isinstance(value, list) or not all(isinstance(item, (str, int, float)) for item in value):
        raise ParameterError(f"{option}: {value!r} is neither a string nor a list of strings.")
    return tuple(str(item) for item in value)


def _ports(text: t.Any) -> t.Tuple[str, ...]:
    match = _PORT.fullmatch(str(text).strip().lower())
    first = int(match.group("first")) if match else 0
    last = int(match.group("last") or first) if match else 0
    if not match or not 0 < first <= last <= 65535:
        raise ParameterError(f"ports: {text!r} is no port of an image; write 8080, 8080/tcp or 9000-9010/udp.")
    return tuple(f"{port}/{match.group('protocol') or 'tcp'}" for port in range(first, last + 1))


def _healthcheck(value: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[t.Dict[str, t.Any]]:
    if value is None:
        return None
    result: t.Dict[str, t.Any] = {"Test": _health_test(value.get("test"))}
    for name, docker_name in _DURATIONS.items():
        if value.get(name) is not None:
            result[docker_name] = round(units.seconds(value[name], f"healthcheck: {name}") * _NANOSECONDS)
    if value.get("retries") is not None:
        result["Retries"] = value["retries"]
    return result


def _health_test(test: t.Any) -> t.List[str]:
    if isinstance(test, str) and test:
        return ["NONE"] if test == "NONE" else ["CMD-SHELL", test]
    if not isinstance(test, list) or not test:
        raise ParameterError(f"healthcheck: test is {test!r}; it must be a shell command, or a list of words.")
    command = [str(item) for item in test]
    return command if command[0] in ("CMD", "CMD-SHELL", "NONE") else ["CMD", *command]


# -- platform and time ------------------------------------------------------------------------------------------------


def _platform(text: t.Optional[str]) -> t.Optional[str]:
    if text is not None and not _PLATFORM.fullmatch(text):
        raise ParameterError(f"platform: {text!r} is no platform; write for example linux/amd64 or linux/arm/v7.")
    return text


def _created(text: str) -> str:
    return text if text in _TIMES else rfc3339(parse_time(text))


def parse_time(text: str) -> datetime.datetime:
    """An RFC 3339 time, with its offset; ParameterError otherwise."""
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ParameterError(
            f"created: {text!r} is neither {', '.join(_TIMES)} nor an RFC 3339 time such as 2026-03-01T12:00:00Z."
        )
    return moment


def rfc3339(moment: datetime.datetime) -> str:
    """In UTC, to the second: the way it stands in the image."""
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def resolve_created(option: str, newest: int, environ: t.Mapping[str, str], now: float) -> t.Tuple[str, bool]:
    """(RFC 3339 time for the image, whether somebody named it and a change of it is a change of the image).

    `option` is source, epoch, now or a time; `newest` is the artifact's latest mtime and `now` the clock, both in
    seconds since 1970. `source` takes SOURCE_DATE_EPOCH from `environ` before `newest`.
    """
    if option not in _TIMES:
        return option, True
    if option == "epoch":
        return _at(0), True
    if option == "now":
        return _at(int(now)), False
    given = environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return _at(newest), False
    if not given.isdigit():
        raise ParameterError(f"SOURCE_DATE_EPOCH is {given!r} in the environment; it must be seconds since 1970.")
    return _at(int(given)), True


def _at(seconds: int) -> str:
    return rfc3339(datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc))
