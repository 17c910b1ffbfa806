# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app_prune inside the controller's worker; docker is imported here, once, before the workers are forked."""

from __future__ import annotations

from ..module_utils.engine.prune import APP_PRUNE
from ..plugin_utils.direct import DirectAction


class ActionModule(DirectAction):
    operation = APP_PRUNE
