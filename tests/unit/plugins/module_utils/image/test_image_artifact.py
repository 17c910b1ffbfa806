# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts: what is read out of archives and folders, and what is refused with every reason at once."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError, SlipwayError
from ansible_collections.slipway.delivery.plugins.module_utils.image.artifact import (
    FILE,
    FOLDER,
    LINK,
    open_artifact,
    scan_folder,
)
from ansible_collections.slipway.delivery.plugins.module_utils.image.checksums import (
    content_md5,
    file_sums,
    tree_sums,
)


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2026, 3, 1, 12, 0, 0))
            made.writestr(info, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_archive_entries_carry_name_size_date_and_content(tmp_path):
    path = archive(tmp_path / "app.war", ("WEB-INF/", b""), ("WEB-INF/web.xml", b"<web/>"), ("./a//b.txt", b"x"))
    with open_artifact(str(path)) as artifact:
        assert artifact.form == "war"
        assert [(e.path, e.kind, e.size) for e in artifact.entries] == [
            ("WEB-INF", FOLDER, 0),
            ("WEB-INF/web.xml", FILE, 6),
            ("a/b.txt", FILE, 1),
        ]
        assert artifact.text("WEB-INF/web.xml") == "<web/>"
        assert artifact.text("nothing.txt") is None
        assert artifact.newest() == 1772366400  # 2026-03-01T12:00:00Z, whatever the machine's time zone


def test_all_bad_names_of_an_archive_are_told_at_once(tmp_path):
    path = archive(
        tmp_path / "app.jar", ("../etc/passwd", b""), ("/abs", b""), ("a/../../b", b""), ("a/.wh.b", b""), ("fine", b"")
    )
    with pytest.raises(ParameterError) as raised:
        open_artifact(str(path))
    for name in (
        "'../etc/passwd' climbs out",
        "'/abs' is an absolute name",
        "'a/../../b' climbs out",
        "'a/.wh.b' is how image layers",
    ):
        assert name in raised.value.msg
    assert "fine" not in raised.value.msg


def test_writing_through_a_link_is_refused(tmp_path):
    path = tmp_path / "app.war"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(link("out"), "../../etc")
        made.writestr(link("abs"), "/etc")
        made.writestr(link("inside"), "lib")
        made.writestr("inside/passwd", "x")
    with pytest.raises(ParameterError) as raised:
        open_artifact(str(path))
    assert "'out' is a link out of the artifact" in raised.value.msg
    assert "'abs' is a link out of the artifact" in raised.value.msg
    assert "'inside/passwd' lies below 'inside', which is a link" in raised.value.msg


def test_links_that_stay_inside_are_kept(tmp_path):
    path = tmp_path / "app.war"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(link("lib/current"), "../lib/v1")
        made.writestr("lib/v1", "x")
    with open_artifact(str(path)) as artifact:
        assert next((e.path, e.kind, e.target) for e in artifact.entries) == ("lib/current", LINK, "../lib/v1")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_duplicate_names_the_last_counts_and_a_warning_says_so(tmp_path):
    path = archive(tmp_path / "app.jar", ("a.txt", b"old"), ("b.txt", b""), ("./a.txt", b"newer"))
    with open_artifact(str(path)) as artifact:
        assert artifact.text("a.txt") == "newer"
        assert [e.path for e in artifact.entries] == ["a.txt", "b.txt"]
        assert artifact.warnings == [
            f"{path} holds some names more than once; the last of each was taken, as Java does: a.txt."
        ]


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    path = archive(tmp_path / "app.jar", ("a", b"file"), ("a/b", b"x"))
    with pytest.raises(ParameterError, match="'a/b' lies below 'a', which is a file"):
        open_artifact(str(path))


def test_a_missing_artifact_says_where_it_was_looked_for_and_what_is_there(tmp_path, monkeypatch):
    archive(tmp_path / "webapi-1.1.war", ("x", b""))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError) as raised:
        open_artifact("webapi.war")
    assert f"nothing at {tmp_path}/webapi.war" in raised.value.msg
    assert f"looked up from {tmp_path}" in raised.value.msg
    assert "that folder holds webapi-1.1.war" in raised.value.msg
    with pytest.raises(ParameterError, match=f"exists only as far as {tmp_path}"):
        open_artifact("target/classes/webapi.war")


def test_what_is_no_archive_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "app.war").write_bytes(b"PK but not really")
    with pytest.raises(SlipwayError, match=r"app\.war cannot be read as an archive"):
        open_artifact(str(tmp_path / "app.war"))
    (tmp_path / "app.txt").write_text("x")
    with pytest.raises(ParameterError, match=r"neither a \.war, a \.jar nor a folder"):
        open_artifact(str(tmp_path / "app.txt"))


def test_folder_modes_come_from_the_owners_execute_bit_alone(tmp_path):
    (tmp_path / "bin").mkdir(mode=0o700)
    for name, mode in (("bin/run", 0o4711), ("bin/data", 0o600), ("bin/odd", 0o611)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    entries, warnings = scan_folder(str(tmp_path), "artifact")
    assert {e.path: e.mode for e in entries} == {"bin": 0o755, "bin/run": 0o755, "bin/data": 0o644, "bin/odd": 0o644}
    assert warnings == []


def test_folder_links_are_not_followed_and_those_that_leave_it_are_warned_of(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f").write_text("x")
    os.symlink("real", tmp_path / "inside")
    os.symlink("/data/logs", tmp_path / "logs")
    entries, warnings = scan_folder(str(tmp_path), "artifact")
    assert [(e.path, e.kind) for e in entries] == [
        ("inside", LINK),
        ("logs", LINK),
        ("real", FOLDER),
        ("real/f", FILE),
    ]
    assert len(warnings) == 1
    assert "logs is a link to '/data/logs'" in warnings[0]


def test_sockets_pipes_and_names_that_are_not_utf8_are_refused_together(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).write_text("x")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    with pytest.raises(ParameterError) as raised:
        scan_folder(str(tmp_path), "artifact")
    listener.close()
    assert "'pipe' is a socket, a pipe or a device" in raised.value.msg
    assert "'s' is a socket, a pipe or a device" in raised.value.msg
    assert "is not UTF-8" in raised.value.msg


def test_file_sums_are_md5sums_and_sha256sums(tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(3_000_000))
    sums = file_sums(str(tmp_path / "f"))
    assert sums.size == 3_000_000
    for tool, value in (("md5sum", sums.md5), ("sha256sum", sums.sha256)):
        assert subprocess.check_output([tool, tmp_path / "f"], text=True).split()[0] == value


def test_content_md5_is_what_a_shell_in_the_container_computes(tmp_path):
    for name in ("a-b", "a/b", "a/b c", "Z", "é/ü.txt", "a.b/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name * 100)
    os.symlink("Z", tmp_path / "link")
    command = "find . -type f | LC_ALL=C sort | xargs -d '\\n' md5sum | md5sum"
    shell = subprocess.check_output(command, shell=True, cwd=tmp_path, text=True).split()[0]
    sums, md5s = tree_sums(scan_folder(str(tmp_path), "artifact")[0])
    assert content_md5(md5s) == shell
    assert sums.md5 == shell
    assert content_md5({}) == hashlib.md5(b"").hexdigest()


def test_tree_sha256_sees_names_modes_and_content_but_no_dates(tmp_path):
    (tmp_path / "f").write_text("x")

    def now() -> str:
        return tree_sums(scan_folder(str(tmp_path), "artifact")[0])[0].sha256

    first = now()
    os.utime(tmp_path / "f", (1, 1))
    assert now() == first
    (tmp_path / "f").chmod(0o755)
    executable = now()
    (tmp_path / "f").rename(tmp_path / "g")
    renamed = now()
    (tmp_path / "g").write_text("y")
    assert len({first, executable, renamed, now()}) == 4
