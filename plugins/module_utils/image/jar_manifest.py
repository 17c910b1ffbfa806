# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a JAR's manifest says about how the JAR is run."""

from __future__ import annotations

import typing as t

PATH = "META-INF/MANIFEST.MF"


def parse_manifest(text: str) -> t.Dict[str, str]:
    """The main section's attributes by lower-case name; continuation lines (one leading blank) are joined."""
    attributes: t.Dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if not line:
            break
        if line.startswith(" ") and last:
            attributes[last] += line[1:]
            continue
        name, colon, value = line.partition(":")
        if colon:
            last = name.strip().lower()
            attributes[last] = value[1:] if value.startswith(" ") else value
    return attributes


def is_spring_boot(attributes: t.Mapping[str, str]) -> bool:
    """Whether Spring Boot made it executable: its classes are below BOOT-INF and its own loader starts it."""
    return "spring-boot-classes" in attributes or "spring-boot-version" in attributes
