# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings are compared with: another environment, a revision, or what the config centre holds now."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import ParameterError, SlipwayError
from ..common.operation import Params
from ..common.spec import Spec
from . import center, history, keys, masking
from .backends.base import Backend, Snapshot
from .findings import WARNING, Finding
from .masking import SecretKeys
from .preview import Side
from .revision import is_revision

# Options of the dictionary `against`.
SPEC = center.CENTER + Spec(
    options={
        "name": {"type": "str"},
        "keys": {"type": "dict", "no_log": False},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "prefix": {"type": "str"},
        "revision": {"type": "str"},
    },
)
_CENTER = tuple(center.CENTER.options)


class Other(t.NamedTuple):
    """The other side; None where nothing is compared or it could not be read, which `findings` then tells."""

    side: t.Optional[Side]
    findings: t.List[Finding]


def parse(params: Params) -> t.Optional[Params]:
    """The validated `against`, completed by the task's own config centre and prefix. ParameterError lists what is wrong."""
    given = params["against"]
    if given is None:
        return None
    validated = ArgumentSpecValidator(SPEC.options).validate(given)
    if validated.error_messages:
        raise ParameterError("\n".join(f"against: {message}" for message in validated.error_messages))
    other: Params = validated.validated_parameters
    if other["keys"] is None and not other["nodes"] and not other["path"]:
        other.update({name: params[name] for name in _CENTER})
    if other["prefix"] is None:
        other["prefix"] = params["prefix"]
    wrong = [] if other["keys"] is not None else [f"against: {each}" for each in center.problems(other)]
    if other["revision"] is not None and not is_revision(other["revision"]):
        wrong.append(f"against: {other['revision']!r} is no revision: 8 to 32 hexadecimal digits.")
    if wrong:
        raise ParameterError("\n".join(wrong))
    return other


def read(other: t.Optional[Params], secret: SecretKeys) -> Other:
    """The settings that it names. That they cannot be had is a finding: it says nothing about the environment itself."""
    if other is None:
        return Other(None, [])
    secret = secret.together(other["secret_keys"])
    if other["keys"] is not None:
        flat = keys.flatten(other["keys"])
        problems = [Finding("compare", WARNING, f"in {_name(other)} {problem}") for problem in flat.problems]
        return Other(Side(_name(other), flat.values, secret), problems)
    try:
        return Other(_stored(other, secret), [])
    except ParameterError:
        raise
    except SlipwayError as error:
        message = " ".join(f"nothing was compared with {_name(other)}: {error.msg}".split())
        return Other(None, [Finding("compare", WARNING, message)])


def _stored(other: Params, secret: SecretKeys) -> Side:
    deadline = Deadline(units.seconds(other["timeout"], "against: timeout"))
    with center.open_center(other, deadline) as store:
        prefix = keys.clean_prefix(other["prefix"], whole_store=True)
        snapshot = store.read(prefix)
        head = history.load_head(snapshot.head, store.where)
        values, remembered = _content(store, prefix, snapshot, other["revision"])
        return Side(_name(other), values, secret.together([*head.secret_keys, *remembered]))


def _content(
    store: Backend, prefix: str, snapshot: Snapshot, revision: t.Optional[str]
) -> t.Tuple[t.Dict[str, str], t.List[str]]:
    if revision is None:
        return keys.relative(prefix, snapshot.keys), []
    record = history.recorded(store, prefix, history.load_head(snapshot.head, store.where), revision)
    return record["keys"], record["secret_keys"]


def _name(other: Params) -> str:
    if other["name"]:
        return str(other["name"])
    if other["revision"]:
        return f"revision {other['revision']}"
    return "the other settings" if other["keys"] is not None else "what the config centre holds"


def values_to_hide(params: Params) -> t.Set[str]:
    """Secrets inside `against`, for parameters that may not have been validated."""
    given = params.get("against")
    if not isinstance(given, dict):
        return set()
    password = given.get("password")
    found = masking.values_to_hide({**given, "secret_keys": _all_secret_keys(params, given)})
    return found | ({str(password)} if password else set())


def shown(params: Params) -> Params:
    """`params` with `against` as it may be shown."""
    given = params.get("against")
    if not isinstance(given, dict):
        return params if given is None else {**params, "against": masking.SECRET}
    safe = masking.shown({**given, "secret_keys": _all_secret_keys(params, given)})
    hidden = {"password": masking.SECRET} if given.get("password") else {}
    return {**params, "against": {**safe, "secret_keys": given.get("secret_keys"), **hidden}}


def _all_secret_keys(params: Params, given: Params) -> t.List[str]:
    return [*masking.named(params).names, *masking.named(given).names]
