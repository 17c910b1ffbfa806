# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention's plan over any repository: what is in use, protected or unreadable never goes, whatever the input."""

from __future__ import annotations

import dataclasses
import re

import pytest
from ansible_collections.slipway.delivery.plugins.module_utils.registry.referrers import fallback_tag
from ansible_collections.slipway.delivery.plugins.module_utils.registry.repository import Node, Snapshot, Use
from ansible_collections.slipway.delivery.plugins.module_utils.registry.retention import DAY, Rules, plan
from ansible_collections.slipway.delivery.plugins.module_utils.registry.tag_order import place
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000.0
OLD = NOW - 400 * DAY


def digest(number):
    return f"sha256:{number:064x}"


def config(number):
    return f"sha256:{number:060x}c0f1"


VERSIONS = st.builds(
    lambda numbers, ending: ".".join(map(str, numbers)) + ending,
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.sampled_from(["", "", "-rc1", "-SNAPSHOT", "-alpine", "-2"]),
)
NAMES = st.one_of(VERSIONS, VERSIONS.map("v{}".format), st.sampled_from(["latest", "stable", "main-7", "main-12"]))


@st.composite
def repositories(draw):
    """Up to 12 manifests. As in real ones, a manifest can only point to what was there before it."""
    count = draw(st.integers(1, 12))
    nodes, tags = {}, {}
    for number in range(count):
        older = [digest(other) for other in range(number)]
        some = st.sampled_from(older) if older else st.nothing()
        kind = draw(st.sampled_from(["image", "image", "index", "attached"] if older else ["image"]))
        nodes[digest(number)] = Node(
            digest(number),
            "index" if kind == "index" else "image",
            children=tuple(draw(st.lists(some, max_size=3, unique=True))) if kind == "index" else (),
            config=None if kind == "index" else config(draw(st.integers(0, count))),
            subject=draw(some) if kind == "attached" and draw(st.booleans()) else None,
            created=draw(st.sampled_from([None, OLD, OLD, OLD, NOW - 60, NOW - 10 * DAY, NOW + 60])),
            problem=draw(st.sampled_from(["", "", "", "", "schema 1"])),
        )
        names = draw(st.lists(NAMES, max_size=3))
        if kind == "attached":
            target = draw(st.one_of(some, st.just(digest(99))))
            names = [fallback_tag(target) + draw(st.sampled_from(["", ".sig", ".att", ".vex"]))]
        tags.update(dict.fromkeys(names, digest(number)))
    return Snapshot(tags, nodes)


@st.composite
def uses(draw):
    number = draw(st.integers(0, 14))
    shape = draw(st.sampled_from(["digest", "config", "tag", "prefix"]))
    return Use(
        f"{shape} {number}",
        tag=draw(NAMES) if shape == "tag" else None,
        digests={"digest": (digest(number),), "config": (config(number),)}.get(shape, ()),
        prefix=f"{number:064x}" if shape == "prefix" else "",
        must_resolve=draw(st.booleans()),
    )


RULES = st.builds(
    Rules,
    keep_last=st.integers(1, 4),
    now=st.just(NOW),
    keep_tags=st.lists(st.sampled_from([re.compile("^stable$"), re.compile("rc"), re.compile("^1")]), max_size=2).map(
        tuple
    ),
    keep_newer_than=st.sampled_from([None, 30 * DAY]),
    min_age=st.sampled_from([0.0, DAY]),
    group_by=st.sampled_from([None, re.compile(r"^(main)-(?P<version>\d+)$"), re.compile(r"^v?(\d+)")]),
    pushed=st.dictionaries(st.integers(0, 12).map(digest), st.sampled_from([NOW - 60, OLD]), max_size=2),
)


def reach(snapshot, start):
    """All that `start` needs and all that is about it, written down the plain way: look at everything until nothing is new."""
    found = set(start)
    while True:
        more = set(found)
        for one in found:
            more.update(snapshot.nodes[one].children if one in snapshot.nodes else ())
            more.update(other for other, node in snapshot.nodes.items() if node.subject == one)
            more.update(named for tag, named in snapshot.tags.items() if tag.split(".")[0] == fallback_tag(one))
        if more == found:
            return found
        found = more


def lost(snapshot):
    """What is about an image that is not here, by its tag."""
    there = {fallback_tag(one) for one in snapshot.nodes}
    return {named for tag, named in snapshot.tags.items() if side_tag(tag) and tag.split(".")[0] not in there}


def is_meant(use, number_digest, node, snapshot):
    by_prefix = use.prefix and any(
        named.split(":")[1].startswith(use.prefix) for named in (number_digest, node.config) if named
    )
    return (
        snapshot.tags.get(use.tag) == number_digest
        or number_digest in use.digests
        or node.config in use.digests
        or bool(by_prefix)
    )


def side_tag(tag):
    return re.match(r"^sha256-[0-9a-f]{64}", tag)


@given(repositories(), RULES, st.lists(uses(), max_size=3))
def test_nothing_that_is_needed_ever_goes(snapshot, rules, in_use):
    made = plan("shop/app", snapshot, rules, in_use)
    going = set(made.steps)
    needed = {one for one, node in snapshot.nodes.items() for use in in_use if is_meant(use, one, node, snapshot)}
    # An index in use by one of its platforms stays as a whole.
    for number in range(12):
        node = snapshot.nodes.get(digest(number))
        if node and needed & set(node.children):
            needed.add(digest(number))
    assert not reach(snapshot, needed) & going
    unreadable = {one for one, node in snapshot.nodes.items() if node.problem}
    assert not reach(snapshot, unreadable) & going
    for tag, named in snapshot.tags.items():
        protected = any(rule.search(tag) for rule in rules.keep_tags) and not side_tag(tag)
        young = rules.pushed.get(named) == NOW - 60 and rules.min_age
        unordered = place(tag, rules.group_by) is None and not side_tag(tag)
        if protected or unordered or (young and not side_tag(tag)):
            assert not reach(snapshot, [named]) & going
    assert digest(99) not in going and going <= set(snapshot.nodes)


@given(repositories(), RULES)
def test_the_newest_of_every_stream_stay(snapshot, rules):
    going = set(plan("shop/app", snapshot, rules, []).steps)
    streams = {}
    for tag, named in snapshot.tags.items():
        where = place(tag, rules.group_by)
        if where and not side_tag(tag):
            streams.setdefault(where.stream, []).append((where.order, named))
    for members in streams.values():
        kept = {named for _order, named in members if named not in going}
        assert len(kept) >= min(rules.keep_last, len({named for _order, named in members}))
        # Nobody goes who is newer than as many as are to be kept.
        gone = {named for _order, named in members if named in going}
        for one in gone:
            best = max(order for order, named in members if named == one)
            newer = {named for order, named in members if order >= best and named != one}
            assert len(newer) >= rules.keep_last


@given(repositories(), RULES, st.lists(uses(), max_size=3))
def test_at_no_moment_is_something_tagged_half_there(snapshot, rules, in_use):
    made = plan("shop/app", snapshot, rules, in_use)
    assert len(made.steps) == len(set(made.steps))
    gone = set()
    for one in made.steps:
        for parent, node in snapshot.nodes.items():
            assert one not in node.children or parent in gone, f"{parent} still lists {one}"
        gone.add(one)
    # What hangs on an image goes with it, unless something that stays needs it too, or nobody can read it.
    readable = {one: node for one, node in snapshot.nodes.items() if not node.problem}
    left = {one for one, node in readable.items() if node.subject in gone and one not in gone}
    assert left <= reach(snapshot, set(snapshot.nodes) - gone - left) | set(snapshot.images) | lost(snapshot)


@given(repositories(), RULES, st.lists(uses(), max_size=3))
def test_more_that_is_in_use_never_lets_more_go(snapshot, rules, in_use):
    with_all = plan("shop/app", snapshot, rules, in_use)
    without = plan("shop/app", snapshot, rules, in_use[1:])
    assert set(with_all.steps) <= set(without.steps)


@given(repositories(), RULES, st.lists(uses(), max_size=3), st.randoms())
def test_the_plan_has_a_reason_for_each_digest_and_does_not_depend_on_order(snapshot, rules, in_use, random):
    made = plan("shop/app", snapshot, rules, in_use)
    assert sorted(item.digest for item in made.decisions) == sorted(snapshot.nodes)
    assert all(item.why for item in made.decisions)
    assert {item.digest for item in made.decisions if item.delete} == set(made.steps)
    tags, nodes = list(snapshot.tags.items()), list(snapshot.nodes.items())
    random.shuffle(tags)
    random.shuffle(nodes)
    again = plan("shop/app", Snapshot(dict(tags), dict(nodes)), rules, in_use)
    assert again.digest == made.digest and again.steps == made.steps


# -- by example ----------------------------------------------------------------------------------------------------------


def images(*tags, **more):
    """One old image for each entry, which names its tags."""
    nodes, named = {}, {}
    for number, entry in enumerate(tags):
        nodes[digest(number)] = Node(digest(number), config=config(number), created=OLD, **more)
        named.update(dict.fromkeys(entry.split(), digest(number)))
    return Snapshot(named, nodes)


def going(snapshot, in_use=(), **rules):
    rules = {"keep_last": 1, "now": NOW, **rules}
    made = plan("shop/app", snapshot, Rules(**rules), in_use)
    return sorted(tag for item in made.decisions if item.delete for tag in item.tags)


def test_versions_count_not_letters():
    assert going(images("1.9.0", "1.10.0", "1.2.0", "v1.11.0-rc1"), keep_last=2) == ["1.2.0", "1.9.0"]


def test_an_image_stands_where_its_highest_tag_stands():
    assert going(images("1.0.0 1", "1.1.0", "1.2.0 1.2"), keep_last=2) == ["1", "1.0.0"]


def test_a_tag_that_is_no_version_keeps_its_image():
    assert going(images("1.0.0 stable", "1.1.0", "1.2.0", "latest")) == ["1.1.0"]


def test_endings_are_streams_and_so_are_groups():
    snapshot = images("1.0-alpine", "1.1-alpine", "1.0", "1.1")
    assert going(snapshot) == ["1.0", "1.0-alpine"]
    by_branch = re.compile(r"^(?P<branch>[a-z]+)-(?P<version>\d+)$")
    snapshot = images("main-9", "main-10", "dev-1", "dev-2", "1.0", "2.0")
    assert going(snapshot, group_by=by_branch) == ["dev-1", "main-9"]


def test_dates_that_make_no_sense_protect_until_min_age_is_given_up():
    snapshot = Snapshot(
        {"1": digest(1), "2": digest(2)}, {digest(n): Node(digest(n), config=config(n)) for n in (1, 2)}
    )
    assert going(snapshot) == []
    assert going(snapshot, min_age=0) == ["1"]
    assert going(snapshot, pushed={digest(1): OLD, digest(2): OLD}) == ["1"]
    assert going(snapshot, pushed={digest(1): NOW - 60, digest(2): OLD}) == []


@pytest.mark.parametrize("of", ["platform", "config of a platform", "index"])
def test_an_index_is_in_use_by_any_of_its_names(of):
    nodes = {
        digest(1): Node(digest(1), config=config(1), created=OLD),
        digest(2): Node(digest(2), "index", children=(digest(1),)),
        digest(3): Node(digest(3), config=config(3), created=OLD),
        digest(4): Node(digest(4), config=config(4), created=OLD),
    }
    snapshot = Snapshot({"1.0": digest(2), "1.1": digest(3), "1.2": digest(4)}, nodes)
    named = {"platform": digest(1), "config of a platform": config(1), "index": digest(2)}[of]
    assert going(snapshot) == ["1.0", "1.1"]
    assert going(snapshot, [Use("prod-1", digests=(named,))]) == ["1.1"]


def test_an_index_goes_before_its_platforms_though_their_tags_are_older():
    platform, index, newest = digest(1), digest(2), digest(3)
    nodes = {
        platform: Node(platform, config=config(1), created=OLD),
        index: Node(index, "index", children=(platform,)),
        newest: Node(newest, config=config(3), created=OLD),
    }
    snapshot = Snapshot({"1.0": platform, "1.1": index, "1.2": newest}, nodes)
    assert plan("shop/app", snapshot, Rules(keep_last=1, now=NOW), []).steps == (index, platform)


def test_signatures_go_and_stay_with_their_image():
    one, two, signed = digest(1), digest(2), digest(3)
    nodes = {
        one: Node(one, config=config(1), created=OLD),
        two: Node(two, config=config(2), created=OLD),
        signed: Node(signed, config=config(3)),
        digest(4): dataclasses.replace(Node(digest(4)), config=config(4)),
    }
    tags = {"1.0": one, "1.1": two, fallback_tag(one) + ".sig": signed, fallback_tag(two) + ".sig": digest(4)}
    made = plan("shop/app", Snapshot(tags, nodes), Rules(keep_last=1, now=NOW), [])
    assert made.steps == (signed, one)


def test_what_is_used_and_not_there_is_named():
    made = plan(
        "shop/app",
        images("1.0"),
        Rules(keep_last=1, now=NOW),
        [
            Use("prod-1: shop/app@sha256:9", digests=(digest(9),)),
            Use("other", digests=(digest(9),), must_resolve=False),
        ],
    )
    assert made.unknown == ("prod-1: shop/app@sha256:9",)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("1.4.2-rc1", "1.4.2"),
        ("1.4.2-rc.9", "1.4.2-rc.10"),
        ("1.4.2-SNAPSHOT", "1.4.2-alpha"),
        ("1.4.2-alpha2", "1.4.2-beta1"),
        ("1.4.2", "1.4.2-1"),
        ("2024-01-31", "2024-02-01"),
        ("v1", "2"),
    ],
)
def test_order_of_versions(lower, higher):
    low, high = place(lower), place(higher)
    assert low.stream == high.stream and low.order < high.order


@pytest.mark.parametrize("tag", ["latest", "stable", "main-7", "", "v", "-1"])
def test_what_is_no_version(tag):
    assert place(tag) is None


def test_the_same_version_in_other_words():
    assert place("v1.4.0") == place("1.4")
