# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the registry modules share: a task run in this process, and images of this test alone."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import uuid

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image import REGISTRY_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_image_info import REGISTRY_IMAGE_INFO
from ansible_collections.slipway.delivery.plugins.module_utils.registry.registry_prune import REGISTRY_PRUNE


def operate(operation, check_mode=False, **params):
    """The operation's result, its options validated as Ansible does; warnings under `warned`."""
    validated = ArgumentSpecValidator(operation.spec.options, **operation.spec.rules()).validate(params)
    assert not validated.error_messages, validated.error_messages
    context = Context(check_mode=check_mode)
    return {**operation.execute(validated.validated_parameters, context), "warned": context.warnings}


class Pusher:
    """Puts test images into one registry under repositories of this test alone, and takes them away again."""

    def __init__(self, host, access, options):
        self.host, self.options = host, options
        self.client = RegistryClient(host, access)
        self.folder = f"reg-{uuid.uuid4().hex[:10]}"
        self.repositories = set()

    def repository(self, name):
        self.repositories.add(f"{self.folder}/{name}")
        return f"{self.folder}/{name}"

    def name(self, repository, target):
        return f"{self.host}/{self.repository(repository)}{'@' if ':' in target else ':'}{target}"

    def blob(self, repository, raw, media_type):
        digest = m.digest_of(raw)
        self.client.upload_blob(self.repository(repository), digest, len(raw), lambda: io.BytesIO(raw))
        return m.Descriptor(media_type, digest, len(raw)).to_dict()

    def image(self, repository, *targets, layers=(b"one", b"two"), docker=False, architecture="amd64", **more):
        media_type = m.DOCKER_MANIFEST if docker else m.OCI_MANIFEST
        config = {
            "os": "linux",
            "architecture": architecture,
            "created": "2026-01-02T03:04:05Z",
            "config": {"Labels": {"test": repository}},
            "rootfs": {"type": "layers", "diff_ids": [m.digest_of(layer) for layer in layers]},
        }
        data = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self.blob(repository, json.dumps(config).encode(), m.DOCKER_CONFIG if docker else m.OCI_CONFIG),
            "layers": [
                self.blob(
                    repository, gzip.compress(layer, mtime=0), m.DOCKER_LAYER_GZIP if docker else m.OCI_LAYER_GZIP
                )
                for layer in layers
            ],
            **more,
        }
        # Indented on purpose: a copy that writes the JSON anew would change the digest.
        return self.put(repository, m.Manifest(json.dumps(data, indent=3).encode(), media_type), *targets)

    def index(self, repository, target, **children):
        listed = [
            {**child.descriptor.to_dict(), "platform": {"os": "linux", "architecture": name}}
            for name, child in children.items()
        ]
        data = {"schemaVersion": 2, "mediaType": m.OCI_INDEX, "manifests": listed}
        return self.put(repository, m.Manifest.build(data, m.OCI_INDEX), target)

    def put(self, repository, manifest, *targets):
        for target in targets or (manifest.digest,):
            self.client.put_manifest(self.repository(repository), target, manifest)
        return manifest

    def digest(self, repository, target):
        found = self.client.head_manifest(self.repository(repository), target)
        return found.digest if found else None

    def raw(self, repository, target):
        return self.client.get_manifest(self.repository(repository), target).raw

    def run(self, repository, target, **params):
        return operate(REGISTRY_IMAGE, **{"image": self.name(repository, target), **self.options, **params})

    def foretold(self, repository, target, **params):
        """The real result, after check mode wrote nothing and foretold all of it but the count of requests."""
        before = self.everything()
        said = self.run(repository, target, check_mode=True, **params)
        assert self.everything() == before
        done = self.run(repository, target, **params)
        assert {**said, "requests": 0} == {**done, "requests": 0}
        return done

    def everything(self):
        return {
            (repository, tag): self.client.head_manifest(repository, tag)
            for repository in sorted(self.repositories)
            for tag in self.client.tags(repository)
        }

    def info(self, repository, target, **params):
        return operate(REGISTRY_IMAGE_INFO, image=self.name(repository, target), **{**self.options, **params})

    def prune(self, repository, **params):
        options = {"repository": f"{self.host}/{self.repository(repository)}", "in_use": [], "min_age": "0"}
        return operate(REGISTRY_PRUNE, **{**options, **self.options, **params})

    def clean(self):
        for digest, repository in {(head.digest, name) for (name, _tag), head in self.everything().items() if head}:
            with contextlib.suppress(NotFoundError):  # it went with another tag
                self.client.delete_manifest(repository, digest)
        self.client.close()
