# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where artifact and files go in the image, which tag's layers are looked at, and which platform of a base is taken."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import (
    ConflictError,
    ParameterError,
    SlipwayError,
)
from ansible_collections.slipway.delivery.plugins.module_utils.image.artifact import FILE, LINK, Entry
from ansible_collections.slipway.delivery.plugins.module_utils.image.base import choose_platform
from ansible_collections.slipway.delivery.plugins.module_utils.image.build_layers import source_digest
from ansible_collections.slipway.delivery.plugins.module_utils.image.checksums import content_md5
from ansible_collections.slipway.delivery.plugins.module_utils.image.config import Settings
from ansible_collections.slipway.delivery.plugins.module_utils.image.contents import (
    Placement,
    image_content_md5,
    open_contents,
    place,
)
from ansible_collections.slipway.delivery.plugins.module_utils.image.docker_build import Build, context_entries
from ansible_collections.slipway.delivery.plugins.module_utils.image.layering import Layer
from ansible_collections.slipway.delivery.plugins.module_utils.image.memory import Memory
from ansible_collections.slipway.delivery.plugins.module_utils.image.names import Names
from ansible_collections.slipway.delivery.plugins.module_utils.image.options import ExtraFiles, Order
from ansible_collections.slipway.delivery.plugins.module_utils.image.pack import measure, pack
from ansible_collections.slipway.delivery.plugins.module_utils.image.previous import newest_tag
from ansible_collections.slipway.delivery.plugins.module_utils.registry.manifest import Descriptor
from ansible_collections.slipway.delivery.plugins.module_utils.registry.reference import Reference

BOOT = b"Manifest-Version: 1.0\r\nMain-Class: org.springframework.boot.loader.launch.JarLauncher\r\nSpring-Boot-Version: 3.4\r\n"
PLAIN = b"Manifest-Version: 1.0\r\nMain-Class: com.example.Main\r\nClass-Path: lib/a.jar ../up.jar none.jar\r\n"


def order(folder, artifact=None, files=(), dest=None, **changed):
    values = {
        "image": Reference.parse("r.example.com/app:1", "image"),
        "tags": (),
        "base": Reference.parse("r.example.com/base:1", "base"),
        "platform": None,
        "folder": str(folder),
        "artifact": artifact,
        "dest": dest,
        "files": tuple(files),
        "settings": Settings(),
        "created": "source",
        "compression": "gzip",
        "overwrite": True,
    }
    return Order(**{**values, **changed})


def archive(path, members):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content)  # without the time of day, which is in the checksum


def placed(folder, artifact, dest=None, env=None, files=()):
    with open_contents(order(folder, artifact, files), Memory(dry=True)) as contents:
        return place(contents, dest, env or {})


def shape(placement):
    return {layer.kind: sorted(entry.path for entry in layer.entries) for layer in placement.layers}


def test_a_war_goes_where_the_bases_tomcat_looks(tmp_path):
    archive(tmp_path / "a.war", {"index.html": b"x"})
    placement = placed(tmp_path, "a.war", env={"CATALINA_HOME": "/opt/tomcat"})
    assert (placement.dest, placement.entrypoint) == ("/opt/tomcat/webapps/ROOT", None)
    assert shape(placement) == {"resources": ["opt/tomcat/webapps/ROOT/index.html"]}
    with pytest.raises(ParameterError, match="sets no CATALINA_HOME"):
        placed(tmp_path, "a.war")
    assert shape(placed(tmp_path, "a.war", "/w/a.war")) == {"archive": ["w/a.war"]}


def test_a_folder_needs_a_place(tmp_path):
    (tmp_path / "dist").mkdir()
    with pytest.raises(ParameterError, match="a folder has no usual place"):
        placed(tmp_path, "dist")


def test_a_spring_boot_jar_is_unpacked_and_started_by_its_own_loader(tmp_path):
    index = b'- "dependencies":\n  - "BOOT-INF/lib/"\n- "application":\n  - "META-INF/"\n'
    members = {"META-INF/MANIFEST.MF": BOOT, "BOOT-INF/lib/a.jar": b"a", "BOOT-INF/layers.idx": index}
    archive(tmp_path / "a.jar", members)
    placement = placed(tmp_path, "a.jar")
    assert placement.dest == "/app"
    assert placement.entrypoint == ("java", "-cp", "/app", "org.springframework.boot.loader.launch.JarLauncher")
    assert shape(placement) == {
        "dependencies": ["app/BOOT-INF/lib/a.jar"],
        "application": ["app/BOOT-INF/layers.idx", "app/META-INF/MANIFEST.MF"],
    }
    del members["BOOT-INF/layers.idx"]
    archive(tmp_path / "a.jar", members)
    assert list(shape(placed(tmp_path, "a.jar"))) == ["dependencies", "resources"]


def test_a_plain_jar_goes_in_as_it_is_with_the_jars_beside_it(tmp_path):
    (tmp_path / "t" / "lib").mkdir(parents=True)
    (tmp_path / "up.jar").write_text("not below the JAR's folder")
    archive(tmp_path / "t" / "lib" / "a.jar", {"A.class": b"x"})
    archive(tmp_path / "t" / "m.jar", {"META-INF/MANIFEST.MF": PLAIN, "com/example/Main.class": b"x"})
    placement = placed(tmp_path, "t/m.jar")
    assert placement.entrypoint == ("java", "-jar", "/app/app.jar")
    assert shape(placement) == {"dependencies": ["app/lib/a.jar"], "archive": ["app/app.jar"]}
    unpacked = placed(tmp_path, "t/m.jar", "/srv/m")
    assert unpacked.entrypoint == ("java", "-cp", "/srv/m", "com.example.Main")
    assert list(shape(unpacked)) == ["resources", "classes"]


def test_extra_files(tmp_path):
    (tmp_path / "confd" / "conf.d").mkdir(parents=True)
    (tmp_path / "confd" / "conf.d" / "a.toml").write_text("x")
    (tmp_path / "start.sh").write_text("#!/bin/sh\n")
    os.symlink("start.sh", tmp_path / "confd" / "l")
    files = [
        ExtraFiles(str(tmp_path / "confd") + "/", "/etc/confd", 0o640),
        ExtraFiles(str(tmp_path / "start.sh"), "/usr/bin", None, into=True),
        ExtraFiles(str(tmp_path / "start.sh"), "/start.sh", 0o755),
    ]
    layers = placed(tmp_path, None, files=files).layers
    assert [(layer.dest, layer.files) for layer in layers] == [
        ("/etc/confd", 1),
        ("/usr/bin/start.sh", 1),
        ("/start.sh", 1),
    ]
    modes = {entry.path: oct(entry.mode) for entry in layers[0].entries}
    assert modes["etc/confd"] == modes["etc/confd/conf.d"] == "0o750"
    assert modes["etc/confd/conf.d/a.toml"] == "0o640"
    assert modes["etc/confd/l"] == "0o777"
    assert [oct(layer.entries[0].mode) for layer in layers[1:]] == ["0o644", "0o755"]


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    with pytest.raises(ParameterError) as raised:
        files = [ExtraFiles("/none/a", "/a", None), ExtraFiles("/none/b", "/b", None)]
        open_contents(order(tmp_path, "no.war", files), Memory(dry=True))
    for name in ("no.war", "/none/a", "/none/b"):
        assert name in raised.value.msg


def test_a_file_over_a_folder_of_another_layer_is_refused(tmp_path):
    archive(tmp_path / "a.war", {"WEB-INF/web.xml": b"x"})
    (tmp_path / "f").write_text("x")
    with pytest.raises(ParameterError, match="/srv/WEB-INF is a folder in one layer and a file or link in another"):
        placed(tmp_path, "a.war", "/srv", files=[ExtraFiles(str(tmp_path / "f"), "/srv/WEB-INF", None)])


def test_folders_that_are_links_in_most_bases_are_warned_of(tmp_path):
    (tmp_path / "f").write_text("x")
    with open_contents(
        order(tmp_path, None, [ExtraFiles(str(tmp_path / "f"), "/bin/f", None)]), Memory(dry=True)
    ) as contents:
        place(contents, None, {})
        assert len(contents.warnings) == 1
        assert "name /usr/bin instead" in contents.warnings[0]
    with open_contents(
        order(tmp_path, None, [ExtraFiles(str(tmp_path / "f"), "/usr/bin/f", None)]), Memory(dry=True)
    ) as contents:
        place(contents, None, {})
        assert contents.warnings == []


def test_a_full_temporary_folder_says_what_to_do():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(SlipwayError, match="No space left on device"):
        pack(Layer("a", "/app", (a_file("app/x", b"x"),)), "gzip", Full())


def a_file(path, content):
    return Entry(path, FILE, len(content), open=lambda: io.BytesIO(content))


def test_content_md5_is_of_what_lies_at_dest_in_the_end():
    layers = (
        Layer(
            "a",
            "/app",
            (a_file("app/x", b"old"), a_file("app/y", b"y"), a_file("app/z", b"z"), a_file("application/n", b"n")),
        ),
        Layer("files", "/app/x", (a_file("app/x", b"new"), Entry("app/z", LINK, target="y"), a_file("etc/q", b"q"))),
    )
    md5s = [measure(layer).md5s for layer in layers]
    expected = content_md5({"x": hashlib.md5(b"new").hexdigest(), "y": hashlib.md5(b"y").hexdigest()})
    assert image_content_md5(Placement(layers, "/app"), md5s) == expected
    one = hashlib.md5(b"q").hexdigest()
    assert image_content_md5(Placement(layers, "/etc/q"), md5s) == content_md5({"q": one})
    assert image_content_md5(Placement(layers, None), md5s) is None


def test_measuring_and_packing_agree():
    layer = Layer("a", "/app", (a_file("app/x", b"x" * 1000),))
    out = io.BytesIO()
    packed = pack(layer, "gzip", out)
    assert packed.measured == measure(layer)
    assert packed == pack(layer, "gzip", None)
    assert packed.digest == f"sha256:{hashlib.sha256(out.getvalue()).hexdigest()}"
    assert packed.size == len(out.getvalue())


def test_the_source_digest_sees_every_input(tmp_path):
    archive(tmp_path / "a.war", {"x": b"x"})
    (tmp_path / "f").write_text("x")

    def digest(base="sha256:1", created="", content=b"x", **changed):
        archive(tmp_path / "a.war", {"x": content})
        values = {"artifact": "a.war", "files": [ExtraFiles(str(tmp_path / "f"), "/f", None)], **changed}
        wanted = order(tmp_path, **values)
        with open_contents(wanted, Memory(dry=True)) as contents:
            return source_digest(wanted, contents, base, created)

    reference = digest()
    others = [
        digest(base="sha256:2"),
        digest(created="2026-01-01T00:00:00Z"),
        digest(content=b"y"),
        digest(dest="/d"),
        digest(platform="linux/arm64"),
        digest(compression="none"),
        digest(settings=Settings(env={"A": "b"})),
        digest(files=()),
        digest(files=[ExtraFiles(str(tmp_path / "f"), "/f", 0o755)]),
    ]
    assert len({reference, *others}) == 10
    # Where it is pushed, and whether it may overwrite, is no part of the image.
    assert digest(tags=("x",), overwrite=False, image=Reference.parse("r.example.com/b:2", "image")) == reference


def test_the_source_digest_sees_the_jars_beside_a_jar(tmp_path):
    (tmp_path / "lib").mkdir()
    archive(tmp_path / "m.jar", {"META-INF/MANIFEST.MF": PLAIN})

    def digest(content):
        (tmp_path / "lib" / "a.jar").write_bytes(content)
        wanted = order(tmp_path, "m.jar")
        with open_contents(wanted, Memory(dry=True)) as contents:
            return source_digest(wanted, contents, "sha256:1", "")

    assert digest(b"one") == digest(b"one") != digest(b"two")


@pytest.mark.parametrize(
    ("tags", "newest"),
    [
        ([], None),
        (["sha256-" + "0" * 64 + ".sig"], None),
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["v1.9", "v1.10"], "v1.10"),
        (["1.10.0-rc1", "1.10.0", "1.10.0-rc2"], "1.10.0"),
        (["1.10.0-rc1", "1.9.0"], "1.10.0-rc1"),
        (["latest", "1.0", "stable"], "1.0"),
        (["latest", "stable"], "stable"),
    ],
)
def test_newest_tag(tags, newest):
    assert newest_tag(tags) == newest
    assert newest_tag(reversed(tags)) == newest


def child(platform):
    names = dict(zip(("os", "architecture", "variant"), platform.split("/")))
    return Descriptor("t", f"sha256:{platform}", 1, platform=names)


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (["linux/amd64", "linux/arm64"], None, "linux/amd64"),
        (["linux/arm64", "unknown/unknown"], None, "linux/arm64"),
        (["linux/amd64", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", "linux/arm/v7"),
        (["linux/amd64", "linux/arm64/v8"], "linux/arm64", "linux/arm64/v8"),
    ],
)
def test_choose_platform(offered, wanted, chosen):
    assert choose_platform([child(name) for name in offered], wanted, "base").digest == f"sha256:{chosen}"


def test_a_platform_that_is_not_there_lists_those_that_are():
    with pytest.raises(ParameterError, match="base x has no linux/amd64; it has linux/arm64, linux/s390x"):
        choose_platform([child("linux/s390x"), child("linux/arm64")], None, "x")


class FakeRegistry:
    """Tags and what they name."""

    def __init__(self, **tags):
        self.tags = tags

    def will_push(self, repository):
        pass

    def head_manifest(self, repository, tag):
        return Descriptor("t", self.tags[tag], 1) if tag in self.tags else None

    def put_manifest(self, repository, tag, manifest):
        self.tags[tag] = manifest.digest


class FakeManifest:
    digest = "new"


def names(registry, overwrite=True, dry=False):
    return Names(registry, Reference.parse("r.example.com/app:1", "image"), ("a", "b", "1"), overwrite, dry)


def test_further_tags_are_moved_only_where_they_name_another_image():
    registry = FakeRegistry(**{"1": "new", "a": "new", "b": "old"})
    assert names(registry).all == ["1", "a", "b"]
    assert names(registry, dry=True).complete(FakeManifest) == ["b"]
    assert registry.tags["b"] == "old"
    with pytest.raises(ConflictError, match="app:b is there already, as old"):
        names(registry, overwrite=False).complete(FakeManifest)
    assert names(registry).complete(FakeManifest) == ["b"]
    assert names(registry).complete(FakeManifest) == []


def test_context_entries_follow_dockerignore(tmp_path):
    for name in ("Dockerfile", "a.txt", "b.log", "keep.log", "sub/c.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("# no\n\n**/*.log\n!keep.log\nDockerfile\n")
    common = {"build_args": {}, "labels": {}, "target": None, "platform": None, "pull": False, "no_cache": False,
              "cache_from": (), "network": None}  # fmt: skip
    build = Build(str(tmp_path), str(tmp_path / "Dockerfile"), **common)
    assert [e.path for e in context_entries(build)] == [".dockerignore", "Dockerfile", "a.txt", "keep.log", "sub"]
    outside = tmp_path / "sub" / "Other"
    outside.write_text("FROM scratch\n")
    inner = Build(str(tmp_path / "sub"), str(tmp_path / "Dockerfile"), **common)
    assert [e.path for e in context_entries(inner)] == [".dockerfile", "Other", "c.log"]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParameterError, match=r"pipe is a socket, a pipe or a device; name it in \.dockerignore"):
        context_entries(build)
