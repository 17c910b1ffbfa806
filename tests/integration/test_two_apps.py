# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two apps of one environment in one command: each with its own image, version and settings, there and back."""

from __future__ import annotations

import pytest
import yaml
from site_helper import Site

pytestmark = [pytest.mark.lab, pytest.mark.confd]


@pytest.fixture
def sites(tmp_path, lab, lab_confd):
    """The first one's folder holds both app files; the second is there for its sources, and to look at its containers."""
    first = Site(tmp_path / "both", "anna", 18085, {"prod": ["h2", "h3"]}, lab_confd)
    second = Site(tmp_path / "bert", "bert", 18086, {"prod": ["h2", "h3"]}, lab_confd)
    second.repositories = first.repositories
    app = second.app()
    app["build"]["chdir"] = "../../bert/source"
    app["config"].update(confdir="../../bert/source/confd", keys=["config/bert.yml"])
    (first.folder / "apps" / "bert.yml").write_text(yaml.safe_dump({"app": app}, sort_keys=False))
    first.write_keys("prod", {"greeting": "anna says {{ version }}"})
    first.write_keys("bert", {"greeting": "bert says {{ version }}", "password": "four"})
    yield first, second
    second.clean()
    first.clean()


def test_each_app_gets_its_own_version_and_settings(sites):
    first, second = sites
    for name, version in (("anna", "1.0.0"), ("bert", "7.0.0")):
        first.play("build", app=name, version=version)
    first.play("deploy", env="prod")
    assert (first.versions("prod"), second.versions("prod")) == (["1.0.0"] * 2, ["7.0.0"] * 2)
    assert first.settings("prod") == {"anna says 1.0.0/14"}
    assert second.settings("prod") == {"bert says 7.0.0/4"}

    again = first.play("deploy", env="prod")
    assert not any(again.changed.values())

    first.play("build", app="anna", version="1.1.0")
    first.play("deploy", env="prod")
    assert (first.settings("prod"), second.settings("prod")) == ({"anna says 1.1.0/14"}, {"bert says 7.0.0/4"})
    first.play("rollback", env="prod", app="anna")
    assert (first.versions("prod"), second.versions("prod")) == (["1.0.0"] * 2, ["7.0.0"] * 2)
    assert (first.settings("prod"), second.settings("prod")) == ({"anna says 1.0.0/14"}, {"bert says 7.0.0/4"})
