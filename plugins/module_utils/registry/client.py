# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry by its HTTP API (OCI distribution spec 1.1, as registries really answer): manifests, blobs, tags."""

from __future__ import annotations

import json
import re
import threading
import typing as t
from urllib.parse import urljoin, urlsplit

from .access import Access
from .auth import DELETE, PULL, PUSH
from .blobs import BlobStream, Readable, Upload, UploadBody
from .errors import IntegrityError, NotFoundError, RegistryError
from .manifest import ACCEPT, MANIFEST_LIMIT, Descriptor, Manifest, digest_of
from .transport import ATTEMPTS, Transport, origin

TAGS_PAGE = 1000
TAGS_LIMIT = 32 * 1024 * 1024
DELETE_TIMEOUT = 300.0  # distribution reads every tag of the repository for it, on object storage slowly


class RegistryClient:
    """One registry, one session. Safe for several threads at once.

    `registry_host` is a Reference's `registry`. `requests` counts requests, `bytes_sent` and `bytes_received` the bytes
    of blobs, `warnings` what the registry or a fallback has to say to the user. `on_sent` is called with the bytes of each
    piece of a blob that was sent, by any thread. Every method raises RegistryError.
    """

    def __init__(self, registry_host: str, access: t.Optional[Access] = None, transport: t.Any = None) -> None:
        self.host = registry_host
        self.access = access or Access()
        self.transport: Transport = transport or Transport(registry_host, self.access)
        self.bytes_sent = 0
        self.bytes_received = 0
        self.on_sent: t.Callable[[int], None] = _ignore
        self._lock = threading.Lock()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    @property
    def requests(self) -> int:
        return self.transport.requests

    @property
    def warnings(self) -> t.List[str]:
        return self.transport.warnings

    def will_push(self, repository: str, delete: bool = False) -> None:
        """Say ahead that `repository` will be written to, so that a token service is asked once."""
        self.transport.auth.widen(repository, DELETE if delete else PUSH)

    # -- manifests ---------------------------------------------------------------------------------------------------

    def head_manifest(self, repository: str, locator: str) -> t.Optional[Descriptor]:
        """Type, digest and size of a manifest; None when it does not exist."""
        try:
            response = self.transport.send(
                "HEAD", _manifest(repository, locator), {repository: PULL}, headers={"Accept": ACCEPT}
            )
        except NotFoundError:
            return None
        response.close()
        digest = response.headers.get("Docker-Content-Digest", "")
        length = response.headers.get("Content-Length", "")
        media_type = response.headers.get("Content-Type", "").split(";", 1)[0].strip()
        if not digest or not length.isdigit():
            try:
                return self.get_manifest(repository, locator).descriptor  # some registries leave them out of HEAD
            except NotFoundError:
                return None
        if _is_digest(locator) and digest != locator:
            raise IntegrityError(f"{self.host}/{repository} answers {digest} when it is asked for {locator}.")
        return Descriptor(media_type, digest, int(length))

    def get_manifest(self, repository: str, locator: str) -> Manifest:
        """A manifest, its digest checked; NotFoundError when it does not exist."""
        try:
            response, raw = self.transport.fetch(
                "GET", _manifest(repository, locator), {repository: PULL}, MANIFEST_LIMIT, headers={"Accept": ACCEPT}
            )
        except NotFoundError as error:
            name = f"{self.host}/{repository}{'@' if _is_digest(locator) else ':'}{locator}"
            raise NotFoundError(
                f"There is no image {name} ({error.code or 'HTTP 404'}).",
                error.method,
                error.url,
                error.status,
                error.code,
                error.detail,
                advice="Check repository and tag, and that this login may read them.",
            ) from error
        wanted = locator if _is_digest(locator) else ""
        return Manifest(raw, response.headers.get("Content-Type", ""), wanted)

    def put_manifest(self, repository: str, locator: str, manifest: Manifest) -> str:
        """Push the manifest's own bytes under a tag or its digest; the digest that the registry now holds."""
        self._push_manifest(repository, locator, manifest)
        return manifest.digest

    def put_referrer(self, repository: str, manifest: Manifest) -> bool:
        """Push a manifest that has a `subject` by its digest; True when the registry keeps the list of referrers itself."""
        return bool(self._push_manifest(repository, manifest.digest, manifest).headers.get("OCI-Subject"))

    def _push_manifest(self, repository: str, locator: str, manifest: Manifest) -> t.Any:
        response = self.transport.send(
            "PUT",
            _manifest(repository, locator),
            {repository: PUSH},
            expect=(200, 201, 202),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
        )
        response.close()
        stored = response.headers.get("Docker-Content-Digest", "")
        algorithm = manifest.digest.split(":", 1)[0]
        if stored.startswith(f"{algorithm}:") and stored != manifest.digest:
            raise IntegrityError(
                f"{self.host}/{repository} stored {manifest.digest} as {stored}.",
                advice="A proxy is changing requests, or the registry rewrites manifests: do not use this copy.",
            )
        return response

    def delete_manifest(self, repository: str, locator: str) -> None:
        """DELETE a tag or digest exactly as named. A digest takes all its tags with it: see delete.py for the safe way."""
        self.transport.send(
            "DELETE",
            _manifest(repository, locator),
            {repository: DELETE},
            expect=(200, 202, 204),
            timeout=max(DELETE_TIMEOUT, self.access.timeout),
        ).close()

    # -- blobs -------------------------------------------------------------------------------------------------------

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository holds this blob."""
        try:
            self.transport.send("HEAD", f"/v2/{repository}/blobs/{digest}", {repository: PULL}).close()
        except NotFoundError:
            return False
        return True

    def get_blob(self, repository: str, digest: str, limit: int) -> bytes:
        """A small blob (a config), at most `limit` bytes, its digest checked."""
        _response, raw = self.transport.fetch("GET", f"/v2/{repository}/blobs/{digest}", {repository: PULL}, limit)
        self._received(len(raw))
        actual = digest_of(raw, digest)
        if actual != digest:
            raise IntegrityError(f"Blob {digest} of {self.host}/{repository} came with the digest {actual}.")
        return raw

    def open_blob(self, repository: str, digest: str, size: t.Optional[int] = None) -> BlobStream:
        """A blob of any size as a stream that checks itself; `size` is what the manifest says, where it is known."""
        url = f"/v2/{repository}/blobs/{digest}"

        def reopen(offset: int) -> t.Any:
            headers = {"Range": f"bytes={offset}-"}
            response = self.transport.send("GET", url, {repository: PULL}, expect=(200, 206), headers=headers)
            if response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                return response
            response.close()
            return None

        response = self.transport.send("GET", url, {repository: PULL})
        return BlobStream(response, digest, size, self._received, reopen)

    def mount_blob(self, repository: str, digest: str, source_repository: str) -> t.Optional[Upload]:
        """Make a blob of another repository of this registry appear in this one, moving no bytes.

        None when it is there now. Otherwise what to give to `upload_blob`: the session that the registry opened in place
        of the mount, or one without location where it answered with an error (Harbor: 401 for a project one cannot read).
        """
        try:
            response = self.transport.send(
                "POST",
                f"/v2/{repository}/blobs/uploads/",
                {repository: PUSH, source_repository: PULL},
                expect=(201, 202),
                params=[("mount", digest), ("from", source_repository)],
                attempts=2,
            )
        except RegistryError as error:
            if error.status is None:
                raise
            return Upload()
        response.close()
        return None if response.status_code == 201 else Upload(self._location(response))

    def upload_blob(
        self,
        repository: str,
        digest: str,
        size: int,
        stream_factory: t.Callable[[], Readable],
        upload: t.Optional[Upload] = None,
    ) -> None:
        """Upload `size` bytes. `stream_factory` gives a fresh stream for each try.

        A broken upload goes on where the registry has kept what came, and begins again elsewhere (distribution does not
        take up a broken session). Size and digest are checked while it is sent, and by the registry. `upload` is a session
        from `mount_blob`.
        """
        location, offset = (upload.location if upload else ""), 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                location = location or self._open_upload(repository)
                self._send_blob(repository, location, digest, size, stream_factory, offset)
                return
            except RegistryError as error:
                # A refused mount's session may have gone stale while the blob was fetched, which is worth a new one.
                stale = error.status in (401, 404) and attempt == 1
                if not (error.transient or stale or offset) or attempt == ATTEMPTS:
                    self.cancel_upload(repository, Upload(location))
                    raise
                self.transport.back_off(attempt)
            if self.has_blob(repository, digest):
                return  # the registry had taken it, only its answer was lost
            location, offset = self._progress(repository, location, size) if not offset else ("", 0)

    def _progress(self, repository: str, location: str, size: int) -> t.Tuple[str, int]:
        """(where a broken upload goes on, how many bytes it has); nothing of either where it has to begin again."""
        if not location:
            return "", 0
        try:
            response = self.transport.send("GET", location, {repository: PUSH}, expect=(204,), attempts=1)
        except RegistryError:
            self.cancel_upload(repository, Upload(location))
            return "", 0
        response.close()
        match = re.match(r"^(?:bytes=)?0-([0-9]+)\Z", response.headers.get("Range", ""))
        kept = int(match.group(1)) + 1 if match else 0
        if not 1 < kept < size:  # "0-0" is also said of none
            self.cancel_upload(repository, Upload(location))
            return "", 0
        return (self._location(response) if response.headers.get("Location") else location), kept

    def cancel_upload(self, repository: str, upload: Upload) -> None:
        """Close a session that will not be used. Best effort: registries drop such sessions by themselves in time."""
        if not upload.location:
            return
        try:
            self.transport.send(
                "DELETE", upload.location, {repository: PUSH}, expect=(200, 202, 204, 404, 405), attempts=1
            ).close()
        except RegistryError:
            return  # what failed before is what the user needs to hear of

    def _open_upload(self, repository: str) -> str:
        response = self.transport.send("POST", f"/v2/{repository}/blobs/uploads/", {repository: PUSH}, expect=(202,))
        response.close()
        return self._location(response)

    def _send_blob(
        self,
        repository: str,
        location: str,
        digest: str,
        size: int,
        stream_factory: t.Callable[[], Readable],
        offset: int = 0,
    ) -> None:
        source = stream_factory()
        headers = {"Content-Type": "application/octet-stream"}
        if offset:
            headers["Content-Range"] = f"{offset}-{size - 1}"
        try:
            stream = UploadBody(source, digest, size, self._sent, offset)
            self.transport.send(
                "PUT",
                location,
                {repository: PUSH},
                expect=(201, 204),
                headers=headers,
                params=[("digest", digest)],
                body=stream if size else b"",
                attempts=1,
            ).close()
        finally:
            close = getattr(source, "close", None)
            if close:
                close()

    def _location(self, response: t.Any) -> str:
        """Where an upload goes on, absolute; a change from TLS to plain HTTP is refused."""
        location = response.headers.get("Location", "")
        if not location:
            raise RegistryError(f"{self.host} opened an upload and did not say where (no Location header).")
        target = urljoin(response.url, location)
        if urlsplit(response.url).scheme == "https" and urlsplit(target).scheme != "https":
            if origin(target)[1] != origin(response.url)[1]:
                raise RegistryError(f"{self.host} sends uploads from TLS to plain HTTP on another host.")
            # A registry behind a TLS proxy that does not know of it: the proxy's own address is the right one.
            target = urlsplit(target)._replace(scheme="https", netloc=urlsplit(response.url).netloc).geturl()
        return target

    # -- tags --------------------------------------------------------------------------------------------------------

    def tags(self, repository: str) -> t.List[str]:
        """All tags, sorted; empty when the repository does not exist."""
        url: str = f"/v2/{repository}/tags/list"
        params: t.Any = [("n", str(TAGS_PAGE))]
        found: t.Set[str] = set()
        visited: t.Set[str] = set()
        while url and url not in visited:
            visited.add(url)
            try:
                response, raw = self.transport.fetch("GET", url, {repository: PULL}, TAGS_LIMIT, params=params)
            except NotFoundError:
                break
            found.update(_tag_names(raw, self.host))
            url, params = self.next_page(response), None
        return sorted(found)

    def next_page(self, response: t.Any) -> str:
        """The URL of `Link: <...>; rel="next"`, empty at the end; another host's is refused."""
        link = response.next_link
        if not link:
            return ""
        target = urljoin(response.url, link)
        if origin(target) != origin(response.url):
            parts = urlsplit(target)
            if parts.hostname != urlsplit(response.url).hostname:
                raise RegistryError(f"{self.host} continues a list on another host ({parts.hostname}).")
            target = urljoin(response.url, f"{parts.path}?{parts.query}")
        return target

    def _sent(self, count: int) -> None:
        with self._lock:
            self.bytes_sent += count
        self.on_sent(count)

    def _received(self, count: int) -> None:
        with self._lock:
            self.bytes_received += count


def _ignore(_count: int) -> None:
    """Nobody follows what is sent."""


def _manifest(repository: str, locator: str) -> str:
    return f"/v2/{repository}/manifests/{locator}"


def _is_digest(locator: str) -> bool:
    return ":" in locator


def _tag_names(raw: bytes, host: str) -> t.List[str]:
    try:
        names = json.loads(raw.decode("utf-8"))["tags"] or []
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(f"{host} answered tags/list with something that is no list of tags.") from error
    return [str(name) for name in names]
