# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ledger is. Its twin is module_utils/ledger/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ledger:
    description:
      - The ledger, a path or a database URL. A path is an SQLite file on the machine that the module runs on. The first
        task that writes makes it, readable by its owner alone, with the folders above it that are missing (mode 0700).
      - A URL is one of SQLAlchemy's, for SQLite, PostgreSQL or MySQL. A server needs its driver (C(psycopg), C(PyMySQL)) and
        gives several controllers one ledger and one clock.
      - Give an absolute path; a relative one counts from the working directory of the run.
      - A password in the URL is a secret and appears in no output.
    type: str
    required: true
requirements:
  - SQLAlchemy >= 2.0
notes:
  - Times are UTC in ISO 8601, for example V(2026-03-01T09:30:00.000Z).
"""
