# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""confd_config: bring an environment's settings to what is wanted, in one step, and remember every revision."""

from __future__ import annotations

import getpass
import random
import socket
import typing as t
from dataclasses import dataclass, replace

from ..common import units
from ..common.deadline import Deadline
from ..common.errors import ConflictError, ParameterError, SlipwayError, UnreachableError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from . import center, history, keys, masking
from .backends.base import Backend, Delta, Snapshot
from .history import Author, Change, Entry, Head, Step
from .masking import Mask, SecretKeys
from .plan import Plan, collisions, diff, make_plan
from .revision import is_revision, revision

SPEC = center.CENTER + Spec(
    options={
        "prefix": {"type": "str", "required": True},
        "keys": {"type": "dict", "no_log": False},
        "secret_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "purge": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["present", "absent", "restored"], "default": "present"},
        "revision": {"type": "str"},
        "reason": {"type": "str", "default": ""},
        "author": {"type": "str"},
        "release": {"type": "int"},
        "history_limit": {"type": "int", "default": 50},
        "keep_revisions": {"type": "list", "elements": "str", "default": [], "no_log": False},
    },
    required_if=(("state", "present", ["keys"]), ("state", "restored", ["revision"])),
)
ACTIONS = {"present": "applied", "absent": "removed", "restored": "restored"}
# The change just made, and what was there before it: a task that fails must be able to go back.
_SHORTEST_HISTORY = 2


@dataclass(frozen=True)
class Request:
    """The task's parameters, checked. `wanted` are relative keys, for state present."""

    prefix: str
    state: str
    wanted: t.Dict[str, str]
    purge: bool
    secret: SecretKeys
    revision: str
    author: Author
    limit: int
    keep: t.Tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """What one reading of the store leads to."""

    plan: Plan
    revision: t.Optional[str]
    previous: t.Optional[str]
    secret_before: SecretKeys
    secret_after: SecretKeys
    head: Head
    snapshot: Snapshot

    @property
    def changed(self) -> bool:
        return not self.plan.empty or (bool(self.plan.after) and self.secret_before.names != self.secret_after.names)


def run(params: Params, context: Context) -> Result:
    deadline = Deadline(units.seconds(params["timeout"], "timeout"))
    with center.open_center(params, deadline) as store:
        request = parse(params, store.whole_store)
        done = _converge(store, request, deadline, context.check_mode)
        for risk in store.risks(request.prefix, done.snapshot):
            context.warn(f"{store.where}: {risk}")
        named = [*done.plan.before, *done.plan.after]
        for name in request.secret.matching_nothing(named) if request.state == "present" else []:
            context.warn(f"secret_keys: {name} matches no key of {request.prefix or '/'}; is it spelt as the key is?")
        return _result(store, request, done)


def parse(params: Params, whole_store: bool) -> Request:
    """The request in `params`; ParameterError lists everything that is wrong with it."""
    prefix = keys.clean_prefix(params["prefix"], whole_store)
    flat = keys.flatten(params["keys"] or {})
    problems = [f"keys: {problem}" for problem in [*flat.problems, *keys.too_long(prefix, flat.values)]]
    if params["history_limit"] < _SHORTEST_HISTORY:
        problems.append(f"history_limit: at least {_SHORTEST_HISTORY}, the change and what was there before it.")
    named = (
        [params["revision"], *params["keep_revisions"]] if params["state"] == "restored" else params["keep_revisions"]
    )
    problems += [f"{name!r} is no revision: 8 to 32 hexadecimal digits." for name in named if not is_revision(name)]
    if params["state"] != "present" and params["keys"] is not None:
        problems.append(f"keys: state {params['state']} takes none.")
    if params["state"] == "present" and params["revision"] is not None:
        problems.append("revision: is for state restored.")
    if problems:
        raise ParameterError("\n".join(problems))
    return Request(
        prefix=prefix,
        state=params["state"],
        wanted=flat.values,
        purge=params["purge"] or params["state"] != "present",
        secret=SecretKeys(params["secret_keys"]),
        revision=params["revision"] or "",
        author=Author(params["author"] or _user(), params["reason"], params["release"]),
        limit=params["history_limit"],
        keep=tuple(params["keep_revisions"]),
    )


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without an account, as in some containers
        name = "unknown"
    return f"{name}@{socket.gethostname()}"


def _converge(store: Backend, request: Request, deadline: Deadline, check_mode: bool) -> Prepared:
    """Read, plan and apply, again whenever somebody else was faster, until the deadline."""
    attempt: t.Optional[Prepared] = None
    written: t.Optional[Prepared] = None
    entry_id = ""
    while True:
        snapshot = _read(store, request, bool(entry_id))
        now = prepare(store, request, snapshot)
        if attempt is not None and now.head.holds(entry_id):
            # It was written: the answer was lost, or hands meddled. Later changes by others stand, hands' do not.
            written = written or attempt
            if now.head.entries[-1]["id"] != entry_id or now.plan.empty:
                return written
        if check_mode or not now.changed:
            return now
        attempt, step = now, _step(request, now)
        entry_id = step.entry_id
        try:
            store.apply(request.prefix, snapshot, _delta(request, now, step))
            return _since(written, now) if written else now
        except (ConflictError, UnreachableError) as error:
            if deadline.expired():
                raise _out_of_time(error, deadline) from error
            store.close()
            deadline.pause(random.uniform(0.01, 0.1))


def _since(first: Prepared, last: Prepared) -> Prepared:
    """What the task did in two steps, told as one."""
    return replace(
        last,
        plan=make_plan(last.plan.after, first.plan.before, purge=True),
        previous=first.previous,
        secret_before=first.secret_before,
    )


def _out_of_time(error: SlipwayError, deadline: Deadline) -> SlipwayError:
    message = f"{error.msg}\nIt was tried for {deadline.seconds:g} s. Run again, or give a longer timeout."
    return type(error)(message, **error.facts)


def _read(store: Backend, request: Request, wrote: bool) -> Snapshot:
    try:
        return store.read(request.prefix)
    except UnreachableError as error:
        if not wrote:
            raise
        message = f"{error.msg}\nThe change was sent before, and no answer came: it is there as a whole, or not at all."
        raise UnreachableError(f"{message} confd_config_info tells; running again is safe.") from error


def prepare(store: Backend, request: Request, snapshot: Snapshot) -> Prepared:
    """The way from what `snapshot` shows to what is requested; reads a record for state restored."""
    head = history.load_head(snapshot.head, store.where)
    actual = keys.relative(request.prefix, snapshot.keys)
    wanted, secret = request.wanted, request.secret
    if request.state == "restored":
        record = _recorded(store, request, head)
        wanted, secret = record["keys"], secret.together(record["secret_keys"])
    plan = make_plan(wanted, actual, request.purge)
    found = collisions(plan)
    if found:
        raise ParameterError("\n".join(f"keys: {problem}" for problem in found))
    previous = revision(plan.before)
    before = SecretKeys(head.secret_keys)
    replaces = request.state == "present" and request.purge
    return Prepared(
        plan=plan,
        revision=previous if plan.empty else revision(plan.after),
        previous=previous,
        secret_before=before,
        secret_after=secret if replaces else secret.together(before.names),
        head=head,
        snapshot=snapshot,
    )


def _recorded(store: Backend, request: Request, head: Head) -> Entry:
    """The record of the revision to restore, whole. SlipwayError lists what there is when it is not there."""
    entries = head.find(request.revision)
    place = f"{store.where}, {request.prefix or '/'}"
    if not entries:
        known = "\n".join(
            f"- {entry['revision']}  {entry['time']}  {entry['author']}  {entry['reason']}".rstrip()
            for entry in reversed(head.entries)
            if entry["revision"]
        )
        raise SlipwayError(
            f"{place} has no revision {request.revision}; nothing was changed. "
            + (f"It has, the newest first:\n{known}" if known else "Its history is empty.")
        )
    if len({entry["revision"] for entry in entries}) > 1:
        raise ParameterError(f"revision: {request.revision} is the beginning of several; give more digits.")
    record = history.load_record(store.record(request.prefix, entries[0]["number"]), entries[0], place)
    if revision(record["keys"]) != record["revision"]:
        raise SlipwayError(f"{place}: the record of revision {record['revision']} was altered; nothing was changed.")
    return record


def _step(request: Request, prepared: Prepared) -> Step:
    change = Change(
        plan=prepared.plan,
        revision=prepared.revision,
        previous=prepared.previous,
        action=ACTIONS[request.state],
        author=request.author,
        secret_keys=tuple(prepared.secret_after.names),
    )
    return history.record_change(prepared.head, change, request.limit, request.keep)


def _delta(request: Request, prepared: Prepared, step: Step) -> Delta:
    return Delta(
        put=keys.absolute(request.prefix, prepared.plan.put),
        remove=tuple(request.prefix + key for key in prepared.plan.removed),
        head=step.head.dump(),
        records=step.records,
        drop_records=step.dropped,
    )


def _result(store: Backend, request: Request, done: Prepared) -> Result:
    plan = done.plan
    mask = Mask(done.secret_after.together(done.secret_before.names), plan.before, plan.after)
    where = f"{store.where} {request.prefix or '/'}"
    return {
        "changed": done.changed,
        "revision": done.revision,
        "previous_revision": done.previous,
        "added": plan.added,
        "changed_keys": plan.changed_keys,
        "removed": plan.removed,
        "diff": diff(plan, mask, where, done.secret_before, done.secret_after if done.changed else done.secret_before),
    }


CONFD_CONFIG = Operation(
    name="confd_config",
    spec=SPEC,
    run=run,
    secrets=masking.values_to_hide,
    shown=masking.shown,
)
