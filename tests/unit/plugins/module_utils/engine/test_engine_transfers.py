# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine says of layers on their way, added up."""

from __future__ import annotations

from ansible_collections.slipway.delivery.plugins.module_utils.common.progress import QUIET
from ansible_collections.slipway.delivery.plugins.module_utils.engine.transfers import Transfers


def event(layer, status, current=0, total=0):
    return {"id": layer, "status": status, "progressDetail": {"current": current, "total": total} if current else {}}


def taken(*events):
    meter = QUIET.meter("pull x:1")
    transfers = Transfers(meter)
    for one in events:
        transfers.take(one)
    return transfers, meter


def test_layers_add_up_as_they_begin():
    first = [event("a", "Pulling fs layer"), event("b", "Pulling fs layer"), event("a", "Downloading", 10, 100)]
    _transfers, meter = taken(*first)
    assert meter.text() == "pull x:1: 10 % of 100 B"
    transfers, meter = taken(*first, event("b", "Downloading", 100, 300), event("a", "Download complete"))
    assert meter.text() == "pull x:1: 50 % of 400 B"
    assert transfers.fetched == 200


def test_unpacking_says_so_and_counts_what_was_too_quick():
    transfers, meter = taken(event("a", "Download complete"), event("a", "Extracting", 5, 70))
    assert meter.text() == "pull x:1: 100 % of 70 B, unpacking a"
    assert transfers.fetched == 70
    transfers, meter = taken(event("a", "Extracting", 5, 70), event("a", "Pull complete"))
    assert meter.text() == "pull x:1: 100 % of 70 B"


def test_a_pushed_layer_that_grows_beyond_its_total():
    transfers, meter = taken(event("a", "Pushing", 512, 0), event("a", "Pushing", 2000, 1000))
    assert meter.text() == "pull x:1: 100 % of 2.0 kB"
    assert transfers.fetched == 2000


def test_layers_that_are_there_and_words_about_something_else_count_nothing():
    transfers, meter = taken(
        event("a", "Already exists"),
        event("b", "Layer already exists"),
        {"status": "Digest: sha256:0"},
        {"status": "Status: Image is up to date"},
        {"stream": "Step 1/2 : FROM x\n"},
        {"aux": {"ID": "sha256:0"}},
        {"id": "1.0", "status": "Pulling from base/busybox"},
    )
    assert (transfers.fetched, meter.text()) == (0, "pull x:1")
