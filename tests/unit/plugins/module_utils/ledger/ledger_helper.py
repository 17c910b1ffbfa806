# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks on a ledger as playbooks write them, and a clock that tests move."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.slipway.delivery.plugins.module_utils.common.operation import Context
from ansible_collections.slipway.delivery.plugins.module_utils.ledger import release, release_info


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime.datetime(2026, 3, 1, 9, 30, tzinfo=datetime.timezone.utc)

    def __call__(self) -> datetime.datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += datetime.timedelta(seconds=seconds)


class Ledger:
    """The two modules' work on one ledger, with the defaults that their specs give; errors are raised."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = FakeClock()
        self.warnings: list[str] = []

    def task(self, state: str, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """`release` in `state`, for app webapi in prod unless told otherwise."""
        context = Context(check_mode=check_mode)
        given = {"app": "webapi", "environment_name": "prod", **options, "ledger": self.url, "state": state}
        result = release.run(_complete(release.SPEC, given), context, self.clock)
        self.warnings = context.warnings
        return result

    def info(self, **options: t.Any) -> dict[str, t.Any]:
        """`release_info`, for app webapi in prod unless told otherwise (None leaves a name out)."""
        given = {"app": "webapi", "environment_name": "prod", **options, "ledger": self.url}
        return release_info.run(_complete(release_info.SPEC, given), Context(), self.clock)

    def opened(self, version: str, **options: t.Any) -> dict[str, t.Any]:
        """Open a release whose content follows from its version."""
        return self.task("opened", **{**image(version), **options})

    def released(self, version: str, outcome: str = "healthy", **options: t.Any) -> int:
        """Open and close a release; its number."""
        number = self.opened(version, **options)["release"]["number"]
        where = {name: options[name] for name in ("app", "environment_name") if name in options}
        self.task("closed", release=number, outcome=outcome, **where)
        return number


def image(version: str) -> dict[str, str]:
    """The options that name an image; the digest follows from the version."""
    return {
        "version": version,
        "image": f"registry.example.com/prod/webapi:{version}",
        "digest": f"sha256:{version.encode().hex():0>64}",
    }


def _complete(spec: t.Any, given: dict[str, t.Any]) -> dict[str, t.Any]:
    unknown = set(given) - set(spec.options)
    assert not unknown, f"no such options: {unknown}"
    return {name: given.get(name, option.get("default")) for name, option in spec.options.items()}
