# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the code: which part may know which, and how long anything may grow."""

from __future__ import annotations

import ast
import itertools
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.slipway.delivery."
LONGEST_FILE = 450  # lines, documentation of modules apart
LONGEST_FUNCTION = 40  # lines of a plugin's function, signature and docstring apart
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")

# Package under module_utils -> the packages it may use. One direction: nothing that common, registry, ... use uses them.
MAY_USE = {
    "common": set(),
    "registry": {"common"},
    "engine": {"common"},
    "confd": {"common", "engine"},
    "ledger": {"common"},
    "edge": {"common"},
    "image": {"common", "engine", "registry"},
}
# Third-party library -> the packages that may talk through it.
MAY_IMPORT = {
    "docker": {"engine"},
    "requests": {"engine", "registry", "confd"},
    "redis": {"confd"},
    "sqlalchemy": {"ledger"},
}

PLUGIN_FILES = sorted(PLUGINS.rglob("*.py"))
UTILS = [path for path in PLUGIN_FILES if path.is_relative_to(PLUGINS / "module_utils")]
OTHER_FILES = sorted(itertools.chain((ROOT / "tests").rglob("*.py"), (ROOT / "examples").rglob("*.py")))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def package_of(path: Path) -> str:
    """The package under module_utils that `path` belongs to; empty for what lies beside the packages."""
    parts = path.relative_to(PLUGINS / "module_utils").parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> t.Iterator[str]:
    """Full dotted names of everything that `path` imports, relative imports resolved."""
    package = [*COLLECTION.strip(".").split("."), *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def own(path: Path) -> t.List[str]:
    """Of what `path` imports, what lies in this collection, named below its root."""
    return [name[len(COLLECTION) :] for name in imports(path) if name.startswith(COLLECTION)]


def body_length(function: ast.FunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def code_length(path: Path) -> int:
    """Lines without the documentation that a module carries."""
    text = path.read_text()
    documentation = sum(
        node.end_lineno - node.lineno + 1
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in DOCUMENTATION
    )
    return len(text.splitlines()) - documentation


def test_code_under_module_utils_lies_in_packages():
    assert {package_of(path) for path in UTILS} == {"", *MAY_USE}
    assert [path.name for path in UTILS if not package_of(path)] == ["__init__.py"]


def test_packages_know_only_what_lies_below_them():
    wrong = [
        f"{name_of(path)} uses {name}"
        for path in UTILS
        for name in own(path)
        if not name.startswith("plugins.module_utils.")
        or name.split(".")[2] not in MAY_USE.get(package_of(path), set()) | {package_of(path)}
    ]
    assert not wrong


def test_libraries_are_used_where_they_belong():
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in UTILS
        for name in imports(path)
        if package_of(path) not in MAY_IMPORT.get(name.split(".")[0], {package_of(path)})
    ]
    assert not wrong


def test_docker_py_is_loaded_in_one_place():
    loading = [path.name for path in UTILS if any(name.split(".")[0] == "docker" for name in imports(path))]
    assert loading == ["docker_py.py"]


def test_module_utils_stand_without_a_controller():
    """What is copied to targets may use ansible.module_utils, and knows no variables, templates or plugins."""
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in UTILS
        for name in imports(path)
        if name.split(".")[0] == "ansible" and not name.startswith("ansible.module_utils.")
    ]
    assert not wrong


def test_modules_use_module_utils_only():
    modules = sorted((PLUGINS / "modules").glob("*.py"))
    assert modules
    wrong = [
        f"{name_of(path)} uses {name}"
        for path in modules
        for name in own(path)
        if not name.startswith("plugins.module_utils.")
    ]
    assert not wrong


def test_files_stay_readable():
    lengths = {name_of(path): code_length(path) for path in [*PLUGIN_FILES, *OTHER_FILES]}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def test_functions_stay_readable():
    long = [
        f"{name_of(path)}:{node.lineno} {node.name} has {body_length(node)} lines"
        for path in PLUGIN_FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and body_length(node) > LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("path", [path for path in PLUGIN_FILES if path.read_text()], ids=name_of)
def test_every_plugin_file_says_whose_it_is_and_what_it_is_for(path):
    text = path.read_text()
    head = text.removeprefix("#!/usr/bin/python\n").splitlines()[:3]
    assert head[0].startswith("# Copyright (c) 2026, Slipway contributors")
    assert head[1].startswith("# GNU General Public License v3.0+")
    assert head[2] == "# SPDX-License-Identifier: GPL-3.0-or-later"
    assert ast.get_docstring(ast.parse(text))
    assert "from __future__ import annotations\n" in text
