# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layering: every file lands in exactly one layer, and in the right one."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.image import layering
from ansible_collections.slipway.delivery.plugins.module_utils.image.artifact import FILE, FOLDER, Entry, parents
from ansible_collections.slipway.delivery.plugins.module_utils.image.jar_manifest import parse_manifest
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.sampled_from(
    ["WEB-INF", "BOOT-INF", "META-INF", "lib", "lib-provided", "classes", "org", "springframework", "boot", "loader",
     "a.jar", "b-1.0-SNAPSHOT.jar", "A.class", "B$1.class", "index.html", "MANIFEST.MF", "é", "x y"]
)  # fmt: skip
PATHS = st.lists(WORDS, min_size=1, max_size=5).map("/".join)


@st.composite
def trees(draw):
    """Entries as an archive has them: no path twice, nothing below a file, folders written out or not."""
    files = draw(st.sets(PATHS, max_size=25))
    folders = {parent for path in files for parent in parents(path)}
    files -= folders
    explicit = draw(st.sets(st.sampled_from(sorted(folders)))) if folders else set()
    empty = {path for path in draw(st.sets(PATHS, max_size=4)) if path not in files | folders}
    empty = {path for path in empty if not any(parent in files for parent in parents(path))}
    entries = [Entry(path, FILE) for path in files] + [Entry(path, FOLDER) for path in explicit | empty]
    return draw(st.permutations(entries))


INDEXES = st.lists(st.tuples(st.sampled_from("abcd"), st.lists(PATHS.flatmap(lambda p: st.sampled_from([p, p + "/"])))))


def lost_and_twice(entries, split):
    taken = [entry for _kind, layer in split for entry in layer]
    present = {entry.path for entry in taken} | {parent for entry in taken for parent in parents(entry.path)}
    lost = {entry.path for entry in entries} - present
    invented = {entry.path for entry in taken} - {entry.path for entry in entries}
    return lost, invented, len(taken) - len({entry.path for entry in taken})


@pytest.mark.parametrize(
    "rule", [layering.war_layers, layering.boot_layers, layering.jar_layers, layering.folder_layers]
)
@given(entries=trees())
def test_the_layers_union_is_the_archive(rule, entries):
    assert lost_and_twice(entries, rule(entries)) == (set(), set(), 0)


@given(entries=trees(), index=INDEXES)
def test_an_index_loses_nothing_either_whatever_it_says(entries, index):
    split = layering.indexed_layers(entries, index)
    assert lost_and_twice(entries, split) == (set(), set(), 0)
    assert len({kind for kind, _layer in split}) == len(split)


def kinds(split):
    return {entry.path: kind for kind, layer in split for entry in layer}


def test_war_rule():
    split = layering.war_layers(
        Entry(path)
        for path in (
            "WEB-INF/classes/com/A.class",
            "WEB-INF/classes/logback.xml",
            "WEB-INF/lib/dep.jar",
            "WEB-INF/lib/own-1.0-SNAPSHOT.jar",
            "WEB-INF/lib/nested/x.jar",
            "WEB-INF/lib/readme.txt",
            "applet/Old.class",
            "index.html",
            "META-INF/MANIFEST.MF",
        )
    )
    assert [kind for kind, _entries in split] == ["dependencies", "snapshot-dependencies", "resources", "classes"]
    assert kinds(split) == {
        "WEB-INF/lib/dep.jar": "dependencies",
        "WEB-INF/lib/own-1.0-SNAPSHOT.jar": "snapshot-dependencies",
        "WEB-INF/classes/com/A.class": "classes",
        "WEB-INF/classes/logback.xml": "resources",
        "WEB-INF/lib/nested/x.jar": "resources",
        "WEB-INF/lib/readme.txt": "resources",
        "applet/Old.class": "resources",
        "index.html": "resources",
        "META-INF/MANIFEST.MF": "resources",
    }


def test_boot_rule_without_an_index():
    split = layering.boot_layers(
        Entry(path)
        for path in (
            "BOOT-INF/lib/a.jar",
            "BOOT-INF/lib/a-SNAPSHOT.jar",
            "org/springframework/boot/loader/Launcher.class",
            "BOOT-INF/classes/com/A.class",
            "BOOT-INF/classes/application.yml",
        )
    )
    assert [kind for kind, _entries in split] == [
        "dependencies",
        "spring-boot-loader",
        "snapshot-dependencies",
        "resources",
        "classes",
    ]


INDEX = """\
- "dependencies":
  - "BOOT-INF/lib/a.jar"
- "spring-boot-loader":
  - "org/"
- "snapshot-dependencies":
- "application":
  - "BOOT-INF/classes/"
  - "META-INF/"
"""


def test_boot_index():
    index = layering.parse_index(INDEX)
    assert index[0] == ("dependencies", ["BOOT-INF/lib/a.jar"])
    assert index[2] == ("snapshot-dependencies", [])
    split = layering.indexed_layers(
        [
            Entry("META-INF/MANIFEST.MF"),
            Entry("org/x/L.class"),
            Entry("BOOT-INF/lib/a.jar"),
            Entry("BOOT-INF/lib/new.jar"),
        ],
        index,
    )
    assert [(kind, [entry.path for entry in entries]) for kind, entries in split] == [
        ("dependencies", ["BOOT-INF/lib/a.jar"]),
        ("spring-boot-loader", ["org/x/L.class"]),
        ("application", ["META-INF/MANIFEST.MF", "BOOT-INF/lib/new.jar"]),
    ]
    assert layering.parse_index('no index\n  - "a"\n') == []


def test_empty_folders_stay_and_implied_ones_go():
    kept = layering.without_implied([Entry("a", FOLDER), Entry("a/b", FOLDER), Entry("a/b/c"), Entry("d", FOLDER)])
    assert [entry.path for entry in kept] == ["a/b/c", "d"]


def test_placed_moves_every_entry_below_dest():
    layer = layering.placed([("content", [Entry("a/b"), Entry("c", FOLDER)])], "/opt/app")[0]
    assert ([entry.path for entry in layer.entries], layer.files, layer.dest) == (
        ["opt/app/a/b", "opt/app/c"],
        1,
        "/opt/app",
    )


def test_manifest_continuation_lines_and_sections():
    text = (
        "Manifest-Version: 1.0\r\nMain-Class: com.example.Mai\r\n n\r\nEmpty:\r\n\r\nName: x\r\nMain-Class: other\r\n"
    )
    assert parse_manifest(text) == {"manifest-version": "1.0", "main-class": "com.example.Main", "empty": ""}
