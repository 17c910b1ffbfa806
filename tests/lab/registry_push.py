# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push an image folder to an open registry: the few requests of the distribution API that this takes."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from lab.proc import LabError

MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")


def push(folder: Path, address: str, repository: str, tag: str) -> None:
    """Push the image in `folder` (manifest.json and blobs by digest) to `address`/`repository`:`tag`, blobs that are there excepted."""
    manifest = (folder / "manifest.json").read_bytes()
    parsed = json.loads(manifest)
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        for blob in (parsed["config"], *parsed["layers"]):
            _push_blob(connection, repository, blob["digest"], folder / "blobs" / blob["digest"].split(":")[1])
        _request(
            connection,
            "PUT",
            f"/v2/{repository}/manifests/{tag}",
            manifest,
            {"Content-Type": parsed["mediaType"]},
            (201,),
        )
    except (OSError, http.client.HTTPException) as exc:
        raise LabError(f"pushing {repository}:{tag} to {address} failed: {exc}") from exc
    finally:
        connection.close()


def _push_blob(connection: http.client.HTTPConnection, repository: str, digest: str, path: Path) -> None:
    if _request(connection, "HEAD", f"/v2/{repository}/blobs/{digest}", None, {}, (200, 404)).status == 200:
        return
    answer = _request(connection, "POST", f"/v2/{repository}/blobs/uploads/", None, {}, (202,))
    location = answer.headers["Location"].split(f"{connection.host}:{connection.port}", 1)[-1]
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
    with path.open("rb") as body:
        _request(connection, "PUT", f"{location}&digest={digest}", body, headers, (201,))


def _request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object,
    headers: dict[str, str],
    expected: tuple[int, ...],
) -> http.client.HTTPResponse:
    """One request; LabError with the registry's words when the status is not among the expected ones."""
    connection.request(method, path, body=body, headers=headers)  # type: ignore[arg-type]  # bytes, file or None
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in expected:
        raise LabError(f"{method} {path}: the registry answers {answer.status} {text.decode(errors='replace')[:500]}")
    return answer
