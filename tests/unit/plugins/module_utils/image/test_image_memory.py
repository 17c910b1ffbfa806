# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of artifacts: the right thing, for the very same content only, and never a reason to fail."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import zipfile

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.image import checksums
from ansible_collections.slipway.delivery.plugins.module_utils.image.artifact import open_artifact
from ansible_collections.slipway.delivery.plugins.module_utils.image.layering import placed, war_layers
from ansible_collections.slipway.delivery.plugins.module_utils.image.memory import (
    Memory,
    default_folder,
    file_key,
    settling_time,
)
from ansible_collections.slipway.delivery.plugins.module_utils.image.pack import (
    fingerprint,
    measure,
    pack,
    pack_ahead,
    quickest_hash,
    recall,
    remember,
    seen,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def memory(tmp_path):
    return Memory(str(tmp_path / "memory"))


def old_file(path, content=b"content"):
    """A file that nobody has written to for a while, as far as one can tell."""
    path.write_bytes(content)
    return path.stat().st_ctime + 60


def test_what_was_put_comes_back_and_nothing_else(memory, tmp_path):
    memory.put("files", ["a", 1], {"x": 1})
    assert memory.get("files", ["a", 1]) == {"x": 1}
    assert memory.get("files", ["a", 2]) is None
    assert memory.get("layers", ["a", 1]) is None
    assert stat.S_IMODE((tmp_path / "memory" / "files").stat().st_mode) == 0o700


def test_check_mode_reads_and_writes_nothing(memory, tmp_path):
    memory.put("files", "a", {"x": 1})
    dry = Memory(str(tmp_path / "memory"), dry=True)
    dry.put("files", "b", {"x": 2})
    assert (dry.get("files", "a"), dry.get("files", "b")) == ({"x": 1}, None)
    Memory(str(tmp_path / "other"), dry=True).put("files", "b", {})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{broken", b"[]", b"\xff", b'{"key": "other", "value": {}}', b'{"value": {}}']
)
def test_a_damaged_memory_is_none(memory, tmp_path, content):
    memory.put("files", "a", {"x": 1})
    (path,) = (tmp_path / "memory" / "files").iterdir()
    path.write_bytes(content)
    assert memory.get("files", "a") is None


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    memory = Memory(str(tmp_path / "file"))
    memory.put("files", "a", {"x": 1})
    assert memory.get("files", "a") is None


def test_the_oldest_are_forgotten(memory, tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.slipway.delivery.plugins.module_utils.image.memory._KEPT", 3)
    for number in range(7):
        memory.put("files", number, {"x": number})
        for path in (tmp_path / "memory" / "files").iterdir():
            os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)
    assert [number for number in range(7) if memory.get("files", number)] == [4, 5, 6]


def test_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_folder() == "/caches/slipway"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == os.path.expanduser("~/.cache/slipway")


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_file_that_was_written_just_now_has_no_key(tmp_path):
    late = old_file(tmp_path / "a")
    assert file_key(str(tmp_path / "a"), late - 60) is None
    assert file_key(str(tmp_path / "a"), late) is not None


def test_a_write_that_puts_size_and_date_back_is_seen(tmp_path):
    path = tmp_path / "a"
    late = old_file(path)
    before, times = file_key(str(path), late), path.stat()
    while path.stat().st_ctime_ns == times.st_ctime_ns:  # until the clock that files are stamped with has ticked
        path.write_bytes(b"CONTENT")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = file_key(str(path), late)
    assert before[2:5] == after[2:5]  # inode, size, mtime
    assert before != after


def test_checksums_are_read_once_for_a_content(tmp_path, memory, monkeypatch):
    path = tmp_path / "a"
    late = old_file(path)
    monkeypatch.setattr("time.time", lambda: late)
    first = checksums.remembered_sums(str(path), memory)
    assert first == checksums.file_sums(str(path))
    monkeypatch.setattr(checksums, "_file_sum", lambda _path, _algorithm: pytest.fail("read again"))
    assert checksums.remembered_sums(str(path), memory) == first


def test_checksums_of_a_file_that_changes_meanwhile_are_not_kept(tmp_path, memory, monkeypatch):
    path, real = tmp_path / "a", checksums._file_sum
    late = old_file(path)
    monkeypatch.setattr("time.time", lambda: late)

    def read(name, algorithm):
        found = real(name, algorithm)
        path.write_bytes(b"changed while it was read")
        return found

    monkeypatch.setattr(checksums, "_file_sum", read)
    checksums.remembered_sums(str(path), memory)
    monkeypatch.setattr(checksums, "_file_sum", real)
    assert checksums.remembered_sums(str(path), memory) == checksums.file_sums(str(path))


@pytest.mark.parametrize("settle", [True, False])
def test_a_file_written_just_now_is_remembered_where_nobody_waits_for_its_checksums(tmp_path, memory, settle):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    while settle and settling_time(str(path)) == 0.0:  # the disk was slow, or a whole second was hit
        path.write_bytes(b"content")
    with checksums.FileSums(str(path), memory) as sums:
        sums.begin(settle)
        assert sums.all() == checksums.file_sums(str(path))
    key = file_key(str(path), path.stat().st_ctime + 60)
    assert (memory.get("files", key) is not None) is settle


def test_no_time_is_spent_on_a_file_that_settles_slowly_or_has_settled(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    written = path.stat().st_ctime
    assert settling_time(str(path), written + 60) == 0.0
    assert settling_time(str(path), written - 60) == 0.0  # the clock was set back
    assert 0.0 <= settling_time(str(path), written) < 0.2


def test_sha256_is_there_before_md5(tmp_path, monkeypatch):
    path, real, ready = tmp_path / "a", checksums._file_sum, threading.Event()
    path.write_bytes(b"content")

    def read(name, algorithm):
        assert algorithm == "sha256" or ready.wait(30)
        return real(name, algorithm)

    monkeypatch.setattr(checksums, "_file_sum", read)
    with checksums.FileSums(str(path)) as sums:
        assert sums.sha256 == hashlib.sha256(b"content").hexdigest()
        ready.set()
        assert (sums.md5, sums.size) == (hashlib.md5(b"content").hexdigest(), 7)


def test_a_file_that_goes_away_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    with checksums.FileSums(str(path)) as sums:
        path.unlink()
        with pytest.raises(SlipwayError, match=f"artifact: {path} cannot be read"):
            sums.all()


# -- layers -----------------------------------------------------------------------------------------------------------


def layer_of(path, content, level=6, date=(2026, 1, 1, 0, 0, 0)):
    """The one layer of an archive with these files; it stays open."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, date)
            info.compress_type, info.extra = zipfile.ZIP_DEFLATED, b"\x99\x99\x02\x00ab"
            archive.writestr(info, data)
    artifact = open_artifact(str(path))
    (layer,) = placed(war_layers(artifact.entries), "/srv")
    return layer


def test_a_fingerprint_sees_names_and_content_and_no_dates(tmp_path):
    content = {"a.txt": b"a" * 5000, "b.txt": b"b"}
    first = fingerprint(layer_of(tmp_path / "1.war", content))
    assert first == fingerprint(
        layer_of(tmp_path / "2.war", dict(reversed(content.items())), date=(2027, 1, 1, 0, 0, 0))
    )
    for other in ({**content, "b.txt": b"c"}, {**content, "c.txt": b""}, {"a.txt": content["a.txt"], "B.txt": b"b"}):
        assert fingerprint(layer_of(tmp_path / "3.war", other)) != first


CONTENTS = st.dictionaries(st.sampled_from(["a", "b", "c/d"]), st.binary(max_size=40), min_size=1, max_size=3)


@given(one=CONTENTS, other=CONTENTS)
def test_equal_fingerprints_mean_equal_layers(tmp_path_factory, one, other):
    folder = tmp_path_factory.mktemp("layers")
    first, second = layer_of(folder / "1.war", one), layer_of(folder / "2.war", other)
    assert (fingerprint(first) == fingerprint(second)) is (measure(first) == measure(second)) is (one == other)


def test_a_layer_is_recalled_as_it_was_measured(tmp_path, memory):
    layer = layer_of(tmp_path / "1.war", {"a": b"1", "b": b"2"})
    key, found = recall(layer, memory)
    assert found is None
    remember(key, measure(layer), memory)
    assert recall(layer, memory) == (key, measure(layer))


def test_files_outside_archives_are_measured(tmp_path, memory):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("1")
    (layer,) = placed(war_layers(open_artifact(str(tmp_path / "folder")).entries), "/srv")
    assert recall(layer, memory) == (None, None)
    remember(None, measure(layer), memory)
    assert not (tmp_path / "memory").exists()


def test_a_layer_packed_ahead_is_the_layer(tmp_path):
    layer = layer_of(tmp_path / "1.war", {"a": b"1" * 100_000, "b": b"2"})
    out = io.BytesIO()
    assert pack_ahead(layer, "gzip").packed == pack(layer, "gzip", out)
    assert pack_ahead(layer, "gzip").content == out.getvalue()


def test_layers_are_known_by_their_diff_ids_as_well(tmp_path, memory):
    layer = layer_of(tmp_path / "1.war", {"a": b"1"})
    measured = measure(layer)
    assert not seen(measured.diff_id, memory)
    remember(fingerprint(layer), measured, memory)
    assert seen(measured.diff_id, memory)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu sse2 sha_ni\n", "sha256"),
        ("Features\t: fp asimd sha1 sha2\n", "sha256"),
        ("flags\t\t: fpu sse2\nmodel name\t: sha2000\n", "blake2b"),
    ],
)
def test_the_quickest_hash_depends_on_the_processor(tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    assert quickest_hash(str(tmp_path / "cpuinfo")) == expected
    assert quickest_hash(str(tmp_path / "none")) == "blake2b"
