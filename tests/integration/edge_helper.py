# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests and the benchmark of the edge share: a site behind the lab's nginx, and an app that dies at once when stopped."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import docker
from lab_command import layout
from site_helper import HOSTS, REGISTRY, Site

# Ends at the first signal, whatever it is doing: only a drained container loses no request. /slow takes two seconds.
SERVER = """
import http.server, os, time
VERSION = os.environ.get("VERSION") or open("/app/www/version").read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/slow"):
            time.sleep(2)
        answer = f"{VERSION} {self.command} {self.path} {len(body)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    do_POST = do_GET
    def log_message(self, *_args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
import signal
signal.signal(signal.SIGTERM, lambda *_args: os._exit(0))
Server(("", 8080), Handler).serve_forever()
"""


class EdgeSite(Site):
    """A site whose environment `prod` has the lab's edge in front, on port `port` of it. Touches its own hosts alone."""

    def __init__(
        self, lab: dict[str, str], folder: Path, name: str, port: int, hosts: list[str], **more: object
    ) -> None:
        self.strategy = str(more.pop("strategy", "stop_first"))
        self.conf = Path(lab["LAB_EDGE_CONF"]) / f"prod-{name}.conf"
        self.url = f"http://{lab['LAB_EDGE']}:{port}"
        run = Path(lab["LAB_EDGE_PID"]).parent
        self.edge = {
            "conf_dir": lab["LAB_EDGE_CONF"],
            "pid_file": lab["LAB_EDGE_PID"],
            "nginx": f"nsenter --net=/run/netns/{layout.EDGE.namespace} nginx -c {run}/nginx.conf -p {run}",
            "listen": [f"{port} deferred"],
            "drain": "10s",
            "quiesce": "2500ms",
            **more,
        }
        super().__init__(folder, name, port, {"prod": hosts})
        self.write_environment("prod", hosts, edge=self.edge, batches=[1])

    def write_source(self) -> None:
        (self.source / "www").mkdir(parents=True)
        (self.source / "server.py").write_text(SERVER)

    def app(self) -> dict:
        image = {
            "method": "layers",
            "base": f"{REGISTRY}/base/python:3",
            "artifact": "www",
            "dest": "/app/www",
            "files": [{"src": "server.py", "dest": "/app/server.py", "mode": "0755"}],
            "cmd": ["python3", "/app/server.py"],
            "ports": ["8080"],
        }
        fixed = self.strategy == "stop_first"
        container = {
            "ports": [f"{self.port}:8080" if fixed else "8080"],
            "strategy": self.strategy,
            "stop_timeout": 2,
            "gate": {
                "http": {"port": 8080, "path": "/health", "body": "{{ version }} "},
                "interval": "100ms",
                "successes": 2,
                "deadline": "20s",
                "soak": "500ms",
            },
        }
        build = {"chdir": "../source", "command": "printf '%s' '{{ version }}' > www/version", "image": image}
        return {
            "name": self.name,
            "repository": f"apps/{self.name}",
            "environments": list(self.environments),
            "build": build,
            "container": container,
        }

    def servers(self) -> list[str]:
        """The addresses that the edge's file sends requests to."""
        lines = self.conf.read_text().splitlines()
        return [line.split()[1].rstrip(";") for line in lines if line.startswith("    server ") and "down;" not in line]

    def version(self) -> str:
        """What the edge answers with."""
        with urllib.request.urlopen(f"{self.url}/", timeout=5) as answer:
            return answer.read().decode().split()[0]

    def other(self) -> str:
        return "1.1.0" if self.version() == "1.0.0" else "1.0.0"

    def containers_of(self, host: str) -> list[dict]:
        """The engine's facts of the app's containers on one host, the stopped ones too."""
        client = docker.DockerClient(base_url=f"tcp://{HOSTS[host]}:2375")
        found = client.containers.list(all=True, filters={"label": [f"slipway.app={self.name}"]})
        client.close()
        return [container.attrs for container in found]

    def clean(self) -> None:
        for host in self.environments["prod"]:
            client = docker.DockerClient(base_url=f"tcp://{HOSTS[host]}:2375")
            for container in client.containers.list(all=True, filters={"label": [f"slipway.app={self.name}"]}):
                container.remove(force=True)
            for image in client.images.list():
                if any(f"/it-{self.name}-" in tag for tag in image.attrs.get("RepoDigests") or []):
                    client.images.remove(image.id, force=True)
            client.close()
        self.conf.unlink(missing_ok=True)
