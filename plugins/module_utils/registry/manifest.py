# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as the registry sent them: the bytes are kept, since their digest is the image's identity."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from .errors import IntegrityError, UnsupportedError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"

INDEX_TYPES = frozenset((OCI_INDEX, DOCKER_LIST))
IMAGE_TYPES = frozenset((OCI_MANIFEST, DOCKER_MANIFEST))
SCHEMA1_TYPES = frozenset(
    (
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    )
)
# Without all four, distribution 2.8 answers 404 for an image that exists in a type that was not named.
ACCEPT = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"

# The distribution spec asks registries to take 4 MiB at least; nobody's honest manifest comes near twice that.
MANIFEST_LIMIT = 8 * 1024 * 1024
CONFIG_LIMIT = 16 * 1024 * 1024


def digest_of(raw: bytes, like: str = "sha256:") -> str:
    """`sha256:<hex>` of `raw`, or sha512 where `like` is a digest of that kind."""
    algorithm = "sha512" if like.startswith("sha512:") else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content: type, digest and size in bytes, plus what the spec lets it carry."""

    media_type: str
    digest: str
    size: int
    annotations: t.Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: t.Mapping[str, t.Any] = field(default_factory=dict, hash=False)
    urls: t.Tuple[str, ...] = ()
    artifact_type: str = ""

    @classmethod
    def from_dict(cls, data: t.Any) -> Descriptor:
        """From manifest JSON; IntegrityError when digest or size is missing."""
        if not isinstance(data, dict) or not isinstance(data.get("digest"), str):
            raise IntegrityError(f"A manifest holds a descriptor without digest: {json.dumps(data)[:200]}.")
        if not isinstance(data.get("size"), int) or data["size"] < 0:
            raise IntegrityError(f"A manifest holds a descriptor without size: {data['digest']}.")
        return cls(
            media_type=str(data.get("mediaType") or ""),
            digest=data["digest"],
            size=data["size"],
            annotations=data.get("annotations") or {},
            platform=data.get("platform") or {},
            urls=tuple(data.get("urls") or ()),
            artifact_type=str(data.get("artifactType") or ""),
        )

    def to_dict(self) -> t.Dict[str, t.Any]:
        """As manifest JSON wants it, empty members left out."""
        data: t.Dict[str, t.Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        for key, value in (
            ("annotations", dict(self.annotations)),
            ("platform", dict(self.platform)),
            ("urls", list(self.urls)),
            ("artifactType", self.artifact_type),
        ):
            if value:
                data[key] = value
        return data

    @property
    def foreign(self) -> bool:
        """True for a layer that lives elsewhere by its licence: registries do not hold it, copies leave it out."""
        return ".foreign." in self.media_type or "nondistributable" in self.media_type

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES


@dataclass(frozen=True)
class Manifest:
    """An image manifest or index: `raw` is what is pushed and hashed, everything else is read from it.

    `digest` is computed when it is empty, checked when it is given (IntegrityError). Schema 1 is refused
    (UnsupportedError): its digest is over part of its bytes, and no current tool makes it.
    """

    raw: bytes
    media_type: str
    digest: str = ""
    data: t.Dict[str, t.Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        actual = digest_of(self.raw, self.digest)
        if self.digest and self.digest != actual:
            raise IntegrityError(
                f"The manifest that was asked for as {self.digest} has the digest {actual}.",
                advice="A proxy or a cache between here and the registry may be changing answers.",
            )
        data = _parse(self.raw)
        object.__setattr__(self, "digest", actual)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "media_type", _media_type(self.media_type, data))

    @classmethod
    def build(cls, data: t.Mapping[str, t.Any], media_type: str) -> Manifest:
        """A new manifest from plain data, serialised the one way that gives the same digest everywhere."""
        raw = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        return cls(raw, media_type)

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def descriptor(self) -> Descriptor:
        """This manifest as another one would point to it."""
        return Descriptor(
            self.media_type,
            self.digest,
            len(self.raw),
            annotations=self.data.get("annotations") or {},
            artifact_type=str(self.data.get("artifactType") or (self.config.media_type if self.config else "")),
        )

    @property
    def config(self) -> t.Optional[Descriptor]:
        """The image's config blob; None for an index."""
        return Descriptor.from_dict(self.data["config"]) if self.data.get("config") else None

    @property
    def layers(self) -> t.List[Descriptor]:
        """Lowest layer first; empty for an index."""
        return [Descriptor.from_dict(item) for item in self.data.get("layers") or ()]

    @property
    def children(self) -> t.List[Descriptor]:
        """The manifests of an index; empty for an image."""
        return [Descriptor.from_dict(item) for item in self.data.get("manifests") or ()]

    @property
    def subject(self) -> t.Optional[Descriptor]:
        """What this signature, SBOM or attestation is about; None for an image."""
        return Descriptor.from_dict(self.data["subject"]) if self.data.get("subject") else None

    @property
    def blobs(self) -> t.List[Descriptor]:
        """Config and layers, each digest once."""
        found = {item.digest: item for item in ([self.config] if self.config else []) + self.layers}
        return list(found.values())

    @property
    def size(self) -> t.Optional[int]:
        """Bytes of config and layers as the registry holds them; None for an index, whose platforms differ."""
        return None if self.is_index else sum(item.size for item in self.blobs)


def _parse(raw: bytes) -> t.Dict[str, t.Any]:
    if len(raw) > MANIFEST_LIMIT:
        raise IntegrityError(f"A manifest of {len(raw)} bytes; more than {MANIFEST_LIMIT} is refused.")
    try:
        data = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise IntegrityError(
            f"What came as a manifest is no JSON: {error}.",
            advice="A proxy or login page may be answering in the registry's place.",
        ) from error
    if not isinstance(data, dict):
        raise IntegrityError("What came as a manifest is JSON, but no object.")
    return data


def _media_type(declared: str, data: t.Mapping[str, t.Any]) -> str:
    """The type without parameters; the body's own word must agree with the header's, as the spec demands."""
    header = declared.split(";", 1)[0].strip().lower()
    body = str(data.get("mediaType") or "")
    if header in SCHEMA1_TYPES or data.get("schemaVersion") == 1:
        raise UnsupportedError(
            "This is a schema 1 image, a format that registries and Docker have dropped.",
            advice="Pull it with an old Docker and push it again, or rebuild it, and use the new image.",
        )
    known = INDEX_TYPES | IMAGE_TYPES
    if header in known:
        if body and body != header:
            raise IntegrityError(f"A manifest sent as {header} calls itself {body}.")
        return header
    guess = body or (OCI_INDEX if "manifests" in data else OCI_MANIFEST if "layers" in data else "")
    if guess not in known:
        raise UnsupportedError(f"{declared or 'no media type'} is no image manifest that Slipway knows.")
    return guess
