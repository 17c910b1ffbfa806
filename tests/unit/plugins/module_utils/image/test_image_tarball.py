# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar streams and compression: readable by others' tools, and the same bytes however the input was laid out."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile
import zlib

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import MissingLibraryError, SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.image import compress
from ansible_collections.slipway.delivery.plugins.module_utils.image.artifact import (
    FILE,
    FOLDER,
    LINK,
    Entry,
    file_entry,
    scan_folder,
)
from ansible_collections.slipway.delivery.plugins.module_utils.image.tarball import header, tar_pieces, with_parents
from hypothesis import given
from hypothesis import strategies as st


def a_file(path, content=b"", mode=0o644):
    return Entry(path, FILE, len(content), mode, open=lambda: io.BytesIO(content))


NAMES = st.lists(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=60)
                 .filter(lambda word: word not in (".", "..")), min_size=1, max_size=4).map("/".join)  # fmt: skip


@given(content=st.dictionaries(NAMES, st.binary(max_size=2000), max_size=8), order=st.randoms(use_true_random=False))
def test_any_order_gives_the_same_stream_and_tarfile_reads_it_back(content, order):
    content = {path: data for path, data in content.items() if not any(o.startswith(f"{path}/") for o in content)}
    entries = [a_file(path, data) for path, data in content.items()]
    md5s = {}
    stream = b"".join(tar_pieces(entries, md5s))
    order.shuffle(entries)
    assert b"".join(tar_pieces(entries)) == stream
    assert md5s == {path: hashlib.md5(data).hexdigest() for path, data in content.items()}
    with tarfile.open(fileobj=io.BytesIO(stream)) as read:
        assert {m.name: read.extractfile(m).read() for m in read if m.isfile()} == content
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in read} <= {(0, 0, "", "", 1)}


@given(
    path=st.text("ab/é\U0001f600 ~", min_size=1, max_size=130).map(lambda text: text.strip("/") or "a"),
    kind=st.sampled_from([FILE, FOLDER]),
    mode=st.integers(0, 0o7777),
    size=st.integers(0, 2**34),
)
def test_headers_made_here_are_those_of_tarfile(path, kind, mode, size):
    info = tarfile.TarInfo(path)
    info.type = tarfile.REGTYPE if kind == FILE else tarfile.DIRTYPE
    info.mode, info.size, info.mtime = mode, size if kind == FILE else 0, 1
    assert header(Entry(path, kind, size, mode)) == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def test_parents_come_first_with_the_modes_that_base_images_have():
    entries = with_parents([a_file("tmp/x/f"), a_file("root/f"), a_file("usr/f"), Entry("usr/e", FOLDER, mode=0o750)])
    assert [(entry.path, oct(entry.mode)) for entry in entries if entry.kind == FOLDER] == [
        ("root", "0o700"),
        ("tmp", "0o1777"),
        ("tmp/x", "0o755"),
        ("usr", "0o755"),
        ("usr/e", "0o750"),
    ]


def test_dates_umask_and_order_on_disk_leave_no_trace(tmp_path):
    def tree(folder, names, umask, date):
        before = os.umask(umask)
        try:
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(name)
                os.utime(folder / name, (date, date))
        finally:
            os.umask(before)
        return b"".join(tar_pieces(scan_folder(str(folder), "artifact")[0]))

    names = [f"d{n % 3}/f{n}" for n in range(30)]
    shuffled = random.Random(1).sample(names, len(names))
    assert tree(tmp_path / "a", names, 0o022, 1) == tree(tmp_path / "b", shuffled, 0o077, 10**9)


def test_the_tar_command_extracts_it(tmp_path):
    long_name = "d" * 90 + "/" + "classes" * 20 + "é.class"
    entries = [
        a_file(long_name, b"1" * 700_000),
        a_file("bin/run.sh", b"#!/bin/sh\n", 0o755),
        Entry("empty", FOLDER, mode=0o755),
        Entry("bin/link", LINK, target="run.sh"),
    ]
    subprocess.run(["tar", "-x", "-C", tmp_path], input=b"".join(tar_pieces(entries)), check=True)
    assert (tmp_path / long_name).read_bytes() == b"1" * 700_000
    assert (tmp_path / "bin/run.sh").stat().st_mode & 0o777 == 0o755
    assert os.readlink(tmp_path / "bin/link") == "run.sh"
    assert (tmp_path / "empty").is_dir()


def test_the_stream_is_frozen():
    """The bytes of a known tree: a change here changes every image's digest, and needs a new FORMAT."""
    entries = [
        a_file("app/a.txt", b"hello\n"),
        a_file("app/" + "n" * 120, b"x", 0o755),
        Entry("app/l", LINK, target="a.txt"),
    ]
    digest = hashlib.sha256(b"".join(tar_pieces(entries))).hexdigest()
    assert digest == "19a4fe4509e4209c04bd0895ea46039608457505e8e12350e7f1bb02b660ac5b"


def test_a_file_that_changes_while_it_is_packed_is_an_error(tmp_path):
    path = tmp_path / "f"
    path.write_text("four")
    entry = file_entry(str(path), "f")
    path.write_text("longer now")
    with pytest.raises(SlipwayError, match="4 bytes long when it was listed and 10 when it was read"):
        list(tar_pieces([entry]))
    path.unlink()
    with pytest.raises(SlipwayError, match="f cannot be read"):
        list(tar_pieces([entry]))


# -- compression ------------------------------------------------------------------------------------------------------

JAR = [a_file("x.jar", b"1" * 10)]
TEXT = [a_file("x.txt", b"1" * 10)]


def compressed(method, entries, pieces):
    made = compress.compressor(method, entries)
    return b"".join([*(made.compress(piece) for piece in pieces), made.flush()])


@pytest.mark.parametrize("entries", [JAR, TEXT])
@given(pieces=st.lists(st.binary(max_size=300), max_size=10), repeat=st.integers(1, 400))
def test_gzip_reads_back(entries, pieces, repeat):
    pieces = [piece * repeat for piece in pieces]
    assert gzip.decompress(compressed("gzip", entries, pieces)) == b"".join(pieces)


def test_stored_bytes_do_not_depend_on_the_pieces():
    data = os.urandom(300_000)
    whole = compressed("gzip", JAR, [data])
    assert compressed("gzip", JAR, [data[i : i + 777] for i in range(0, len(data), 777)]) == whole
    assert len(whole) == len(data) + 5 * 5 + 18  # five blocks, and header and trailer


def test_the_gzip_frame_names_no_file_no_date_and_no_system():
    for entries in (JAR, TEXT):
        assert compressed("gzip", entries, [b"x"])[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_the_gzip_tool_accepts_it(tmp_path):
    data = bytes(range(256)) * 4000
    for entries in (JAR, TEXT):
        out = subprocess.run(
            ["gzip", "-dc"], input=compressed("gzip", entries, [data]), check=True, capture_output=True
        )
        assert out.stdout == data


def test_none_is_the_stream_itself():
    assert compressed("none", TEXT, [b"a", b"b"]) == b"ab"


def test_what_is_packed_already_is_stored():
    assert compress.mostly_packed([a_file("a.jar", b"1" * 80), a_file("b.txt", b"1" * 20)])
    assert not compress.mostly_packed([a_file("a.jar", b"1" * 70), a_file("b.txt", b"1" * 30)])
    assert not compress.mostly_packed([])
    text = b"the same words again and again " * 1000
    assert len(compressed("gzip", TEXT, [text])) < len(text) / 10
    assert zlib.decompress(compressed("gzip", TEXT, [text]), 31) == text


def test_zstd_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compress, "zstandard", None)
    with pytest.raises(MissingLibraryError, match="pip install zstandard"):
        compress.compressor("zstd", TEXT)


def test_zstd_reads_back():
    zstandard = pytest.importorskip("zstandard")
    data = b"words " * 10000
    out = compressed("zstd", TEXT, [data])
    assert zstandard.ZstdDecompressor().decompressobj().decompress(out) == data
    if shutil.which("zstd"):
        assert subprocess.run(["zstd", "-dc"], input=out, check=True, capture_output=True).stdout == data
