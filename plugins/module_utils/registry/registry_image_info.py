# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module registry_image_info: what a registry says about one image, without pulling it."""

from __future__ import annotations

import json
import typing as t

from ..common.errors import ParameterError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from .access import REGISTRY_SPEC, access_from
from .client import RegistryClient
from .errors import ConflictError, IntegrityError, NotFoundError
from .manifest import CONFIG_LIMIT, DOCKER_CONFIG, OCI_CONFIG, Descriptor, Manifest
from .parallel import in_parallel
from .reference import Reference
from .referrers import Referrers

SPEC = (
    Spec(
        options={
            "image": {"type": "str", "required": True},
            "tags": {"type": "bool", "default": False},
            "referrers": {"type": "bool", "default": True},
            "platform": {"type": "str"},
        }
    )
    + REGISTRY_SPEC
)
_CONFIGS = frozenset((OCI_CONFIG, DOCKER_CONFIG))
_DEFAULT_PLATFORM = "linux/amd64"


def run(params: Params, context: Context) -> Result:
    """Facts of `image`; `exists` is False where the registry has none. Read only, so check mode is the same."""
    image = Reference.parse(params["image"], "image")
    with RegistryClient(image.registry, access_from(params)) as client:
        result = _nothing(image)
        manifest = _find(client, image)
        if manifest:
            result.update(_facts(client, image, manifest, params["platform"]))
            if params["referrers"]:
                found = Referrers(client, image.repository)
                result["referrers"] = [_referrer(item) for item in found.of(manifest.digest)]
                result["referrers"] += _cosign(client, image.repository, found.cosign(manifest.digest))
        if params["tags"]:
            result["tags"] = tag_list(client, image.repository)
        for message in client.warnings:
            context.warn(message)
        result["requests"] = client.requests
    return result


def tag_list(client: RegistryClient, repository: str) -> t.List[t.Dict[str, str]]:
    """Every tag with its digest, sorted by name; a tag that goes away meanwhile is left out."""
    names = client.tags(repository)
    heads = in_parallel(lambda tag: client.head_manifest(repository, tag), names)
    return [{"name": tag, "digest": head.digest} for tag, head in zip(names, heads) if head]


def _nothing(image: Reference) -> Result:
    return {
        "changed": False,
        "exists": False,
        "image": str(image),
        "registry": image.registry,
        "repository": image.repository,
        "digest": None,
        "media_type": None,
        "size": None,
        "created": None,
        "platform": None,
        "platforms": [],
        "labels": {},
        "annotations": {},
        "config_digest": None,
        "layers": [],
        "referrers": [],
        "tags": [],
    }


def _find(client: RegistryClient, image: Reference) -> t.Optional[Manifest]:
    try:
        manifest = client.get_manifest(image.repository, image.tag or image.locator)
    except NotFoundError:
        return None
    if image.digest and manifest.digest != image.digest:
        raise ConflictError(
            f"{image.name}:{image.tag} is {manifest.digest}, not {image.digest}.",
            advice="Ask for the tag or for the digest, or find out who moved the tag.",
        )
    return manifest


def _facts(client: RegistryClient, image: Reference, manifest: Manifest, platform: t.Optional[str]) -> Result:
    chosen = manifest
    platforms: t.List[t.Dict[str, str]] = []
    if manifest.is_index:
        children = [child for child in manifest.children if not _is_attestation(child)]
        platforms = [_platform(child.platform, child.digest) for child in children]
        chosen = client.get_manifest(image.repository, _choose(image, platforms, platform)) if platforms else manifest
    config = _config(client, image.repository, chosen)
    own = _platform(config, chosen.digest)
    if not manifest.is_index:
        platforms = [own] if config else []
        if platform and platforms:
            _choose(image, platforms, platform)
    return {
        "exists": True,
        "digest": manifest.digest,
        "media_type": manifest.media_type,
        "size": chosen.size,
        "created": config.get("created"),
        "platform": own["platform"] if config else None,
        "platforms": platforms,
        "labels": (config.get("config") or {}).get("Labels") or {},
        "annotations": manifest.data.get("annotations") or {},
        "config_digest": chosen.config.digest if chosen.config else None,
        "layers": [
            {"digest": layer.digest, "size": layer.size, "media_type": layer.media_type} for layer in chosen.layers
        ],
    }


def _choose(image: Reference, platforms: t.Sequence[t.Mapping[str, str]], wanted: t.Optional[str]) -> str:
    """Digest of the wanted platform; without a wish linux/amd64, else the first."""
    by_name = {item["platform"]: item["digest"] for item in reversed(platforms)}
    if wanted and wanted not in by_name:
        raise ParameterError(f"platform: {image} has no {wanted}; it has {', '.join(sorted(by_name))}.")
    return by_name.get(wanted or _DEFAULT_PLATFORM) or platforms[0]["digest"]


def _is_attestation(child: Descriptor) -> bool:
    return child.platform.get("os") == "unknown" or "vnd.docker.reference.type" in child.annotations


def _platform(source: t.Mapping[str, t.Any], digest: str) -> t.Dict[str, str]:
    parts = [str(source.get(key) or "") for key in ("os", "architecture", "variant")]
    return {
        "platform": "/".join(part for part in parts if part),
        "os": parts[0],
        "architecture": parts[1],
        "variant": parts[2],
        "digest": digest,
    }


def _config(client: RegistryClient, repository: str, manifest: Manifest) -> t.Dict[str, t.Any]:
    """The image's config; {} for an artifact that is no image."""
    if manifest.config is None or manifest.config.media_type not in _CONFIGS:
        return {}
    raw = client.get_blob(repository, manifest.config.digest, CONFIG_LIMIT)
    try:
        data = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise IntegrityError(
            f"The config {manifest.config.digest} of {client.host}/{repository} is no JSON."
        ) from error
    return data if isinstance(data, dict) else {}


def _referrer(item: Descriptor, tag: t.Optional[str] = None) -> t.Dict[str, t.Any]:
    return {
        "digest": item.digest,
        "media_type": item.media_type,
        "artifact_type": item.artifact_type or None,
        "size": item.size,
        "annotations": dict(item.annotations),
        "tag": tag,
    }


def _cosign(client: RegistryClient, repository: str, tags: t.Sequence[str]) -> t.List[t.Dict[str, t.Any]]:
    heads = [(tag, client.head_manifest(repository, tag)) for tag in tags]
    return [_referrer(head, tag) for tag, head in heads if head]


REGISTRY_IMAGE_INFO = Operation("registry_image_info", SPEC, run, requires=("requests",))
