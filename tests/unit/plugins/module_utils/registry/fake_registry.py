# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in memory that answers as distribution does and notes every request, for exact request sequences."""

from __future__ import annotations

import io
import json
import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import urllib3
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m


def answer(status, body=b"", **headers):
    """(status, body, headers); header names with _ for -."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
    return status, body, {name.replace("_", "-"): str(value) for name, value in headers.items()}


def refusal(status, code, message="", **headers):
    return answer(status, {"errors": [{"code": code, "message": message}]}, **headers)


class FakeRegistry:
    """One or more hosts. `log` has "METHOD path?query" of each request, `seen` the prepared requests themselves.

    `script` holds (pattern, answer or exception) pairs: the first whose pattern matches the log line is used up instead
    of a real answer.
    """

    def __init__(self):
        self.manifests, self.tags, self.blobs = {}, {}, {}
        self.log, self.seen, self.script, self.subjects = [], [], [], {}
        self.deletes_tags = self.deletion = self.mounts = True
        self.referrers_api = False
        self.digest_header = True
        self.version_header = True
        self.uploads = 0
        self.partial = {}  # session -> bytes that it has kept
        self.hosts = set()

    def close(self):
        pass

    # -- what tests put in -------------------------------------------------------------------------------------------

    def add_blob(self, repository, raw):
        digest = m.digest_of(raw)
        self.blobs.setdefault(repository, {})[digest] = raw
        return digest

    def add_manifest(self, repository, manifest, *tags):
        self.manifests.setdefault(repository, {})[manifest.digest] = (manifest.media_type, manifest.raw)
        for tag in tags:
            self.tags.setdefault(repository, {})[tag] = manifest.digest
        return manifest

    def add_image(self, repository, *tags, layers=(b"layer",), labels=None, architecture="amd64", **more):
        config = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "created": "2026-01-02T03:04:05Z",
                "config": {"Labels": labels or {}},
            }
        ).encode()
        for raw in (config, *layers):
            self.add_blob(repository, raw)
        data = {
            "schemaVersion": 2,
            "mediaType": m.OCI_MANIFEST,
            "config": m.Descriptor(m.OCI_CONFIG, m.digest_of(config), len(config)).to_dict(),
            "layers": [m.Descriptor(m.OCI_LAYER, m.digest_of(raw), len(raw)).to_dict() for raw in layers],
            **more,
        }
        return self.add_manifest(repository, m.Manifest.build(data, m.OCI_MANIFEST), *tags)

    def add_index(self, repository, tag, children):
        data = {
            "schemaVersion": 2,
            "mediaType": m.OCI_INDEX,
            "manifests": [
                {**child.descriptor.to_dict(), "platform": {"os": "linux", "architecture": architecture}}
                for architecture, child in children.items()
            ],
        }
        return self.add_manifest(repository, m.Manifest.build(data, m.OCI_INDEX), tag)

    # -- the side of whoever asks ------------------------------------------------------------------------------------

    def pool(self, url, *_options):
        """As exchange.Pools has it."""
        scheme, host = urlsplit(url)[:2]

        def request(method, target, body, headers, **_more):
            return self.send(
                SimpleNamespace(method=method, url=f"{scheme}://{host}{target}", headers=headers, body=body)
            )

        return SimpleNamespace(request=request), False

    def send(self, request):
        parts = urlsplit(request.url)
        self.hosts.add(parts.netloc)
        line = f"{request.method} {parts.path}{'?' + parts.query if parts.query else ''}"
        self.log.append(line)
        self.seen.append(request)
        for entry in self.script:
            if re.search(entry[0], line):
                self.script.remove(entry)
                if isinstance(entry[1], Exception):
                    raise entry[1]
                return self._response(request, *entry[1])
        body = request.body
        if body is not None and not isinstance(body, (bytes, str)):
            body = b"".join(body)
        return self._response(request, *self._answer(request, parts, body or b""))

    def _response(self, request, status, body, headers):
        headers = dict(headers)
        if request.method != "HEAD":
            headers.setdefault("Content-Length", str(len(body)))
        if self.version_header:
            headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return urllib3.HTTPResponse(
            io.BytesIO(b"" if request.method == "HEAD" else body),
            headers=headers,
            status=status,
            preload_content=False,
            request_method=request.method,
        )

    def _answer(self, request, parts, body):
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/v2/":
            return answer(200, {})
        match = re.match(r"^/v2/(.+)/(manifests|blobs/uploads|blobs|tags|referrers)/(.*)$", parts.path)
        repository, kind, rest = match.groups()
        handler = {
            "manifests": self._manifest,
            "blobs": self._blob,
            "blobs/uploads": self._upload,
            "tags": self._tags,
            "referrers": self._referrers,
        }[kind]
        return handler(request, repository, rest, query, body)

    def _manifest(self, request, repository, locator, _query, body):
        if request.method == "PUT":
            return self._put(request, repository, locator, body)
        held = self.manifests.get(repository, {})
        digest = locator if ":" in locator else self.tags.get(repository, {}).get(locator)
        if request.method == "DELETE":
            return self._delete(repository, locator, digest)
        if digest not in held:
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, raw = held[digest]
        if media_type not in request.headers.get("Accept", ""):
            return refusal(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not support it")
        extra = {"Docker_Content_Digest": digest} if self.digest_header else {}
        return answer(200, raw, Content_Type=media_type, Content_Length=len(raw), **extra)

    def _put(self, request, repository, locator, body):
        manifest = m.Manifest(body, request.headers["Content-Type"])
        blobs, held = self.blobs.get(repository, {}), self.manifests.get(repository, {})
        missing = [blob.digest for blob in manifest.blobs if blob.digest not in blobs and not blob.foreign]
        missing += [child.digest for child in manifest.children if child.digest not in {**held, **blobs}]
        if missing:
            return refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        self.add_manifest(repository, manifest, *([] if ":" in locator else [locator]))
        extra = {}
        if manifest.subject and self.referrers_api:
            extra["OCI_Subject"] = manifest.subject.digest
        return answer(201, Docker_Content_Digest=manifest.digest, **extra)

    def _delete(self, repository, locator, digest):
        if not self.deletion:
            return refusal(405, "UNSUPPORTED", "The operation is unsupported.")
        tags = self.tags.get(repository, {})
        if ":" not in locator:
            if not self.deletes_tags:
                return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            if locator not in tags:
                return refusal(404, "MANIFEST_UNKNOWN")
            del tags[locator]
            return answer(202)
        if self.manifests.get(repository, {}).pop(digest, None) is None:
            return refusal(404, "MANIFEST_UNKNOWN")
        for tag in [tag for tag, named in tags.items() if named == digest]:
            del tags[tag]
        return answer(202)

    def _blob(self, request, repository, digest, _query, _body):
        raw = self.blobs.get(repository, {}).get(digest)
        if raw is None:
            return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return answer(200, raw, Content_Length=len(raw))

    def _upload(self, request, repository, session, query, body):
        if request.method == "POST":
            held = self.blobs.get(query.get("from", ""), {})
            if self.mounts and query.get("mount") in held:
                self.add_blob(repository, held[query["mount"]])
                return answer(201)
            self.uploads += 1
            return answer(202, Location=f"/v2/{repository}/blobs/uploads/s{self.uploads}?_state=x")
        if request.method == "DELETE":
            return answer(204)
        kept = self.partial.get(session, b"")
        if request.method == "GET":
            return answer(204, Range=f"0-{len(kept) - 1}") if kept else refusal(404, "BLOB_UPLOAD_INVALID")
        body = kept + body
        if m.digest_of(body) != query["digest"]:
            return refusal(400, "DIGEST_INVALID")
        self.add_blob(repository, body)
        return answer(201)

    def _tags(self, request, repository, _rest, _query, _body):
        if repository not in self.manifests:
            return refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
        return answer(200, {"name": repository, "tags": sorted(self.tags.get(repository, {})) or None})

    def _referrers(self, request, repository, digest, _query, _body):
        if not self.referrers_api:
            return answer(404, b"404 page not found\n", Content_Type="text/plain")
        found = []
        for media_type, raw in self.manifests.get(repository, {}).values():
            manifest = m.Manifest(raw, media_type)
            if manifest.subject and manifest.subject.digest == digest:
                found.append(manifest.descriptor.to_dict())
        index = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": found}
        return answer(200, json.dumps(index).encode(), Content_Type=m.OCI_INDEX)
