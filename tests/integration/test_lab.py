# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab keeps its promises: real parts, hosts of their own, certificates that are checked, faults that heal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import docker
import docker.tls
import pytest
import redis
import requests
from docker.errors import DockerException
from lab_command import LAB, NETWORK

pytestmark = pytest.mark.lab


def lab_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAB, *words], capture_output=True, text=True, check=False)


def engine(url: str, **options: object) -> docker.DockerClient:
    return docker.DockerClient(base_url=url, version="1.41", timeout=20, **options)


def processes() -> dict[str, str]:
    """Process id by part, as `status` prints it."""
    lines = lab_command("status").stdout.splitlines()
    return {line.split()[0]: line.split("pid ")[1] for line in lines if "pid " in line}


def eventually(ask, seconds: float = 20.0):
    """The first truthy answer of `ask`; the last error or answer when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            if answer:
                return answer
        except (requests.RequestException, OSError, DockerException):
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"no answer within {seconds} s"
        time.sleep(0.1)


@pytest.fixture
def containers(lab):
    """Run a container on a lab host: `containers("LAB_H1", image, ...)`; all of them are gone afterwards."""
    made = []

    def run(host: str, image: str, *command: str, **options):
        name = f"lab-{uuid.uuid4().hex[:10]}"
        reference = f"{lab['LAB_REGISTRY']}/{image}"
        client = engine(lab[host])
        client.images.pull(reference)
        container = client.containers.run(reference, list(command) or None, name=name, detach=True, **options)
        made.append(container)
        return container

    yield run
    for container in made:
        container.remove(force=True, v=True)


def test_every_part_answers(lab):
    status = lab_command("status")
    assert status.returncode == 0, status.stdout
    assert status.stdout.count(" answers ") == 13


def test_up_again_starts_nothing(lab):
    before = processes()
    again = lab_command("up")
    assert again.returncode == 0, again.stderr
    assert "every part was running" in again.stderr
    assert processes() == before


def test_a_reader_that_has_seen_enough_is_no_error(lab):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*LAB, "env"], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_two_ups_at_once_do_not_trample_on_each_other(lab):
    before = processes()
    both = [subprocess.Popen([*LAB, "up"], stderr=subprocess.PIPE, text=True) for number in (1, 2)]
    said = [each.communicate(timeout=60)[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert processes() == before


def test_each_host_has_its_own_name_engine_and_containers(lab, containers):
    mine = containers("LAB_H2", "base/busybox:1", "sleep", "60")
    names = set()
    for number in range(1, 6):
        client = engine(lab[f"LAB_H{number}"])
        names.add(client.info()["Name"])
        listed = {each.name for each in client.containers.list(all=True)}
        assert (mine.name in listed) == (number == 2)
    assert names == {"h1", "h2", "h3", "h4", "h5"}


def test_what_a_container_writes_to_its_host_never_reaches_this_machine(lab, containers):
    folder = f"/slipway-lab-{uuid.uuid4().hex}"
    container = containers("LAB_H3", "base/busybox:1", "touch", "/out/here", volumes=[f"{folder}:/out"])
    assert container.wait(timeout=20)["StatusCode"] == 0
    again = containers("LAB_H3", "base/busybox:1", "ls", "/out", volumes=[f"{folder}:/out"])
    again.wait(timeout=20)
    assert again.logs() == b"here\n"
    assert not Path(folder).exists()


def test_published_ports_answer_and_containers_reach_the_config_centre(lab, containers):
    centre, port = lab["LAB_REDIS_PROD"].split(":")
    store = redis.Redis(centre, int(port))
    key = f"lab-{uuid.uuid4().hex}"
    store.set(key, "from redis")
    try:
        script = f"mkdir -p /srv && printf 'GET {key}\\r\\nQUIT\\r\\n' | nc configCenter {port} > /srv/index.html; httpd -f -h /srv"
        container = containers(
            "LAB_H4", "base/busybox:1", "sh", "-c", script, ports={"80/tcp": None}, extra_hosts={"configCenter": centre}
        )
        container.reload()
        published = container.ports["80/tcp"][0]["HostPort"]
        address = lab["LAB_H4"].split("//")[1].split(":")[0]
        page = eventually(lambda: requests.get(f"http://{address}:{published}/", timeout=5))
        assert "from redis" in page.text
    finally:
        store.delete(key)


def test_ssh_reaches_a_host_whose_own_engine_and_python_are_there(lab):
    ssh = [
        "ssh",
        "-i",
        lab["LAB_SSH_KEY"],
        "-o",
        f"UserKnownHostsFile={lab['LAB_SSH_KNOWN_HOSTS']}",
        "-o",
        "BatchMode=yes",
    ]
    probe = (
        "import importlib.util as i, json, docker; "
        "print(json.dumps([docker.from_env().info()['Name'], "
        "[n for n in ('ansible', 'redis', 'sqlalchemy', 'yaml') if i.find_spec(n)]]))"
    )
    command = f"hostname; docker info --format '{{{{.Name}}}}'; {lab['LAB_TARGET_PYTHON']} -c \"{probe}\""
    done = subprocess.run([*ssh, f"root@{lab['LAB_SSH_HOST']}", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, engine_name, python = done.stdout.splitlines()
    assert (name, engine_name) == ("h1", "h1")
    assert json.loads(python) == ["h1", []]


def test_ssh_lets_nobody_in_without_the_key(lab, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    options = ["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", str(tmp_path / "key")]
    known = ["-o", f"UserKnownHostsFile={lab['LAB_SSH_KNOWN_HOSTS']}"]
    done = subprocess.run(
        ["ssh", *options, *known, f"root@{lab['LAB_SSH_HOST']}", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


@pytest.fixture(autouse=True)
def _no_certificates_by_environment(monkeypatch):
    """requests prefers these variables to the authority that a session was given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def _tls(lab, ca="LAB_CA", cert="LAB_CLIENT_CERT", key="LAB_CLIENT_KEY"):
    pair = (lab[cert], lab[key]) if cert else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=lab[ca], verify=True)


def test_tls_engine_accepts_the_labs_client(lab):
    client = engine(lab["LAB_TLS_HOST"].replace("tcp", "https"), tls=_tls(lab))
    assert client.info()["Name"] == "h1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cert": "LAB_OTHER_CLIENT_CERT", "key": "LAB_OTHER_CLIENT_KEY"},
        {"cert": None},
        {"ca": "LAB_OTHER_CA"},
    ],
    ids=["a stranger's certificate", "no certificate", "a server of another authority"],
)
def test_tls_engine_refuses(lab, wrong):
    client = engine(lab["LAB_TLS_HOST"].replace("tcp", "https"), tls=_tls(lab, **wrong))
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError), match=r"certificate|SSL"):
        client.ping()


def test_private_registry_wants_its_password_and_the_labs_authority(lab):
    url = f"https://{lab['LAB_REGISTRY_AUTH']}/v2/"
    account = (lab["LAB_REGISTRY_USER"], lab["LAB_REGISTRY_PASSWORD"])
    assert requests.get(url, verify=lab["LAB_CA"], timeout=5).status_code == 401
    assert requests.get(url, verify=lab["LAB_CA"], timeout=5, auth=(account[0], "wrong")).status_code == 401
    assert requests.get(url, verify=lab["LAB_CA"], timeout=5, auth=account).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, verify=lab["LAB_OTHER_CA"], timeout=5, auth=account)


def test_engines_trust_the_private_registry(lab):
    client = engine(lab["LAB_H5"])
    image = client.images.pull(f"{lab['LAB_REGISTRY']}/base/busybox:1")
    repository = f"{lab['LAB_REGISTRY_AUTH']}/lab-{uuid.uuid4().hex[:10]}"
    image.tag(repository, "1")
    account = {"username": lab["LAB_REGISTRY_USER"], "password": lab["LAB_REGISTRY_PASSWORD"]}
    lines = [json.loads(line) for line in client.images.push(repository, "1", auth_config=account).splitlines()]
    client.images.remove(f"{repository}:1")
    assert not [line for line in lines if "error" in line]
    assert any("digest: sha256:" in line.get("status", "") for line in lines)


def test_the_other_config_centre_and_the_edge_answer(lab):
    health = requests.get(f"http://{lab['LAB_ETCD']}/health", timeout=5).json()
    assert health == {"health": "true"}
    assert requests.get(f"http://{lab['LAB_EDGE']}/", timeout=5).status_code == 404


def test_the_edge_takes_a_site_and_drops_it(lab):
    site = Path(lab["LAB_EDGE_CONF"], f"lab-{uuid.uuid4().hex[:8]}.conf")
    name = f"{site.stem}.example"

    def page() -> str:
        return requests.get(f"http://{lab['LAB_EDGE']}/", headers={"Host": name}, timeout=5).text

    def reload() -> None:
        os.kill(int(Path(lab["LAB_EDGE_PID"]).read_text()), signal.SIGHUP)

    site.write_text(f"server {{ listen 80; server_name {name}; location / {{ return 200 'routed'; }} }}")
    try:
        reload()
        assert eventually(lambda: page() == "routed")
    finally:
        site.unlink()
        reload()
    assert eventually(lambda: page() != "routed")


def test_tomcat_base_starts_as_it_is(lab, containers):
    container = containers("LAB_H2", "base/tomcat:10", ports={"8080/tcp": None})
    container.reload()
    published = container.ports["8080/tcp"][0]["HostPort"]
    address = lab["LAB_H2"].split("//")[1].split(":")[0]
    answer = eventually(lambda: requests.get(f"http://{address}:{published}/", timeout=5) is not None)
    assert answer
    home = container.exec_run(
        ["sh", "-c", 'cd "$CATALINA_HOME" && pwd && ls -d bin/catalina.sh lib/catalina.jar conf webapps && ls webapps']
    )
    assert home.output.decode().split() == [
        "/usr/local/tomcat",
        "bin/catalina.sh",
        "conf",
        "lib/catalina.jar",
        "webapps",
    ]


def test_python_base_serves_and_tests(lab, containers):
    container = containers("LAB_H2", "base/python:3", "python3", "-c", "import flask, pytest; print('both')")
    assert container.wait(timeout=30)["StatusCode"] == 0
    assert container.logs() == b"both\n"


@pytest.mark.parametrize("dialect", [("LAB_CONFD", "confd", "-version"), ("LAB_CONFD_FORK", "confd-fork", "--version")])
def test_confd_is_here_and_in_the_tomcat_base(lab, containers, dialect):
    variable, binary, option = dialect
    if not lab[variable]:
        pytest.skip(lab[variable + "_REASON"])
    here = subprocess.run([lab[variable], option], capture_output=True, check=True).stdout
    container = containers("LAB_H2", "base/tomcat:10", f"/usr/local/bin/{binary}", option)
    container.wait(timeout=30)
    assert here.startswith(b"confd ")
    assert container.logs() == here


def test_a_killed_engine_is_brought_back_with_its_containers(lab, containers):
    container = containers("LAB_H5", "base/busybox:1", "sleep", "600", init=True, restart_policy={"Name": "always"})
    others = {name: pid for name, pid in processes().items() if name != "h5"}
    assert lab_command("kill", "h5").returncode == 0
    try:
        with pytest.raises((DockerException, requests.RequestException)):
            engine(lab["LAB_H5"]).ping()
        assert lab_command("status").returncode == 1
    finally:
        repaired = lab_command("up")
    assert repaired.returncode == 0, repaired.stderr
    assert {name: pid for name, pid in processes().items() if name != "h5"} == others
    assert eventually(lambda: engine(lab["LAB_H5"]).containers.get(container.name).status == "running")


def test_a_frozen_engine_accepts_and_never_answers(lab):
    address = lab["LAB_H5"].split("//")[1].split(":")[0]
    assert lab_command("freeze", "h5").returncode == 0
    try:
        with socket.create_connection((address, 2375), timeout=2) as connection:
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            connection.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        assert lab_command("thaw", "h5").returncode == 0
    assert eventually(lambda: engine(lab["LAB_H5"]).ping())


def test_a_cut_cable_silences_a_host_until_it_is_restored(lab):
    address = lab["LAB_H5"].split("//")[1].split(":")[0]
    assert lab_command("cut", "h5").returncode == 0
    try:
        with pytest.raises(OSError):
            socket.create_connection((address, 2375), timeout=1)
    finally:
        assert lab_command("restore", "h5").returncode == 0
    assert eventually(lambda: engine(lab["LAB_H5"]).ping())


def test_up_refuses_a_network_that_somebody_else_uses(lab):
    """An address of the lab's subnet on another interface: said, and nothing touched."""
    before = processes()
    subprocess.run(["ip", "link", "add", "notours0", "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", f"{NETWORK}.200/32", "dev", "notours0"], check=True)
        refused = lab_command("up")
        assert refused.returncode == 1
        assert f"{NETWORK}.200/32 on notours0" in refused.stderr
        assert processes() == before
    finally:
        subprocess.run(["ip", "link", "delete", "notours0"], check=True)


def test_this_machines_docker_configuration_is_not_touched(lab):
    assert not Path("/etc/docker/certs.d", lab["LAB_REGISTRY_AUTH"]).exists()
    daemon = Path("/etc/docker/daemon.json")
    assert not daemon.exists() or "slipway" not in daemon.read_text()
    assert os.readlink("/proc/self/ns/mnt") != os.readlink(f"/proc/{_init_of('h1', lab)}/ns/mnt")


def _init_of(host: str, lab) -> str:
    return Path(lab["LAB_RUN"], host, "init.pid").read_text().strip()
