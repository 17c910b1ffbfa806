# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Direct execution of the module confd_import."""

from __future__ import annotations

from ..module_utils.confd.importing import CONFD_IMPORT
from ..plugin_utils.direct import DirectAction


class ActionModule(DirectAction):
    operation = CONFD_IMPORT
