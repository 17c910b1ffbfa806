# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two of the thirteen defects (test_defects.py) that have to do with who gets the requests: seen through the edge."""

from __future__ import annotations

import pytest
from faults_helper import Prober, eventually

pytestmark = pytest.mark.lab

SECTION = "Thirteen defects of other tools"


@pytest.fixture
def site(edge_site):
    return edge_site


def watching(site):
    host, _colon, port = site.url.removeprefix("http://").partition(":")
    return Prober(host, int(port), "/health")


def parts(site):
    """{part: id} on the first host."""
    first = site.containers_of(site.environments["prod"][0])
    return {container["Name"].removeprefix(f"/{site.name}"): container["Id"] for container in first}


def test_an_error_in_the_drain_window_stops_the_container_with_the_traffic(site, noted):
    """All requests go to the new container, and then something fails: the old one has them back before the new one goes."""
    before, current = parts(site), site.version()
    acts = [{"of": "Nginx", "method": "drain", "when": "before", "run": "exit 1"}]
    with watching(site) as prober:
        run = site.begin("deploy", env="prod", app=site.name, version=site.other(), acts=acts).end(ok=False)
    assert "The new container was taken away again, and the old one serves as before" in run.flat
    assert prober.failed == 0
    assert prober.asked > 100
    assert parts(site)[""] == before[""]
    assert (site.version(), len(site.servers())) == (current, 2)
    noted(
        SECTION,
        "An error while the old container drains stops the new one, which has all the requests",
        "the edge sent them to the old one again, and then the new one was taken away",
        prober.outage,
    )


def test_an_interrupted_swap_makes_the_next_deploy_stop_the_live_container(site, noted):
    """Killed when the edge has just been switched: the new container is live, the old one still has the name."""
    wanted = site.other()
    act, mark = site.reached("drain")
    acts = [{**act, "of": "Nginx", "method": "drain", "when": "before"}]
    with watching(site) as prober:
        play = site.begin("deploy", env="prod", app=site.name, version=wanted, lock_lease="4s", acts=acts)
        eventually(mark.exists, 60)
        play.kill()
        mark.unlink()
        live = parts(site)[".next"]
        site.begin("deploy", env="prod", app=site.name, version=wanted, lock_wait="30s").end(ok=True)
    assert prober.failed == 0
    assert prober.asked > 100
    assert parts(site)[""] == live, "the live one stayed, and has the name now"
    assert (site.version(), len(site.servers())) == (wanted, 2)
    noted(
        SECTION,
        "After a swap was interrupted, the next deploy takes the live container for a stale one and stops it",
        "it stayed, and got the name",
        prober.outage,
    )
