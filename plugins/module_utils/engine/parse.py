# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short forms that people write in app_container's options, and what they stand for. Pure: text in, JSON out.

Every function raises ParameterError naming the option; none looks at more than its own value.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import typing as t
from dataclasses import dataclass

from ..common.errors import ParameterError
from ..common.units import seconds, size

_CONTAINER_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")
_ENV_NAME = re.compile(r"^[^=\s\x00]+$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_IMAGE = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9._:/\[\]-]*$")
_TAG = re.compile(r"^[\w][\w.-]{0,127}$")
_PORT_SPEC = re.compile(
    r"^(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|\d+\.\d+\.\d+\.\d+):)?(?P<host>\d+(?:-\d+)?)?:)?"
    r"(?P<container>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?$"
)
_MOUNT_OPTIONS = frozenset(
    [
        "ro",
        "rw",
        "z",
        "Z",
        "nocopy",
        "cached",
        "delegated",
        "consistent",
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
    ]
)
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Reference:
    """An image as it was asked for: `name` (registry and repository), `tag` and `digest`, either possibly empty."""

    name: str
    tag: str = ""
    digest: str = ""

    @property
    def text(self) -> str:
        """What to ask an engine for: by tag where there is one, else by digest."""
        return f"{self.name}:{self.tag}" if self.tag else self.pinned(self.digest)

    def pinned(self, digest: str) -> str:
        return f"{self.name}@{digest}"


def container_name(value: str, option: str) -> str:
    if not _CONTAINER_NAME.match(value):
        raise ParameterError(f"{option}: {value!r} is no container name; letters, digits, '_', '.', '-', two at least.")
    return value


def digest(value: str, option: str) -> str:
    if not _DIGEST.match(value):
        raise ParameterError(f"{option}: {value!r} is no digest; it looks like sha256: and 64 hexadecimal digits.")
    return value


def image(value: str, option: str) -> Reference:
    """`registry:5000/shop/webapi:1.4.2@sha256:…`. Without tag and digest it is `latest`, as everywhere."""
    rest, at, pinned = value.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    name = f"{head}{slash}{last}"
    blank = not last or bool(at and not pinned) or bool(colon and not tag)
    if blank or not _IMAGE.match(name) or (tag and not _TAG.match(tag)):
        raise ParameterError(f"{option}: {value!r} is no image; it looks like registry.example.com/shop/webapi:1.4.2.")
    if pinned:
        digest(pinned, option)
    return Reference(name, tag or ("" if pinned else "latest"), pinned)


def words(value: t.Any, option: str) -> t.List[str]:
    """A command: a list as it is, or a line split as a shell would split it."""
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError as error:
            raise ParameterError(f"{option}: {value!r} cannot be split into words: {error}.") from error
    if isinstance(value, (list, tuple)):
        return [scalar(item, option) for item in value]
    raise ParameterError(f"{option}: {value!r} is neither a line nor a list of words.")


def scalar(value: t.Any, option: str) -> str:
    """Text or a number, as text. YAML's true and null are refused: nobody can tell which spelling was meant."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ParameterError(f"{option}: {value!r} is no text; put it in quotes.")


def mapping(value: t.Mapping[str, t.Any], option: str) -> t.Dict[str, str]:
    """A dictionary of scalars, all wrong ones named in one error."""
    result: t.Dict[str, str] = {}
    problems: t.List[str] = []
    for key in sorted(value, key=str):
        try:
            result[str(key)] = scalar(value[key], f"{option}.{key}")
        except ParameterError as error:
            problems.append(error.msg)
    if problems:
        raise ParameterError(" ".join(problems))
    return result


def environment(value: t.Mapping[str, t.Any], option: str, secret: bool = False) -> t.Dict[str, str]:
    """Environment variables. A problem with a `secret` value is told without the value."""
    bad = sorted(str(key) for key in value if not _ENV_NAME.match(str(key)))
    if bad:
        raise ParameterError(f"{option}: {', '.join(map(repr, bad))} cannot name an environment variable.")
    if secret:
        wrong = sorted(
            str(key) for key, item in value.items() if isinstance(item, (bool, dict, list)) or item in (None, "")
        )
        if wrong:
            raise ParameterError(f"{option}: {', '.join(wrong)} is blank or no text; put the value in quotes.")
    result = mapping(value, option)
    if any("\x00" in item for item in result.values()):
        raise ParameterError(f"{option}: a value holds a NUL character.")
    return result


def port(value: str, option: str) -> t.List[t.Dict[str, t.Any]]:
    """`[[ip:]host:]container[/protocol]`, with ranges; one entry a port: container, protocol, host_ip, host_port.

    `host_port` 0 lets the engine choose a free one. IPv6 addresses stand in brackets.
    """
    match = _PORT_SPEC.match(value.strip())
    if not match:
        raise ParameterError(f'{option}: {value!r} is no port; write "8080:8080", "127.0.0.1:8000:8000" or "9000".')
    inside = _range(match.group("container"), value, option)
    outside = _range(match.group("host"), value, option) if match.group("host") else [0] * len(inside)
    if len(inside) != len(outside):
        raise ParameterError(f"{option}: {value!r} maps ranges of different length.")
    address = _address((match.group("ip") or "").strip("[]"), value, option)
    protocol = match.group("protocol") or "tcp"
    return [
        {"container": inner, "protocol": protocol, "host_ip": address, "host_port": outer}
        for inner, outer in zip(inside, outside)
    ]


def _range(text: str, value: str, option: str) -> t.List[int]:
    first, _sep, last = text.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not numbers or numbers[0] < 1 or numbers[-1] > 65535:
        raise ParameterError(f"{option}: {value!r} has a port outside 1 to 65535, or a range that runs backwards.")
    return list(numbers)


def _address(text: str, value: str, option: str) -> str:
    """The address in its shortest spelling; the two that mean "everywhere" become none."""
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise ParameterError(f"{option}: {value!r} has no valid address: {error}.") from error
    return "" if address == ipaddress.ip_address("0.0.0.0") else str(address)


def ports(values: t.Sequence[str], option: str) -> t.List[t.Dict[str, t.Any]]:
    """All port entries, sorted, each once. Two that want the same port of the host are an error."""
    entries: t.List[t.Dict[str, t.Any]] = []
    for value in values:
        entries += [entry for entry in port(str(value), option) if entry not in entries]
    taken: t.Dict[t.Tuple[t.Any, ...], int] = {}
    for entry in entries:
        key = (entry["host_ip"], entry["host_port"], entry["protocol"])
        if entry["host_port"] and taken.setdefault(key, entry["container"]) != entry["container"]:
            raise ParameterError(f"{option}: port {entry['host_port']}/{entry['protocol']} of the host is used twice.")
    return sorted(entries, key=lambda e: (e["container"], e["protocol"], e["host_ip"], e["host_port"]))


def volume(value: str, option: str) -> t.Dict[str, str]:
    """`source:/path[:options]`, or `/path` for an anonymous volume; source is an absolute path or a volume's name."""
    pieces = value.split(":")
    source, path, mode = {1: ["", *pieces, ""], 2: [*pieces, ""], 3: pieces}.get(len(pieces), ["", "", ""])
    named = bool(_CONTAINER_NAME.match(source))
    if not path.startswith("/") or (len(pieces) > 1 and not source.startswith("/") and not named):
        raise ParameterError(
            f'{option}: {value!r} is no volume; write "/on/the/host:/inside[:ro]" or "name:/inside", with absolute paths.'
        )
    unknown = sorted(set(mode.split(",")) - _MOUNT_OPTIONS) if mode else []
    if unknown:
        raise ParameterError(f"{option}: {value!r} has the unknown option {', '.join(unknown)}.")
    chosen = ",".join(sorted(set(mode.split(",")) - {"rw"})) if mode else ""
    return {"source": _plain_path(source), "path": _plain_path(path), "mode": chosen}


def _plain_path(path: str) -> str:
    """Without a trailing slash, which Docker does not mind and a comparison would."""
    return path.rstrip("/") or "/" if path.startswith("/") else path


def volumes(values: t.Sequence[str], option: str) -> t.List[t.Dict[str, str]]:
    entries = [volume(str(value), option) for value in values]
    paths = [entry["path"] for entry in entries]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ParameterError(f"{option}: {', '.join(twice)} is mounted twice.")
    return sorted(entries, key=lambda entry: entry["path"])


def tmpfs(values: t.Sequence[str], option: str) -> t.Dict[str, str]:
    """`/path[:options]` each, as path to options."""
    result: t.Dict[str, str] = {}
    for value in values:
        path, _sep, options = str(value).partition(":")
        if not path.startswith("/"):
            raise ParameterError(f"{option}: {value!r} is no absolute path.")
        result[_plain_path(path)] = options
    return result


def network(value: t.Mapping[str, t.Any], option: str) -> t.Dict[str, t.Any]:
    """One of `networks`: name, aliases (sorted), ipv4_address (possibly empty)."""
    address = value.get("ipv4_address") or ""
    if address:
        try:
            address = str(ipaddress.IPv4Address(address))
        except ValueError as error:
            raise ParameterError(f"{option}: {value['name']}: ipv4_address {address!r}: {error}.") from error
    return {"name": value["name"], "aliases": sorted(set(value.get("aliases") or [])), "ipv4_address": address}


def ulimit(value: str, option: str) -> t.Dict[str, t.Any]:
    """`nofile=65536[:131072]`, with `:` in place of `=` too; -1 is unlimited."""
    match = re.match(r"^(?P<name>[a-z]+)[=:](?P<soft>-1|\d+)(?::(?P<hard>-1|\d+))?$", value.strip())
    if not match:
        raise ParameterError(f'{option}: {value!r} is no limit; write "nofile=65536" or "nofile=65536:131072".')
    soft = int(match.group("soft"))
    return {"name": match.group("name"), "soft": soft, "hard": int(match.group("hard") or soft)}


def texts(values: t.Sequence[t.Any], option: str) -> t.List[str]:
    """A list of texts, in its order."""
    return [scalar(value, option) for value in values]


def devices(values: t.Sequence[str], option: str) -> t.List[t.Dict[str, str]]:
    """`/dev/on/host[:/dev/inside][:rwm]` each; without a path inside it is the same there."""
    entries = []
    for value in values:
        match = re.match(r"^(?P<host>/[^:]+)(?::(?P<inside>/[^:]+))?(?::(?P<mode>[rwm]{1,3}))?$", value.strip())
        if not match:
            raise ParameterError(f'{option}: {value!r} is no device; write "/dev/on/the/host[:/dev/inside][:rwm]".')
        host = match.group("host")
        entries.append({"host": host, "inside": match.group("inside") or host, "mode": match.group("mode") or "rwm"})
    return sorted(entries, key=lambda entry: entry["inside"])


def capability(value: str, _option: str) -> str:
    name = value.strip().upper()
    return name[len("CAP_") :] if name.startswith("CAP_") else name


def swap_size(value: t.Any, option: str) -> int:
    """Memory and swap together in bytes; -1 or `unlimited`."""
    return -1 if str(value).strip().lower() in ("-1", "unlimited") else size(value, option)


def nano_cpus(value: float, option: str) -> int:
    if not 0.01 <= value <= 4096:
        raise ParameterError(f"{option}: {value} is no number of CPUs; write for example 1.5.")
    return round(value * _NANOSECONDS)


def whole_seconds(value: t.Any, option: str) -> int:
    """A duration that Docker takes in whole seconds, rounded up."""
    exact = seconds(value, option)
    return int(exact) if exact == int(exact) else int(exact) + 1


def healthcheck(value: t.Mapping[str, t.Any], option: str) -> t.Dict[str, t.Any]:
    """Docker's Healthcheck, durations in nanoseconds. A line is run by the image's shell, a list as it is."""
    test = value.get("test")
    result: t.Dict[str, t.Any] = {}
    if isinstance(test, str):
        result["Test"] = ["NONE"] if test == "NONE" else ["CMD-SHELL", test]
    elif test is not None:
        items = words(test, f"{option}.test")
        if not items:
            raise ParameterError(f"{option}.test: an empty list checks nothing.")
        result["Test"] = items if items[0] in ("NONE", "CMD", "CMD-SHELL") else ["CMD", *items]
    for name, key in (("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod")):
        if value.get(name) is not None:
            result[key] = round(seconds(value[name], f"{option}.{name}") * _NANOSECONDS)
            if 0 < result[key] < 1_000_000:
                raise ParameterError(f"{option}.{name}: Docker counts from 1ms.")
    if value.get("retries") is not None:
        result["Retries"] = value["retries"]
    return result
