# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inventory groups are environments."""

from __future__ import annotations

import typing as t


def environments(
    groups: t.Mapping[str, t.Sequence[str]], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]
) -> t.List[str]:
    """Names of the groups whose hosts all have a `registry`: that is what makes a group an environment. Sorted."""

    def is_environment(hosts: t.Sequence[str]) -> bool:
        return bool(hosts) and all("registry" in hostvars[host] for host in hosts)

    return sorted(name for name, hosts in groups.items() if name not in ("all", "ungrouped") and is_environment(hosts))


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"environments": environments}
