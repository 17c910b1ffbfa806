# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of app_image share: an archive to build from, the task itself, and a place to build to and run from."""

from __future__ import annotations

import dataclasses
import random
import uuid
import zipfile
from pathlib import Path

import docker
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient

CONTENT_MD5 = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum | md5sum"

# A WAR with something for each kind of layer.
NOISE = random.Random(7).randbytes(400_000)
FILES = {
    "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n",
    "WEB-INF/lib/dep.jar": NOISE,
    "WEB-INF/lib/own-1-SNAPSHOT.jar": NOISE[:5000],
    "WEB-INF/web.xml": b"<web-app/>",
    "WEB-INF/classes/com/example/A.class": b"A" * 3000,
    "WEB-INF/classes/app.properties": b"a=b\n",
    "index.html": "grüße <h1>hello</h1>".encode(),
}
KINDS = ["dependencies", "snapshot-dependencies", "resources", "classes"]


def task(check_mode=False, **options):
    """One app_image task: its result, with `warned` as the list of its warnings."""
    spec = APP_IMAGE.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages, validated.error_messages
    context = Context(check_mode=check_mode)
    return {**APP_IMAGE.execute(validated.validated_parameters, context), "warned": context.warnings}


def war(path: Path, files: dict[str, bytes], date=(2026, 3, 1, 12, 0, 0)) -> Path:
    """An archive of `files`, written in the order of the dict."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, date)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


@dataclasses.dataclass
class Place:
    """A repository of its own in the lab's registry, and an engine to run its images on."""

    registry: str
    engine: docker.APIClient
    engine_url: str

    def __post_init__(self) -> None:
        self.repository = f"img-{uuid.uuid4().hex[:10]}"
        self.client = RegistryClient(self.registry, Access(insecure=True))
        self.base = f"{self.registry}/base/busybox:1"
        self.tomcat = f"{self.registry}/base/tomcat:10"

    def image(self, tag="1", sub="") -> str:
        return f"{self.registry}/{self.repository}{sub}:{tag}"

    def state(self) -> dict[str, str]:
        return {
            tag: self.client.head_manifest(self.repository, tag).digest for tag in self.client.tags(self.repository)
        }

    def pull(self, image: str) -> dict:
        """Pull by the engine; what it says of the image. Streams are read to the end: an error in one fails the test."""
        name, tag = image.rsplit(":", 1)
        for event in self.engine.pull(name, tag=tag, stream=True, decode=True):
            assert "error" not in event, event
        return self.engine.inspect_image(image)

    def run(self, image: str, *command: str) -> str:
        """Pull and run to the end; its output. `command` replaces the entrypoint; without it the image's own runs."""
        self.pull(image)
        options = {"entrypoint": [command[0]], "command": list(command[1:])} if command else {}
        container = self.engine.create_container(image, name=f"img-{uuid.uuid4().hex[:10]}", **options)["Id"]
        try:
            self.engine.start(container)
            status = self.engine.wait(container, timeout=60)["StatusCode"]
            output = self.engine.logs(container).decode()
            assert status == 0, output
            return output
        finally:
            self.engine.remove_container(container, force=True, v=True)

    def clean(self) -> None:
        for repository in (self.repository, f"{self.repository}/other"):
            for tag in self.client.tags(repository):
                found = self.client.head_manifest(repository, tag)
                if found:
                    self.client.delete_manifest(repository, found.digest)
        for image in self.engine.images():
            for tag in image.get("RepoTags") or ():
                if f"/{self.repository}" in tag:
                    self.engine.remove_image(tag, force=True)
        self.client.close()


def ok(result):
    assert not result.get("failed"), result
    return result


def failure(**options):
    result = task(**options)
    assert result.get("failed"), result
    assert "unforeseen" not in result["msg"], result
    return result["msg"]
