# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an artifact: the files, folders and links of a .war, a .jar or a folder, checked before anything is built."""

from __future__ import annotations

import calendar
import os
import posixpath
import stat
import struct
import typing as t
import zipfile
import zlib
from dataclasses import dataclass, field, replace

from ..common.errors import ParameterError, SlipwayError

FILE = "file"
FOLDER = "folder"
LINK = "link"
ARCHIVES = ("war", "jar")
_NEIGHBOURS = 8
_LOCAL_HEADER = 30
_PIECE = 1 << 20
_WHITEOUT = ".wh."  # OCI image spec, layer.md: such an entry removes its namesake from the layers below

Opener = t.Callable[[], t.BinaryIO]
Feed = t.Callable[[t.Callable[[bytes], object]], None]


@dataclass(frozen=True)
class Entry:
    """One file, folder or symbolic link.

    `path` is relative to the artifact (later to the image's root), with "/" between names and none at either end.
    `mode` is the permission bits the image will have, `mtime` seconds since 1970 (for the image's date only: no layer
    carries it), `target` a link's text. `open` opens the content of a file, as often as it is called. `raw`, which files of
    archives have, gives the bytes that decide the content as they are stored, to any function.
    """

    path: str
    kind: str = FILE
    size: int = 0
    mode: int = 0o644
    mtime: int = 0
    target: str = ""
    open: t.Optional[Opener] = field(default=None, compare=False, repr=False)
    raw: t.Optional[Feed] = field(default=None, compare=False, repr=False)

    def content(self) -> t.BinaryIO:
        """A file's content from its beginning; a context manager."""
        if self.open is None:
            raise ValueError(f"{self.path} is a {self.kind} and has no content")
        return self.open()

    def below(self, folder: str) -> Entry:
        """The same entry under `folder` (relative, may be empty)."""
        return replace(self, path=f"{folder}/{self.path}") if folder else self


@dataclass
class Artifact:
    """An opened artifact; close it, or use it as a context manager, since archives stay open while they are read.

    `path` is absolute, `form` is `war`, `jar` or `folder`, `warnings` are for the user.
    """

    path: str
    form: str
    entries: t.List[Entry]
    warnings: t.List[str] = field(default_factory=list)
    archive: t.Optional[zipfile.ZipFile] = None

    def __enter__(self) -> Artifact:
        return self

    def __exit__(self, *_unused: object) -> None:
        if self.archive is not None:
            self.archive.close()

    def text(self, path: str) -> t.Optional[str]:
        """The content of one small text file, or None where there is none. UTF-8, errors replaced."""
        for entry in self.entries:
            if entry.path == path and entry.kind == FILE:
                with entry.content() as stream:
                    return stream.read().decode("utf-8", "replace")
        return None

    def newest(self) -> int:
        """The latest mtime inside, seconds since 1970; 0 when nothing carries one."""
        return max((entry.mtime for entry in self.entries), default=0)


def open_artifact(given: str, folder: str = ".") -> Artifact:
    """Open what `given` (a path, `~` allowed, relative to `folder`) names.

    Raises ParameterError when there is nothing, it is no .war, .jar or folder, or it holds names that may not go into
    an image (all of them in one message); SlipwayError when it cannot be read.
    """
    path = os.path.abspath(os.path.join(folder, os.path.expanduser(given)))
    if os.path.isdir(path):
        entries, warnings = scan_folder(path, "artifact")
        return Artifact(path, "folder", entries, warnings)
    if not os.path.exists(path):
        raise ParameterError(_nothing_there(given, path, os.path.abspath(folder)))
    form = os.path.splitext(path)[1].lower().lstrip(".")
    if form not in ARCHIVES:
        raise ParameterError(f"artifact: {path} is neither a .war, a .jar nor a folder.")
    try:
        archive = zipfile.ZipFile(path)
        try:
            entries, warnings = _scan_archive(archive, path)
        except BaseException:
            archive.close()
            raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise SlipwayError(f"artifact: {path} cannot be read as an archive: {error}. Build it again.") from error
    return Artifact(path, form, entries, warnings, archive)


def _nothing_there(given: str, path: str, start: str) -> str:
    message = f"artifact: there is nothing at {path}"
    if given != path:
        message += f" (given as {given!r}, looked up from {start})"
    folder = os.path.dirname(path)
    while folder != "/" and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    names = sorted(name for name in os.listdir(folder) if name.endswith((".war", ".jar"))) if folder else []
    if folder != os.path.dirname(path):
        return f"{message}; the path exists only as far as {folder}. Has the app been built?"
    shown = ", ".join(names[:_NEIGHBOURS]) or "no .war and no .jar"
    return f"{message}; that folder holds {shown}. Has the app been built?"


def clean_name(name: str) -> t.Tuple[str, str]:
    """(normalised relative name, "") or ("", why this name may not go into an image)."""
    if name.startswith("/"):
        return "", "is an absolute name"
    if "\0" in name:
        return "", "holds a NUL"
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        return "", "climbs out of the artifact"
    if any(part.startswith(_WHITEOUT) for part in parts):
        return "", "is how image layers write that a file is deleted"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "", "is not UTF-8"
    return "/".join(parts), ""


# -- archives ---------------------------------------------------------------------------------------------------------


def _scan_archive(archive: zipfile.ZipFile, path: str) -> t.Tuple[t.List[Entry], t.List[str]]:
    found: t.Dict[str, Entry] = {}
    findings: t.List[str] = []
    twice: t.List[str] = []
    for info in archive.infolist():
        name, why = clean_name(info.filename)
        if why:
            findings.append(f"{info.filename!r} {why}")
        elif info.flag_bits & 0x1:
            findings.append(f"{info.filename!r} is encrypted")
        elif name:
            if name in found and found[name].kind != FOLDER:
                twice.append(name)
            found[name] = _archive_entry(archive, info, name)
    entries = list(found.values())
    findings += link_findings(entries) + nesting_findings(entries)
    if findings:
        raise ParameterError(f"artifact: {path} holds what may not go into an image: {'; '.join(findings)}.")
    warnings = []
    if twice:
        names = ", ".join(sorted(set(twice))[:_NEIGHBOURS])
        warnings.append(f"{path} holds some names more than once; the last of each was taken, as Java does: {names}.")
    return entries, warnings


def _archive_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Entry:
    mtime = _archive_time(info)
    if info.is_dir():
        return Entry(name, FOLDER, mode=0o755, mtime=mtime)
    if stat.S_ISLNK(info.external_attr >> 16):
        return Entry(name, LINK, mode=0o777, mtime=mtime, target=archive.read(info).decode("utf-8", "surrogateescape"))

    def content() -> t.BinaryIO:
        return t.cast(t.BinaryIO, archive.open(info))

    return Entry(name, FILE, info.file_size, 0o644, mtime, open=content, raw=_raw(archive, info))


def _raw(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Feed:
    """How an entry's compressed bytes are read, beside whoever reads the archive as well."""

    def feed(take: t.Callable[[bytes], object]) -> None:
        descriptor = t.cast(t.BinaryIO, archive.fp).fileno()
        header = os.pread(descriptor, _LOCAL_HEADER, info.header_offset)
        # Names and extra fields may differ from those in the directory, so their lengths stand here again.
        start = info.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[-4:].rjust(4, b"\0")))
        end = start + info.compress_size
        take(f"{info.compress_type} {info.CRC} {info.compress_size}\n".encode())
        while start < end:
            piece = os.pread(descriptor, min(_PIECE, end - start), start)
            if not piece:
                raise EOFError(f"{info.filename} ends before its time")
            take(piece)
            start += len(piece)

    return feed


def _archive_time(info: zipfile.ZipInfo) -> int:
    """Zip dates carry no time zone: read as UTC, so that every machine sees the same second."""
    try:
        return max(0, calendar.timegm((*info.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):  # a month or day 0, as some tools write
        return 0


def link_findings(entries: t.Iterable[Entry]) -> t.List[str]:
    """Why links of an archive are refused: absolute, or pointing out of it. An app's own build makes neither."""
    findings = []
    for entry in entries:
        if entry.kind == LINK and leaves(entry):
            findings.append(f"{entry.path!r} is a link out of the artifact, to {entry.target!r}")
    return findings


def leaves(link: Entry) -> bool:
    """Whether a link's target is outside what it is part of."""
    if link.target.startswith("/"):
        return True
    end = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return end == ".." or end.startswith("../")


def nesting_findings(entries: t.Sequence[Entry]) -> t.List[str]:
    """Entries below something that is no folder: what would be written through a link, or cannot be written at all."""
    solid = {entry.path: entry.kind for entry in entries if entry.kind != FOLDER}
    findings = []
    for entry in entries:
        for parent in parents(entry.path):
            if parent in solid:
                findings.append(f"{entry.path!r} lies below {parent!r}, which is a {solid[parent]}")
    return findings


def parents(path: str) -> t.Iterator[str]:
    """The folders above `path`, outermost first: `a/b/c` gives `a`, `a/b`."""
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)


# -- folders ----------------------------------------------------------------------------------------------------------


def scan_folder(path: str, option: str) -> t.Tuple[t.List[Entry], t.List[str]]:
    """Entries below a folder and warnings about its links. Links are kept as links and never followed.

    Raises ParameterError (naming `option`) for sockets, devices, pipes and names that are not UTF-8.
    """
    entries: t.List[Entry] = []
    findings: t.List[str] = []
    pending = [""]
    while pending:
        relative = pending.pop()
        for item in _listed(os.path.join(path, relative), option):
            name = f"{relative}/{item.name}" if relative else item.name
            entry, why = _folder_entry(item, name)
            if entry is None:
                findings.append(f"{name!r} {why}")
                continue
            entries.append(entry)
            if entry.kind == FOLDER:
                pending.append(name)
    if findings:
        raise ParameterError(f"{option}: {path} holds what may not go into an image: {'; '.join(sorted(findings))}.")
    entries.sort(key=lambda entry: entry.path)
    warnings = [
        f"{option}: {os.path.join(path, entry.path)} is a link to {entry.target!r}, outside the folder: it goes into "
        "the image as it is, and means there what that path is in the image."
        for entry in entries
        if entry.kind == LINK and leaves(entry)
    ]
    return entries, warnings


def _listed(path: str, option: str) -> t.List[os.DirEntry[str]]:
    try:
        with os.scandir(path) as items:
            return sorted(items, key=lambda item: item.name)
    except OSError as error:
        raise SlipwayError(f"{option}: {path} cannot be read: {error.strerror or error}.") from error


def _folder_entry(item: os.DirEntry[str], name: str) -> t.Tuple[t.Optional[Entry], str]:
    _unused, why = clean_name(name)
    if why:
        return None, why
    status = item.stat(follow_symlinks=False)
    mtime = max(0, int(status.st_mtime))
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, LINK, mode=0o777, mtime=mtime, target=os.readlink(item.path)), ""
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, FOLDER, mode=0o755), ""
    if stat.S_ISREG(status.st_mode):
        return file_entry(item.path, name, status), ""
    return None, "is a socket, a pipe or a device"


def file_entry(path: str, name: str, status: t.Optional[os.stat_result] = None) -> Entry:
    """The file at `path` as an entry `name`. Only the owner's execute bit counts, so that no umask shows."""
    status = status or os.stat(path)
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644

    def content() -> t.BinaryIO:
        return open(path, "rb")

    return Entry(name, FILE, status.st_size, mode, max(0, int(status.st_mtime)), open=content)
