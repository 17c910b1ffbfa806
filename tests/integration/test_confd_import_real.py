# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing from real places: .properties as Java itself reads them, and what redis, etcd and a file hold."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
import typing as t
from pathlib import Path

import confd_helper
import pytest
import yaml
from ansible_collections.slipway.delivery.plugins.module_utils.common.errors import ParameterError
from ansible_collections.slipway.delivery.plugins.module_utils.confd import formats
from ansible_collections.slipway.delivery.plugins.module_utils.confd.importing import CONFD_IMPORT
from confd_helper import BACKENDS, VALUES, execute

pytestmark = pytest.mark.lab

PIECES = [
    "a",
    "b.c",
    "=",
    ":",
    " ",
    "\t",
    "\f",
    "\\",
    "\\\\",
    "\n",
    "\r\n",
    "\r",
    "#",
    "!",
    "\\u00e9",
    "\\u12",
    "\\t",
    "\\n",
    "é",
    "🚢",
    "\\ud83d\\udea2",
]


def decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def halved(text: str) -> str:
    """Half of a character, which flatten refuses, as Java encodes it."""
    return text.encode("utf-8", "replace").decode()


def test_properties_are_read_as_java_reads_them():
    java = shutil.which("java")
    if java is None:
        pytest.skip("no java to ask java.util.Properties with")
    random_ = random.Random(20260301)
    texts = ["".join(random_.choice(PIECES) for _piece in range(random_.randint(1, 14))) for _number in range(4000)]
    source = Path(__file__).parent / "java_oracle" / "Properties.java"
    lines = "".join(base64.b64encode(text.encode()).decode() + "\n" for text in texts)
    done = subprocess.run([java, str(source)], input=lines, capture_output=True, text=True, check=True, timeout=60)
    answers = done.stdout.splitlines()
    assert len(answers) == len(texts)
    refused = 0
    for text, answer in zip(texts, answers):
        try:
            found: t.Optional[t.Dict[str, str]] = {
                halved(key): halved(value) for key, value in formats.parse(text, "properties")
            }
        except ParameterError:
            found, refused = None, refused + 1
        pairs = (word.split("=") for word in answer.split())
        expected = None if answer == "refused" else {decoded(key): decoded(value) for key, value in pairs}
        for settings in (found, expected):
            if settings:
                settings.pop("", None)  # what has no name is refused later; Java makes one of a last backslash
        assert found == expected, repr(text)
    assert 0 < refused < 3000


@pytest.mark.parametrize("backend", BACKENDS)
def test_from_a_config_centre_and_back(lab, tmp_path, backend):
    """What is imported and applied again is what was there: the revision is the same."""
    center = confd_helper.center(backend, lab, tmp_path)
    try:
        for key, value in VALUES.items():
            center.put(f"/kinds/{key}", value)
        center.put("/db/password", "sesame-door1")
        dest = tmp_path / "config.yml"
        args = {**center.options, "prefix": center.prefix, "dest": str(dest), "secret_keys": ["/db/password"]}
        result = execute(CONFD_IMPORT, args)
        assert result["changed"] and not result.get("failed"), result
        assert result["variables"] == {"db_password": "/db/password"}
        assert "sesame-door1" not in dest.read_text() + str(result)
        assert not execute(CONFD_IMPORT, args)["changed"]
        loader = type("Loader", (yaml.SafeLoader,), {})
        loader.add_constructor("!unsafe", lambda made, node: made.construct_scalar(node))
        settings = yaml.load(dest.read_text(), loader)
        settings["db"]["password"] = "sesame-door1"
        assert not center.config(keys=settings)["added"] + center.config(keys=settings)["changed_keys"]
        empty = execute(CONFD_IMPORT, {**args, "prefix": "/cfd-nothing-there"})
        assert empty["failed"] and "nothing below /cfd-nothing-there" in empty["msg"]
    finally:
        center.hand.forget(center.prefix)
