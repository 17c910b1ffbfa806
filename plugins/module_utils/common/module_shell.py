# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ordinary module: AnsiballZ on a target, or anybody's playbook."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from .operation import Context, Operation
from .progress import FILE_VARIABLE, ProgressFile


class _Module(AnsibleModule):
    """AnsibleModule that hides what its operation says is secret, from the first line it logs to the last it answers."""

    params: t.Dict[str, t.Any]
    no_log_values: t.Set[str]

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        super().__init__(argument_spec=operation.spec.options, supports_check_mode=True, **operation.spec.rules())

    def _load_params(self) -> None:
        super()._load_params()
        self.no_log_values.update(self._operation.secrets(self.params))  # before validation: its errors quote values

    def _log_invocation(self) -> None:
        given, self.params = self.params, self._operation.shown(self.params)
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def _return_formatted(self, kwargs: t.Dict[str, t.Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": self._operation.shown(self.params)})
        super()._return_formatted(kwargs)


def run_module(operation: Operation) -> None:
    """Body of every plugins/modules file: parse, run, answer. Ends the process as AnsibleModule does."""
    module = _Module(operation)

    def censored(text: str) -> str:
        return str(remove_values(text, module.no_log_values))

    with ProgressFile(os.environ.get(FILE_VARIABLE), censored) as file:
        context = Context(check_mode=module.check_mode, diff_mode=module._diff, progress=file.progress)
        result = operation.execute(module.params, context)
    for message in context.warnings:
        module.warn(censored(message))  # ansible-core before 2.19 logs it as it is
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
