# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ordinary module: AnsiballZ on a target, or anybody's playbook."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .operation import Context, Operation


def run_module(operation: Operation) -> None:
    """Body of every plugins/modules file: parse, run, answer. Ends the process as AnsibleModule does."""
    module = AnsibleModule(argument_spec=operation.spec.options, supports_check_mode=True, **operation.spec.rules())
    context = Context(check_mode=module.check_mode, diff_mode=module._diff)
    result = operation.execute(module.params, context)
    for message in context.warnings:
        module.warn(message)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
