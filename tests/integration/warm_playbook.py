# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays forked from an interpreter that has loaded the libraries already: a good part of what `ansible-playbook` costs to start.

This file is both ends. Run as a script it is the server. It loads libraries, and nothing of `ansible` or `ansible_collections`:
these read their configuration, from the environment and the current folder, when they are loaded, and each play has its own.
Its standard input is a socket; each message there is a request with the other end of that play's own connection, which gets
`{"pid": ...}` when the play begins and `{"code": ...}` when it has ended. The client's end closes when pytest dies, however that
happens, and so the server ends too.

A library that a module of ours forgot to import would be there all the same in such a play; an ordinary module has a process
of its own, which has nothing of it, and tests of the package, of samples and of the ledger start their plays as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

# What a play loads of others' that takes more than some milliseconds, with all that these load in turn.
LIBRARIES = (
    "yaml",
    "jinja2.nativetypes",
    "jinja2.sandbox",
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.serialization",
    "packaging.specifiers",
    "requests",
    "docker",  # and paramiko, which ansible loads too
    "redis",
    "sqlalchemy",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.sqlite",
    "importlib.metadata",
    "multiprocessing.queues",
)
SELDOM = (100_000, 20, 100)  # a play is short: it takes 3 MB more this way, and a twentieth less processor time
LONGEST = 200_000  # bytes of a request


# -- the server --------------------------------------------------------------------------------------------------------
def load() -> None:
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):  # each interpreter has what it has
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no play has to look through all this again
    gc.set_threshold(*SELDOM)


def keep_compiled(folder: str) -> None:
    """Keep the templates that plays compile, as Jinja does by itself for those that it reads from files.

    Ansible's come from strings, and each of its forks compiles what it needs anew: nearly a third of what a fork costs.
    """
    import jinja2

    cache = jinja2.FileSystemBytecodeCache(folder)
    compiled = jinja2.Environment.compile

    def kept(self: t.Any, source: t.Any, name: t.Any = None, filename: t.Any = None, **options: t.Any) -> t.Any:
        # An overlay has a syntax of its own. With the optimizer on, what a filter answers to a constant would be kept too,
        # a random number for one.
        if not isinstance(source, str) or self.overlayed or self.optimized or options:
            return compiled(self, source, name, filename, **options)
        bucket = cache.get_bucket(self, f"{type(self)} {name} {source}", filename, source)
        if bucket.code is None:
            bucket.code = compiled(self, source, name, filename)
            cache.set_bucket(bucket)
        return bucket.code

    jinja2.Environment.compile = kept  # type: ignore[method-assign]


def next_play(requests: socket.socket) -> dict[str, t.Any] | None:
    """Returns in each play, with its request, and in the server itself None when there are no more."""
    while True:
        message, handles, _flags, _address = socket.recv_fds(requests, LONGEST, 1)
        if not message:
            return None
        with socket.socket(fileno=handles[0]) as connection:
            if not os.fork():
                watch(connection)
                requests.detach()  # the play's standard input takes its place
                return json.loads(message)
        with contextlib.suppress(ChildProcessError):  # watchers of earlier plays
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def watch(connection: socket.socket) -> None:
    """Returns in the play, a session of its own; in the process that waits for its end, never."""
    pid = os.fork()
    if not pid:
        os.setsid()
        connection.send(json.dumps({"pid": os.getpid()}).encode())
        return
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        connection.send(json.dumps({"code": code}).encode())
    finally:
        os._exit(0)


def become(request: dict[str, t.Any]) -> None:
    """Have all that a process gets from the one that starts it, and run the script."""
    for path, flags, numbers in (
        (os.devnull, os.O_RDONLY, (0,)),
        (request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, (1, 2)),
    ):
        handle = os.open(path, flags, 0o644)
        for number in numbers:
            os.dup2(handle, number)
        os.close(handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have it ignored
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


def serve() -> None:
    load()
    folder = tempfile.mkdtemp(prefix=f"slipway-templates-{os.getpid()}-")
    keep_compiled(folder)
    play = next_play(socket.socket(fileno=0))
    if play:
        become(play)
    else:
        shutil.rmtree(folder)


# -- the client --------------------------------------------------------------------------------------------------------
class Started:
    """A play that was started; `pid` and `wait` are as a Popen has them."""

    def __init__(self, argv: list[str], connection: socket.socket) -> None:
        self.argv = argv
        self.code: int | None = None
        self._connection = connection
        self.pid: int = self._answer()["pid"]

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, or as a negative number the signal that ended it."""
        if self.code is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.argv, timeout or 0)
            self.code = self._answer()["code"]
            self._connection.close()
        return self.code

    def _answer(self) -> dict[str, int]:
        message = self._connection.recv(1000)
        assert message, f"the server is gone that should run {self.argv}"
        return json.loads(message)


class WarmPlaybook:
    """Starts plays with one interpreter. Its server begins with the first one, and ends with this process."""

    def __init__(self, python: Path, hash_seed: str = os.environ.get("PYTHONHASHSEED", "random")) -> None:
        self.python = python
        self.hash_seed = hash_seed  # of all its plays: it is chosen when an interpreter starts
        self.server: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._serving = threading.Lock()  # some tests start plays from several threads

    def start(self, argv: list[str], cwd: Path, env: dict[str, str], log: Path) -> Started:
        """Run the Python script argv[0]; all its output goes to `log`."""
        with self._serving:
            if not self.server:
                self._serve()
        request = json.dumps({"argv": argv, "cwd": str(cwd), "env": env, "log": str(log)}).encode()
        assert len(request) <= LONGEST, f"a request of {len(request)} bytes"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._requests, [request], [theirs.fileno()])
        return Started(argv, ours)

    def run(self, argv: list[str], cwd: Path, env: dict[str, str], timeout: float) -> tuple[int, str]:
        """As `start`, to the end: its exit code and its output. What is not done in time is killed, and TimeoutExpired raised."""
        with tempfile.NamedTemporaryFile("r", dir=cwd, prefix="play-", suffix=".log") as log:
            started = self.start(argv, cwd, env, Path(log.name))
            try:
                return started.wait(timeout), log.read()
            except BaseException:  # Ctrl-C too: the play has a session of its own
                kill_tree(started)
                raise

    def _serve(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._owner = os.getpid()
        with theirs:
            self.server = subprocess.Popen(  # in a session of its own: Ctrl-C is for pytest, which ends plays itself
                [str(self.python), __file__],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONHASHSEED": self.hash_seed},
                start_new_session=True,
            )
        atexit.register(self.close)

    def close(self) -> None:
        """Also when it never began; in a process that was forked from the owner it does nothing."""
        if self.server and self._owner == os.getpid():
            self._requests.shutdown(socket.SHUT_RDWR)  # closing is not enough where such a process lives on
            self._requests.close()
            self.server.wait(20)
            self.server = None


warm = functools.cache(WarmPlaybook)  # one per interpreter and seed


# -- both kinds of processes -------------------------------------------------------------------------------------------
def kill_tree(process: Started | subprocess.Popen) -> None:
    """SIGKILL to a play and to all that it started, workers included, which have sessions of their own."""
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, pending = [], [pid]
    while pending:
        pending += children.get(pending.pop(0), [])
        found += pending[len(found) :]
    return sorted(set(found))


if __name__ == "__main__":
    serve()
