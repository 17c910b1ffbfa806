# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in memory behind every session, no real waiting, and no login files of whoever runs the tests."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry import exchange, transport
from ansible_collections.slipway.delivery.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.slipway.delivery.tests.unit.plugins.module_utils.registry.fake_registry import FakeRegistry


@pytest.fixture(autouse=True)
def _no_logins(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HTTP_PROXY", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registry(monkeypatch):
    fake = FakeRegistry()
    monkeypatch.setattr(exchange, "Pools", lambda **_options: fake)
    return fake


@pytest.fixture
def pauses(monkeypatch):
    """Seconds of each wait; jitter is at its upper end."""
    waited = []
    clock = [1000.0]

    def sleep(seconds):
        waited.append(round(seconds, 3))
        clock[0] += seconds

    original = transport.Transport.__init__

    def patched(self, *args, **kwargs):
        original(self, *args, **{"sleep": sleep, "jitter": lambda: 1.0, **kwargs})

    monkeypatch.setattr(transport.Transport, "__init__", patched)
    monkeypatch.setattr(transport.time, "monotonic", lambda: clock[0])
    return waited


@pytest.fixture
def client(registry, pauses):
    return RegistryClient("reg.example.com")
