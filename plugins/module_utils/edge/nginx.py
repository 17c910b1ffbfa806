# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nginx process: whether it takes a configuration, whether it has taken it, and whom its workers still talk to.

After a reload the workers before it go on with what they have, and call themselves "shutting down" from the moment on that
they accept nothing new. They are gone when their last connection is.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import typing as t
from dataclasses import dataclass

from ..common.deadline import Deadline
from ..common.errors import DeadlineError, SlipwayError

CHECK_LIMIT = 30.0  # seconds that nginx -t or the reload command may take
TAKE_LIMIT = 30.0  # seconds by which new workers have taken over
QUIET_FOR = 2.0  # seconds without a connection, while workers of before are kept alive by others
POLL = 0.05
PROC = "/proc"
# Of a connection to a server: established, being opened, closed by the server alone.
_OPEN = ("01", "02", "08")

Endpoint = t.Tuple[str, int]


class NginxError(SlipwayError):
    """nginx refused a configuration, or did not take it."""


@dataclass(frozen=True)
class Nginx:
    """`command` runs nginx, `-t` is added to it. With `reload` that command reloads instead of SIGHUP to the process in
    `pid_file`; without a `pid_file` nothing can be seen of the processes, and waits last as long as they may."""

    command: t.Tuple[str, ...]
    pid_file: str = ""
    reload: t.Tuple[str, ...] = ()

    def check(self) -> None:
        """NginxError, with nginx's own words, unless it accepts its configuration as it is on the disk."""
        code, said = _run([*self.command, "-t"])
        if code != 0:
            raise NginxError(f"{' '.join(self.command)} -t: {said}")

    def master(self) -> int:
        """Process id of the running nginx. NginxError if none runs."""
        try:
            with open(self.pid_file, encoding="ascii") as file:
                pid = int(file.read().strip())
        except (OSError, ValueError) as error:
            raise NginxError(
                f"{self.pid_file} has no process id ({error}): does nginx run on the edge, and is that its pid_file?"
            ) from error
        if "master process" not in _title(pid):
            raise NginxError(
                f"{self.pid_file} names process {pid}, which is no nginx master process: it has ended, or pid_file "
                "is another program's."
            )
        return pid

    def load(self) -> None:
        """Have nginx load its configuration, and wait until the workers of before accept nothing new.

        NginxError when it goes on with what it had.
        """
        old = set(workers(self.master())) if self.pid_file else set()
        if self.reload:
            code, said = _run(self.reload)
            if code != 0:
                raise NginxError(f"{' '.join(self.reload)}: exit code {code}: {said}")
        else:
            self._signal(self.master())
        if self.pid_file:
            self._taken(old)

    def _signal(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGHUP)
        except OSError as error:
            raise NginxError(
                f"cannot signal nginx (process {pid}): {error.strerror}. It takes its owner or root."
            ) from error

    def _taken(self, old: t.Set[int]) -> None:
        deadline = Deadline(TAKE_LIMIT)
        while True:
            now = workers(self.master())
            fresh = [pid for pid in now if pid not in old]
            if fresh and not any(accepting(pid) for pid in now if pid in old):
                return
            if deadline.expired():
                raise NginxError(
                    f"nginx (process {self.master()}) was told to reload and goes on with the configuration it had; its "
                    "error log says why."
                )
            deadline.pause(POLL)

    def drain(self, endpoints: t.Sequence[Endpoint], limit: float) -> t.Tuple[float, t.Optional[int]]:
        """Wait until nginx has no connection to any of `endpoints`, `limit` seconds at most.

        The seconds it took, and the connections that are left; None when nobody can tell.
        """
        deadline = Deadline(limit)
        if not self.pid_file:
            deadline.pause(limit)
            return deadline.elapsed(), None
        pid = self.master()
        quiet = Deadline(QUIET_FOR)
        while True:
            left = connections(pid, endpoints)
            if left:
                quiet = Deadline(QUIET_FOR)
            leaving = any(not accepting(worker) for worker in workers(pid))
            done = not left and (not leaving or (left == 0 and quiet.expired()))
            if done or deadline.expired():
                return deadline.elapsed(), left
            deadline.pause(POLL)


def workers(master: int) -> t.List[int]:
    """Process ids of the worker processes of `master`, those included that are shutting down."""
    return [pid for pid in _children(master) if "worker process" in _title(pid)]


def accepting(worker: int) -> bool:
    """True for a worker that takes new connections."""
    title = _title(worker)
    return "worker process" in title and "shutting down" not in title


def connections(pid: int, endpoints: t.Sequence[Endpoint]) -> t.Optional[int]:
    """Open TCP connections to any of `endpoints` in the network of process `pid`; None when that cannot be read."""
    wanted = {(address, port) for host, port in endpoints for address in _addresses(host)}
    found = 0
    for table, width in (("tcp", 8), ("tcp6", 32)):
        try:
            with open(f"{PROC}/{pid}/net/{table}", encoding="ascii") as file:
                rows = file.read().splitlines()[1:]
        except FileNotFoundError:
            continue
        except OSError:
            return None
        for row in rows:
            columns = row.split()
            address, _colon, port = columns[2].partition(":")
            if columns[3] in _OPEN and (_packed(address[:width]), int(port, 16)) in wanted:
                found += 1
    return found


def _packed(text: str) -> bytes:
    """An address as the kernel prints it (words in the machine's order) as network bytes; an IPv4 one in IPv6 as IPv4."""
    words = [text[index : index + 8] for index in range(0, len(text), 8)]
    raw = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    return raw[12:] if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff" else raw


def _addresses(host: str) -> t.Set[bytes]:
    """Every address of a host name or literal as bytes. A name that is not known any more has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {socket.inet_pton(entry[0], str(entry[4][0]).partition("%")[0]) for entry in found}


def _children(pid: int) -> t.List[int]:
    try:
        with open(f"{PROC}/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return [child for child in _processes() if _parent(child) == pid]


def _processes() -> t.List[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()]


def _parent(pid: int) -> int:
    """The parent's id, 0 for a process that has ended."""
    try:
        with open(f"{PROC}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _title(pid: int) -> str:
    """What the process calls itself, empty when it has ended."""
    try:
        with open(f"{PROC}/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().replace("\0", " ")
    except OSError:
        return ""


def _run(command: t.Sequence[str]) -> t.Tuple[int, str]:
    """Exit code and output of a command, without a shell. NginxError when it cannot be run or does not end."""
    try:
        # run_command belongs to AnsibleModule, which this package does not know.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CHECK_LIMIT,
            check=False,
        )
    except OSError as error:
        raise NginxError(f"cannot run {command[0]}: {error.strerror or error}.") from error
    except subprocess.TimeoutExpired as error:
        raise DeadlineError(f"{' '.join(command)} did not end within {CHECK_LIMIT:g} seconds.") from error
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()
