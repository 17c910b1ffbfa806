# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Docker engine: the few requests that Slipway makes of it, each with its errors typed and naming the host."""

from __future__ import annotations

import json
import typing as t

from ..common.errors import SlipwayError
from ..common.progress import QUIET, Progress
from .connection import OLDEST_API, docker_url, engine_address, open_client
from .faults import NotFoundError, translated

if t.TYPE_CHECKING:
    from .docker_py import APIClient

Attrs = t.Dict[str, t.Any]  # what the engine says about a container, image or network, as JSON
DEFAULT_STOP_TIMEOUT = 10  # seconds: the engine's own default


class Engine:
    """Requests to one engine. Use it as a context manager; `host` names it in messages.

    `address` is the name or address of the engine's host, None for a local socket. `progress` follows what takes long,
    `bytes_pulled` counts what the engine fetched from registries.
    """

    def __init__(self, client: APIClient, url: str, negotiate: bool = True) -> None:
        self.client = client
        self.host = url
        self.address = engine_address(url)
        self.progress = QUIET
        self.bytes_pulled = 0
        self._negotiate = negotiate

    @classmethod
    def connect(cls, params: t.Mapping[str, t.Any], progress: Progress = QUIET) -> Engine:
        """The engine that the connection options name. Raises ParameterError, UnreachableError."""
        engine = cls(open_client(params), docker_url(params["docker_host"]), negotiate=params["api_version"] == "auto")
        engine.progress = progress
        return engine

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.client.close()

    def call(self, what: str, method: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Call docker-py's `method`; its exceptions come out as SlipwayError naming host and `what` was tried."""
        with translated(self.host, what):
            return method(*args, **kwargs)

    # --- reading -----------------------------------------------------------------------------------------------------

    def containers(self, label: t.Optional[str] = None, stopped: bool = True) -> t.List[Attrs]:
        """Summaries of the containers with `label` (`name=value`), or of all; with the stopped ones if `stopped`.

        This is the first request of every task, so it also settles the API version: it is sent without one, and the
        engine's answer carries the newest it speaks. That saves each task a request.
        """
        version = "" if self._negotiate else f"/v{self.client.api_version}"
        query = {"all": int(stopped), "filters": _filters(label)}
        with translated(self.host, "list containers"):
            response = self.client.get(
                f"{self.client.base_url}{version}/containers/json", params=query, timeout=self.client.timeout
            )
            self.client._raise_for_status(response)
            if self._negotiate:
                self._settle(response.headers.get("Api-Version"))
            return response.json()

    def _settle(self, spoken: t.Optional[str]) -> None:
        """Speak the newest API the engine has, and refuse an engine older than the oldest supported one."""
        version = spoken or self.client.version(api_version=False)["ApiVersion"]
        if _numbers(version) < _numbers(OLDEST_API):
            raise SlipwayError(
                f"{self.host}: the engine speaks API {version}; Slipway needs {OLDEST_API} (Docker 20.10) or newer."
            )
        self.client._version = version
        self._negotiate = False

    def inspect(self, container: str) -> t.Optional[Attrs]:
        """The container with this id or name, or None."""
        try:
            return self.call(f"inspect container {container}", self.client.inspect_container, container)
        except NotFoundError:
            return None

    def image(self, reference: str) -> t.Optional[Attrs]:
        """The local image with this id or reference, or None."""
        try:
            return self.call(f"inspect image {reference}", self.client.inspect_image, reference)
        except NotFoundError:
            return None

    def network(self, name: str) -> t.Optional[Attrs]:
        """The network with this id or name, or None."""
        try:
            return self.call(f"inspect network {name}", self.client.inspect_network, name)
        except NotFoundError:
            return None

    def info(self) -> Attrs:
        """What the engine says about itself and its kernel."""
        return self.call("ask for the engine's facts", self.client.info)

    def logs(self, container: str, tail: t.Union[int, str], since: t.Optional[float] = None) -> str:
        """The last `tail` lines (or "all"), stdout and stderr in order; `since` in epoch seconds."""
        options: t.Dict[str, t.Any] = {"tail": tail} if since is None else {"tail": tail, "since": since}
        raw = self.call(f"read the logs of {container}", self.client.logs, container, **options)
        return raw.decode("utf-8", "replace")

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self, name: str, payload: Attrs) -> t.Tuple[str, t.List[str]]:
        """Create a container; its id and the daemon's warnings. ConflictError if the name is taken."""
        made = self.call(f"create container {name}", self.client.create_container_from_config, payload, name)
        return made["Id"], made.get("Warnings") or []

    def start(self, container: str) -> None:
        self.call(f"start container {container[:12]}", self.client.start, container)

    def unpause(self, container: str) -> None:
        self.call(f"unpause container {container[:12]}", self.client.unpause, container)

    def stop(self, container: str, timeout: int) -> None:
        """Stop it, killing it after `timeout` seconds. A stopped container stays as it is."""
        self.call(f"stop container {container[:12]}", self.client.stop, container, timeout=timeout)

    def rename(self, container: str, name: str) -> None:
        self.call(f"rename container {container[:12]} to {name}", self.client.rename, container, name)

    def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes, running or not. One that is gone already is no error."""
        try:
            self.call(f"remove container {container[:12]}", self.client.remove_container, container, v=True, force=True)
        except NotFoundError:
            return

    def update(self, container: str, changes: Attrs) -> t.List[str]:
        """Change limits or restart policy of a living container (HostConfig's own keys); the daemon's warnings.

        docker-py's own call lacks NanoCpus and PidsLimit.
        """
        client = self.client
        url = f"{client.base_url}/v{client.api_version}/containers/{container}/update"
        with translated(self.host, f"update container {container[:12]}"):
            response = client.post(url, json=changes, timeout=client.timeout)
            client._raise_for_status(response)
            return response.json().get("Warnings") or []

    def join(self, container: str, network: str, endpoint: Attrs) -> None:
        """Connect the container to a further network; `endpoint` as in EndpointsConfig."""
        ipam = endpoint.get("IPAMConfig") or {}
        self.call(
            f"connect container {container[:12]} to network {network}",
            self.client.connect_container_to_network,
            container,
            network,
            aliases=endpoint.get("Aliases"),
            ipv4_address=ipam.get("IPv4Address"),
        )

    def leave(self, container: str, network: str) -> None:
        self.call(
            f"disconnect container {container[:12]} from network {network}",
            self.client.disconnect_container_from_network,
            container,
            network,
        )


def stop_timeout(attrs: Attrs) -> int:
    """Seconds the container has to stop by itself, from its own configuration."""
    seconds = attrs["Config"].get("StopTimeout")
    return DEFAULT_STOP_TIMEOUT if seconds is None else int(seconds)


def _filters(label: t.Optional[str]) -> t.Optional[str]:
    return json.dumps({"label": [label]}) if label else None


def _numbers(version: str) -> t.Tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
