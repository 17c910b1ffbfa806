# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a roll-out came to, from what became of each host."""

from __future__ import annotations

import typing as t

Outcome = t.Mapping[str, t.Any]
BAD = ("failed", "reverted", "unreachable")


def rollout_verdict(outcomes: t.Mapping[str, Outcome], error: str = "") -> t.Dict[str, str]:
    """`outcomes` maps every host of the environment to `{outcome, stage, action, ...}`, or to `{}` if nothing was tried
    there; `error` is what went wrong outside the hosts. A host that failed with action `none` is as it was before.

    Returns `result` and `message`. `healthy`: every host is on the new release. `reverted`: every host that was touched is
    back on the old one. `failed`: nothing was touched, or nothing is left running that could be called the old release.
    `mixed`: hosts differ, or nobody knows; the message names them.
    """
    words = {host: str(facts.get("outcome", "")) for host, facts in outcomes.items()}
    message = "; ".join(part for part in (_by_outcome(words), error) if part)
    if not error and not any(word in BAD for word in words.values()):
        return {"result": "healthy", "message": message}
    touched = {host: words[host] for host, facts in outcomes.items() if _touched(facts)}
    if not touched:
        return {"result": "failed", "message": f"nothing was switched. {message}"}
    if all(word == "reverted" for word in touched.values()):
        return {"result": "reverted", "message": message}
    if len(touched) == len(words) and len(set(touched.values())) == 1:
        return {"result": "failed", "message": message}
    return {"result": "mixed", "message": f"failed, mixed: {message}"}


def _touched(facts: Outcome) -> bool:
    """Whether a host may be other than before."""
    if facts.get("outcome") in ("failed", "unreachable") and facts.get("action") == "none":
        return False
    return bool(facts.get("outcome")) and facts.get("stage") == "switch"


def _by_outcome(words: t.Mapping[str, str]) -> str:
    groups: t.Dict[str, t.List[str]] = {}
    for host, word in words.items():
        groups.setdefault(word or "not touched", []).append(host)
    return "; ".join(f"{word}: {', '.join(hosts)}" for word, hosts in groups.items())


class FilterModule:
    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        return {"rollout_verdict": rollout_verdict}
