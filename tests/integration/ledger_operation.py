# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release, called in this process."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.ledger.release import RELEASE


def ledger_task(**options):
    """One task: its result, with `warned` as the list of its warnings."""
    spec = RELEASE.spec
    validated = ArgumentSpecValidator(spec.options, **spec.rules()).validate(options)
    assert not validated.error_messages, validated.error_messages
    context = Context()
    return {**RELEASE.execute(validated.validated_parameters, context), "warned": context.warnings}
