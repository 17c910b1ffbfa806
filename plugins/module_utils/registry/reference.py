# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references: `registry/repository:tag@digest`, read the way Docker reads them, refused with the reason."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..common.errors import ParameterError

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
_HUB_NAMES = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"))
_HOST = re.compile(r"^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)\Z")
_COMPONENT = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_DIGEST_HEX = {"sha256": 64, "sha512": 128}


@dataclass(frozen=True)
class Reference:
    """One name of an image. `tag` and `digest` are None where they were not written."""

    registry: str
    repository: str
    tag: t.Optional[str] = None
    digest: t.Optional[str] = None

    @classmethod
    def parse(cls, text: t.Any, option: str) -> Reference:
        """`text` as a Reference; ParameterError names `option` and says what is wrong with it."""
        value = "" if text is None else str(text)
        _check_characters(value, option)
        rest, digest = _split_digest(value, option)
        name, tag = _split_tag(rest, option, value)
        registry, repository = _split_registry(name, option, value)
        _check_repository(repository, option, value)
        return cls(registry, repository, tag, digest)

    @property
    def locator(self) -> str:
        """What stands behind /manifests/: the digest where there is one, else the tag, else `latest`."""
        return self.digest or self.tag or DEFAULT_TAG

    @property
    def name(self) -> str:
        """`registry/repository`, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def with_tag(self, tag: str) -> Reference:
        """The same repository by another tag, and by no digest."""
        return Reference(self.registry, self.repository, check_tag(tag, "tag"))

    def with_digest(self, digest: str) -> Reference:
        """The same repository by a digest alone."""
        return Reference(self.registry, self.repository, None, check_digest(digest, "digest"))

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def check_tag(tag: t.Any, option: str) -> str:
    """`tag` unchanged; ParameterError when no registry would take it."""
    if not isinstance(tag, str) or not _TAG.match(tag):
        raise ParameterError(
            f"{option}: {tag!r} is no tag; a tag has 1 to 128 letters, digits, '_', '.' and '-', "
            "and starts with a letter, a digit or '_'."
        )
    return tag


def check_digest(digest: t.Any, option: str) -> str:
    """`digest` unchanged; ParameterError unless it is `sha256:` or `sha512:` and all its hex digits, in lower case."""
    algorithm, _colon, digits = str(digest or "").partition(":")
    length = _DIGEST_HEX.get(algorithm)
    if length is None or not re.match(rf"^[0-9a-f]{{{length}}}\Z", digits):
        raise ParameterError(
            f"{option}: {digest!r} is no digest; a digest is sha256: and 64 lower-case hex digits (or sha512: and 128)."
        )
    return str(digest)


def check_registry(host: str, option: str, value: str = "") -> str:
    """`host[:port]`, lower case, Docker Hub's several names as `docker.io`; ParameterError when it is none."""
    lowered = host.lower()
    name, port = lowered, ""
    match = re.match(r"^(\[[^\]]*\]|[^:]*):(.*)$", lowered)
    if match:
        name, port = match.groups()
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise _bad(option, value or host, f"{port!r} is no port")
    if not _HOST.match(name):
        raise _bad(option, value or host, f"{name!r} is no host name")
    return DOCKER_HUB if lowered in _HUB_NAMES else lowered


def _bad(option: str, value: str, why: str) -> ParameterError:
    return ParameterError(
        f"{option}: {value!r} is no image reference: {why}. Write it as registry.example.com/shop/webapi:1.4.2, "
        "or with @sha256:... behind."
    )


def _check_characters(value: str, option: str) -> None:
    if not value:
        raise _bad(option, value, "it is empty")
    if re.search(r"\s", value):
        raise _bad(option, value, "it has blanks")
    if "://" in value:
        raise _bad(option, value, "it starts with a scheme, which a reference does not have")


def _split_digest(value: str, option: str) -> t.Tuple[str, t.Optional[str]]:
    rest, at, digest = value.partition("@")
    if not at:
        return rest, None
    try:
        return rest, check_digest(digest, option)
    except ParameterError as error:
        raise _bad(option, value, f"{digest!r} behind the @ is no digest (sha256: and 64 hex digits)") from error


def _split_tag(rest: str, option: str, value: str) -> t.Tuple[str, t.Optional[str]]:
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        return rest, None
    if not _TAG.match(tag):
        raise _bad(option, value, f"{tag!r} behind the last colon is no tag")
    return name, tag


def _split_registry(name: str, option: str, value: str) -> t.Tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return _hub(check_registry(first, option, value), rest)
    return _hub(DOCKER_HUB, name)


def _hub(registry: str, repository: str) -> t.Tuple[str, str]:
    if registry == DOCKER_HUB and repository and "/" not in repository:
        return registry, f"library/{repository}"
    return registry, repository


def _check_repository(repository: str, option: str, value: str) -> None:
    if not repository:
        raise _bad(option, value, "it names no repository")
    if repository != repository.lower():
        raise _bad(option, value, f"repository names have no upper case letters: {repository.lower()!r}")
    if len(repository) > 255:
        raise _bad(option, value, f"the repository name has {len(repository)} characters, 255 are allowed")
    for component in repository.split("/"):
        if not _COMPONENT.match(component):
            raise _bad(
                option,
                value,
                f"{component!r} is no part of a repository name (lower-case letters and digits, "
                "with single '.', '_', or '-' between them)",
            )
