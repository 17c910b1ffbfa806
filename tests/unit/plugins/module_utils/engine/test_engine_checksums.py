# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums of files in a streamed archive, against what md5sum itself says."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.engine import checksums
from ansible_collections.slipway.delivery.plugins.module_utils.engine.faults import NotFoundError
from fake_engine import FakeEngine
from hypothesis import given
from hypothesis import strategies as st


class Archives(FakeEngine):
    """Gives out folders of this machine, as an engine gives out those of a container."""

    def __init__(self, root, cut=None):
        super().__init__()
        self.root = root
        self.cut = cut

    def get_archive(self, _container, path):
        full = self.root / path.lstrip("/")
        if not os.path.lexists(full):
            raise NotFoundError(f"no such path {path}")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(full, arcname=os.path.basename(path.rstrip("/")) or "/")
        raw = buffer.getvalue()[: self.cut]
        return (raw[at : at + 1000] for at in range(0, len(raw), 1000)), {}


@pytest.fixture
def tree(tmp_path):
    app = tmp_path / "app"
    (app / "WEB-INF").mkdir(parents=True)
    (app / "index.html").write_bytes(b"hello")
    (app / "WEB-INF" / "web.xml").write_bytes(b"<web/>" * 50000)
    (app / "WEB-INF-x").write_bytes(b"")  # sorts before WEB-INF/ bytewise, after it by folder
    (app / "Ünïcode name").write_bytes(b"u")
    (app / "empty").mkdir()
    os.link(app / "index.html", app / "same.html")
    os.symlink("index.html", app / "link.html")
    os.symlink("app", tmp_path / "to-app")
    os.symlink("/to-app", tmp_path / "to-link")
    os.symlink("/round", tmp_path / "round")
    return tmp_path


def by_md5sum(folder, algorithm="md5"):
    command = f"find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r {algorithm}sum | {algorithm}sum"
    return subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[0]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("path", ["/app", "/app/", "/to-app", "/to-link"])
def test_a_folder(tree, path, algorithm):
    found = checksums.of_path(Archives(tree), "c", path, algorithm, files=False)
    assert found == {
        "path": path,
        "algorithm": algorithm,
        "kind": "directory",
        "checksum": by_md5sum(tree / "app", algorithm),
        "size": 5 + 6 * 50000 + 1,
    }


def test_its_files(tree):
    found = checksums.of_path(Archives(tree), "c", "/app", "sha256", files=True)["files"]
    assert found["WEB-INF/web.xml"] == hashlib.sha256(b"<web/>" * 50000).hexdigest()
    assert found["same.html"] == found["index.html"] == hashlib.sha256(b"hello").hexdigest()
    assert "link.html" not in found
    assert "empty" not in found


@pytest.mark.parametrize("path", ["/app/index.html", "/app/same.html", "/app/link.html"])
def test_a_file(tree, path):
    found = checksums.of_path(Archives(tree), "c", path, "md5", files=True)
    assert (found["kind"], found["checksum"], found["size"], found["files"]) == (
        *("file", hashlib.md5(b"hello").hexdigest(), 5),
        {},
    )


def test_an_empty_folder(tree):
    found = checksums.of_path(Archives(tree), "c", "/app/empty", "md5", files=False)
    assert found["checksum"] == by_md5sum(tree / "app" / "empty") == hashlib.md5(b"").hexdigest()


def test_no_such_path(tree):
    found = checksums.of_path(Archives(tree), "c", "/nope", "md5", files=True)
    assert (found["kind"], found["checksum"]) == ("absent", None)


def test_links_in_a_circle(tree):
    with pytest.raises(SlipwayError, match="more than 16 symbolic links"):
        checksums.of_path(Archives(tree), "c", "/round", "md5", files=False)


def test_neither_file_nor_folder(tree):
    os.mkfifo(tree / "pipe")
    with pytest.raises(SlipwayError, match="neither a file nor a folder"):
        checksums.of_path(Archives(tree), "c", "/pipe", "md5", files=False)


def test_an_answer_that_breaks_off(tree):
    with pytest.raises(SlipwayError, match="broke off"):
        checksums.of_path(Archives(tree, cut=3000), "c", "/app", "md5", files=False)


@given(st.lists(st.binary(max_size=20), max_size=20), st.lists(st.integers(0, 30), max_size=20))
def test_stream_gives_what_was_put_in(pieces, sizes):
    stream = checksums.Stream(pieces)
    read = [stream.read(size) for size in sizes]
    assert b"".join(read) + stream.read() == b"".join(pieces)
    whole = b"".join(pieces)
    for size, piece in zip(sizes, read):
        assert len(piece) == min(size, len(whole))
        whole = whole[len(piece) :]
