# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a real archive to real tars: what an engine would unpack is what the archive holds, whatever that is."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.image.contents import open_contents, place
from ansible_collections.slipway.delivery.plugins.module_utils.image.memory import Memory
from ansible_collections.slipway.delivery.plugins.module_utils.image.options import read_order
from ansible_collections.slipway.delivery.plugins.module_utils.image.tarball import tar_pieces
from hypothesis import given, settings
from hypothesis import strategies as st

PARTS = st.sampled_from(
    ["WEB-INF", "lib", "classes", "BOOT-INF", "META-INF", "com", "a.jar", "b-SNAPSHOT.jar", "A.class", "ü x"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=8)
INDEX = b'- "dependencies":\n  - "BOOT-INF/lib/"\n- "application":\n  - "BOOT-INF/classes/"\n  - "META-INF/"\n'
MANIFESTS = {
    "war": None,
    "boot": b"Main-Class: x.Launcher\r\nSpring-Boot-Version: 3.2.0\r\n\r\n",
    "indexed": b"Main-Class: x.Launcher\r\nSpring-Boot-Version: 3.2.0\r\nSpring-Boot-Layers-Index: BOOT-INF/layers.idx\r\n\r\n",
    "plain": b"Main-Class: x.Main\r\n\r\n",
}


def parameters(**options):
    spec = APP_IMAGE.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages
    return validated.validated_parameters


def without_clashes(content):
    """Names that are files, without those that lie below one of them."""
    return {name: data for name, data in content.items() if not any(name.startswith(f"{other}/") for other in content)}


def archive(path, content, folders=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for folder in folders:
            out.writestr(f"{folder}/", b"")
        for name, data in content.items():
            out.writestr(name, data)


def unpacked(path, dest="/srv/app"):
    """What the layers hold below `dest`, each unpacked over the one before: files, and folders without anything in them."""
    order = read_order(
        parameters(image="registry.invalid/a:1", base="registry.invalid/b:1", artifact=str(path), dest=dest)
    )
    files, folders = {}, set()
    with open_contents(order, Memory(dry=True)) as contents:
        for layer in place(contents, order.dest, {}).layers:
            stream = io.BytesIO(b"".join(tar_pieces(layer.entries)))
            with tarfile.open(fileobj=stream) as tar:
                for member in tar:
                    if member.isfile():
                        files[member.name] = tar.extractfile(member).read()
                    else:
                        assert member.isdir()
                        folders.add(member.name)
    prefix = dest.strip("/") + "/"
    empty = {folder for folder in folders if not any(other.startswith(f"{folder}/") for other in {*files, *folders})}
    return {name[len(prefix) :]: data for name, data in files.items()}, {name[len(prefix) :] for name in empty}


@pytest.mark.parametrize("kind", MANIFESTS)
@settings(max_examples=20)
@given(content=CONTENTS)
def test_the_union_of_the_layers_is_the_archive(tmp_path_factory, kind, content):
    path = tmp_path_factory.mktemp("union") / ("app.war" if kind == "war" else "app.jar")
    if MANIFESTS[kind]:
        content = {**content, "META-INF/MANIFEST.MF": MANIFESTS[kind]}
    if kind == "indexed":
        content = {**content, "BOOT-INF/layers.idx": INDEX}
    content = without_clashes(content)
    archive(path, content, folders=["empty/folder"])
    files, empty = unpacked(path)
    assert files == content
    assert "empty/folder" in empty


@given(
    bad=st.sampled_from(["/etc/passwd", "../up", "a/../../up", "a/.wh.b", "..", "//x", "a/b/../../../c"]),
    content=CONTENTS,
)
@settings(max_examples=20)
def test_no_name_gets_out_whatever_is_around_it(tmp_path_factory, bad, content):
    path = tmp_path_factory.mktemp("slip") / "app.war"
    archive(path, {**content, bad: b"x"})
    with pytest.raises(ParameterError, match="may not go into an image"):
        unpacked(path)
