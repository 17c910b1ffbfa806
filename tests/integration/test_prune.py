# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prune.yml: the registry of one environment, with what the hosts and ledgers of all of them need."""

from __future__ import annotations

import contextlib
import io
import json

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.engine.app_container import APP_CONTAINER
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.release import RELEASE
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as m
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.plugins.module_utils.registry.errors import NotFoundError
from registry_helper import operate
from site_helper import HOSTS, REGISTRY, Site

pytestmark = [pytest.mark.lab]
RETENTION = {"keep_last": 1, "min_age": "0", "max_delete": "90%"}


class Pruned(Site):
    """Images 1.0 to 1.5 in both registries. 1.1 is kept on a host of test, 1.2 to 1.4 were released in prod, 1.5 came last."""

    def fill(self):
        self.client = RegistryClient(REGISTRY, Access(insecure=True))
        self.digests = {f"1.{number}": self.push(f"1.{number}") for number in range(6)}
        for version in ("1.2", "1.3", "1.4"):
            self.release("prod", version)
        for address in self.addresses("prod"):
            engine = docker.APIClient(base_url=f"tcp://{address}:2375")
            for version in ("1.0", "1.2", "1.4"):
                name, tag = self.image("prod", version)["image"].rsplit(":", 1)
                assert not [event for event in engine.pull(name, tag, stream=True, decode=True) if "error" in event]
            engine.close()
        self.record(state="built", environment_name="prod", version="1.5", **self.image("prod", "1.5"))
        kept = {"app": self.name, "environment_name": "test", "image": self.image("test", "1.1")["image"]}
        container = {"name": self.name, "command": ["sleep", "600"], "stop_timeout": 0, **kept}
        host = f"tcp://{self.addresses('test')[0]}:2375"
        for state in ("started", "stopped"):
            done = operate(APP_CONTAINER, docker_host=host, state=state, **container)
            assert not done.get("failed"), done

    def repository(self, env):
        return f"{self.repositories}/{env}/apps/{self.name}"

    def image(self, env, version):
        return {"image": f"{REGISTRY}/{self.repository(env)}:{version}", "digest": self.digests[version]}

    def push(self, version):
        """The small base image with a config of its own."""
        base = self.client.get_manifest("base/busybox", "1")
        config = json.loads(self.client.get_blob("base/busybox", base.config.digest, 1_000_000))
        config.setdefault("config", {})["Labels"] = {"version": version}
        raw = json.dumps(config).encode()
        described = {**base.config.to_dict(), "digest": m.digest_of(raw), "size": len(raw)}
        manifest = m.Manifest.build({**base.data, "config": described}, base.media_type)
        for env in self.environments:
            self.client.upload_blob(self.repository(env), m.digest_of(raw), len(raw), lambda: io.BytesIO(raw))
            for layer in base.layers:
                assert self.client.mount_blob(self.repository(env), layer.digest, "base/busybox") is None
            self.client.put_manifest(self.repository(env), version, manifest)
        return manifest.digest

    def on_hosts(self, env):
        """Tags of this app's images on the hosts of an environment."""
        found = set()
        for address in self.addresses(env):
            engine = docker.APIClient(base_url=f"tcp://{address}:2375")
            names = [name for image in engine.images() for name in image["RepoTags"] or ()]
            found |= {name.rsplit(":", 1)[1] for name in names if self.repository(env) in name}
            engine.close()
        return sorted(found)

    def release(self, env, version):
        self.record(state="built", environment_name=env, version=version, **self.image(env, version))
        opened = self.record(state="opened", environment_name=env, version=version, **self.image(env, version))
        number = opened["release"]["number"]
        self.record(state="closed", environment_name=env, release=number, outcome="healthy")

    def record(self, **options):
        done = operate(RELEASE, ledger=str(self.folder / "ledger.db"), app=self.name, **options)
        assert not done.get("failed"), done
        return done

    def clean(self):
        for address in {address for env in self.environments for address in self.addresses(env)}:
            engine = docker.DockerClient(base_url=f"tcp://{address}:2375")
            for container in engine.containers.list(all=True, filters={"label": [f"slipway.app={self.name}"]}):
                container.remove(force=True)
            for image in engine.images.list():
                if any(f"/it-{self.name}-" in name for name in image.attrs.get("RepoDigests") or []):
                    engine.images.remove(image.id, force=True)
            engine.close()
        if hasattr(self, "client"):
            for env in self.environments:
                for digest in self.digests.values():
                    with contextlib.suppress(NotFoundError):
                        self.client.delete_manifest(self.repository(env), digest)
            self.client.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, lab):
    found = Pruned(tmp_path_factory.mktemp("prune"), "pruned", 18097, {"test": ["h1"], "prod": ["h2"]})
    try:
        found.write_environment("prod", ["h2"], "test", retention=RETENTION, keep_releases=1)
        found.fill()
        yield found
    finally:
        found.clean()


def test_a_host_of_any_environment_that_does_not_answer_stops_it(site):
    site.write_environment("test", ["h1"])
    inventory = site.folder / "inventory" / "test.yml"
    whole = inventory.read_text()
    inventory.write_text(whole.replace(HOSTS["h1"], "127.0.0.1"))  # no engine there
    try:
        stopped = site.play("prune", ok=False, env="prod")
    finally:
        inventory.write_text(whole)
    assert "127.0.0.1:2375" in stopped.output and len(site.tags("prod")) == 6, stopped.output


def test_a_run_that_holds_the_lock_keeps_it_out(site):
    site.record(state="locked", environment_name="prod", lock_owner="somebody", owner="bob")
    try:
        refused = site.play("prune", ok=False, env="prod")
    finally:
        site.record(state="unlocked", environment_name="prod", lock_owner="somebody")
    assert "bob" in refused.output and len(site.tags("prod")) == 6, refused.output


def test_what_nobody_needs_goes(site):
    said = site.play("prune", "--check", env="prod")
    assert "2 of 6 images" in said.flat and "tags: 1.0, 1.2." in said.flat and len(site.tags("prod")) == 6
    done = site.play("prune", env="prod")
    assert "tags: 1.0, 1.2." in done.flat
    assert site.tags("prod") == ["1.1", "1.3", "1.4", "1.5"]
    # Of what the ledger knows, what nobody goes back to; 1.0 it does not know.
    assert site.on_hosts("prod") == ["1.0", "1.4"]
    assert len(site.tags("test")) == 6  # another environment's registry is not this command's
    engine = docker.DockerClient(base_url=f"tcp://{site.addresses('test')[0]}:2375")
    assert [container.status for container in engine.containers.list(all=True, filters={"name": site.name})] == [
        "exited"
    ]
    engine.close()
    again = site.play("prune", env="prod")
    assert not any(again.changed.values())
    free = site.record(state="locked", environment_name="prod", lock_owner="next", owner="bob")
    assert not free.get("warnings")
