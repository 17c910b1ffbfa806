# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems from this machine's own Debian sources: a base, and copies of it with more packages."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab.layers import EPOCH
from lab.proc import LabError, run

_OPTIONS = {
    "--dpkgopt": [
        "path-exclude=/usr/share/doc/*",
        "path-include=/usr/share/doc/*/copyright",
        *(f"path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "info", "lintian", "bug")),
    ],
    "--aptopt": ['Acquire::Languages "none"', 'APT::Install-Recommends "false"'],
}
# in namespaces of its own, so that an interrupted build leaves no mount behind
_CHROOT = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
exec chroot "$1" /bin/sh -euc "$2"
"""


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder to build in, open to apt's own user, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="slipway-lab-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def unpack(folder: Path, target: Path, *packages: str) -> None:
    """Download Debian packages into `folder` and unpack their files to `target`: nothing configured, no dependencies."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    run(["apt-get", "-q", "download", *packages], cwd=folder, timeout=300)
    for archive in sorted(folder.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(archive), str(target)])


def base(root: Path) -> None:
    """The smallest Debian of this machine's release that still has apt."""
    options = [part for option, values in _OPTIONS.items() for value in values for part in (option, value)]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", *options, _release(), str(root), "-"],
        stdin=_sources(),
        env=env,
        timeout=900,
    )
    (root / "usr/share/man/man1").mkdir(parents=True)  # update-alternatives links there, manual pages or not
    (root / "etc/hostname").write_text("")
    (root / "etc/resolv.conf").write_text("")


def with_packages(lower: Path, root: Path, *packages: str) -> None:
    """A copy of `lower` at `root` with those packages and what they depend on."""
    run(["cp", "--archive", "--reflink=auto", str(lower), str(root)], timeout=300)
    inside(root, f"apt-get -q update && apt-get -q install --yes {' '.join(packages)} && apt-get -q clean")
    inside(root, "find var/lib/apt/lists var/log var/cache/ldconfig -type f -delete; rm -rf tmp/* root/.cache")


def inside(root: Path, script: str) -> None:
    """Run a shell script in that root file system, with this machine's network."""
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        **{name: value for name, value in os.environ.items() if name.endswith("_proxy")},
    }
    unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    run([*unshared, "sh", "-euc", _CHROOT, "sh", str(root), f"cd /; {script}"], env=env, timeout=900)


def _release() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.M)
    if not found:
        raise LabError(
            "/etc/os-release names no release (VERSION_CODENAME): the base images are made of this machine's release"
        )
    return found[1]


def _sources() -> str:
    """This machine's Debian sources in apt's one-line format, whatever format and mirror it has them in."""
    layout = ["--format", "$(ORIGIN)|deb $(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    lines = {
        line.split("|", 1)[1]
        for line in run(["apt-get", "indextargets", *layout]).splitlines()
        if line.startswith("Debian|")
    }
    if not lines:
        raise LabError("apt knows no Debian source on this machine; base images are made of Debian packages")
    return "\n".join(sorted(lines)) + "\n"
