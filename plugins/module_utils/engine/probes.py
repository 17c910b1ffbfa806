# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container's port can be reached from here, and the probes that ask it."""

from __future__ import annotations

import json
import socket
import time
import typing as t

from ..common.errors import ParameterError, SlipwayError
from .actual import Container
from .connection import quiet_unverified
from .engine import Engine
from .faults import translated
from .gate import GateSpec, HttpCheck, Probe, ProbeResult

try:
    import requests
except ImportError:  # Operation.requires reports docker, which brings it
    requests = None

BODY_LIMIT = 16 * 1024  # bytes of an answer that are read
SHOWN = 500  # characters of an answer that are shown
L2_DRIVERS = ("macvlan", "ipvlan")  # their containers have addresses that the network around the host can reach
EVERYWHERE = ("", "0.0.0.0", "::")
Target = t.Tuple[str, int]


def build(spec: GateSpec, engine: Engine, container: Container) -> t.List[Probe]:
    """The probes of `spec` for a started container. ParameterError for a port that cannot be reached from here."""
    probes: t.List[Probe] = []
    if spec.tcp_port is not None:
        probes.append(TcpProbe(target(spec, "gate.tcp.port", spec.tcp_port, engine, container)))
    if spec.http is not None:
        probes.append(HttpProbe(spec.http, target(spec, "gate.http.port", spec.http.port, engine, container)))
    if spec.command:
        probes.append(ExecProbe(spec.command, engine, container.id))
    return probes


def target(spec: GateSpec, option: str, port: int, engine: Engine, container: Container) -> Target:
    """Address and port at which the container's own `port` is reached from where this runs.

    In this order: `gate.address`; the engine's host for host networking; the published address; the container's own
    address on a macvlan or ipvlan network.
    """
    host_port = published(container, port, engine.address)
    if spec.address:
        return _given(spec.address, host_port[1] if host_port else port)
    if container.attrs["HostConfig"].get("NetworkMode") == "host":
        return engine.address or "127.0.0.1", port
    if host_port:
        return host_port
    for name, endpoint in (container.attrs["NetworkSettings"].get("Networks") or {}).items():
        if endpoint.get("IPAddress") and is_l2(engine, name):
            return endpoint["IPAddress"], port
    raise unreachable(option, port, engine.host)


def published(container: Container, port: int, engine_address: t.Optional[str]) -> t.Optional[Target]:
    """The published address of the container's TCP port as seen from here, or None."""
    bindings = (container.attrs["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or []
    reachable = [
        (seen, int(binding["HostPort"]))
        for binding in bindings
        for seen in [seen_from_here(binding.get("HostIp") or "", engine_address)]
        if seen
    ]
    return reachable[0] if reachable else None


def seen_from_here(host_ip: str, engine_address: t.Optional[str]) -> t.Optional[str]:
    """Where a port bound to `host_ip` on the engine's host is reached from here; None for another host's loopback."""
    if host_ip in EVERYWHERE:
        return engine_address or "127.0.0.1"
    if host_ip.startswith("127.") or host_ip == "::1":
        local = engine_address is None or engine_address in ("localhost", "::1") or engine_address.startswith("127.")
        return host_ip if local else None
    return host_ip


def is_l2(engine: Engine, network: str) -> bool:
    facts = engine.network(network)
    return facts is not None and facts["Driver"] in L2_DRIVERS


def unreachable(option: str, port: int, host: str) -> ParameterError:
    return ParameterError(
        f"{option}: port {port} of the container cannot be reached from here: on {host} it is not published to an address "
        "that this side can use, and the container is neither on the host's network nor on a macvlan one. "
        f'Publish it (ports: ["{port}:{port}"]), or set gate.address, or use gate.exec, which runs inside the container.'
    )


def _given(address: str, port: int) -> Target:
    """`gate.address`: a host, or host:port when the port differs too."""
    if address.startswith("["):
        host, _sep, rest = address[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdigit() else port
    host, _sep, given = address.partition(":")
    if given.isdigit():
        return host, int(given)
    return (address, port) if address.count(":") != 1 else (host, port)


class TcpProbe:
    """Opens a connection and closes it."""

    def __init__(self, where: Target) -> None:
        self._where = where

    def __call__(self, timeout: float) -> ProbeResult:
        probe = f"tcp {self._where[0]}:{self._where[1]}"
        try:
            with socket.create_connection(self._where, timeout=timeout):
                return ProbeResult(True, probe, "accepted")
        except OSError as error:
            return ProbeResult(False, probe, error.strerror or str(error) or type(error).__name__)


class HttpProbe:
    """One GET, no redirects, no proxy, no more than the first 16 KiB of the answer."""

    def __init__(self, check: HttpCheck, where: Target) -> None:
        host = f"[{where[0]}]" if ":" in where[0] else where[0]
        self._check = check
        self._url = (
            f"{check.scheme}://{host}:{where[1]}{check.path if check.path.startswith('/') else '/' + check.path}"
        )
        self._session = requests.Session()
        self._session.trust_env = False
        if not check.validate_certs:
            quiet_unverified()

    def __call__(self, timeout: float) -> ProbeResult:
        probe = f"http GET {self._url}"
        ends = time.monotonic() + timeout
        try:
            with self._session.get(
                self._url,
                headers={"Connection": "close", **dict(self._check.headers)},
                timeout=timeout,
                verify=self._check.validate_certs,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _read(response, ends)
        except requests.RequestException as error:
            return ProbeResult(False, probe, _plain_reason(error))
        return self._judge(probe, response.status_code, body)

    def _judge(self, probe: str, status: int, body: str) -> ProbeResult:
        if status not in self._check.status:
            wanted = " or ".join(str(code) for code in self._check.status)
            return ProbeResult(False, probe, f"answered {status}, wanted {wanted}", status, body[:SHOWN])
        if self._check.body and self._check.body not in body:
            said = f"answered {status} without {self._check.body!r} in the body"
            return ProbeResult(False, probe, said, status, body[:SHOWN])
        return ProbeResult(True, probe, f"answered {status}", status, body[:SHOWN])


def _read(response: t.Any, ends: float) -> str:
    """The answer's beginning; a server that sends for ever is cut off at the limit or at the time `ends`."""
    raw = b""
    for piece in response.iter_content(1):  # a larger piece would wait for its last byte
        raw += piece
        if len(raw) >= BODY_LIMIT or time.monotonic() > ends:
            break
    return raw.decode("utf-8", "replace")


def _plain_reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    text = str(error)
    for known in ("Connection refused", "Connection reset by peer", "No route to host", "Remote end closed connection"):
        if known in text:
            return known.lower()
    return text


class ExecProbe:
    """Runs a command in the container; exit code 0 is success."""

    def __init__(self, command: t.Sequence[str], engine: Engine, container: str) -> None:
        self._command = list(command)
        self._engine = engine
        self._container = container

    def __call__(self, timeout: float) -> ProbeResult:
        probe = f"exec {self._command[0]}"
        try:
            code, output = run_in(self._engine, self._container, self._command, timeout)
        except SlipwayError as error:
            return ProbeResult(False, probe, error.msg)
        if code is None:
            return ProbeResult(False, probe, f"did not end within {timeout:g}s", None, output[:SHOWN])
        return ProbeResult(code == 0, probe, f"exit code {code}", code, output[:SHOWN])


def run_in(engine: Engine, container: str, command: t.Sequence[str], timeout: float) -> t.Tuple[t.Optional[int], str]:
    """Exit code (None if it still runs after `timeout` seconds) and output of a command in the container.

    docker-py's own reader waits without a limit, so the answer's stream is read here.
    """
    client = engine.client
    what = f"run {command[0]} in container {container[:12]}"
    made = engine.call(what, client.exec_create, container, list(command))
    ends = time.monotonic() + timeout
    raw = b""
    with translated(engine.host, what):
        response = client.post(
            f"{client.base_url}/v{client.api_version}/exec/{made['Id']}/start",
            data=json.dumps({"Detach": False, "Tty": False}),
            headers={"Content-Type": "application/json"},
            stream=True,
            timeout=timeout,
        )
        client._raise_for_status(response)
        try:
            for piece in response.iter_content(1):
                raw += piece
                if len(raw) >= BODY_LIMIT or time.monotonic() > ends:
                    break
        except requests.exceptions.RequestException:
            raw += b""  # silence beyond the timeout: whether it ended is asked below
        finally:
            response.close()
    facts = engine.call(what, client.exec_inspect, made["Id"])
    return (None if facts["Running"] else facts["ExitCode"]), demultiplexed(raw).decode("utf-8", "replace").strip()


def demultiplexed(raw: bytes) -> bytes:
    """The payload of Docker's stream frames (8 bytes of header: stream, three zeros, length); a cut one counts too."""
    payload = b""
    while len(raw) > 8:
        length = int.from_bytes(raw[4:8], "big")
        payload += raw[8 : 8 + length]
        raw = raw[8 + length :]
    return payload
