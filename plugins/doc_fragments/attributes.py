# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection promises about check mode, diff and repetition."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Writes nothing in check mode and predicts the result of the real run.
    support: full
  diff_mode:
    description: Returns what changed, or would change, as C(before) and C(after).
    support: full
  idempotent:
    description: Doing it again changes nothing.
    support: full
  direct:
    description:
      - Runs inside the controller's worker when the connection is local or the Docker host is not a local socket of the
        target, and as an ordinary module otherwise. The task variable C(slipway_execution) (V(auto), V(controller) or
        V(module)) overrides the choice.
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Only reads, so check mode makes no difference.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Only reads.
    support: full
  direct:
    description:
      - Runs inside the controller's worker when the connection is local or the Docker host is not a local socket of the
        target, and as an ordinary module otherwise. The task variable C(slipway_execution) (V(auto), V(controller) or
        V(module)) overrides the choice.
    support: full
"""
