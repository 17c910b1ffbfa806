# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image at depth: bases of several platforms, bases with a rich config, Spring Boot, memory, an engine's cache."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as types
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from image_helper import Place, ok, task, war
from own_registry import own_registry, push_image

COLLECTIONS = Path(__file__).resolve().parents[2] / ".work" / "collections"
LARGE = 150_000_000
GROWTH = 60_000_000  # bytes that a build may take on top of a Python that has its imports
MEASURE = """
import json, sys
from peak_memory import peak
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE
before = peak()
params = ArgumentSpecValidator(APP_IMAGE.spec.options).validate(json.loads(sys.argv[1])).validated_parameters
result = APP_IMAGE.execute(params, Context())
print(json.dumps([result.get("msg"), result.get("bytes_uploaded"), peak() - before]))
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with own_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def config_of(registry, repository, tag="1"):
    with RegistryClient(registry, Access(insecure=True)) as client:
        manifest = client.get_manifest(repository, tag)
        return json.loads(client.get_blob(repository, manifest.config.digest, 1 << 20))


def test_each_platform_of_a_base_by_its_name(registry, tmp_path):
    children = []
    for architecture, variant in (("amd64", ""), ("arm64", "v8"), ("arm", "v7")):
        platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        child = push_image(registry, "it/many", "", [{f"bin/{architecture}": b"1"}], platform=platform)
        children.append({**child.descriptor.to_dict(), "platform": platform})
    index = types.Manifest.build(
        {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": children}, types.OCI_INDEX
    )
    with RegistryClient(registry, Access(insecure=True)) as client:
        client.put_manifest("it/many", "1", index)
    options = {"base": f"{registry}/it/many:1", "artifact": str(war(tmp_path / "app.war", {"a": b"1"})), "dest": "/srv"}
    for wanted, architecture in (("linux/arm64", "arm64"), ("linux/arm/v7", "arm"), (None, "amd64")):
        image = {"image": f"{registry}/it/app-{architecture}:1", **({"platform": wanted} if wanted else {})}
        result = ok(task(**options, **image))
        config = config_of(registry, f"it/app-{architecture}")
        child = next(item for item in children if item["platform"]["architecture"] == architecture)
        below = config_of(registry, "it/many", child["digest"])["rootfs"]["diff_ids"]
        assert config["architecture"] == architecture
        assert config["rootfs"]["diff_ids"] == [*below, result["layers"][0]["diff_id"]]
        assert result["base_digest"] == index.digest
        assert not ok(task(**options, **image))["changed"]
    assert (
        "it has linux/amd64, linux/arm/v7, linux/arm64/v8"
        in task(**options, image=f"{registry}/it/x:1", platform="linux/s390x")["msg"]
    )


def test_what_slipway_does_not_know_of_a_base_survives(registry, tmp_path):
    rich = {
        "StopSignal": "SIGQUIT",
        "Shell": ["/bin/bash", "-eu", "-c"],
        "OnBuild": ["RUN touch /built"],
        "Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 5_000_000},
        "ArgsEscaped": True,
        "Env": ["PATH=/bin", "A=1"],
        "SomethingOfALaterEngine": {"deep": [1, None]},
    }
    push_image(registry, "it/rich", "1", [{"a": b"1"}], config=rich)
    artifact = str(war(tmp_path / "app.war", {"b": b"1"}))
    ok(
        task(
            image=f"{registry}/it/rich-app:1",
            base=f"{registry}/it/rich:1",
            artifact=artifact,
            dest="/srv",
            env={"B": "2"},
        )
    )
    config = config_of(registry, "it/rich-app")["config"]
    assert {name: config[name] for name in rich if name != "Env"} == {
        name: rich[name] for name in rich if name != "Env"
    }
    assert config["Env"] == ["PATH=/bin", "A=1", "B=2"]


def test_an_image_is_never_whole_in_memory(registry, tmp_path):
    """An app of 150 MB, in less than half of that, whatever is done to it."""
    block = bytes(range(256)) * 4096
    with (
        zipfile.ZipFile(tmp_path / "app.war", "w", zipfile.ZIP_STORED) as archive,
        archive.open("WEB-INF/lib/large.jar", "w", force_zip64=True) as stream,
    ):
        for _block in range(LARGE // len(block)):
            stream.write(block)
    push_image(registry, "it/small", "1", [{"a": b"1"}])
    options = {
        "image": f"{registry}/it/large:1",
        "base": f"{registry}/it/small:1",
        "artifact": str(tmp_path / "app.war"),
        "dest": "/srv",
    }
    command = [sys.executable, "-c", MEASURE, json.dumps(options)]
    environment = {
        "PYTHONPATH": f"{COLLECTIONS}:{Path(__file__).parent}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    message, uploaded, growth = json.loads(done.stdout)
    assert message is None
    assert uploaded > 0.99 * LARGE
    assert growth < GROWTH


# -- with the lab's engine --------------------------------------------------------------------------------------------


@pytest.fixture
def place(lab):
    engine = docker.APIClient(base_url=lab["LAB_H5"], version="1.41", timeout=120)
    found = Place(lab["LAB_REGISTRY"], engine, lab["LAB_H5"])
    yield found
    found.clean()
    engine.close()


LAUNCHER = """package org.springframework.boot.loader;
import java.io.File; import java.net.*; import java.util.*;
public class JarLauncher {
  public static void main(String[] args) throws Exception {
    List<URL> urls = new ArrayList<>();
    urls.add(new File("/app/BOOT-INF/classes/").toURI().toURL());
    for (File jar : new File("/app/BOOT-INF/lib").listFiles()) urls.add(jar.toURI().toURL());
    new URLClassLoader(urls.toArray(new URL[0])).loadClass("demo.Main").getMethod("main", String[].class).invoke(null, (Object) args);
  }
}"""
MAIN = 'package demo; public class Main { public static void main(String[] a) { System.out.println("started with " + lib.Library.name()); } }'
LIBRARY = 'package lib; public class Library { public static String name() { return "its library"; } }'
INDEX = """- "dependencies":
  - "BOOT-INF/lib/"
- "spring-boot-loader":
  - "org/"
- "snapshot-dependencies":
- "application":
  - "BOOT-INF/classes/"
  - "BOOT-INF/layers.idx"
  - "META-INF/"
"""


@pytest.fixture(scope="module")
def boot_files(tmp_path_factory):
    """A JAR laid out as Spring Boot lays it out; the launcher is ours, with the name and the duty of Spring's."""
    folder = tmp_path_factory.mktemp("boot")
    for name, text in (("JarLauncher", LAUNCHER), ("Main", MAIN), ("Library", LIBRARY)):
        (folder / f"{name}.java").write_text(text)
    done = subprocess.run(
        ["javac", "--release", "11", "-d", "out", "JarLauncher.java", "Main.java", "Library.java"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no JAR that could run: {done.stderr}")
    out = folder / "out"
    library = war(folder / "library-1.0.jar", {"lib/Library.class": (out / "lib" / "Library.class").read_bytes()})
    launcher = "org/springframework/boot/loader/JarLauncher.class"
    manifest = "Manifest-Version: 1.0\r\nMain-Class: org.springframework.boot.loader.JarLauncher\r\nStart-Class: demo.Main\r\nSpring-Boot-Version: 3.2.0\r\n"
    return {
        "META-INF/MANIFEST.MF": manifest.encode(),
        launcher: (out / launcher).read_bytes(),
        "BOOT-INF/classes/demo/Main.class": (out / "demo" / "Main.class").read_bytes(),
        "BOOT-INF/classes/application.yml": b"a: b\n",
        "BOOT-INF/lib/library-1.0.jar": library.read_bytes(),
    }


@pytest.mark.lab
@pytest.mark.parametrize(
    ("index", "kinds"),
    [
        (None, ["dependencies", "spring-boot-loader", "resources", "classes"]),
        (INDEX, ["dependencies", "spring-boot-loader", "application"]),
    ],
    ids=["rule", "layers.idx"],
)
def test_a_spring_boot_jar_runs_from_its_layers(place, boot_files, tmp_path, index, kinds):
    files = dict(boot_files)
    if index:
        files["META-INF/MANIFEST.MF"] += b"Spring-Boot-Layers-Index: BOOT-INF/layers.idx\r\n"
        files["BOOT-INF/layers.idx"] = index.encode()
    files["META-INF/MANIFEST.MF"] += b"\r\n"
    options = {"image": place.image(), "base": place.tomcat, "insecure": True}
    result = ok(task(**options, artifact=str(war(tmp_path / "boot.jar", files))))
    assert [layer["kind"] for layer in result["layers"]] == kinds
    assert place.run(place.image()) == "started with its library\n"


@pytest.mark.lab
def test_a_build_takes_its_cache_from_an_image_that_was_pulled(place, tmp_path):
    """Each run of the step makes another file, so that the same layer means that the step was not run again."""
    (tmp_path / "Dockerfile").write_text(f"FROM {place.base}\nRUN cat /proc/sys/kernel/random/uuid > /once\n")
    options = {"method": "dockerfile", "context": str(tmp_path), "docker_host": place.engine_url, "insecure": True}
    first = ok(task(**options, image=place.image("1")))["layers"][-1]["diff_id"]
    place.engine.remove_image(place.image("1"), force=True)
    place.pull(place.image("1"))  # what was pulled is no cache by itself
    assert ok(task(**options, image=place.image("2"), labels={"a": "2"}))["layers"][-1]["diff_id"] != first
    place.engine.remove_image(place.image("2"), force=True)
    cached = ok(task(**options, image=place.image("3"), labels={"a": "3"}, cache_from=[place.image("1")]))
    assert cached["layers"][-1]["diff_id"] == first
