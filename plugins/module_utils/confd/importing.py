# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_import: settings that a team has already, as a YAML file of the app."""

from __future__ import annotations

import os
import re
import tempfile
import typing as t
from pathlib import Path

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import ConflictError, ParameterError, SlipwayError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import center, formats, keys, masking
from .findings import ordered, table
from .lint import lint
from .masking import SecretKeys

try:
    import yaml
except ImportError:  # Operation.requires reports it
    yaml = None

SPEC = center.CENTER + Spec(
    options={
        "src": {"type": "path"},
        "format": {"type": "str", "choices": ["auto", "properties", "yaml", "dotenv"], "default": "auto"},
        "prefix": {"type": "str", "default": "/"},
        "separator": {"type": "str"},
        "lower": {"type": "bool", "default": False},
        "dest": {"type": "path", "required": True},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "variable_prefix": {"type": "str", "default": ""},
        "force": {"type": "bool", "default": False},
    },
)
_MODE = 0o644
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


def run(params: Params, context: Context) -> Result:
    source, values = _read(params)
    secret = SecretKeys(params["secret_keys"])
    for name in secret.matching_nothing(values):
        context.warn(f"secret_keys: {name} matches no key of {source}; is it spelt as the key is?")
    variables = {_variable(params["variable_prefix"], key): key for key in sorted(values) if key in secret}
    if len(variables) < sum(key in secret for key in values):
        raise ParameterError("secret_keys: two secrets would have one variable's name; rename one of the keys.")
    names = {key: name for name, key in variables.items()}
    hidden = {values[key]: name for key, name in names.items() if len(values[key]) >= masking.SHORTEST_SEARCHED}
    content = dump({key: _spelt(value, names.get(key), hidden) for key, value in values.items()}, source)
    dest = Path(params["dest"])
    before = _present(dest)
    changed = before != content
    if changed and before is not None and not params["force"]:
        raise ConflictError(
            f"{dest} is there already, and says something else. Say another dest, or force: true to replace it."
        )
    if changed and not context.check_mode:
        _write(dest, content)
    found = ordered(lint(values, ()))
    return {
        "changed": changed,
        "file": str(dest),
        "imported": sorted(values),
        "variables": variables,
        "findings": [each.as_dict() for each in found],
        "table": table(found).splitlines(),
        "diff": {"before_header": str(dest), "after_header": str(dest), **_texts(before, content, variables)},
    }


def _texts(before: t.Optional[str], content: str, variables: t.Mapping[str, str]) -> t.Dict[str, str]:
    """An older file may hold in the clear what is secret now."""
    hidden = before is not None and before != content and bool(variables)
    return {"before": "<not shown>\n" if hidden else before or "", "after": content}


def _read(params: Params) -> t.Tuple[str, t.Dict[str, str]]:
    """Where the settings come from, in words, and the settings by relative key."""
    if bool(params["src"]) == bool(params["nodes"] or params["path"]):
        raise ParameterError("src: give a file, or a config centre by nodes or path; one of the two.")
    prefix = keys.clean_prefix(params["prefix"], whole_store=True)
    if params["src"]:
        return str(params["src"]), _of_file(params, prefix)
    with center.open_center(params, Deadline(units.seconds(params["timeout"], "timeout"))) as store:
        stored = keys.relative(prefix, store.read(prefix).keys)
        if not stored:
            raise SlipwayError(f"{store.where} has nothing below {prefix or '/'}.")
        return f"{store.where}, {prefix or '/'}", _flat(stored, "")


def _of_file(params: Params, prefix: str) -> t.Dict[str, str]:
    path = Path(params["src"])
    kind = params["format"]
    if kind == "auto":
        kind = formats.FORMATS.get(path.suffix) or ("dotenv" if path.name.startswith(".env") else "")
    if not kind:
        raise ParameterError(f"format: {path.name} tells none; say properties, yaml or dotenv.")
    try:
        pairs = formats.parse(path.read_bytes().decode("utf-8"), kind)
    except OSError as error:
        raise SlipwayError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SlipwayError(
            f"{path} is no UTF-8 ({error}). An older .properties file may be ISO 8859-1: convert it first."
        ) from error
    except ParameterError as error:
        raise ParameterError(f"{path}: {error.msg}") from error
    separator = params["separator"] if params["separator"] is not None else ("." if kind == "properties" else "")
    named = _named(pairs, separator, params["lower"], path)
    return keys.relative(prefix, _flat(named, str(path))) if prefix else _flat(named, str(path))


def _named(pairs: formats.Pairs, separator: str, lower: bool, path: Path) -> t.Dict[str, t.Any]:
    """By key; of one name that is set twice the last counts, as for whoever reads the file, but two names are two keys."""
    found: t.Dict[str, t.Any] = {}
    spelt: t.Dict[str, str] = {}
    for name, value in pairs:
        key = _key(name, separator, lower)
        first = spelt.setdefault(key, str(name))
        if first != str(name):
            raise ParameterError(
                f"{path}: {first} and {name} would both be {key}. Rename one, or say another separator or lower."
            )
        found[key] = value
    return found


def _key(name: t.Any, separator: str, lower: bool) -> str:
    text = keys.part(name)
    text = text.replace(separator, "/") if separator else text
    return "/" + (text.lower() if lower else text).strip("/")


def _flat(named: t.Mapping[str, t.Any], where: str) -> t.Dict[str, str]:
    flat = keys.flatten(named)
    if flat.problems:
        listed = "\n".join(f"- {problem}" for problem in flat.problems)
        raise SlipwayError(f"{where or 'The config centre'} has what confd cannot address:\n{listed}")
    return flat.values


def _variable(prefix: str, key: str) -> str:
    """A name for the variable that holds a secret: /db/password is db_password."""
    name = re.sub(r"[^a-z0-9]+", "_", f"{prefix}_{key}".lower()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


class _Plain(str):
    """Text that Ansible must not take for a template."""


def _spelt(value: str, variable: t.Optional[str], hidden: t.Mapping[str, str]) -> str:
    """A value as it stands in the file: secrets by their variables, also where they are a part of it."""
    if variable:
        return f"{{{{ {variable} }}}}"
    inside = sorted((secret for secret in hidden if secret in value), key=len, reverse=True)
    if not inside:
        return _Plain(value) if _TEMPLATE.search(value) else value
    parts = re.split("(" + "|".join(map(re.escape, inside)) + ")", value)
    if any(_TEMPLATE.search(part) for part in parts[::2]):
        raise SlipwayError("A value holds both a secret and what Ansible would take for a template; import it by hand.")
    return "".join(part if index % 2 == 0 else f"{{{{ {hidden[part]} }}}}" for index, part in enumerate(parts))


def dump(values: t.Mapping[str, str], source: str) -> str:
    """YAML that Ansible reads as exactly these settings."""
    tree: t.Dict[str, t.Any] = {}
    for key, value in sorted(values.items()):
        *folders, name = key.split("/")[1:]
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[name] = value
    text = yaml.dump(
        tree, Dumper=_dumper(), allow_unicode=True, width=float("inf"), sort_keys=False, default_flow_style=False
    )
    return f"---\n# Imported from {source}\n" + masking.escaped(text)


def _dumper() -> t.Any:
    class Dumper(yaml.SafeDumper):
        """Quotes what has characters that cannot be seen, so that they can be escaped."""

        def ignore_aliases(self, data: t.Any) -> bool:
            return True

    def text(dumper: t.Any, value: str) -> t.Any:
        style = '"' if masking.escaped(value) != value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=style)

    def unsafe(dumper: t.Any, value: str) -> t.Any:
        return dumper.represent_scalar("!unsafe", str(value), style='"')

    Dumper.add_representer(str, text)
    Dumper.add_representer(_Plain, unsafe)
    return Dumper


def _present(path: Path) -> t.Optional[str]:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SlipwayError(f"{path} cannot be read: {error.strerror}.") from error


def _write(path: Path, content: str) -> None:
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode())
            os.fchmod(file.fileno(), _MODE)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise SlipwayError(f"{path} cannot be written: {error.strerror}.") from error


CONFD_IMPORT = Operation(name="confd_import", spec=SPEC, run=run, requires=("yaml",))
