# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs as values that can be added up: each doc fragment has its twin here or in the package it documents."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Options = t.Dict[str, t.Dict[str, t.Any]]


@dataclass(frozen=True)
class Spec:
    """Options and the rules between them, in AnsibleModule's own words.

    `check_mode` is what the module tells Ansible; every Slipway module supports it.
    """

    options: Options = field(default_factory=dict)
    mutually_exclusive: t.Tuple[t.Sequence[str], ...] = ()
    required_together: t.Tuple[t.Sequence[str], ...] = ()
    required_one_of: t.Tuple[t.Sequence[str], ...] = ()
    required_if: t.Tuple[t.Sequence[t.Any], ...] = ()
    required_by: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)

    def __add__(self, other: Spec) -> Spec:
        """Both specs as one. An option that both define is a mistake in the code: ValueError."""
        twice = sorted(set(self.options) & set(other.options))
        if twice:
            raise ValueError(f"options defined twice: {', '.join(twice)}")
        return Spec(
            options={**self.options, **other.options},
            mutually_exclusive=self.mutually_exclusive + other.mutually_exclusive,
            required_together=self.required_together + other.required_together,
            required_one_of=self.required_one_of + other.required_one_of,
            required_if=self.required_if + other.required_if,
            required_by={**self.required_by, **other.required_by},
        )

    def rules(self) -> t.Dict[str, t.Any]:
        """The rules between options, as AnsibleModule and ArgumentSpecValidator take them."""
        return {
            "mutually_exclusive": [list(group) for group in self.mutually_exclusive],
            "required_together": [list(group) for group in self.required_together],
            "required_one_of": [list(group) for group in self.required_one_of],
            "required_if": [list(rule) for rule in self.required_if],
            "required_by": {name: list(others) for name, others in self.required_by.items()},
        }
