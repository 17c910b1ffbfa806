# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each base image is made from Debian packages."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import confd_binaries, rootfs
from lab.layers import DOCKER, OCI, Layer, differences, tree, write_image, write_layer
from lab.proc import run

_HERE = Path(__file__).resolve().parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOMCAT = "usr/local/tomcat"
_FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "usr/sbin", "var/www")


def busybox(image: Path) -> None:
    """One static binary with a link for each of its tools, and the few files that programs expect."""
    with rootfs.workshop() as work:
        root = work / "root"
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        rootfs.unpack(work / "debs", work / "unpacked", "busybox-static")
        (work / "unpacked/bin/busybox").rename(root / "bin/busybox")
        for applet in run([str(root / "bin/busybox"), "--list-full"]).split():
            if applet not in ("bin/busybox", "linuxrc"):
                (root / applet).symlink_to("/bin/busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        layer = write_layer(image, root, "busybox-static")
    write_image(image, [layer], {"Env": [f"PATH={_PATH}"], "Cmd": ["sh"]}, DOCKER)


def python(image: Path) -> None:
    """Debian's Python with Flask to serve and pytest to test."""
    with rootfs.workshop() as work:
        layers = [
            _debian(image, work),
            _packages(image, work, "python3", "python3-flask", "python3-pytest", "python3-waitress"),
        ]
    write_image(
        image, layers, {"Env": [f"PATH={_PATH}", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"], "Cmd": ["python3"]}, OCI
    )


def tomcat(image: Path) -> None:
    """A JRE, Tomcat 10 where the well-known image has it, and confd."""
    with rootfs.workshop() as work:
        layers = [_debian(image, work), _packages(image, work, _jre())]
        java = next(path for path in (work / "more/usr/lib/jvm").glob("java-*-openjdk-*") if not path.is_symlink())
        tree_root = work / "tomcat"
        _tomcat_tree(work, tree_root / _TOMCAT)
        layers.append(write_layer(image, tree_root, "tomcat10"))
        layers += _confd_layer(image, work / "confd")
    config = {
        "Env": [
            f"PATH=/{_TOMCAT}/bin:{_PATH}",
            f"JAVA_HOME=/usr/lib/jvm/{java.name}",
            f"CATALINA_HOME=/{_TOMCAT}",
            "LANG=C.UTF-8",
        ],
        "Cmd": ["catalina.sh", "run"],
        "WorkingDir": f"/{_TOMCAT}",
        "ExposedPorts": {"8080/tcp": {}},
    }
    write_image(image, layers, config, OCI)


def _debian(image: Path, work: Path) -> Layer:
    """The layer under the bigger images; /dev is the engine's to fill."""
    rootfs.base(work / "base")
    paths = [path for path in tree(work / "base") if not path.startswith("dev/")]
    return write_layer(image, work / "base", "debian", paths)


def _packages(image: Path, work: Path, *packages: str) -> Layer:
    """The layer that those packages add to the base."""
    rootfs.with_packages(work / "base", work / "more", *packages)
    return write_layer(image, work / "more", " ".join(packages), differences(work / "base", work / "more"))


def _jre() -> str:
    """Java 17 where this Debian has it, else Debian's default."""
    known = run(["apt-cache", "pkgnames", "openjdk-17-jre-headless"]).split()
    return "openjdk-17-jre-headless" if known else "default-jre-headless"


def _tomcat_tree(work: Path, home: Path) -> None:
    """Debian spreads Tomcat over four folders; bring it together, without its daemon wrapper, examples and symbolic links."""
    packages = ("tomcat10", "tomcat10-common", "libtomcat10-java", "libeclipse-jdt-core-java")
    rootfs.unpack(work / "debs", work / "unpacked", *packages)
    share = work / "unpacked/usr/share"
    for part, source in (("bin", "tomcat10/bin"), ("lib", "tomcat10/lib"), ("conf", "tomcat10/etc")):
        shutil.copytree(share / source, home / part)  # links are followed, and one that leads nowhere is an error
    shutil.copy(share / "java/eclipse-jdt-core.jar", home / "lib/ecj.jar")
    for folder in ("logs", "temp", "webapps", "work"):
        (home / folder).mkdir()
    for part, name in (("conf", "server.xml"), ("conf", "logging.properties"), ("bin", "setenv.sh")):
        shutil.copy(_HERE / "tomcat" / name, home / part / name)


def _confd_layer(image: Path, root: Path) -> list[Layer]:
    """confd in both command lines, as far as this machine could get them."""
    (root / "usr/local/bin").mkdir(parents=True)
    for dialect in confd_binaries.DIALECTS:
        binary = confd_binaries.find(dialect)
        if binary:
            shutil.copy(binary, root / "usr/local/bin" / dialect.binary)
            (root / "usr/local/bin" / dialect.binary).chmod(0o755)
    (root / "etc/confd").mkdir(parents=True)
    return [write_layer(image, root, "confd")]
