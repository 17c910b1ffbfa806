# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module stands in several files: documentation, fragments, spec, action plugin, action groups. They say the same."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Operation
from ansible_collections.slipway.delivery.plugins.plugin_utils.direct import DirectAction

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "slipway.delivery."
PLUGINS = "ansible_collections.slipway.delivery.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# Fragments of connection options: each has an action group of its name, so that module_defaults can give them once.
CONNECTIONS = sorted(
    path.stem for path in (ROOT / "plugins" / "doc_fragments").glob("*.py") if path.stem != "attributes"
)
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
# Of a spec's entry, what documentation states too. `no_log` and `apply_defaults` are the code's alone.
STATED = ("type", "elements", "required", "default", "choices", "aliases")


def module(name: str) -> t.Any:
    return importlib.import_module(f"{PLUGINS}.modules.{name}")


def operation(name: str) -> Operation:
    """What the ordinary module runs: the one Operation that its file imports."""
    found = [value for value in vars(module(name)).values() if isinstance(value, Operation)]
    assert len(found) == 1
    return found[0]


def documentation(name: str) -> t.Dict[str, t.Any]:
    return yaml.safe_load(module(name).DOCUMENTATION)


def fragments(name: str) -> t.List[str]:
    """Own fragments that the module's documentation is extended by, such as `docker` or `attributes.info`."""
    listed = documentation(name).get("extends_documentation_fragment", [])
    return [item[len(PREFIX) :] for item in ([listed] if isinstance(listed, str) else listed)]


def documented_options(name: str) -> t.Dict[str, t.Any]:
    """The module's options with those of its fragments."""
    options: t.Dict[str, t.Any] = {}
    for fragment in fragments(name):
        file, _dot, part = fragment.partition(".")
        source = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        options.update(yaml.safe_load(getattr(source, (part or "documentation").upper())).get("options") or {})
    options.update(documentation(name).get("options") or {})
    return options


def differences(documented: t.Mapping[str, t.Any], spec: t.Mapping[str, t.Any], where: str = "") -> t.Iterator[str]:
    """Every point in which documentation and spec disagree, suboptions included."""
    for name in sorted(set(documented) ^ set(spec)):
        yield f"{where}{name} is only in the {'documentation' if name in documented else 'spec'}"
    for name in sorted(set(documented) & set(spec)):
        said, meant = documented[name], spec[name]
        for key in STATED:
            if stated(said, key) != stated(meant, key):
                yield f"{where}{name}: {key} is {said.get(key)!r} in the documentation, {meant.get(key)!r} in the spec"
        yield from differences(said.get("suboptions") or {}, meant.get("options") or {}, f"{where}{name}.")


def stated(option: t.Mapping[str, t.Any], key: str) -> t.Any:
    """The value of `key` as both sides mean it: left out is the same as Ansible's own default."""
    value = option.get(key)
    if key == "type":
        return value or "str"
    if key == "required":
        return bool(value)
    if key in ("choices", "aliases"):
        return sorted(value or [], key=str)
    return value


def test_there_are_modules():
    assert MODULES


@pytest.mark.parametrize("name", MODULES)
def test_documentation_matches_the_spec(name):
    assert not list(differences(documented_options(name), operation(name).spec.options))


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_described(name):
    def undescribed(options, where=""):
        for option, said in options.items():
            if not said.get("description"):
                yield where + option
            yield from undescribed(said.get("suboptions") or {}, f"{where}{option}.")

    assert not list(undescribed(documented_options(name)))


@pytest.mark.parametrize("name", MODULES)
def test_module_and_action_run_the_same_operation(name):
    action = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule
    assert issubclass(action, DirectAction)
    assert action.operation is operation(name)
    assert action.operation.name == name


def test_no_action_without_a_module():
    assert sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py")) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_promises_are_documented(name):
    wanted = "attributes.info" if name.endswith("_info") else "attributes"
    assert wanted in fragments(name) or "attributes" in fragments(name)
    assert documentation(name)["version_added"]
    assert documentation(name)["author"]


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_action_groups_are_the_modules_with_the_connection_options(connection):
    with_options = [name for name in MODULES if any(item.split(".")[0] == connection for item in fragments(name))]
    assert sorted(RUNTIME["action_groups"].get(connection, [])) == with_options


def test_no_action_group_without_connection_options():
    assert sorted(RUNTIME["action_groups"]) == CONNECTIONS


@pytest.mark.parametrize("name", MODULES)
def test_examples_name_modules_in_full_and_options_that_exist(name):
    tasks = [task for task in yaml.safe_load(module(name).EXAMPLES) if PREFIX + name in task]
    assert tasks, "no example uses the module by its full name"
    options = operation(name).spec.options
    known = set(options) | {alias for option in options.values() for alias in option.get("aliases", ())}
    required = {option for option, said in options.items() if said.get("required")}
    for task in tasks:
        given = set(task[PREFIX + name] or {})
        assert given <= known, task["name"]
        assert required <= given, task["name"]


@pytest.mark.parametrize("name", MODULES)
def test_every_returned_value_is_described_with_a_sample(name):
    def lacking(values, where=""):
        for key, said in values.items():
            if not said.get("description"):
                yield f"{where}{key}: description"
            if "contains" in said:
                yield from lacking(said["contains"], f"{where}{key}.")
            elif "sample" not in said:
                yield f"{where}{key}: sample"

    assert not list(lacking(yaml.safe_load(module(name).RETURN)))
