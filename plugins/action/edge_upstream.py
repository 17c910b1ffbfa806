# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""edge_upstream inside the controller's worker, where the controller is the edge's host too."""

from __future__ import annotations

from ..module_utils.edge.edge_upstream import EDGE_UPSTREAM
from ..plugin_utils.direct import DirectAction


class ActionModule(DirectAction):
    operation = EDGE_UPSTREAM
