# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base image: found by tag or digest, read (manifest and config, never a layer), checked against the platform."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..common.errors import ParameterError, SlipwayError
from ..registry.client import RegistryClient
from ..registry.errors import NotFoundError
from ..registry.manifest import CONFIG_LIMIT, Descriptor, Manifest
from ..registry.reference import Reference
from .config import Config, diff_ids

# What an index is read for when nobody says: the same on every builder, so that the same input gives the same image.
DEFAULT_PLATFORM = "linux/amd64"


@dataclass(frozen=True)
class Image:
    """An image of one platform: its manifest, and its config as the registry has it."""

    manifest: Manifest
    config: Config

    @property
    def layers(self) -> t.List[Descriptor]:
        return self.manifest.layers


def base_digest(client: RegistryClient, reference: Reference) -> str:
    """What the base's name stands for now (of an index, the index's digest). One request by tag, none by digest.

    A name with tag and digest is refused when the tag has moved on: NotFoundError, ParameterError.
    """
    if reference.digest and not reference.tag:
        return reference.digest
    found = client.head_manifest(reference.repository, reference.tag or reference.locator)
    if found is None:
        raise NotFoundError(
            f"base: there is no image {reference}.", advice="Check its name and tag, and that this login may read it."
        )
    if reference.digest and found.digest != reference.digest:
        raise ParameterError(
            f"base: {reference.name}:{reference.tag} is {found.digest} now, not {reference.digest}. Name the digest "
            "alone to build on that image, or take the new one."
        )
    return found.digest


def read_base(client: RegistryClient, reference: Reference, digest: str, platform: t.Optional[str]) -> Image:
    """Manifest and config of the base for `platform` (of an index: DEFAULT_PLATFORM, or its only one)."""
    manifest = client.get_manifest(reference.repository, digest)
    if manifest.is_index:
        child = choose_platform(manifest.children, platform, str(reference))
        manifest = client.get_manifest(reference.repository, child.digest)
    image = read_image(client, reference.repository, manifest)
    _check(image, reference, platform)
    return image


def read_image(client: RegistryClient, repository: str, manifest: Manifest) -> Image:
    """The image that a manifest describes. SlipwayError when it is none that can run."""
    if manifest.config is None:
        raise SlipwayError(f"{client.host}/{repository}@{manifest.digest} is no image: its manifest names no config.")
    raw = client.get_blob(repository, manifest.config.digest, CONFIG_LIMIT)
    try:
        config = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise SlipwayError(f"{client.host}/{repository}@{manifest.digest}: its config is no JSON: {error}.") from error
    if not isinstance(config, dict):
        raise SlipwayError(f"{client.host}/{repository}@{manifest.digest}: its config is JSON, but no object.")
    return Image(manifest, config)


def choose_platform(children: t.Sequence[Descriptor], platform: t.Optional[str], name: str) -> Descriptor:
    """The manifest of an index to build on. ParameterError lists the platforms when none or several could be meant."""
    images = [child for child in children if child.platform.get("os") not in (None, "unknown")]
    if platform is None and len(images) == 1:
        return images[0]
    wanted = platform or DEFAULT_PLATFORM
    exact = [child for child in images if platform_name(child.platform) == wanted]
    loose = [child for child in images if platform_name(child.platform).startswith(f"{wanted}/")]
    chosen = exact or loose
    if not chosen:
        offered = ", ".join(sorted(platform_name(child.platform) for child in images)) or "no platform at all"
        raise ParameterError(f"platform: base {name} has no {wanted}; it has {offered}.")
    return chosen[0]


def platform_name(platform: t.Mapping[str, t.Any]) -> str:
    """`os/architecture[/variant]`."""
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(part) for part in parts if part)


def _check(image: Image, reference: Reference, platform: t.Optional[str]) -> None:
    actual = platform_name(image.config)
    if platform and actual != platform and not actual.startswith(f"{platform}/"):
        raise ParameterError(
            f"platform: base {reference} is {actual or 'of no platform that it names'}, not {platform}."
        )
    if len(diff_ids(image.config)) != len(image.layers):
        raise SlipwayError(
            f"base: {reference} cannot be built on: its manifest has {len(image.layers)} layers and its config "
            f"{len(diff_ids(image.config))}. Push it again with a tool that writes both."
        )
