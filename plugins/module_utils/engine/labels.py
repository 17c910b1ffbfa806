# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slipway writes on a container, and the names it gives one during a swap.

Facts live in labels: app, environment, release, digest and the normalised spec are read from there and never from a
name. A name only says which part a container plays right now, and it is compared whole, never taken apart.
"""

from __future__ import annotations

import typing as t

PREFIX = "slipway."

NAME = PREFIX + "name"  # the app_container `name` this container was made for
APP = PREFIX + "app"
ENVIRONMENT = PREFIX + "environment"
RELEASE = PREFIX + "release"
CONFIG_REVISION = PREFIX + "config_revision"
IMAGE = PREFIX + "image"  # the reference that was asked for
DIGEST = PREFIX + "digest"  # manifest digest; empty for an image that no registry has seen
SPEC = PREFIX + "spec"  # the normalised run spec as JSON, without secrets
SPEC_HASH = PREFIX + "spec_hash"  # of what only a new container can change
REPLACES = PREFIX + "replaces"  # id of the container it was made to replace
REPLACED_POLICY = PREFIX + "replaced_policy"  # that one's restart policy, to give back after an interrupt
TASK_OF = PREFIX + "task_of"  # on a one-off container instead of NAME: the `name` whose image and settings it has
ADOPTED = PREFIX + "adopted"  # "true" when the replaced container carries no labels of ours

# The parts: each is the name plus one of these.
CURRENT = ""
CANDIDATE = ".next"  # created or started, its gate not passed yet
RESTORING = ".restoring"  # the kept container on its way back (state rolled_back)
KEPT = ".previous"  # stopped, ready to go back to
OLDER = ".older"  # the one kept before, until the swap that keeps another one is done
TASK = ".task"  # a one-off command (state ran); no part of a swap
PARTS = (CURRENT, CANDIDATE, RESTORING, KEPT, OLDER)


def part_name(name: str, part: str) -> str:
    """The container name of the one that plays `part` for `name`."""
    return name + part


def policy_text(policy: t.Mapping[str, t.Any]) -> str:
    """A HostConfig.RestartPolicy as label text, `on-failure:3`."""
    return f"{policy.get('Name') or 'no'}:{int(policy.get('MaximumRetryCount') or 0)}"


def policy_from_text(text: str) -> t.Dict[str, t.Any]:
    """The RestartPolicy that `policy_text` wrote."""
    name, _sep, retries = text.partition(":")
    return {"Name": name, "MaximumRetryCount": int(retries or 0)}
