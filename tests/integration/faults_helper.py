# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of faults share: faults in the lab, an observer from outside, and a relay that loses things."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import docker
from image_helper import ok, task
from lab_command import LAB, ROOT, layout

PROBER = Path(__file__).with_name("prober.py")
CONTROLLER = layout.CONTROLLER  # the controller's foot in the lab's network: what listens here is seen by the hosts


def lab(*words: str) -> None:
    """One lab command, such as `lab("kill", "h4")`."""
    done = subprocess.run([*LAB, *words], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def kill_now(host: str) -> None:
    """SIGKILL to a host's dockerd, from inside this process: a lab command takes 0.2 s to start."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        from lab import faults, state
    finally:
        sys.path.pop(0)
    with state.locked():
        faults.kill(host)


def eventually(ask, seconds: float = 20.0):
    """The first truthy answer; the last error or answer when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            if answer:
                return answer
        except OSError:  # urllib's and requests' errors are
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.05)


class Prober:
    """Watches an app from outside while the block runs. Afterwards `outage` is the longest time without an answer, in
    seconds, from the first request that failed to the first that was answered; `asked` and `failed` count requests."""

    def __init__(self, address: str, port: int, path: str = "/") -> None:
        self._command = [sys.executable, "-S", "-E", str(PROBER), address, str(port), path]
        self.outage, self.asked, self.failed = 0.0, 0, 0

    def __enter__(self) -> Prober:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._lines.extend, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()
        down = None
        for line in self._lines:
            when, answered = line.split()
            self.asked += 1
            self.failed += answered == "0"
            if answered == "0" and down is None:
                down = float(when)
            if down is not None:
                self.outage = max(self.outage, float(when) - down)
            if answered == "1":
                down = None


class Relay:
    """Forwards TCP from a port of the controller to `target`, and knows how to lose things.

    `limit`: after so many bytes from the target, `then()` is called and nothing is forwarded any more. `request`: when a
    request whose first line matches this pattern comes, it is forwarded (or not, with `lose="request"`), its answer is lost
    with the connection, and `then()` is called; with `heard` only when the engine has answered.
    """

    def __init__(
        self, target: str, port: int, address: str = CONTROLLER, limit=None, request="", lose="answer", heard=False
    ):
        host, _sep, number = target.rpartition(":")
        self._target = (host, int(number))
        self.limit, self.request, self.lose = limit, re.compile(request.encode()) if request else None, lose
        self._heard = threading.Event() if heard else None
        self.then = lambda: None
        self.forwarded = 0
        self.fired = threading.Event()
        self._doomed = None  # the connection whose answers are lost
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((address, port), reuse_port=False)
        self.address = f"{address}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Gone: every connection is broken, and new ones are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                _break(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _peer = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:  # the client is told as it would be without us
                _break(client)
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            threading.Thread(target=self._upstream, args=(client, server), daemon=True).start()
            threading.Thread(target=self._downstream, args=(server, client), daemon=True).start()

    def _fire(self) -> bool:
        """Whether it is the first time."""
        with self._lock:
            first = not self.fired.is_set()
            self.fired.set()
        return first

    def _upstream(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.request and self.request.match(data.split(b"\r\n")[0]) and self._fire():
                    self._lose(client, server, data)
                    return
                server.sendall(data)
        _break(server)

    def _lose(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        self._doomed = server
        client.settimeout(0.05)  # the body may come after the head; then the engine has had its time to begin
        with contextlib.suppress(OSError):
            while data:
                if self.lose == "answer":
                    server.sendall(data)
                data = client.recv(65536)
        if self._heard and self.lose == "answer":
            self._heard.wait(20)
        self.then()
        _break(client)
        _break(server)

    def _downstream(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(16384):
                if self._doomed is server:
                    if self._heard:
                        self._heard.set()
                    continue
                self.forwarded += len(data)
                if self.limit is not None and self.forwarded > self.limit:
                    if self._fire():
                        self.then()
                    return
                client.sendall(data)
        _break(client)


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def image_of(folder: Path, image: str, base: str, size: int) -> str:
    """Push an image with a layer of `size` random bytes, which nothing compresses; its digest."""
    content = folder / "content"
    content.mkdir(parents=True)
    (content / "random").write_bytes(os.urandom(size))
    return ok(task(image=image, base=base, artifact=str(content), dest="/content", insecure=True))["digest"]


def foreigner(address: str, image: str, name: str, port: int) -> str:
    """Start somebody else's container, which publishes the port; its id."""
    client = docker.APIClient(base_url=f"tcp://{address}:2375", version="1.41", timeout=30)
    try:
        config = client.create_host_config(port_bindings={8080: port}, init=True)
        made = client.create_container(image, ["sleep", "600"], name=name, ports=[8080], host_config=config)["Id"]
        client.start(made)
        return made
    finally:
        client.close()


def remove(address: str, container: str) -> None:
    client = docker.APIClient(base_url=f"tcp://{address}:2375", version="1.41", timeout=30)
    try:
        client.remove_container(container, force=True, v=True)
    except docker.errors.NotFound:
        return
    finally:
        client.close()
