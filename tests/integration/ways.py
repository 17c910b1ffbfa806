# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's cases in the controller and as an ordinary module, and keep what each run answered.

A file both_ways/<module>.yml holds `valid` (arguments that the module accepts; argument errors are made from them),
`differs` (dotted paths in results that may differ, such as ids and durations; `*` stands for any path) and `cases`: a name,
`args`, `expect`, and optionally `setup` and `cleanup` (tasks, whose modules of ours work in the controller, a second sooner)
and `secrets` (texts that no output may show).

`expect` names the steps in their order, each with what its result must have: `check` is a run in check mode, every other
step a real one. `msg` and `warns` are regular expressions; other keys are compared. Texts may use the lab's facts
(`LAB_REGISTRY`, ...), `scratch` (a folder, empty at the start) and `way`, which each run has its own of: registries keep
blobs, so what is pushed goes to repositories of its own.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from ansible_collections.slipway.delivery.plugins.module_utils.common.spec import Options
from warm_playbook import warm

ROOT = Path(__file__).resolve().parents[2]
TABLES = Path(__file__).parent / "both_ways"
WAYS = ("controller", "module")
# What the two ways may always differ in: Ansible's own notes on how a task ran, and the text of a traceback.
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
CONTAINER = re.compile(r"\bcontainer [0-9a-f]{12}\b")
MISSING = "<not there>"
APART = re.compile(r"^(_ansible_.*|exception|ansible_facts)$")
PYTHON = Path(sys.executable)
HASH_SEED = "0"  # Ansible prints sets in its argument errors
PLAYBOOK = warm(PYTHON, HASH_SEED)  # an ordinary module has a process of its own, which has to load what it imports
# A value that no option of that type takes.
UNFIT = {"int": "many", "float": "much", "bool": "perhaps", "dict": "neither JSON nor pairs", "list": {"a": "b"}}


@dataclass
class Case:
    name: str
    args: t.Dict[str, t.Any]
    expect: t.Dict[str, t.Dict[str, t.Any]]
    setup: t.List[t.Dict[str, t.Any]] = field(default_factory=list)
    cleanup: t.List[t.Dict[str, t.Any]] = field(default_factory=list)
    secrets: t.List[str] = field(default_factory=list)


@dataclass
class Table:
    """Everything that is known of one module."""

    module: str
    cases: t.List[Case]
    differs: t.List[str]


@dataclass
class Record:
    """One run of a table: results by case and step, and all that ansible-playbook printed at -vvvv."""

    results: t.Dict[t.Tuple[str, str], t.Dict[str, t.Any]]
    output: str

    def of(self, case: str, step: str) -> t.Dict[str, t.Any]:
        """The result of a step; where its setup failed there is none, and the test ends with why."""
        if (case, step) not in self.results:
            why = [result for (name, _step), result in self.results.items() if name == case and result["failed"]]
            pytest.fail(f"{case!r} never came to {step!r}: {json.dumps(why, indent=1) if why else self.output}", False)
        return self.results[case, step]


def tables() -> t.Dict[str, Table]:
    kinds = dict(UNFIT)
    return {path.stem: table(path, kinds) for path in sorted(TABLES.glob("*.yml"))}


def table(path: Path, kinds: t.Dict[str, t.Any]) -> Table:
    """The module of that file; the kinds of options that it tries are taken out of `kinds`."""
    content = yaml.safe_load(path.read_text())
    cases = [Case(**case) for case in content["cases"]]
    cases += argument_errors(path.stem, content["valid"], kinds)
    return Table(path.stem, cases, content.get("differs", []))


def argument_errors(module: str, valid: t.Dict[str, t.Any], kinds: t.Dict[str, t.Any]) -> t.Iterator[Case]:
    """Cases with arguments that are wrong in one way each; nothing is contacted.

    What is no integer is so in every module, so a kind is tried in the first module that has one. Names, choices and
    suboptions are each module's own.
    """
    options = spec(module)
    refused = {"run": {"failed": True}}

    def case(name: str, changes: t.Dict[str, t.Any], without: str = "") -> Case:
        args = {key: value for key, value in {**valid, **changes}.items() if key != without}
        return Case(f"argument error: {name}", args, refused)

    yield case("unknown option", {"no_such_option": 1})
    for name, option in options.items():
        if option.get("required"):
            yield case(f"{name} is missing", {}, without=name)
    for kind, name in {option.get("type"): name for name, option in options.items()}.items():
        if kind in kinds:
            yield case(f"{name} is no {kind}", {name: kinds.pop(kind)})
    for name, option in options.items():
        if option.get("choices"):
            yield case(f"{name} is none of the choices", {name: "no-such-choice"})
        elif option.get("options"):
            wrong = {"no_such_suboption": 1}
            yield case(f"{name} has an unknown suboption", {name: [wrong] if option["type"] == "list" else wrong})


def spec(module: str) -> Options:
    action = importlib.import_module(f"ansible_collections.slipway.delivery.plugins.action.{module}")
    return action.ActionModule.operation.spec.options


def run(module: str, cases: t.Sequence[Case], way: str, folder: Path, facts: t.Mapping[str, str]) -> Record:
    """All cases in one ansible-playbook, the work done in that `way`."""
    scratch = folder / "scratch"  # the same for both ways, since results name it
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    book, record = folder / f"{way}.yml", folder / f"{way}.jsonl"
    book.write_text(json.dumps(playbook(module, cases)))  # JSON is YAML
    record.touch()
    facts_file = folder / f"{way}-facts.json"  # passwords are among them: nothing for a command line
    facts_file.write_text(json.dumps({**facts, "way": way, "scratch": str(scratch)}))
    command = [str(PYTHON.parent / "ansible-playbook"), "-vvvv", "-i", "localhost,", "-e", f"@{facts_file}", str(book)]
    _code, output = PLAYBOOK.run(command, folder, environment(folder, record), 1200)
    results = {}
    for line in record.read_text().splitlines():
        entry = json.loads(line)
        case, _bar, step = entry["task"].partition(" | ")
        if step:
            results[case, step] = entry["result"]
    return Record(results, output)


def environment(folder: Path, record: Path) -> t.Dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work" / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "PYTHONHASHSEED": HASH_SEED,
        "SLIPWAY_RECORD": str(record),
    }


def playbook(module: str, cases: t.Sequence[Case]) -> t.List[t.Dict[str, t.Any]]:
    play = {
        "name": module,
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "slipway_execution": "controller"},
        "tasks": [block(module, case) for case in cases],
    }
    return [play]


def block(module: str, case: Case) -> t.Dict[str, t.Any]:
    steps = [
        {
            "name": f"{case.name} | {step}",
            f"slipway.delivery.{module}": case.args,
            "check_mode": step == "check",
            "diff": True,
            "ignore_errors": True,
            "vars": {"slipway_execution": "{{ way }}"},
        }
        for step in case.expect
    ]
    setup = [{**task, "name": f"{case.name} | setup: {task['name']}"} for task in case.setup]
    # A setup that fails is told by the missing steps; the other cases go on.
    failed = {"name": f"The setup of {case.name} failed", "ansible.builtin.debug": {}}
    cleanup = [{**task, "ignore_errors": True} for task in case.cleanup]
    return {
        "name": case.name,
        "block": [*setup, *steps],
        "rescue": [failed],
        **({"always": cleanup} if cleanup else {}),
    }


def filled(text: str, facts: t.Mapping[str, str]) -> str:
    """`text` with the facts that it names in braces, as the playbook fills it."""
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda match: facts[match.group(1)], text)


def comparable(result: t.Mapping[str, t.Any], way: str, differs: t.Sequence[str]) -> t.Dict[str, t.Any]:
    """`result` with what may differ replaced by its type, times and container ids by marks, and names that carry the way made alike."""
    patterns = [re.compile(re.escape(path).replace(r"\*", ".*") + "$") for path in differs]

    def walk(value: t.Any, path: str) -> t.Any:
        if any(pattern.match(path) for pattern in patterns):
            return f"<{type(value).__name__}>"
        if isinstance(value, dict):
            return {key: walk(item, f"{path}.{key}" if path else key) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, path) for item in value]
        if isinstance(value, str):
            return CONTAINER.sub("container <id>", TIME.sub("<time>", value.replace(f"bw-{way}", "bw-way")))
        return value

    return walk({key: value for key, value in result.items() if not APART.match(key)}, "")


def unlike(controller: t.Any, ordinary: t.Any, path: str = "") -> t.Iterator[str]:
    """Each place in which two results are not the same, in words."""
    if isinstance(controller, dict) and isinstance(ordinary, dict):
        for key in sorted({*controller, *ordinary}):
            inside = f"{path}.{key}" if path else key
            yield from unlike(controller.get(key, MISSING), ordinary.get(key, MISSING), inside)
    elif controller != ordinary or type(controller) is not type(ordinary):
        yield f"{path}:\n  controller {controller!r}\n  module     {ordinary!r}"
