# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tag of a repository was probably built last: the image whose layers a new version shares most of."""

from __future__ import annotations

import re
import typing as t

_VERSION = re.compile(r"v?\d")
# Signatures, SBOMs and the list of referrers hang on such tags; they are no images.
_REFERRER = re.compile(r"sha(256|512)-[0-9a-f]{64,}")


def newest_tag(tags: t.Iterable[str]) -> t.Optional[str]:
    """The highest version among `tags`, or the last of the names that are no version; None when there is none."""
    images = [tag for tag in tags if not _REFERRER.match(tag)]
    versions = [tag for tag in images if _VERSION.match(tag)]
    return max(versions or images, key=_natural, default=None)


def _natural(tag: str) -> t.List[t.Tuple[int, int, str]]:
    """Numbers count as numbers: 1.10 is above 1.9; a pre-release is below its release."""
    release, _dash, extra = tag.lstrip("v").partition("-")
    parts = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|[^\d.]+", release)]
    return [*parts, (2, 0, "") if not extra else (-1, 0, extra)]
