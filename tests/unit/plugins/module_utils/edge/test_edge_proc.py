# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of nginx's processes and connections, from a /proc of our own and from this machine's."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.edge import nginx
from ansible_collections.slipway.delivery.plugins.module_utils.edge.nginx import Nginx, NginxError


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """Writes processes: proc(pid, parent, title)."""
    monkeypatch.setattr(nginx, "PROC", str(tmp_path))

    def write(pid, parent, title):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_text(title.replace(" ", "\0"))
        (folder / "stat").write_text(f"{pid} (nginx: a) b) S {parent} 1 1")

    return write


def test_workers_and_what_they_do(proc):
    proc(10, 1, "nginx: master process nginx")
    proc(11, 10, "nginx: worker process")
    proc(12, 10, "nginx: worker process is shutting down")
    proc(13, 10, "nginx: cache manager process")
    proc(14, 99, "nginx: worker process")
    assert sorted(nginx.workers(10)) == [11, 12]
    assert nginx.accepting(11)
    assert not nginx.accepting(12)
    assert not nginx.accepting(77)  # gone


def test_a_pid_file_that_names_another_program_is_no_nginx(proc, tmp_path):
    pid_file = tmp_path / "nginx.pid"
    pid_file.write_text("20\n")
    proc(20, 1, "postgres: master of none")
    with pytest.raises(NginxError, match="no nginx master process"):
        Nginx(("nginx",), str(pid_file)).master()
    pid_file.unlink()
    with pytest.raises(NginxError, match="does nginx run"):
        Nginx(("nginx",), str(pid_file)).master()


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connections_to_a_server_are_counted(family, address):
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]

        def count():
            return nginx.connections(os.getpid(), [(address, port), ("192.0.2.1", port)])

        assert count() == 0
        with socket.create_connection((address, port)) as one, socket.create_connection((address, port)):
            assert count() == 2
            one.close()
            assert count() == 1


def test_an_ipv4_address_in_ipv6_is_that_address():
    assert nginx._packed("0000000000000000FFFF00000100007F") == socket.inet_aton("127.0.0.1")
    assert nginx._packed("0100007F") == socket.inet_aton("127.0.0.1")


def test_a_network_that_cannot_be_read_is_unknown(tmp_path, monkeypatch):
    (tmp_path / "5" / "net" / "tcp").mkdir(parents=True)  # a folder: reading it fails
    monkeypatch.setattr(nginx, "PROC", str(tmp_path))
    assert nginx.connections(5, [("127.0.0.1", 80)]) is None
