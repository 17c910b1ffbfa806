# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and push of an 80 MB WAR with 60 jars: method layers against docker build and docker push of the same WAR.

Everything is on this machine. Slipway works in this process, as it does in the controller's worker. The engine has the base
image already, and its client is the docker program. Each round has a WAR of its own, so that nobody has seen its content.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import shutil
import tempfile
import typing as t
import zipfile
from pathlib import Path

import bench  # puts the collection on the path
from ansible_collections.slipway.delivery.plugins.module_utils.image.app_image import APP_IMAGE
from ansible_collections.slipway.delivery.plugins.module_utils.registry.access import Access
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient

REPOSITORY = "it/bench-war"
NODES = ("slipway-registry", "slipway-h5")
JARS = 60
JAR_FILES = 25
JAR_FILE = 51_000
CLASSES = 900
DEST = "/usr/local/tomcat/webapps/ROOT"


def jar(noise: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number in range(JAR_FILES):
            archive.writestr(zipfile.ZipInfo(f"com/example/C{number}.class"), noise.randbytes(JAR_FILE))
    return out.getvalue()


def a_class(noise: random.Random) -> bytes:
    """As compressible as classes are: about to a quarter."""
    return b"".join(noise.choice(WORDS) for _word in range(500))


WORDS = [random.Random(5).randbytes(9) for _word in range(400)]


def files(seed: int) -> t.Dict[str, bytes]:
    """The WAR's content by name."""
    noise = random.Random(seed)
    content = {f"WEB-INF/lib/dependency-{number}.jar": jar(noise) for number in range(JARS)}
    content.update({f"WEB-INF/classes/com/example/A{number}.class": a_class(noise) for number in range(CLASSES)})
    content.update({"WEB-INF/web.xml": b"<web-app/>", "index.html": noise.randbytes(100)})
    return content


def write(path: Path, content: t.Mapping[str, bytes]) -> None:
    """As a build tool writes it: everything deflated."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


class Round:
    """One WAR, built and pushed by both, changed in one class, and built and pushed again."""

    def __init__(self, rows: bench.Rows, facts: t.Mapping[str, str], folder: Path, number: int) -> None:
        self.rows = rows
        self.registry = facts["LAB_REGISTRY"]
        self.host = facts["LAB_H5"]
        self.folder = folder
        self.number = number
        self.base = f"{self.registry}/base/tomcat:10"
        (folder / "Dockerfile").write_text(f"FROM {self.base}\nCOPY app.war {DEST}.war\n")

    def image(self, who: str) -> str:
        return f"{self.registry}/{REPOSITORY}/{who}-{self.number}:1"

    def layers(self) -> t.Dict[str, t.Any]:
        return bench.call(
            APP_IMAGE,
            image=self.image("ours"),
            base=self.base,
            artifact=str(self.folder / "app.war"),
            dest=DEST,
            insecure=True,
        )

    def engine(self) -> None:
        bench.tool("docker", "-H", self.host, "build", "-q", "-t", self.image("engine"), str(self.folder))
        bench.tool("docker", "-H", self.host, "push", "-q", self.image("engine"))

    def run(self) -> None:
        content = files(1000 + self.number)
        write(self.folder / "app.war", content)
        self.both("first build and push", "docker build and push, first")
        answer: t.Dict[str, t.Any] = {}
        self.rows.add("nothing to do", bench.cost(lambda: answer.update(self.layers()), *NODES))
        if answer["changed"] or answer["requests"] > 3:
            raise SystemExit(f"nothing to do took {answer['requests']} requests, changed {answer['changed']}")
        content["WEB-INF/classes/com/example/A7.class"] = b"changed"
        write(self.folder / "app.war", content)
        answer = self.both("one class changed", "docker build and push, one class changed")
        sent = [layer["kind"] for layer in answer["layers"] if not layer["reused"]]
        if sent != ["classes"]:
            raise SystemExit(f"one class changed, and {sent} were sent")

    def both(self, ours: str, theirs: str) -> t.Dict[str, t.Any]:
        answer: t.Dict[str, t.Any] = {}
        self.rows.add(ours, bench.cost(lambda: answer.update(self.layers()), *NODES))
        self.rows.add(theirs, bench.cost(self.engine, *NODES))
        return answer

    def forget(self) -> None:
        """The manifests and the engine's image, away again."""
        bench.tool("docker", "-H", self.host, "image", "rm", "-f", self.image("engine"))
        with contextlib.closing(RegistryClient(self.registry, Access(insecure=True))) as client:
            for who in ("ours", "engine"):
                repository = f"{REPOSITORY}/{who}-{self.number}"
                found = client.head_manifest(repository, "1")
                if found:
                    client.delete_manifest(repository, found.digest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    facts, rows = bench.lab(), bench.Rows()
    bench.tool("docker", "-H", facts["LAB_H5"], "pull", "-q", f"{facts['LAB_REGISTRY']}/base/tomcat:10")
    for number in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
        one = Round(rows, facts, folder, number)
        try:
            one.run()
        finally:
            one.forget()
            shutil.rmtree(folder)
    table = [
        rows.against("first build and push", "docker build and push, first", 1 / 2),
        rows.against("one class changed", "docker build and push, one class changed", 1 / 10),
        rows.against("nothing to do", "first build and push", 1 / 10),
    ]
    bench.show(f"80 MB WAR with {JARS} jars; medians of {rounds}; {bench.how_quiet()}", bench.HEAD, table)


if __name__ == "__main__":
    main()
