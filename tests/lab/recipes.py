# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each base image is made from Debian packages."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab.layers import DOCKER, write_image, write_layer
from lab.proc import run

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def _workshop() -> Iterator[Path]:
    """A folder to build in, readable by apt's own user, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="slipway-lab-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _unpack(folder: Path, target: Path, *packages: str) -> None:
    """Download Debian packages and unpack their files, nothing configured, no dependencies."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    run(["apt-get", "-q", "download", *packages], cwd=folder, timeout=300)
    for archive in sorted(folder.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(archive), str(target)])


def busybox(image: Path) -> None:
    """One static binary with a link for each of its tools, and the few files that programs expect."""
    with _workshop() as work:
        root = work / "root"
        for folder in (
            "bin",
            "dev",
            "etc",
            "home",
            "proc",
            "root",
            "sbin",
            "sys",
            "tmp",
            "usr/bin",
            "usr/sbin",
            "var/www",
        ):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        _unpack(work / "debs", work / "unpacked", "busybox-static")
        (work / "unpacked/bin/busybox").rename(root / "bin/busybox")
        for applet in run([str(root / "bin/busybox"), "--list-full"]).split():
            if applet not in ("bin/busybox", "linuxrc"):
                (root / applet).symlink_to("/bin/busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        layer = write_layer(image, root, "busybox-static")
    write_image(image, [layer], {"Env": [f"PATH={_PATH}"], "Cmd": ["sh"]}, DOCKER)
