# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_image, method layers: built without an engine, pushed to a real registry, pulled and run by a real engine."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import docker
import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.image import build_layers
from ansible_collections.slipway.delivery.plugins.module_utils.registry import manifest as types
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from image_helper import CONTENT_MD5, FILES, KINDS, NOISE, Place, failure, ok, task, war
from lab_command import layout

COLLECTIONS = Path(__file__).resolve().parents[2] / ".work" / "collections"
pytestmark = [pytest.mark.lab]


@pytest.fixture
def place(lab):
    engine = docker.APIClient(base_url=lab["LAB_H5"], version="1.41", timeout=120)
    found = Place(lab["LAB_REGISTRY"], engine, lab["LAB_H5"])
    yield found
    found.clean()
    engine.close()


@pytest.fixture
def options(place, tmp_path):
    """A task that is complete; tests change what they are about."""
    return {
        "image": place.image(),
        "base": place.base,
        "artifact": str(war(tmp_path / "app.war", FILES)),
        "dest": "/srv/app",
        "insecure": True,
    }


# -- what is built ----------------------------------------------------------------------------------------------------


def test_the_image_runs_and_holds_every_file_of_the_war(place, options):
    result = ok(task(**options))
    assert [layer["kind"] for layer in result["layers"]] == KINDS
    assert result["changed"]
    info = place.pull(place.image())
    assert info["RootFS"]["Layers"][-4:] == [layer["diff_id"] for layer in result["layers"]]
    assert result["digest"] in info["RepoDigests"][0]
    inside = place.run(place.image(), "sh", "-c", f"cd /srv/app && {CONTENT_MD5}").split()[0]
    assert inside == result["artifact"]["content_md5"] == info["Config"]["Labels"]["slipway.build.content_md5"]
    listed = place.run(place.image(), "sh", "-c", "cd /srv/app && find . -type f | sort")
    assert listed.split() == sorted(f"./{name}" for name in FILES)


def test_check_mode_tells_the_very_digest_and_writes_nothing(place, options):
    predicted = ok(task(check_mode=True, **options))
    assert place.state() == {}
    real = ok(task(**options))
    same = ("changed", "digest", "previous_digest", "tags", "artifact", "layers", "bytes_uploaded", "diff")
    assert {name: predicted[name] for name in same} == {name: real[name] for name in same}
    assert place.state() == {"1": real["digest"]}
    options["env"] = {"A": "b"}
    assert ok(task(check_mode=True, **options))["digest"] == ok(task(**options))["digest"] != real["digest"]


def test_a_build_of_the_same_input_is_three_requests(place, options):
    first = ok(task(**options))
    again = ok(task(**options))
    assert (again["changed"], again["requests"], again["bytes_uploaded"]) == (False, 3, 0)
    assert again["digest"] == first["digest"]
    assert again["artifact"] == first["artifact"]
    assert again["layers"] == [{**layer, "reused": True} for layer in first["layers"]]


def test_the_same_input_gives_the_same_digest_elsewhere(place, options, tmp_path):
    first = ok(task(**options))
    shutil.copyfile(options["artifact"], tmp_path / "other.war")
    os.utime(tmp_path / "other.war", (1, 1))
    options.update(image=place.image(sub="/other"), artifact=str(tmp_path / "other.war"))
    assert ok(task(**options))["digest"] == first["digest"]


def test_an_archive_in_another_order_gives_the_same_layers(place, options, tmp_path):
    first = ok(task(**options))
    shuffled = dict(random.Random(3).sample(list(FILES.items()), len(FILES)))
    options.update(image=place.image(sub="/other"), artifact=str(war(tmp_path / "other.war", shuffled)))
    assert ok(task(**options))["layers"] == first["layers"]


def test_an_archive_with_other_dates_is_the_same_image(place, options, tmp_path):
    first = ok(task(**options))
    war(tmp_path / "app.war", FILES, date=(2027, 1, 1, 0, 0, 0))
    again = ok(task(**options))
    assert (again["changed"], again["digest"], again["bytes_uploaded"]) == (False, first["digest"], 0)


def test_after_one_class_only_the_classes_layer_is_sent(place, options, tmp_path):
    first = ok(task(**options))
    war(tmp_path / "app.war", {**FILES, "WEB-INF/classes/com/example/A.class": b"B" * 3000})
    predicted = ok(task(check_mode=True, **options))
    second = ok(task(**options))
    assert second["changed"]
    assert [layer["kind"] for layer in second["layers"] if not layer["reused"]] == ["classes"]
    assert second["layers"][:3] == [{**layer, "reused": True} for layer in first["layers"][:3]]
    assert second["previous_digest"] == first["digest"]
    manifest = place.client.get_manifest(place.repository, "1")
    assert second["bytes_uploaded"] == second["layers"][3]["size"] + manifest.config.size == predicted["bytes_uploaded"]
    assert place.run(place.image(), "cat", "/srv/app/WEB-INF/classes/com/example/A.class") == "B" * 3000


def test_a_changed_layer_is_read_once_where_the_old_ones_were_made(place, options, tmp_path, monkeypatch):
    ok(task(**options))
    monkeypatch.setattr(build_layers, "measure", lambda layer, _count: pytest.fail(f"{layer.kind} was measured"))
    war(tmp_path / "app.war", {**FILES, "WEB-INF/classes/com/example/A.class": b"C" * 3000})
    second = ok(task(**options))
    assert [layer["kind"] for layer in second["layers"] if not layer["reused"]] == ["classes"]
    assert second["artifact"]["md5"] == hashlib.md5((tmp_path / "app.war").read_bytes()).hexdigest()
    assert place.run(place.image(), "cat", "/srv/app/WEB-INF/classes/com/example/A.class") == "C" * 3000


def test_an_archive_packed_anew_is_the_same_image(place, options, tmp_path):
    first = ok(task(**options))
    with zipfile.ZipFile(tmp_path / "app.war", "w", zipfile.ZIP_STORED) as archive:
        for name, content in FILES.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 1, 12, 0, 0)), content)
    again = ok(task(**options))
    assert (again["changed"], again["digest"], again["bytes_uploaded"]) == (False, first["digest"], 0)


def test_a_new_version_reuses_the_layers_of_the_last(place, options, tmp_path):
    for version in ("1.9.0", "1.10.0"):
        war(tmp_path / "app.war", {**FILES, "index.html": version.encode()})
        options["image"] = place.image(version)
        ok(task(**options))
    options["image"] = place.image("1.11.0")
    war(tmp_path / "app.war", {**FILES, "index.html": b"1.10.0", "WEB-INF/classes/New.class": b"N"})
    result = ok(task(**options))
    assert [layer["reused"] for layer in result["layers"]] == [True, True, True, False]


def test_layers_that_the_registry_lost_are_sent_again(place, options, tmp_path, lab):
    first = ok(task(**options))
    lost = first["layers"][0]["digest"]
    url = f"http://{lab['LAB_REGISTRY']}/v2/{place.repository}/blobs/{lost}"
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")) as answer:
        assert answer.status == 202
    war(tmp_path / "app.war", {**FILES, "index.html": b"new"})
    second = ok(task(**options))
    assert second["layers"][0] == {**first["layers"][0], "reused": False}
    assert place.run(place.image(), "wc", "-c", "/srv/app/WEB-INF/lib/dep.jar").split()[0] == str(len(NOISE))


def test_base_config_is_patched_and_the_rest_survives(place, options):
    first = ok(
        task(
            **options,
            env={"LANG": "C.UTF-8", "SIZE": 5},
            labels={"team": "shop"},
            ports=["8080", "53/udp"],
            volumes=["/data"],
            user="1000:1000",
            working_dir="/srv",
            entrypoint=["/bin/sh", "-c"],
            cmd="'echo from the image'",
            stop_signal="SIGINT",
            healthcheck={"test": "true", "interval": "5s", "retries": 2},
        )
    )
    above = place.image("2")
    second = ok(task(**{**options, "image": above, "base": place.image(), "dest": "/srv/two"}, labels={"more": "yes"}))
    config = place.pull(above)["Config"]
    assert {"LANG=C.UTF-8", "SIZE=5"} < set(config["Env"])
    assert any(item.startswith("PATH=") for item in config["Env"])
    assert config["Labels"]["team"] == "shop"
    assert config["Labels"]["more"] == "yes"
    assert config["Labels"]["org.opencontainers.image.base.digest"] == first["digest"] == second["base_digest"]
    assert set(config["ExposedPorts"]) == {"8080/tcp", "53/udp"}
    assert set(config["Volumes"]) == {"/data"}
    assert (config["User"], config["WorkingDir"], config["StopSignal"]) == ("1000:1000", "/srv", "SIGINT")
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000, "Retries": 2}
    assert place.run(above) == "from the image\n"


def test_folder_files_links_and_modes(place, options, tmp_path):
    app = tmp_path / "app"
    (app / "bin").mkdir(parents=True)
    (app / "empty").mkdir()
    (app / "bin" / "run").write_text("#!/bin/sh\ncat /etc/conf.d/a.toml; readlink /opt/app/current\n")
    (app / "bin" / "run").chmod(0o700)
    os.symlink("bin", app / "current")
    (tmp_path / "confd").mkdir()
    (tmp_path / "confd" / "a.toml").write_text("toml\n")
    options.update(
        artifact="app",
        chdir=str(tmp_path),
        dest="/opt/app",
        files=[
            {"src": "confd/", "dest": "/etc/conf.d", "mode": "0640"},
            {"src": "app/bin/run", "dest": "/usr/bin/", "mode": "0755"},
        ],
        entrypoint=["/opt/app/current/run"],
    )
    result = ok(task(**options))
    assert [(layer["kind"], layer["dest"], layer["files"]) for layer in result["layers"]] == [
        ("content", "/opt/app", 1),
        ("files", "/etc/conf.d", 1),
        ("files", "/usr/bin/run", 1),
    ]
    assert place.run(place.image()) == "toml\nbin\n"
    modes = place.run(
        place.image(),
        "stat",
        "-c",
        "%a %u %n",
        "/etc/conf.d",
        "/etc/conf.d/a.toml",
        "/opt/app/bin/run",
        "/opt/app/empty",
    )
    assert modes.split("\n")[:4] == [
        "750 0 /etc/conf.d",
        "640 0 /etc/conf.d/a.toml",
        "755 0 /opt/app/bin/run",
        "755 0 /opt/app/empty",
    ]
    (tmp_path / "confd" / "a.toml").write_text("other\n")
    assert [layer["reused"] for layer in ok(task(**options))["layers"]] == [True, False, True]


def test_without_compression_it_runs_too(place, options):
    options["compression"] = "none"
    result = ok(task(**options))
    assert all(layer["digest"] == layer["diff_id"] for layer in result["layers"])
    assert place.run(place.image(), "cat", "/srv/app/WEB-INF/web.xml") == "<web-app/>"
    options["compression"] = "gzip"
    assert ok(task(**options))["changed"]


def test_zstd_makes_an_oci_image_of_a_docker_base(place, options):
    zstandard = pytest.importorskip("zstandard")
    result = ok(task(**options, compression="zstd"))
    manifest = place.client.get_manifest(place.repository, "1")
    assert (manifest.media_type, manifest.config.media_type) == (types.OCI_MANIFEST, types.OCI_CONFIG)
    assert [layer.media_type for layer in manifest.layers] == [types.OCI_LAYER_GZIP] + [types.OCI_LAYER_ZSTD] * 4
    for layer in result["layers"]:
        raw = place.client.get_blob(place.repository, layer["digest"], 10_000_000)
        content = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == layer["diff_id"]
    assert ok(task(**options, compression="zstd"))["requests"] == 3


def test_a_war_on_tomcat_answers(place, options, tmp_path):
    options.update(base=place.tomcat, ports=["8080"])
    del options["dest"]
    war(tmp_path / "app.war", {"index.html": b"served from layers", "WEB-INF/web.xml": b"<web-app/>"})
    result = ok(task(**options))
    assert result["layers"][0]["dest"].endswith("/webapps/ROOT")
    place.pull(place.image())
    host = place.engine.create_host_config(port_bindings={"8080/tcp": None})
    container = place.engine.create_container(place.image(), name=f"{place.repository}-tomcat", host_config=host)["Id"]
    try:
        place.engine.start(container)
        port = place.engine.port(container, 8080)[0]["HostPort"]
        address = place.engine_url.split("//")[1].split(":")[0]
        assert answer(f"http://{address}:{port}/index.html", 60) == b"served from layers"
    finally:
        place.engine.remove_container(container, force=True, v=True)


def answer(url, seconds):
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@pytest.mark.parametrize(
    ("dest", "where"), [(None, "/app/app.jar"), ("/srv/hello.jar", "/srv/hello.jar"), ("/srv/x", "/srv/x/")]
)
def test_a_jar_runs_as_a_file_and_unpacked(place, options, tmp_path, dest, where):
    if not shutil.which("javac"):
        pytest.skip("no javac on this machine, so there is no JAR that could run")
    (tmp_path / "Hello.java").write_text(
        "public class Hello { public static void main(String[] a) { System.out.println(new Library().where()); } }"
    )
    (tmp_path / "Library.java").write_text(
        "public class Library { String where() { return Hello.class.getProtectionDomain().getCodeSource().getLocation().getPath(); } }"
    )
    subprocess.run(["javac", "--release", "11", "Hello.java", "Library.java"], cwd=tmp_path, check=True)
    manifest = b"Manifest-Version: 1.0\r\nMain-Class: Hello\r\nClass-Path: lib/library.jar\r\n\r\n"
    (tmp_path / "lib").mkdir()
    library = {"Library.class": (tmp_path / "Library.class").read_bytes()}
    hello = {"META-INF/MANIFEST.MF": manifest, "Hello.class": (tmp_path / "Hello.class").read_bytes()}
    if where.endswith(".jar"):
        war(tmp_path / "lib" / "library.jar", library)
    else:
        hello.update(library)
    war(tmp_path / "hello.jar", hello)
    options.update(base=place.tomcat, artifact=str(tmp_path / "hello.jar"), dest=dest)
    result = ok(task(**options))
    kinds = ["dependencies", "archive"] if where.endswith(".jar") else ["resources", "classes"]
    assert [layer["kind"] for layer in result["layers"]] == kinds
    assert place.run(place.image()).strip() == where


# -- bases ------------------------------------------------------------------------------------------------------------


def test_a_base_in_another_registry_is_streamed_with_its_own_login(place, options, lab):
    theirs = f"{lab['LAB_REGISTRY_AUTH']}/{place.repository}:base"
    login = {"username": lab["LAB_REGISTRY_USER"], "password": lab["LAB_REGISTRY_PASSWORD"], "ca_path": lab["LAB_CA"]}
    their_client = RegistryClient(lab["LAB_REGISTRY_AUTH"], Access(**login))
    try:
        there = ok(task(**{**options, "image": theirs, "insecure": False, "base_insecure": True}, **login))
        assert there["bytes_uploaded"] > 1_000_000  # the base's layer went along
        options.update(base=theirs, dest="/srv/second", **{f"base_{name}": value for name, value in login.items()})
        here = ok(task(**options))
        assert here["base_digest"] == there["digest"]
        assert here["bytes_uploaded"] > 1_000_000
        assert place.run(place.image(), "cat", "/srv/app/index.html", "/srv/second/WEB-INF/web.xml").endswith(
            "<web-app/>"
        )
        del options["base_username"], options["base_password"]
        assert "401" in failure(**{**options, "labels": {"a": "b"}})
    finally:
        found = their_client.head_manifest(place.repository, "base")
        if found:
            their_client.delete_manifest(place.repository, found.digest)
        their_client.close()


def test_a_platform_is_chosen_from_an_index(place, options):
    image = place.client.get_manifest("base/busybox", "1")
    assert not image.is_index
    place.client.will_push(place.repository)
    place.client.mount_blob(place.repository, image.config.digest, "base/busybox")
    for layer in image.layers:
        place.client.mount_blob(place.repository, layer.digest, "base/busybox")
    place.client.put_manifest(place.repository, image.digest, image)
    child = {**image.descriptor.to_dict(), "platform": {"os": "linux", "architecture": "amd64"}}
    attestation = {**child, "platform": {"os": "unknown", "architecture": "unknown"}}
    data = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": [attestation, child]}
    place.client.put_manifest(place.repository, "multi", types.Manifest.build(data, types.OCI_INDEX))
    options["base"] = place.image("multi")
    result = ok(task(**options))
    assert result["base_digest"] == place.state()["multi"]
    assert place.run(place.image(), "cat", "/srv/app/WEB-INF/web.xml") == "<web-app/>"
    message = failure(**{**options, "platform": "linux/arm64"})
    assert "has no linux/arm64; it has linux/amd64" in message
    assert "is linux/amd64, not linux/s390x" in failure(**{**options, "base": place.base, "platform": "linux/s390x"})


# -- tags and refusals ------------------------------------------------------------------------------------------------


def test_further_tags_and_overwrite(place, options):
    first = ok(task(**options, tags=["stable", "1.0"]))
    assert place.state() == dict.fromkeys(("1", "1.0", "stable"), first["digest"])
    moved = ok(task(**options, tags=["stable", "newest"]))
    assert (moved["changed"], moved["bytes_uploaded"], moved["tags"]) == (True, 0, ["1", "stable", "newest"])
    again = ok(task(**options, overwrite=False))
    assert (again["changed"], again["digest"]) == (False, first["digest"])
    before = place.state()
    message = failure(**options, overwrite=False, env={"A": "b"})
    assert f"{place.image()} is there already, as {first['digest']}" in message
    other = {**options, "image": place.image("2"), "env": {"A": "b"}, "tags": ["stable"]}
    assert "stable is there already" in failure(**other, overwrite=False)
    assert place.state() == before


def test_bad_input_changes_nothing_and_says_what_to_do(place, options, tmp_path):
    for change, said in (
        ({"artifact": str(tmp_path / "none.war")}, "that folder holds app.war"),
        ({"base": f"{place.registry}/base/nothing:1"}, "base: there is no image"),
        ({"base": f"{place.registry}/base/busybox@sha256:{'0' * 64}"}, "There is no image"),
        ({"dest": None}, "sets no CATALINA_HOME"),
        ({"dest": "relative"}, "dest: 'relative' must be an absolute path"),
        ({"base": f"{layout.CONTROLLER}:9/x:1"}, f"{layout.CONTROLLER}:9"),
        ({"created": "yesterday"}, "created: 'yesterday'"),
        ({"image": f"{place.registry}/UPPER:1"}, "upper case"),
        ({"files": [{"src": str(tmp_path / "x"), "dest": "/srv/app"}, {"src": "/none", "dest": "/y"}]}, "/none"),
    ):
        assert said in failure(**{**options, **change})
    (tmp_path / "bad.war").write_bytes(b"no archive")
    assert "cannot be read as an archive" in failure(**{**options, "artifact": str(tmp_path / "bad.war")})
    message = failure(**{**options, "image": "x y", "base": None, "ports": ["http"], "env": {"A": True}, "target": "s"})
    for option in ("5 options cannot work", "image:", "base:", "ports:", "env:", "target:"):
        assert option in message
    assert place.state() == {}


def test_a_registry_that_wants_a_login_says_so(place, options, lab):
    image = f"{lab['LAB_REGISTRY_AUTH']}/{place.repository}:1"
    private = {"image": image, "ca_path": lab["LAB_CA"], "insecure": False, "base_insecure": True}
    message = failure(**{**options, **private})
    assert lab["LAB_REGISTRY_AUTH"] in message
    assert "401" in message


def test_an_archive_that_is_damaged_inside_leaves_the_tag_alone(place, options, tmp_path):
    before = ok(task(**options))["digest"]
    path = tmp_path / "app.war"
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("WEB-INF/lib/dep.jar").header_offset + 100
    path.write_bytes(raw[:start] + bytes(byte ^ 0xFF for byte in raw[start : start + 50]) + raw[start + 50 :])
    assert "WEB-INF/lib/dep.jar cannot be read" in failure(**options)
    assert place.state() == {"1": before}


@pytest.mark.parametrize("execution", ["controller", "module"])
def test_through_ansible_both_ways(place, options, execution):
    command = [
        str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "slipway.delivery.app_image", "-a", json.dumps(options),
        "-e", f"slipway_execution={execution}", "-e", f"ansible_python_interpreter={sys.executable}",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    for changed in ("CHANGED", "SUCCESS"):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert f"localhost | {changed} =>" in done.stdout, done.stdout + done.stderr
    assert json.loads(done.stdout.split("=>", 1)[1])["digest"] == place.state()["1"]
