# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names an image is pushed under: what they name now, whether they may move, and moving them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..common.errors import ConflictError
from ..registry.client import RegistryClient
from ..registry.errors import NotFoundError
from ..registry.manifest import Manifest
from ..registry.reference import Reference
from .base import Image, read_image


@dataclass(frozen=True)
class Names:
    """`image` (with its tag) and further `tags` of the same repository. With `dry` nothing is written."""

    client: RegistryClient
    image: Reference
    tags: t.Tuple[str, ...]
    overwrite: bool
    dry: bool

    @property
    def all(self) -> t.List[str]:
        """Every tag, the image's own first."""
        return list(dict.fromkeys((self.image.locator, *self.tags)))

    def existing(self, tag: str = "") -> t.Optional[Image]:
        """The image behind a tag (the image's own by default): None when there is none. An index comes without config."""
        try:
            manifest = self.client.get_manifest(self.image.repository, tag or self.image.locator)
        except NotFoundError:
            return None
        if manifest.is_index:
            return Image(manifest, {})
        return read_image(self.client, self.image.repository, manifest)

    def refuse_overwrite(self, digest: t.Optional[str] = None) -> None:
        """ConflictError unless overwriting is allowed or every tag is free or names `digest` already."""
        if self.overwrite:
            return
        for tag in self.all:
            found = self._digest(tag)
            if found is not None and found != digest:
                raise self.taken(tag, found)

    def taken(self, tag: str, digest: str) -> ConflictError:
        """The error for a tag that must not move."""
        return ConflictError(
            f"image: {self.image.name}:{tag} is there already, as {digest}, and what was to be built is another image. "
            "Nothing was overwritten. Build under a new version, or set overwrite to true.",
            previous_digest=digest,
        )

    def others_than(self, digest: str) -> t.List[str]:
        """The further tags that do not name `digest`."""
        return [tag for tag in self.all[1:] if self._digest(tag) != digest]

    def complete(self, manifest: Manifest) -> t.List[str]:
        """Give the image behind the first tag the further ones as well; those that were not its already."""
        missing = self.others_than(manifest.digest)
        if missing:
            self.refuse_overwrite(manifest.digest)
            self.put(manifest, missing)
        return missing

    def put(self, manifest: Manifest, tags: t.Iterable[str]) -> None:
        """Push the manifest under each of `tags`."""
        if self.dry:
            return
        self.client.will_push(self.image.repository)
        for tag in tags:
            self.client.put_manifest(self.image.repository, tag, manifest)

    def _digest(self, tag: str) -> t.Optional[str]:
        found = self.client.head_manifest(self.image.repository, tag)
        return found.digest if found else None
