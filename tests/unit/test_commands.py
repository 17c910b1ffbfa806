# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands in README, guides and examples can be typed: their playbooks exist, and know the variables that they are given."""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = {path.stem: path for path in (ROOT / "playbooks").glob("*.yml")}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.yml"))
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    ROOT / "examples" / "Jenkinsfile",
    ROOT / "examples" / ".gitlab-ci.yml",
    *PLAYBOOKS.values(),  # each begins with how it is called
]
# `deploy.yml` or `slipway.delivery.deploy`, and what follows on the line up to the next such word.
COMMAND = re.compile(r"(?:slipway\.delivery\.(?P<full>\w+)|\b(?P<file>[a-z]+)\.yml\b)(?P<rest>(?: +\S+)*)")
VARIABLE = re.compile(r"-e +[\"'{]*(?P<name>[a-z_]+)[\"']?[=:]")
CONDITIONS = ("when", "that", "until", "failed_when", "changed_when")
# Ansible's own, which may be said on any command line.
ANSIBLE_VARIABLES = {"ansible_connection", "slipway_progress", "slipway_execution"}


def scalars(value: t.Any, key: str = "") -> t.Iterator[t.Tuple[str, str]]:
    """Every string below `value`, with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from scalars(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item, key)


@functools.cache
def names_read(path: Path) -> t.Set[str]:
    """The variables that the expressions of a YAML file read."""
    parser = jinja2.Environment()
    found = set()
    for key, text in scalars(yaml.safe_load(path.read_text())):
        source = "{{ " + text + " }}" if key in CONDITIONS and "{{" not in text else text
        source = source.replace("\\", "\\\\")  # to Ansible, not to Jinja, a backslash in a string is just that
        found |= {node.name for node in parser.parse(source).find_all(jinja2.nodes.Name)}
    return found


def files_of(playbook: Path) -> t.Set[Path]:
    """A playbook, the playbooks that it imports and the files of all roles that they use."""
    found, pending = set(), [playbook]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        text = path.read_text()
        pending += [path.parent / name for name in re.findall(r"import_playbook: (\S+)", text)]
        for role in re.findall(r"name: slipway\.delivery\.(\w+)", text):
            for folder in ("tasks", "vars", "defaults"):
                pending += (ROOT / "roles" / role / folder).glob("*.yml")
    return found


def options_of_roles(files: t.Iterable[Path]) -> t.Set[str]:
    """What the argument specs of these files' roles name, such as `batches`."""
    found: t.Set[str] = set()
    for role in {path.parents[1].name for path in files if path.is_relative_to(ROOT / "roles")}:
        specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
        for spec in specs.values():
            found |= set(spec.get("options") or {})
    return found


@functools.cache
def known(playbook: str) -> t.Set[str]:
    files = files_of(PLAYBOOKS[playbook])
    return ANSIBLE_VARIABLES.union(options_of_roles(files), *(names_read(path) for path in files))


def commands(path: Path) -> t.Iterator[t.Tuple[str, str]]:
    """Playbooks that the text names with variables, each with a variable; `\\` at a line's end goes on."""
    text = path.read_text().replace("\\\n", " ").replace("\\|", "|")
    for line in text.splitlines():
        starts = [match for match in COMMAND.finditer(line) if (match["full"] or match["file"]) in PLAYBOOKS]
        ends = [match.start() for match in starts[1:]] + [len(line)]
        for match, end in zip(starts, ends):
            for variable in VARIABLE.finditer(line, match.end("full" if match["full"] else "file"), end):
                yield match["full"] or match["file"], variable["name"]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_variables_that_their_playbooks_know(path):
    assert [f"{name}: {variable}" for name, variable in commands(path) if variable not in known(name)] == []


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_playbooks_and_plugins_that_exist(path):
    text = path.read_text()
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    there = {*PLAYBOOKS, *ROLES, *FILTERS, *MODULES, *groups}
    named = set(re.findall(r"slipway\.delivery\.([a-z_]+)", text))
    run = set(re.findall(r"ansible-playbook (?:-i \S+ )?([a-z_]+)\.yml", text))
    assert named - there == set()
    assert run - set(PLAYBOOKS) == set()


def test_variables_are_found_where_guides_have_them():
    found = list(commands(ROOT / "README.md"))
    assert ("deploy", "env") in found
    assert ("operate", "action") in found
    assert ("promote", "to") in found
    assert {name for name, _variable in commands(ROOT / "examples" / "Jenkinsfile")} >= {"build", "promote", "rollback"}
    assert {name for name, _variable in commands(ROOT / "examples" / ".gitlab-ci.yml")} >= {"build", "deploy", "status"}


def test_a_variable_that_nobody_knows_is_found():
    assert "version" in known("deploy")
    assert "lock_wait" in known("rollback")
    assert not {"verison", "wait_for_lock"} & known("deploy")
    assert "board" not in known("deploy")


@pytest.mark.parametrize("name", [*MODULES, *(f"{name}.yml" for name in PLAYBOOKS), *ROLES, *FILTERS])
def test_the_readme_lists_everything(name):
    assert re.search(rf"`{re.escape(name)}[` ]", (ROOT / "README.md").read_text())
