# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an nginx upstream file, written from servers and read back into them. Pure.

The file says of every server which host and container it is, so that what is known of one host can be changed without
asking the engines of all the others.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..common.errors import ConflictError, ParameterError

HEADER = "# Written by slipway.delivery.edge_upstream from what the engines say is running: changes by hand are lost."
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
QUIET_STATUS = 599  # internal: leads to the location that ends connections
_ADDRESS = re.compile(r"^[A-Za-z0-9_.-]+$|^[0-9a-fA-F:.]+$")
_WORD = re.compile(r"^[^\s#;{}]+$")
_LINE = re.compile(
    r"^    server (?P<address>\[[^\]]+\]|[^:\s;]+):(?P<port>\d+)(?: [^;#]*)?;"
    r"  # host=(?P<host>\S+) release=(?P<release>\d+|-) container=(?P<container>\S+)$"
)
_NOBODY = "    server 127.0.0.1:9 down;  # nothing serves"
_PROXY = (
    "proxy_http_version 1.1;",
    'proxy_set_header Connection "";',
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
)


@dataclass(frozen=True, order=True)
class Server:
    """Where one container is reached from the edge. `release` and `container` (its short id) are for people."""

    host: str
    address: str
    port: int
    release: t.Optional[int] = None
    container: str = ""

    @property
    def endpoint(self) -> t.Tuple[str, int]:
        return self.address, self.port

    @property
    def text(self) -> str:
        """`address:port` as nginx writes it."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    def facts(self) -> t.Dict[str, t.Any]:
        return {
            "host": self.host,
            "address": self.address,
            "port": self.port,
            "release": self.release,
            "container": self.container or None,
        }


@dataclass(frozen=True)
class Site:
    """What the file says besides its servers. Lines are nginx directives as they are; nginx itself judges them.

    Without `listen` there is an upstream alone, for a server block of somebody's own to pass requests to. `quiet` is the
    path of the file whose presence makes nginx end every connection after its request.
    """

    name: str
    listen: t.Tuple[str, ...] = ()
    server_name: str = ""
    server_options: str = ""
    upstream_lines: t.Tuple[str, ...] = ()
    server_lines: t.Tuple[str, ...] = ()
    quiet: str = ""


def server(params: t.Mapping[str, t.Any]) -> Server:
    """A checked Server from its option. ParameterError when a value would not stay one word in nginx's file."""
    address = str(params["address"]).strip("[]")
    if not _ADDRESS.match(address):
        raise ParameterError(f"servers: address {params['address']!r} is neither a host name nor an IP address.")
    if not 1 <= params["port"] <= 65535:
        raise ParameterError(f"servers: {params['port']} is no port.")
    if not _WORD.match(params["host"]):
        raise ParameterError(f"servers: host {params['host']!r} has a blank or one of # ; {{ }} in it.")
    container = params.get("container") or ""
    if container and not _WORD.match(container):
        raise ParameterError(f"servers: container {container!r} has a blank or one of # ; {{ }} in it.")
    return Server(params["host"], address, params["port"], params.get("release"), container[:12])


def merged(
    before: t.Sequence[Server],
    given: t.Sequence[Server],
    hosts: t.Optional[t.Sequence[str]],
    all_hosts: t.Optional[t.Sequence[str]],
) -> t.Tuple[Server, ...]:
    """The servers there are to be: `given` instead of what `before` has of `hosts` (None: of all), by host.

    Of hosts that are not in `all_hosts` (None: any) nothing stays.
    """
    stays = [] if hosts is None else [entry for entry in before if entry.host not in hosts]
    kept = [entry for entry in stays if all_hosts is None or entry.host in all_hosts]
    return tuple(sorted({*kept, *given}, key=_order))


def _order(entry: Server) -> t.Tuple[t.Any, ...]:
    """By all that an entry says: two that are alike but for the release, as hands may leave them, keep their order."""
    return entry.host, entry.address, entry.port, entry.release is not None, entry.release or 0, entry.container


def render(site: Site, servers: t.Sequence[Server]) -> str:
    """The whole file."""
    lines = [HEADER, f"upstream {site.name} {{"]
    lines += [f"    {line}" for line in site.upstream_lines]
    lines += [_line(site, entry) for entry in servers] or [_NOBODY]
    lines.append("}")
    if site.listen:
        lines += _server_block(site)
    return "\n".join(lines) + "\n"


def _line(site: Site, entry: Server) -> str:
    release = "-" if entry.release is None else str(entry.release)
    options = f" {site.server_options}" if site.server_options else ""
    return (
        f"    server {entry.text}{options};  # host={entry.host} release={release} container={entry.container or '-'}"
    )


def _server_block(site: Site) -> t.List[str]:
    """The server block. Before a reload the quiet file appears, and the second location answers: it lets clients know
    that their connection ends with this answer, so that none is closed under a request that is on its way."""
    lines = ["server {"]
    lines += [f"    listen {listen};" for listen in site.listen]
    if site.server_name:
        lines.append(f"    server_name {site.server_name};")
    lines += [f"    {line}" for line in (*_PROXY, *site.server_lines)]
    lines += [
        f"    error_page {QUIET_STATUS} = @slipway_quiet;",
        f"    if (-f {site.quiet}) {{ return {QUIET_STATUS}; }}",
        f"    location / {{ proxy_pass http://{site.name}; }}",
        f"    location @slipway_quiet {{ keepalive_timeout 0; proxy_pass http://{site.name}; }}",
        "}",
    ]
    return lines


def parse(text: str, path: str, strict: bool = True) -> t.Tuple[Server, ...]:
    """The servers of a file that `render` wrote, empty for an empty text.

    ConflictError for a file of somebody else's, and, if `strict`, for one in whose upstream a server was written by hand.
    """
    if not text:
        return ()
    if not text.startswith(HEADER + "\n"):
        raise ConflictError(
            f"{path} was not written by Slipway, so it is left alone. Move it away, or choose another name or conf_dir."
        )
    block = text.partition("{\n")[2].partition("\n}\n")[0]
    found = []
    for line in block.splitlines():
        if line == _NOBODY or not line.lstrip().startswith("server "):
            continue
        match = _LINE.match(line)
        if match is None and not strict:
            continue
        if match is None:
            raise ConflictError(
                f"{path}: somebody wrote {line.strip()!r} by hand, and it cannot be said which host that is. Take the line "
                "out, or give the servers of all hosts at once (without the option hosts)."
            )
        release = match.group("release")
        container = match.group("container")
        found.append(
            Server(
                match.group("host"),
                match.group("address").strip("[]"),
                int(match.group("port")),
                None if release == "-" else int(release),
                "" if container == "-" else container,
            )
        )
    return tuple(found)
