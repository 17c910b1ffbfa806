# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start script of the sample web app: what it prints, when it waits, when it gives up. confd and Tomcat are stand-ins."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

WEBAPI = Path(__file__).resolve().parents[3] / "examples" / "webapi"
TOOLS = ("sh", "date", "find", "grep", "md5sum", "mkdir", "rm", "sleep", "sort", "wc", "xargs")
WAR_MD5 = hashlib.md5(b"the war", usedforsecurity=False).hexdigest()
UNREACHABLE = "FATAL dial tcp 10.0.0.5:6379: connect: connection refused"


@dataclass
class Image:
    """The places that the script knows, in a temporary folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "etc" / "webapi.properties"

    @property
    def calls(self) -> list[str]:
        """The arguments of every call of confd."""
        return (self.root / "calls").read_text().splitlines()

    def program(self, path: str, *lines: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        file.chmod(0o755)

    def confd(self, *lines: str) -> None:
        self.program("bin/confd", f'echo "$*" >>{self.root}/calls', *lines)

    def start(self, wait: str = "5") -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": f"{self.root}/bin",  # no confd of this machine
            "CATALINA_HOME": str(self.root / "tomcat"),
            "WEBAPI_SETTINGS": str(self.settings),
            "WEBAPI_CONFIG_WAIT": wait,
        }
        return subprocess.run(
            [str(WEBAPI / "start.sh")],
            env=variables,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=self.root,
            check=False,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    image = Image(tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    image.program("tomcat/bin/catalina.sh", 'echo "tomcat $* as $$"')
    image.confd(f"echo greeting=Hello >{image.settings}")
    app = tmp_path / "tomcat" / "webapps" / "ROOT"
    (app / "WEB-INF").mkdir(parents=True)
    (app / "WEB-INF" / "web.xml").write_text("<web-app/>\n")
    (app / "a page.html").write_text("hello\n")
    (tmp_path / "tomcat" / "webapi.war.md5").write_text(f"{WAR_MD5}  webapi.war\n")
    return image


def test_prints_checksums_renders_and_becomes_tomcat(image: Image) -> None:
    done = image.start()
    listing = "".join(
        f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {name}\n"
        for name, content in (("./WEB-INF/web.xml", b"<web-app/>\n"), ("./a page.html", b"hello\n"))
    )
    content_md5 = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[:2] == [f"webapi: WAR md5 {WAR_MD5}", f"webapi: content md5 {content_md5}"]
    assert lines[2].startswith("tomcat run as ")
    assert image.calls == ["-onetime -backend redis -node configCenter:6379"]


def test_gives_up_at_once_on_what_waiting_does_not_cure(image: Image) -> None:
    image.confd("echo 'ERROR template: x: key does not exist: /greeting' >&2", "exit 1")
    done = image.start()
    assert done.returncode == 1
    assert "key does not exist: /greeting" in done.stdout
    assert "ERROR: confd could not write" in done.stderr
    assert "(exit code 1)" in done.stderr
    assert "tomcat" not in done.stdout
    assert len(image.calls) == 1


def test_waits_for_a_config_centre_that_comes_back(image: Image) -> None:
    first_fails = f"[ $(wc -l <{image.root}/calls) -gt 1 ] || {{ echo '{UNREACHABLE}' >&2; exit 1; }}"
    image.confd(first_fails, f"echo greeting=Hello >{image.settings}")
    done = image.start()
    assert done.returncode == 0, done.stderr
    assert "configCenter:6379 is not reachable, trying again" in done.stdout
    assert len(image.calls) == 2


def test_does_not_wait_for_ever(image: Image) -> None:
    image.confd(f"echo '{UNREACHABLE}' >&2", "exit 1")
    done = image.start(wait="1")
    assert done.returncode == 1
    assert "ERROR: config centre configCenter:6379 not reachable for 1s (confd exit code 1)" in done.stderr
    assert 1 <= len(image.calls) <= 2


def test_settings_of_an_earlier_start_are_not_taken_for_new_ones(image: Image) -> None:
    image.settings.parent.mkdir()
    image.settings.write_text("greeting=Yesterday\n")
    image.confd("echo 'WARN Cannot load template resources' >&2")
    done = image.start()
    assert done.returncode == 1
    assert "confd ended well but wrote no " in done.stderr
    assert not image.settings.exists()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("tomcat/webapi.war.md5", "webapi.war.md5 is missing"), ("bin/confd", "confd is not in the image")],
)
def test_tells_what_the_image_lacks(image: Image, missing: str, expected: str) -> None:
    (image.root / missing).unlink()
    done = image.start()
    assert done.returncode == 1
    assert expected in done.stderr


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5"])
def test_refuses_a_wrong_wait(image: Image, wait: str) -> None:
    done = image.start(wait=wait)
    assert done.returncode == 1
    assert f"WEBAPI_CONFIG_WAIT must be a number of seconds, not '{wait}'" in done.stderr
    assert not (image.root / "calls").exists()
