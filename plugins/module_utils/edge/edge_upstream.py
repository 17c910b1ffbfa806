# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""edge_upstream: which servers nginx sends an app's requests to."""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass

from ..common.deadline import Deadline
from ..common.errors import ParameterError, SlipwayError
from ..common.operation import Context, Operation, Params, Result
from ..common.spec import Spec
from ..common.units import seconds
from . import files, upstream
from .files import Place
from .nginx import Endpoint, Nginx
from .upstream import Server, Site

EDGE_UPSTREAM_SPEC = Spec(
    options={
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "conf_dir": {"type": "path", "required": True},
        "servers": {
            "type": "list",
            "elements": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "address": {"type": "str", "required": True},
                "port": {"type": "int", "required": True},
                "release": {"type": "int"},
                "container": {"type": "str"},
            },
        },
        "hosts": {"type": "list", "elements": "str"},
        "all_hosts": {"type": "list", "elements": "str"},
        "keep_last": {"type": "bool", "default": True},
        "leaving": {
            "type": "list",
            "elements": "dict",
            "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
        },
        "listen": {"type": "list", "elements": "str"},
        "server_name": {"type": "str"},
        "server_options": {"type": "str"},
        "upstream_lines": {"type": "list", "elements": "str"},
        "server_lines": {"type": "list", "elements": "str"},
        "nginx": {"type": "str", "default": "nginx"},
        "pid_file": {"type": "str", "default": "/run/nginx.pid"},
        "reload": {"type": "str"},
        "quiesce": {"type": "str", "default": "0s"},
        "drain": {"type": "str", "default": "10s"},
    },
    required_if=(("state", "present", ("servers",)),),
)


@dataclass(frozen=True)
class Wanted:
    """The options, read and checked. Times in seconds."""

    present: bool
    site: Site
    servers: t.Tuple[Server, ...]
    hosts: t.Optional[t.List[str]]
    all_hosts: t.Optional[t.List[str]]
    keep_last: bool
    leaving: t.Tuple[Endpoint, ...]
    quiesce: float
    drain: float


@dataclass(frozen=True)
class Plan:
    """What the file says and is to say. `pending`: nginx may not have taken what it says yet. `kept`: servers that were to
    go and stay, as there would be none."""

    text: str
    wanted: str
    before: t.Tuple[Server, ...]
    after: t.Tuple[Server, ...]
    kept: t.Tuple[Server, ...]
    pending: bool

    @property
    def changed(self) -> bool:
        return self.text != self.wanted or self.pending

    @property
    def removed(self) -> t.Tuple[Endpoint, ...]:
        """Addresses that nginx sends nothing to any more."""
        stay = {entry.endpoint for entry in self.after}
        return tuple(sorted({entry.endpoint for entry in self.before} - stay))


def plan(wanted: Wanted, text: str, pending: bool, path: str) -> Plan:
    """Pure. ConflictError for a file that is not ours, or whose other servers cannot be told."""
    before = upstream.parse(text, path, strict=wanted.hosts is not None)
    if not wanted.present:
        return Plan(text, "", before, (), (), pending)
    after = upstream.merged(before, wanted.servers, wanted.hosts, wanted.all_hosts)
    kept: t.Tuple[Server, ...] = ()
    if not after and before and wanted.keep_last:
        after = kept = before
    if not text and not after:
        return Plan(text, text, before, after, kept, pending)  # nobody to take out, and no file to say so
    return Plan(text, upstream.render(wanted.site, after), before, after, kept, pending)


def run(params: Params, context: Context) -> Result:
    """Bring file and nginx to what is wanted, then wait for connections to what has left. Raises SlipwayError."""
    place = Place(params["conf_dir"], params["name"])
    wanted = read(params, place)
    nginx = Nginx(_words(params["nginx"], "nginx"), params["pid_file"], _words(params["reload"] or "", "reload"))
    place.check()
    if context.check_mode:
        planned = plan(wanted, place.read(), place.unfinished, place.conf)
        _needs(nginx, planned)
        _tell(planned, wanted, context)
        return _result(place, planned, False, [])
    with place.locked():
        place.unhush()
        pending = place.unfinished
        if pending:
            _take_up(place, nginx)
        planned = plan(wanted, place.read(), pending, place.conf)
        _needs(nginx, planned)
        if planned.changed:
            apply(place, nginx, planned, wanted.quiesce)
    _tell(planned, wanted, context)
    return _result(place, planned, planned.changed, _drained(nginx, planned, wanted, context))


def _tell(planned: Plan, wanted: Wanted, context: Context) -> None:
    """Warn of what stays although it was to go."""
    if planned.kept:
        hosts = ", ".join(sorted({entry.host for entry in planned.kept}))
        context.warn(
            f"{wanted.site.name}: {hosts} stays in the edge, as nothing else would answer there; requests may fail while it "
            "is replaced. To avoid that, run it on more hosts, in smaller batches, or with strategy start_first."
        )


def _needs(nginx: Nginx, planned: Plan) -> None:
    """NginxError when there is something to do and no nginx to take it: found before anything is written."""
    if planned.changed and nginx.pid_file:
        nginx.master()


def _take_up(place: Place, nginx: Nginx) -> None:
    """Go on after a run that was interrupted: what it wrote stays if nginx accepts it, else the file before it is back.
    Nobody knows which of the two nginx has loaded, so it is loaded again in any case."""
    try:
        nginx.check()
        place.note()
    except SlipwayError:
        place.restore()


def apply(place: Place, nginx: Nginx, planned: Plan, quiesce: float) -> None:
    """Write, check, reload. After a failure the file before is back, and nginx has never had another one."""
    place.put(planned.wanted)
    try:
        nginx.check()
        files.step("checked")
        if quiesce and planned.text:
            place.hush()
            files.step("hushed")
            Deadline(quiesce).pause(quiesce)
        nginx.load()
        files.step("loaded")
    except SlipwayError as error:
        place.restore()
        if not planned.pending:
            place.settle()
        error.msg += f" {place.conf} is as it was before, and nginx goes on with that."
        error.facts.setdefault("diff", _diff(place, planned))
        raise
    finally:
        place.unhush()
    place.settle()
    files.step("settled")


def _drained(nginx: Nginx, planned: Plan, wanted: Wanted, context: Context) -> t.List[t.Dict[str, t.Any]]:
    """Wait for the connections to what has left, one answer for all of them."""
    stay = {entry.endpoint for entry in planned.after}
    gone = tuple(sorted(({*planned.removed, *wanted.leaving}) - stay))
    if not gone:
        return []
    took, left = nginx.drain(gone, wanted.drain)
    where = ", ".join(f"{address}:{port}" for address, port in gone)
    if left:
        context.warn(
            f"{wanted.site.name}: {left} connection(s) to {where} were still open after {wanted.drain:g} seconds; what they "
            "carry is cut off when the container is stopped. A longer drain waits longer."
        )
    return [
        {"address": address, "port": port, "seconds": round(took, 3), "connections": left} for address, port in gone
    ]


def _result(place: Place, planned: Plan, reloaded: bool, drained: t.List[t.Dict[str, t.Any]]) -> Result:
    return {
        "changed": planned.changed,
        "conf_file": place.conf,
        "servers": [entry.facts() for entry in planned.after],
        "previous": [entry.facts() for entry in planned.before],
        "kept": sorted({entry.host for entry in planned.kept}),
        "reloaded": reloaded,
        "drained": drained,
        "diff": _diff(place, planned),
    }


def _diff(place: Place, planned: Plan) -> t.Dict[str, str]:
    return {
        "before_header": place.conf,
        "after_header": place.conf,
        "before": planned.text,
        "after": planned.wanted,
    }


def read(params: Params, place: Place) -> Wanted:
    """The options as Wanted. ParameterError names the first that cannot work."""
    if not upstream.NAME.match(params["name"]):
        raise ParameterError(f"name: {params['name']!r} takes letters, digits, and _ . - after the first.")
    if any(sign in place.quiet for sign in " \t\n;{}\"'$"):
        raise ParameterError(f"conf_dir: {params['conf_dir']!r} has a sign in it that nginx would not take as it is.")
    servers = tuple(upstream.server(entry) for entry in params["servers"] or [])
    strangers = sorted({entry.host for entry in servers} - set(params["hosts"] or [entry.host for entry in servers]))
    if strangers:
        raise ParameterError(f"servers: {', '.join(strangers)} is not among hosts.")
    site = Site(
        name=params["name"],
        listen=tuple(params["listen"] or ()),
        server_name=params["server_name"] or "",
        server_options=params["server_options"] or "",
        upstream_lines=tuple(params["upstream_lines"] or ()),
        server_lines=tuple(params["server_lines"] or ()),
        quiet=place.quiet,
    )
    return Wanted(
        present=params["state"] == "present",
        site=site,
        servers=servers,
        hosts=params["hosts"],
        all_hosts=params["all_hosts"],
        keep_last=params["keep_last"],
        leaving=tuple((entry["address"].strip("[]"), entry["port"]) for entry in params["leaving"] or []),
        quiesce=seconds(params["quiesce"], "quiesce"),
        drain=seconds(params["drain"], "drain"),
    )


def _words(line: str, option: str) -> t.Tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise ParameterError(f"{option}: {line!r} is no command line: {error}.") from error


EDGE_UPSTREAM = Operation(name="edge_upstream", spec=EDGE_UPSTREAM_SPEC, run=run)
