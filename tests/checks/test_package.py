# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users get: the tarball, installed into an empty place far from the checkout, used by full names from there."""

from __future__ import annotations

import json
import tarfile

import pytest
from toolbox import ROOT, run

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
# Build products, scratch and CI have no place in a user's collections folder.
UNWANTED = (".cache", ".ci", ".git", ".venv", ".work", "__pycache__", "target", ".pytest_cache", "tests/output")


@pytest.fixture(scope="module")
def tarball(development, checkout_copy, passes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tarball")
    passes(
        [development.tool("ansible-galaxy"), "collection", "build", "--output-path", folder],
        cwd=checkout_copy,
        env=development.environment(HOME=str(folder)),
    )
    built = list(folder.glob("slipway-delivery-*.tar.gz"))
    assert len(built) == 1
    return built[0]


@pytest.fixture(scope="module")
def place(development, tarball, passes, tmp_path_factory):
    """An empty home with the collection installed in it, and nothing else that Ansible could find."""
    home = tmp_path_factory.mktemp("place")
    passes(
        [development.tool("ansible-galaxy"), "collection", "install", "--offline", tarball],
        cwd=home,
        env=development.environment(HOME=str(home)),
    )
    assert (home / ".ansible/collections/ansible_collections/slipway/delivery/MANIFEST.json").is_file()
    return home


@pytest.fixture
def use(development, place, passes):
    env = development.environment(HOME=str(place))

    def call(tool, *words, **options):
        return passes([development.tool(tool), *words], cwd=place, env=env, **options)

    return call


def documentation(use, kind, name):
    return json.loads(use("ansible-doc", "--type", kind, "--json", name, errors_apart=True))[name]


def test_tarball_holds_sources_only(tarball):
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    strange = [name for name in names if any(f"/{part}/" in f"/{name}/" for part in UNWANTED)]
    assert not strange
    assert {"plugins/modules", "roles", "playbooks", "README.md", "LICENSE", "meta/runtime.yml"} <= set(names)


@pytest.mark.parametrize("module", MODULES)
def test_module_documentation(use, module):
    found = documentation(use, "module", f"slipway.delivery.{module}")
    assert found["doc"]["options"]
    assert found["examples"]
    assert found["return"]


@pytest.mark.parametrize("role", ROLES)
def test_role_documentation(use, role):
    entry_points = documentation(use, "role", f"slipway.delivery.{role}")["entry_points"]
    assert entry_points
    assert all(point["short_description"] for point in entry_points.values())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_by_full_name(use, playbook):
    use("ansible-playbook", "--syntax-check", f"slipway.delivery.{playbook}")
    assert "tasks:" in use("ansible-playbook", "--list-tasks", f"slipway.delivery.{playbook}")


def test_deploy_lists_the_environments_of_an_inventory_beside(development, place):
    (place / "inventory").mkdir()
    (place / "apps").mkdir()
    registry = "  vars:\n    registry: {address: registry.example.com}\n"
    groups = [f"{name}:\n  hosts:\n    {name}1:\n{registry}" for name in ("preview", "live")]
    (place / "inventory" / "hosts.yml").write_text("".join(groups))
    command = [development.tool("ansible-playbook"), "-i", "inventory", "slipway.delivery.deploy", "-e", "env=nowhere"]
    with pytest.raises(run.ToolFailed) as failure:
        run.run(command, cwd=place, env=development.environment(HOME=str(place)))
    said = str(failure.value)
    assert "preview" in said, said
    assert "live" in said, said
    assert said.endswith("exit code 2"), said
