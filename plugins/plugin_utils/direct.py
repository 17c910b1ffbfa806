# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Direct execution: a module's work inside the controller's worker, when the work is the controller's anyway."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t
from urllib.parse import urlsplit

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase

from ..module_utils.common.operation import Context, Operation
from ..module_utils.common.progress import Progress
from . import progress

CHOICES = ("auto", "controller", "module")


class DirectAction(ActionBase):
    """Base of every action plugin: subclasses name their `operation`, and the heavy imports stand at their top.

    The task variable `slipway_execution` overrides the choice: `controller` or `module` instead of `auto`.
    The task variable `slipway_options` holds options as data, for roles whose users write any option of a module in a
    file of their own; what the task itself says wins.
    The task variable `slipway_progress` says whether long work tells how far it has come: `auto` (on a terminal), `always`
    or `never`.
    """

    operation: Operation
    _supports_check_mode = True
    _supports_async = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        variables = task_vars or {}
        result = super().run(tmp, variables)
        self._task.args = {**checked_options(self._variable(variables, "slipway_options", {})), **self._task.args}
        if self._in_controller(variables):
            result.update(self._direct(variables))
            if not shows_invocation(variables):
                result.pop("invocation", None)
        else:
            result.update(self._module(variables))
        return result

    def _module(self, variables: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """The ordinary module on the target, followed where somebody watches."""
        if self._task.async_val or not self._shows_progress(variables):
            return dict(self._execute_module(task_vars=variables, wrap_async=self._task.async_val))
        with progress.ModuleProgress(self, host_name(variables)):
            return dict(self._execute_module(task_vars=variables))

    def _shows_progress(self, variables: t.Mapping[str, t.Any]) -> bool:
        choice = self._variable(variables, "slipway_progress", "auto")
        return self.operation.long and progress.is_wanted(choice) and not self._task.no_log

    def _variable(self, variables: t.Mapping[str, t.Any], name: str, default: t.Any) -> t.Any:
        """A task variable's value: an action gets the variables as they were written, templates and all."""
        return self._templar.template(variables[name]) if name in variables else default

    def _in_controller(self, variables: t.Dict[str, t.Any]) -> bool:
        choice = str(self._variable(variables, "slipway_execution", "auto"))
        if choice not in CHOICES:
            raise AnsibleActionFail(f"slipway_execution is {choice!r}; it takes {', '.join(CHOICES)}.")
        if choice != "auto":
            return choice == "controller"
        if self._task.async_val or any(self._task.environment or []) or self.operation.missing():
            return False  # what only a process of its own can honour, or a Python that lacks what another may have
        if engine_is_remote(self._task.args.get("docker_host")):
            return True
        return self._connection.transport == "local" and not self._play_context.become

    def _direct(self, variables: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
        """Validate, run and censor as AnsibleModule does: a test compares the two for every module."""
        spec = self.operation.spec
        validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(plain(self._task.args))
        params = validated.validated_parameters
        secrets = validated._no_log_values | self.operation.secrets(params)
        context = Context(check_mode=bool(self._task.check_mode), diff_mode=bool(self._task.diff))
        if self._shows_progress(variables):
            host = host_name(variables)
            context.progress = Progress(lambda line: progress.show(host, str(remove_values(line, secrets))))
        if validated.error_messages:
            answer: t.Dict[str, t.Any] = {"failed": True, "msg": self._argument_error(validated)}
        else:
            answer = self.operation.execute(params, context)
        answer.setdefault("invocation", {"module_args": self.operation.shown(params)})
        warnings = [_alias_warning(pair) for pair in validated._warnings] + context.warnings
        if warnings:
            answer["warnings"] = warnings
        return censored(answer, secrets)

    def _argument_error(self, validated: t.Any) -> str:
        error = validated.errors[0]
        if isinstance(error, UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {error.msg}"
        return str(error.msg)


def host_name(variables: t.Mapping[str, t.Any]) -> str:
    """The inventory's name of the host that a task runs for."""
    return str(variables.get("inventory_hostname", "localhost"))


def censored(answer: t.Dict[str, t.Any], secrets: t.Set[str]) -> t.Dict[str, t.Any]:
    """`answer` without the secrets; booleans and nulls stay, as AnsibleModule keeps them."""
    kept = {key: value for key, value in answer.items() if value is None or isinstance(value, bool)}
    return {**remove_values(answer, secrets), **kept}


def _alias_warning(pair: t.Mapping[str, str]) -> str:
    return f"Both option {pair['option']} and its alias {pair['alias']} are set."


def checked_options(options: t.Any) -> t.Dict[str, t.Any]:
    """Options that came as data, by name. AnsibleActionFail unless they are a dictionary."""
    if not isinstance(options, dict):
        raise AnsibleActionFail(f"slipway_options is {type(options).__name__}; it takes a dictionary of options.")
    return dict(options)


def shows_invocation(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether results tell the arguments: on request since ansible-core 2.21, always before that."""
    if "INJECT_INVOCATION" not in C.config.get_configuration_definitions():
        return True
    return bool(C.config.get_config_value("INJECT_INVOCATION", variables=variables))


def engine_is_remote(docker_host: t.Any) -> bool:
    """True when `docker_host` names an engine that is not a local socket of the target.

    A loopback address is the target's own, so it counts as local.
    """
    if not docker_host:
        return False
    parts = urlsplit(str(docker_host))
    if parts.scheme in ("", "unix", "npipe"):
        return False
    host = parts.hostname or ""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def plain(value: t.Any) -> t.Any:
    """`value` as the JSON that a module process would have received: no tagged, unsafe or lazy types, dates as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)
