# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady load of HTTP requests from a process of its own, and what became of every single one.

Nothing is ever sent twice: a connection that ends under a request, a status other than 200 and an answer to another
request all count as failed, also on a kept-alive connection, where clients would be allowed to try again. Half of the
requests are POSTs, which nginx does not send to a second server either. Slow requests (/slow, two seconds) are always in
flight beside the others. Each is done with keep-alive and without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from urllib.parse import urlsplit

LIMIT = 20.0  # seconds for one request
MODES = ("keep-alive", "close")


class Load:
    """`with Load(url) as load: …` and then `load.result`: by mode {requests, slow, failed, reasons, versions, connections}."""

    def __init__(self, url: str, rate: int = 100, workers: int = 8, slow: int = 3) -> None:
        self.command = [
            sys.executable,
            __file__,
            url,
            "--rate",
            str(rate),
            "--workers",
            str(workers),
            "--slow",
            str(slow),
        ]
        self.result: dict[str, dict] = {}

    def __enter__(self) -> Load:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "running\n"
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            output, _none = self.process.communicate("", timeout=LIMIT + 10)  # the end of its input ends it
        finally:
            self.process.kill()
            self.process.wait()
        self.result = json.loads(output)

    @property
    def requests(self) -> int:
        return sum(mode["requests"] for mode in self.result.values())

    @property
    def failed(self) -> dict[str, list[str]]:
        """Reasons by mode, of those that had any."""
        return {name: mode["reasons"] for name, mode in self.result.items() if mode["failed"]}


class Client:
    """One worker's connection."""

    def __init__(self, host: str, port: int, keep_alive: bool) -> None:
        self.host, self.port, self.keep_alive = host, port, keep_alive
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.connections = 0

    async def ask(self, method: str, path: str, body: bytes) -> bytes:
        """The body of the answer. ConnectionError or ValueError when there is no good one."""
        if self.reader is None or self.reader.at_eof():  # a connection that is known to have ended is not used
            self.close()
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
            self.connections += 1
        word = "keep-alive" if self.keep_alive else "close"
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: {word}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        return await self._answer()

    async def _answer(self) -> bytes:
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        except asyncio.IncompleteReadError as error:
            raise ConnectionError(f"the connection ended after {len(error.partial)} bytes of the answer") from error
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        answer = await self.reader.readexactly(length)
        if "connection: close" in head or not self.keep_alive:
            self.close()
        status = head.split(" ", 2)[1]
        if status != "200":
            raise ValueError(f"status {status}")
        return answer

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def worker(client: Client, tally: dict, pause: float, slow: bool, stop: asyncio.Event) -> None:
    number, due = 0, time.monotonic()
    while not stop.is_set():
        number += 1
        method, path = ("POST", "GET")[number % 2], f"{'/slow' if slow else '/fast'}/{id(client)}/{number}"
        body = b"x" * 64 if method == "POST" else b""
        began = time.monotonic()
        try:
            answer = await asyncio.wait_for(client.ask(method, path, body), LIMIT)
            version, _blank, rest = answer.decode().partition(" ")
            if rest != f"{method} {path} {len(body)}":
                raise ValueError(f"the answer to another request: {answer!r}")
            tally["versions"][version] = tally["versions"].get(version, 0) + 1
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            client.close()
            tally["failed"] += 1
            tally["reasons"].append(f"{time.strftime('%H:%M:%S')} {method} {path}: {type(error).__name__}: {error}")
        tally["requests"] += 1
        tally["slow"] += slow
        tally["longest"] = max(tally["longest"], time.monotonic() - began)
        due = max(due + pause, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
    tally["connections"] += client.connections
    client.close()


async def load(url: str, rate: int, workers: int, slow: int) -> dict[str, dict]:
    parts = urlsplit(url)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    tallies, tasks = {}, []
    for mode in MODES:
        tally = {"requests": 0, "slow": 0, "failed": 0, "longest": 0.0, "connections": 0, "reasons": [], "versions": {}}
        tallies[mode] = tally
        for index in range(workers + slow):
            client = Client(parts.hostname or "", parts.port or 80, mode == "keep-alive")
            pause = workers / rate if index < workers else 0.0
            tasks.append(asyncio.create_task(worker(client, tally, pause, index >= workers, stop)))
    print("running", flush=True)
    await asyncio.gather(*tasks)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=int, default=100, help="requests per second, for each mode")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--slow", type=int, default=3, help="slow requests in flight, for each mode")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(load(options.url, options.rate, options.workers, options.slow))))


if __name__ == "__main__":
    main()
