# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What points at an image: signatures, SBOMs and attestations, by the referrers API or by tags made of its digest."""

from __future__ import annotations

import typing as t

from .auth import PULL
from .client import RegistryClient
from .errors import DeniedError, NotFoundError, RegistryError, UnsupportedError
from .manifest import MANIFEST_LIMIT, OCI_INDEX, Descriptor, Manifest

COSIGN_SUFFIXES = (".sig", ".att", ".sbom")
# What registries without the API answer: 404 (distribution), 400 or 405 (older proxies), 406 (those that know no index).
_NO_API = frozenset((400, 404, 405, 406))
_MAX_PAGES = 100


def fallback_tag(digest: str) -> str:
    """The tag that holds the list of referrers where the registry keeps none (OCI distribution spec 1.1)."""
    return digest.replace(":", "-")[:128]


def cosign_tags(digest: str) -> t.List[str]:
    """The tags under which cosign keeps a digest's signature, attestations and SBOM."""
    return [fallback_tag(digest) + suffix for suffix in COSIGN_SUFFIXES]


def is_digest_tag(tag: str) -> bool:
    """True for a tag that belongs to another image's digest and is no version of its own."""
    algorithm, _dash, rest = tag.partition("-")
    digits = rest.partition(".")[0]
    return algorithm in ("sha256", "sha512") and len(digits) >= 64 and all(c in "0123456789abcdef" for c in digits)


class Referrers:
    """Looks up what refers to images of one repository; remembers whether the registry has the API."""

    def __init__(self, client: RegistryClient, repository: str) -> None:
        self.client = client
        self.repository = repository
        self._api: t.Optional[bool] = None
        self._tags: t.Optional[t.Set[str]] = None

    @property
    def has_api(self) -> t.Optional[bool]:
        """Whether the registry lists referrers itself; None until it was asked."""
        return self._api

    def of(self, digest: str) -> t.List[Descriptor]:
        """Descriptors of the manifests whose subject is `digest`, each once."""
        found = None if self._api is False else self._by_api(digest)
        self._api = found is not None
        if found is None:
            index = self.fallback_index(digest)
            found = index.children if index else []
        return list({item.digest: item for item in found}.values())

    def fallback_index(self, digest: str) -> t.Optional[Manifest]:
        """The index under the fallback tag; None when there is none."""
        tag = fallback_tag(digest)
        if tag not in self._existing([tag]):
            return None
        try:
            return self.client.get_manifest(self.repository, tag)
        except NotFoundError:
            return None

    def cosign(self, digest: str) -> t.List[str]:
        """Cosign's tags for `digest` that exist."""
        wanted = cosign_tags(digest)
        existing = self._existing(wanted)
        return [tag for tag in wanted if tag in existing]

    def add(self, subject: str, referrer: Manifest) -> None:
        """List `referrer` in the subject's fallback index, for a registry that did not do so by itself."""
        self._tags = None
        index = self.fallback_index(subject)
        listed = index.children if index else []
        if referrer.digest in {item.digest for item in listed}:
            return
        self._write(subject, [*listed, referrer.descriptor])

    def _write(self, subject: str, listed: t.Sequence[Descriptor]) -> None:
        data = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [item.to_dict() for item in listed]}
        self.client.put_manifest(self.repository, fallback_tag(subject), Manifest.build(data, OCI_INDEX))

    def _existing(self, wanted: t.Sequence[str]) -> t.Set[str]:
        """Which of the tags exist: by one list for all questions, or one by one where listing is not allowed."""
        if self._tags is None:
            try:
                self._tags = set(self.client.tags(self.repository))
            except (DeniedError, UnsupportedError):
                return {tag for tag in wanted if self.client.head_manifest(self.repository, tag)}
        return self._tags & set(wanted)

    def _by_api(self, digest: str) -> t.Optional[t.List[Descriptor]]:
        """None when the registry has no referrers API."""
        url = f"/v2/{self.repository}/referrers/{digest}"
        found: t.List[Descriptor] = []
        for _page in range(_MAX_PAGES):
            try:
                response, raw = self.client.transport.fetch(
                    "GET", url, {self.repository: PULL}, MANIFEST_LIMIT, headers={"Accept": OCI_INDEX}
                )
            except RegistryError as error:
                if error.status in _NO_API:
                    return None
                raise
            if response.headers.get("Content-Type", "").split(";")[0].strip() != OCI_INDEX:
                return None
            found += Manifest(raw, OCI_INDEX).children
            url = self.client.next_page(response)
            if not url:
                return found
        raise RegistryError(f"{self.client.host} lists the referrers of {digest} on more than {_MAX_PAGES} pages.")
