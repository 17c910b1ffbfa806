# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From artifact and extra files to the layers of an image: what is read from disk, and where in the image it goes."""

from __future__ import annotations

import os
import posixpath
import typing as t
from dataclasses import dataclass, field, replace

from ..common.errors import ParameterError
from . import jar_manifest, layering
from .artifact import FILE, FOLDER, LINK, Artifact, Entry, clean_name, file_entry, open_artifact, parents, scan_folder
from .checksums import FileSums, Sums, content_md5, remembered_sums, tree_sums
from .layering import Layer
from .memory import Memory
from .options import ExtraFiles, Findings, Order

_BOOT_DEST = "/app"
_JAR_DEST = "/app/app.jar"
_USUAL_LINKS = {
    **{name: f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")},
    "var/run": "/run",
    "var/lock": "/run/lock",
}


@dataclass(frozen=True)
class Extra:
    """One item of `files`, read from disk: entries carry paths of the image."""

    dest: str
    entries: t.Tuple[Entry, ...]
    sha256: str


@dataclass
class Contents:
    """Everything that goes onto the base, before it is known where the base wants it. Close it after use."""

    artifact: t.Optional[Artifact]
    sums: t.Union[Sums, FileSums, None]  # an archive's are read in the background
    extras: t.List[Extra]
    warnings: t.List[str]
    manifest: t.Mapping[str, str] = field(default_factory=dict)  # a JAR's, by lower-case name
    libraries: t.List[Entry] = field(default_factory=list)  # the jars beside a JAR that its Class-Path names

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *unused: object) -> None:
        if isinstance(self.sums, FileSums):
            self.sums.__exit__()
        if self.artifact is not None:
            self.artifact.__exit__(*unused)

    def begin_sums(self, settle: bool) -> None:
        """Let an archive's checksums be read in the background; `settle` as FileSums.begin has it."""
        if isinstance(self.sums, FileSums):
            self.sums.begin(settle)

    def newest(self) -> int:
        """The image's own date, seconds since 1970: the artifact's latest, since it travels with an archive.

        Files beside it have the date of their checkout, which says nothing; they count only where there is no artifact.
        """
        if self.artifact is not None:
            return self.artifact.newest()
        return max((entry.mtime for extra in self.extras for entry in extra.entries), default=0)


@dataclass(frozen=True)
class Placement:
    """The layers on top of the base, lowest first, and how the image is started where nobody says (None: as the base)."""

    layers: t.Tuple[Layer, ...]
    dest: t.Optional[str]
    entrypoint: t.Optional[t.Tuple[str, ...]] = None


def open_contents(order: Order, memory: Memory) -> Contents:
    """Read artifact and files. ParameterError tells of everything that is missing or may not go into an image."""
    findings = Findings()
    artifact = findings.take(open_artifact, order.artifact, order.folder) if order.artifact else None
    warnings = list(artifact.warnings) if artifact else []
    extras = [extra for extra in (findings.take(_extra, item, warnings) for item in order.files) if extra]
    try:
        if findings.messages:
            raise findings.error()
        contents = Contents(artifact, _sums(artifact, memory) if artifact else None, extras, warnings)
        if artifact is not None and artifact.form == "jar":
            contents.manifest = jar_manifest.parse_manifest(artifact.text(jar_manifest.PATH) or "")
            contents.libraries = _libraries(artifact.path, contents.manifest)
        return contents
    except BaseException:
        if artifact is not None:
            artifact.__exit__()
        raise


def _sums(artifact: Artifact, memory: Memory) -> t.Union[Sums, FileSums]:
    return artifact_sums(artifact, memory) if artifact.form == "folder" else FileSums(artifact.path, memory)


def artifact_sums(artifact: Artifact, memory: Memory) -> Sums:
    """An archive's own checksums, a folder's by its content."""
    return tree_sums(artifact.entries)[0] if artifact.form == "folder" else remembered_sums(artifact.path, memory)


def _extra(item: ExtraFiles, warnings: t.List[str]) -> Extra:
    path = os.path.normpath(item.src)
    dest = item.dest
    if os.path.isdir(path):
        entries, found = scan_folder(path, "files")
        warnings += found
        entries = [Entry("", FOLDER, mode=0o755), *entries]
    elif os.path.isfile(path):
        dest = posixpath.join(dest, os.path.basename(path)) if item.into else dest
        entries = [file_entry(path, "")]
    else:
        raise ParameterError(f"files: there is no file or folder at {path}.")
    placed = tuple(_with_mode(_at(entry, dest), item.mode) for entry in entries)
    return Extra(dest, placed, tree_sums(placed)[0].sha256)


def _at(entry: Entry, dest: str) -> Entry:
    return replace(entry, path=posixpath.join(dest.strip("/"), entry.path).rstrip("/"))


def _with_mode(entry: Entry, mode: t.Optional[int]) -> Entry:
    if mode is None or entry.kind == LINK:
        return entry
    # A folder is entered by whoever may read it.
    return replace(entry, mode=mode if entry.kind == FILE else mode | (mode & 0o444) >> 2)


# -- placing ----------------------------------------------------------------------------------------------------------


def place(contents: Contents, dest: t.Optional[str], base_env: t.Mapping[str, str]) -> Placement:
    """Decide where the artifact goes and split it into layers. ParameterError when `dest` is needed and missing.

    A destination that ends like the archive (`/app/app.jar`) takes it as the file it is; any other takes it unpacked.
    """
    extras = [Layer(layering.FILES, extra.dest, extra.entries) for extra in contents.extras]
    artifact = contents.artifact
    if artifact is None:
        placement = Placement(tuple(extras), None)
    else:
        manifest = contents.manifest
        dest = dest or _default_dest(artifact, manifest, base_env)
        packed = artifact.form != "folder" and dest.lower().endswith(f".{artifact.form}")
        layers = (
            _packed(artifact, contents.libraries, dest) if packed else layering.placed(_split(artifact, manifest), dest)
        )
        placement = Placement((*layers, *extras), dest, _entrypoint(artifact, manifest, dest, packed))
    _check_overlaps(placement.layers)
    contents.warnings += _hidden_links(placement.layers)
    return placement


def _default_dest(artifact: Artifact, manifest: t.Mapping[str, str], base_env: t.Mapping[str, str]) -> str:
    if artifact.form == "jar":
        return _BOOT_DEST if jar_manifest.is_spring_boot(manifest) else _JAR_DEST
    if artifact.form == "war" and base_env.get("CATALINA_HOME"):
        return posixpath.join(base_env["CATALINA_HOME"], "webapps/ROOT")
    why = (
        "the base sets no CATALINA_HOME, so it is not a Tomcat that Slipway knows"
        if artifact.form == "war"
        else ("a folder has no usual place")
    )
    raise ParameterError(
        f"dest: say where in the image {os.path.basename(artifact.path)} goes ({why}), for example "
        "/usr/local/tomcat/webapps/ROOT or /app."
    )


def _split(artifact: Artifact, manifest: t.Mapping[str, str]) -> layering.Split:
    if artifact.form == "folder":
        return layering.folder_layers(artifact.entries)
    if artifact.form == "war":
        return layering.war_layers(artifact.entries)
    if not jar_manifest.is_spring_boot(manifest):
        return layering.jar_layers(artifact.entries)
    index = layering.parse_index(artifact.text(manifest.get("spring-boot-layers-index", "BOOT-INF/layers.idx")) or "")
    return layering.indexed_layers(artifact.entries, index) if index else layering.boot_layers(artifact.entries)


def _libraries(path: str, manifest: t.Mapping[str, str]) -> t.List[Entry]:
    """The files that a JAR's Class-Path names and that lie where it says; names that climb out of its folder are no part."""
    libraries = []
    for name in dict.fromkeys(manifest.get("class-path", "").split()):
        relative, why = clean_name(name)
        library = os.path.join(os.path.dirname(path), relative)
        if relative and not why and os.path.isfile(library):
            libraries.append(replace(file_entry(library, relative), mode=0o644))
    return libraries


def _packed(artifact: Artifact, libraries: t.Sequence[Entry], dest: str) -> t.List[Layer]:
    """The archive as one file, above the jars that it wants beside itself."""
    own = replace(file_entry(artifact.path, dest.strip("/")), mode=0o644)
    layers = [Layer(layering.ARCHIVE, dest, (own,))]
    if libraries:
        folder = posixpath.dirname(dest)
        layers.insert(0, Layer(layering.DEPENDENCIES, folder, tuple(_at(entry, folder) for entry in libraries)))
    return layers


def _entrypoint(
    artifact: Artifact, manifest: t.Mapping[str, str], dest: str, packed: bool
) -> t.Optional[t.Tuple[str, ...]]:
    main = manifest.get("main-class")
    if artifact.form != "jar" or not main:
        return None
    return ("java", "-jar", dest) if packed else ("java", "-cp", dest, main)


def _check_overlaps(layers: t.Sequence[Layer]) -> None:
    """A file of one layer where another has a folder would hide that folder and all that is in it."""
    kinds: t.Dict[str, bool] = {}
    findings = []
    for layer in layers:
        for entry in layer.entries:
            for path, folder in ((entry.path, entry.kind == FOLDER), *((path, True) for path in parents(entry.path))):
                if kinds.setdefault(path, folder) != folder:
                    findings.append(f"/{path} is a folder in one layer and a file or link in another")
    if findings:
        raise ParameterError(f"files, dest: {'; '.join(sorted(set(findings)))}.")


def _hidden_links(layers: t.Sequence[Layer]) -> t.List[str]:
    """Warnings about folders that are links in most bases, which are not opened to see."""
    above = {parent for layer in layers for entry in layer.entries for parent in parents(entry.path)}
    return [
        f"/{path} becomes a folder of its own in the image. Where the base has it as a link to {_USUAL_LINKS[path]} (Debian, "
        f"Fedora and most others do), that hides everything behind the link: name {_USUAL_LINKS[path]} instead."
        for path in sorted(above & set(_USUAL_LINKS))
    ]


def image_content_md5(placement: Placement, md5s: t.Sequence[t.Mapping[str, str]]) -> t.Optional[str]:
    """The content_md5 of all files at `dest` as a container of the image has them.

    `md5s` are the layers' {path in the image: md5}, in the layers' order; extra files below `dest` count too.
    """
    if placement.dest is None:
        return None
    inside: t.Dict[str, str] = {}
    root = placement.dest.strip("/")
    for layer, sums in zip(placement.layers, md5s):
        for entry in layer.entries:
            inside.pop(entry.path, None)  # a link over a file below
        inside.update(sums)
    if root in inside:
        return content_md5({posixpath.basename(root): inside[root]})
    return content_md5({path[len(root) + 1 :]: value for path, value in inside.items() if path.startswith(f"{root}/")})
