# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as redis strings: one MULTI a change, guarded by WATCH on the history's head and on every key that was read."""

from __future__ import annotations

import contextlib
import re
import typing as t
from urllib.parse import urlsplit

from ...common.deadline import Deadline
from ...common.errors import ConflictError, DeniedError, ParameterError, SlipwayError, UnreachableError
from .. import keys as settings
from .base import Backend, Delta, Snapshot, history_name, moved, raise_problems, raw, text
from .redis_risks import redis_risks

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError:
    redis = None

_SCAN = 1000  # keys a round trip
_WAIT = 5.0  # seconds for one answer; the deadline bounds them all
_GLOB = re.compile(r"([*?\[\]\\^-])")
_SCHEMES = ("", "redis", "rediss", "unix")
_CLUSTER = "It is a cluster, from which confd does not read: name a single master in nodes."
_HINTS = {
    "'maxmemory'": "Its memory is full: raise maxmemory, or remove what is not needed. Nothing was changed.",
    "DB index": "Say in db one of its databases, 0 to 15 by default.",
    "same slot": _CLUSTER,
    "MOVED": _CLUSTER,
    "Hash slot not served": _CLUSTER,
    "cluster is down": _CLUSTER,
    "SELECT is not allowed": _CLUSTER,
}


class RedisBackend(Backend):
    """One redis master. `nodes` are tried in their order until one answers, as confd does."""

    def __init__(self, nodes: t.Sequence[str], deadline: Deadline, db: int, options: t.Mapping[str, t.Any]) -> None:
        """`options` are redis-py's: username, password, and those that begin with `ssl`."""
        self._nodes = [(node, _address(node)) for node in nodes]
        self._deadline = deadline
        self._db = db
        self._options = dict(options)
        self._client: t.Any = None
        self._where = f"redis {', '.join(nodes)}"

    @property
    def where(self) -> str:
        return self._where

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                self._client.close()
            self._client = None

    def read(self, prefix: str) -> Snapshot:
        with self._errors("read"):
            client = self._connected()
            names = self._names(client, prefix)
            above = [raw(key) for key in [*settings.parents(prefix), prefix]]
            head = raw(history_name(prefix, "head"))
            with client.pipeline(transaction=True) as moment:  # EXEC: all of it from one moment
                moment.mget([head, *above])
                if names:
                    moment.mget(names)
                answers = moment.execute()
            strings = dict(zip(names, answers[1])) if names else {}
            problems = self._problems(client, {**strings, head: answers[0][0]}, dict(zip(above, answers[0][1:])))
        raise_problems(self.where, prefix, problems)
        keys = {text(name): text(value) for name, value in strings.items() if value is not None}
        found = answers[0][0]
        return Snapshot(keys, None if found is None else text(found), None)

    def record(self, prefix: str, number: int) -> t.Optional[str]:
        with self._errors("read"):
            found = self._connected().get(raw(history_name(prefix, number)))
        return None if found is None else text(found)

    def apply(self, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        with self._errors("write"):
            client = self._connected()
            with client.pipeline(transaction=True) as change:
                try:
                    self._watch(client, change, prefix, snapshot, delta)
                    change.multi()
                    self._queue(change, prefix, delta)
                    change.execute()
                except redis.WatchError as error:
                    raise moved(self.where, prefix) from error
            self._look_again(client, prefix, snapshot, delta)

    def risks(self, prefix: str, snapshot: Snapshot) -> t.List[str]:
        """One round trip. What the user may not ask (INFO, CONFIG GET) is not judged."""
        names = [*map(raw, sorted(snapshot.keys)), raw(history_name(prefix, "head"))]
        try:
            with self._errors("ask"), self._connected().pipeline(transaction=False) as asking:
                asking.info()
                asking.config_get("save")
                for name in names:
                    asking.ttl(name)
                info, save, *lives = asking.execute(raise_on_error=False)
        except SlipwayError as error:  # what was to be done is done
            return [f"whether it keeps settings could not be asked: {error.msg}"]
        ending = [text(name) for name, life in zip(names, lives) if isinstance(life, int) and life >= 0]
        return redis_risks(info if isinstance(info, dict) else {}, save, ending)

    def _watch(self, client: t.Any, change: t.Any, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        """Watch all that was read or will be written, then see that it is still what was read.

        WATCH notices changes of named keys alone, so the names are listed once more after it.
        """
        head = raw(history_name(prefix, "head"))
        known = sorted({*map(raw, snapshot.keys), *map(raw, delta.put)})
        above = [raw(key) for key in [*settings.parents(prefix), prefix]]
        change.watch(head, *above, *known)
        values = change.mget([head, *above, *known])
        expected = [snapshot.head, *[None] * len(above), *[snapshot.keys.get(text(name)) for name in known]]
        if [None if value is None else text(value) for value in values] != expected:
            raise moved(self.where, prefix)
        if set(self._names(client, prefix)) != set(map(raw, snapshot.keys)):
            raise moved(self.where, prefix)

    def _queue(self, change: t.Any, prefix: str, delta: Delta) -> None:
        """SET and DEL, since confd's watch acts on these and not on RESTORE or COPY."""
        for key, value in sorted(delta.put.items()):
            change.set(raw(key), raw(value))
        gone = [*map(raw, delta.remove), *(raw(history_name(prefix, number)) for number in delta.drop_records)]
        if gone:
            change.delete(*gone)
        for number, record in delta.records.items():
            change.set(raw(history_name(prefix, number)), raw(record))
        change.set(raw(history_name(prefix, "head")), raw(delta.head))

    def _look_again(self, client: t.Any, prefix: str, snapshot: Snapshot, delta: Delta) -> None:
        """A key that somebody added by hand between the listing and EXEC was noticed by neither: say so now."""
        names = {text(name) for name in self._names(client, prefix)}
        if client.get(raw(history_name(prefix, "head"))) != raw(delta.head):
            return  # another change came after this one, and saw the keys as they are
        stray = names - ({*snapshot.keys, *delta.put} - set(delta.remove))
        if stray:
            raise ConflictError(
                f"{self.where}: the change of {prefix} was applied, and meanwhile somebody added "
                f"{', '.join(sorted(stray))} by hand. Run again to decide about them."
            )

    def _names(self, client: t.Any, prefix: str) -> t.List[bytes]:
        pattern = _GLOB.sub(r"\\\1", prefix) + "/*"
        return sorted(set(client.scan_iter(match=raw(pattern), count=_SCAN)))

    def _problems(
        self, client: t.Any, strings: t.Mapping[bytes, t.Optional[bytes]], above: t.Mapping[bytes, t.Optional[bytes]]
    ) -> t.List[str]:
        """What is in the way: keys of another type, and a value at the prefix or above it."""
        doubtful = [name for name, value in strings.items() if value is None]  # the head's among them
        with client.pipeline(transaction=False) as asking:
            for name in [*doubtful, *above]:
                asking.type(name)
            kinds = dict(zip([*doubtful, *above], (kind.decode() for kind in asking.execute())))
        found = [
            f"{text(name)} is a {kinds[name]}, not a string: confd reads strings alone. Move it or DEL it."
            for name in doubtful
            if kinds[name] not in ("none", "string")  # "none": removed since; a string: written since
        ]
        return found + [
            f"{text(name)} has a value ({kinds[name]}), so confd cannot see what is below it. Move it or DEL it."
            for name in above
            if kinds[name] != "none"
        ]

    def _connected(self) -> t.Any:
        if self._client is None:
            self._client = self._first_that_answers()
        return self._client

    def _first_that_answers(self) -> t.Any:
        failures = []
        for node, address in self._nodes:
            wait = max(0.1, min(_WAIT, self._deadline.remaining()))
            client = redis.Redis(
                **{**self._options, **address},
                db=self._db,
                socket_timeout=wait,
                socket_connect_timeout=wait,
                retry=Retry(NoBackoff(), 0),  # the next node is the next try
                decode_responses=False,
            )
            try:
                client.ping()
            except redis.AuthenticationError:
                raise
            except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                client.close()
                failures.append(f"{node}: {error}")
                continue
            self._where = f"redis {node}, db {self._db}"
            return client
        raise UnreachableError(
            "No redis node answers; nothing was changed:\n" + "\n".join(f"- {each}" for each in failures)
        )

    @contextlib.contextmanager
    def _errors(self, verb: str) -> t.Iterator[None]:
        """redis-py's errors as Slipway's, without the values that they may quote."""
        try:
            yield
        except redis.AuthenticationError as error:
            raise DeniedError(f"{self.where} refuses the login: {error}. Check username and password.") from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise UnreachableError(f"Cannot {verb} {self.where}: {error}.") from error
        except redis.InvalidResponse as error:
            raise SlipwayError(
                f"{self.where} answers, and not as redis does. Look at nodes: what listens there?"
            ) from error
        except redis.ResponseError as error:
            # redis-py puts the whole command, values and all, before the server's answer; `from` would show it in a traceback.
            answer = str(error).rpartition("caused error: ")[2].rstrip(".")
            raise _refusal(f"{self.where} refuses to {verb}: {answer}.", error) from None


def _refusal(message: str, error: Exception) -> SlipwayError:
    if isinstance(error, redis.exceptions.NoPermissionError):
        needed = "SCAN, TYPE, GET, MGET, SET, DEL, WATCH, MULTI and EXEC on the prefix and slipway!<prefix>!*"
        return DeniedError(f"{message} The user needs {needed}.")
    if isinstance(error, redis.ReadOnlyError):
        return DeniedError(f"{message} Name the master in nodes.")
    return SlipwayError(" ".join([message, *(hint for part, hint in _HINTS.items() if part in str(error))]))


def _address(node: str) -> t.Dict[str, t.Any]:
    """`host:port`, `redis://` or `rediss://` before it, `[v6]:port`, or the path of a unix socket, as redis-py's options."""
    if node.startswith("/"):
        return {"unix_socket_path": node}
    parts = urlsplit(node if "://" in node else f"//{node}")
    try:
        port = parts.port or 6379
    except ValueError as error:
        raise ParameterError(f"nodes: {node!r}: {error}.") from error
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise ParameterError(
            f"nodes: {node!r} is no redis address; write host:port, rediss://host:port or a socket's path."
        )
    if parts.username or parts.password or (parts.path.strip("/") and parts.scheme != "unix"):
        raise ParameterError(f"nodes: {parts.hostname}: give user, password and database as username, password and db.")
    if parts.scheme == "unix":
        return {"unix_socket_path": parts.path}
    tls = {"ssl": True} if parts.scheme == "rediss" else {}
    return {"host": parts.hostname, "port": port, **tls}
