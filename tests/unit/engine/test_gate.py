"""What the last gate lets through."""

import re
from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_live, pin_protected
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.objects import StoredVersion, VersionSummary
from ci3.core.model.policy import DeleteLimit
from ci3.core.plan.checks import Limits
from ci3.core.units import ByteSize
from ci3.engine.gate import Gate
from ci3.errors import GateError
from tests.support.builders import NOW, deployment, kept, make_object, pin_commits, to_delete
from tests.support.golden import assert_messages


def objects(*keys, size_bytes=1000):
    return [make_object(key, size_bytes=size_bytes) for key in keys]


def gate_of(*names, pins=(), limits=None, found_count=0):
    return Gate([to_delete(deployment(name, 9)) for name in names], pins, limits, found_count)


def test_objects_of_a_doomed_deployment_pass():
    gate_of("old").approve_objects([("old/", objects("old/index.html", "old/a/b/c"))])


def test_batch_of_several_doomed_deployments_passes():
    gate = gate_of("a", "b")

    gate.approve_objects([("a/", objects("a/1", "a/2")), ("b/", objects("b/1"))])
    gate.approve_objects([("b/", objects("b/2"))])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "ol", "old/index.html", "OLD/"])
def test_prefix_that_is_not_doomed_is_stopped(prefix):
    with pytest.raises(GateError, match=f"^{prefix!r} "):
        gate_of("old").approve_objects([(prefix, objects("old/index.html"))])


@pytest.mark.parametrize(
    "key", ["new/index.html", "older/x", "old", "new/old/x", "", "/old/x", "Old/x"]
)
def test_key_outside_its_deployment_is_stopped_even_among_others(key):
    with pytest.raises(GateError, match=f"^{key!r} .*'old/'"):
        gate_of("old").approve_objects([("old/", objects("old/index.html", key))])


def test_kept_deployment_is_stopped():
    gate = Gate([kept(deployment("new", 1)), to_delete(deployment("old", 9))], [])

    with pytest.raises(GateError):
        gate.approve_objects([("new/", objects("new/index.html"))])


READING = LiveReading(
    source=LiveSource.parse("cloudfront"),
    references=(LiveReference(name="old-1", evidence="served"),),
)


@pytest.mark.parametrize(
    ("name", "pins"),
    [
        ("old-1", pin_protected(["old-*"])),
        ("old-1", pin_protected(["old-1"])),
        ("ab12cd3", pin_commits(["ab12cd3e4f"])),
        ("old-1", pin_live([READING])),
    ],
)
def test_pinned_deployment_is_stopped_even_when_it_was_doomed(name, pins):
    with pytest.raises(GateError):
        gate_of(name, pins=pins).approve_objects([(f"{name}/", objects(f"{name}/x"))])


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("", ""),
        ("", "/"),
        ("", "site/"),
        ("old", ""),
        ("old", "old"),
        ("old", "live/"),
        ("old", "very-old/"),
        ("old", "old/live/"),
        ("site/old", "site/old/"),
    ],
)
def test_doomed_prefix_must_be_the_folder_of_its_deployment(name, prefix):
    astray = replace(deployment("x", 9), name=name, prefix=prefix)

    with pytest.raises(GateError, match=f"^{prefix!r} .*{name!r}"):
        Gate([to_delete(astray)], [])


@pytest.mark.parametrize("folder", ["", "site/", "a/b/"])
def test_deployment_below_a_prefix_passes(folder):
    one = deployment("old", 9, prefix=folder)

    Gate([to_delete(one)], []).approve_objects([(f"{folder}old/", objects(f"{folder}old/a"))])


def test_deployment_that_was_never_listed_in_full_is_stopped():
    unknown = replace(deployment("old", 9), fingerprint="", is_fully_listed=False)

    with pytest.raises(GateError, match=r"^'old' "):
        Gate([to_delete(unknown)], ())


def test_more_objects_than_the_plan_names_are_stopped():
    gate = gate_of("old")
    gate.approve_objects([("old/", objects("old/1", "old/2", size_bytes=1))])

    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_objects([("old/", objects("old/3", size_bytes=1))])


def test_more_bytes_than_the_plan_names_are_stopped():
    with pytest.raises(GateError, match=r"^'old/' "):
        gate_of("old").approve_objects([("old/", objects("old/1", size_bytes=2001))])


@pytest.mark.parametrize(
    ("most", "found_count"),
    [
        (DeleteLimit(amount=2, is_percent=False), 9),
        (DeleteLimit(amount=50, is_percent=True), 4),
    ],
)
def test_one_deployment_more_than_max_delete_allows_is_stopped(most, found_count):
    gate = gate_of("a", "b", "c", limits=Limits(max_delete=most), found_count=found_count)
    gate.approve_objects([("a/", objects("a/1")), ("b/", objects("b/1"))])
    gate.approve_objects([("b/", objects("b/2"))])

    with pytest.raises(GateError, match=rf"^max-delete\b.* {re.escape(str(most))}"):
        gate.approve_objects([("c/", objects("c/1"))])


def test_one_byte_more_than_max_delete_bytes_allows_is_stopped():
    limits = Limits(max_delete_bytes=ByteSize.parse("3kB"))
    gate = gate_of("a", "b", limits=limits)
    gate.approve_objects([("a/", objects("a/1", "a/2")), ("b/", objects("b/1"))])

    with pytest.raises(GateError, match=r"^max-delete-bytes\b.*\b3kB\b"):
        gate.approve_objects([("b/", objects("b/2", size_bytes=1))])


# Versions.


def version(key, number, *, size_bytes=1000):
    return StoredVersion(
        key=key,
        version_id=number,
        is_latest=False,
        is_delete_marker=False,
        etag='"e"',
        size_bytes=size_bytes,
        modified_at=NOW,
    )


def final(name, *, count=3, size_bytes=3000):
    versions = VersionSummary(count=count, size_bytes=size_bytes, fingerprint="0" * 64)
    return to_delete(replace(deployment(name, 9), versions=versions))


def version_gate(*decisions, pins=(), limits=None):
    return Gate(decisions, pins, limits, len(decisions), is_by_version=True)


def ids(*versions):
    return {(one.key, one.version_id) for one in versions}


def test_versions_that_were_listed_pass_up_to_what_the_plan_names():
    some = [version("old/a", "1"), version("old/a", "2")]
    gate = version_gate(final("old"))
    gate.approve_versions("old/", some, ids(*some))
    last = version("old/b", "3")
    gate.approve_versions("old/", [last], ids(last))

    more = version("old/c", "4", size_bytes=0)
    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_versions("old/", [more], ids(more))


def test_bytes_of_versions_beyond_the_plan_are_stopped():
    large = version("old/a", "1", size_bytes=3001)
    with pytest.raises(GateError, match=r"^'old/' "):
        version_gate(final("old")).approve_versions("old/", [large], ids(large))


@pytest.mark.parametrize(
    ("key", "number"), [("old/a", ""), ("old/a", "3"), ("old/b", "1"), ("old/a", "null")]
)
def test_version_that_was_not_listed_is_stopped_even_among_others(key, number):
    there = version("old/a", "1")
    with pytest.raises(GateError, match=f"^{key!r} .*{number!r}"):
        version_gate(final("old")).approve_versions(
            "old/", [there, version(key, number)], ids(there) | {("old/a", "")}
        )


@pytest.mark.parametrize("key", ["new/a", "older/a", "old"])
def test_version_outside_its_deployment_is_stopped_though_it_was_listed(key):
    one = version(key, "1")
    with pytest.raises(GateError, match=f"^{key!r} .*'old/'"):
        version_gate(final("old")).approve_versions("old/", [one], ids(one))


def test_version_of_what_is_pinned_or_not_doomed_is_stopped():
    one = version("old/a", "1")
    for gate in (version_gate(final("old"), pins=pin_protected(["old"])), version_gate(final("x"))):
        with pytest.raises(GateError, match=r"^'old/' "):
            gate.approve_versions("old/", [one], ids(one))


def test_plan_that_leaves_versions_lets_none_pass_and_the_other_way_round():
    one = version("old/a", "1")
    with pytest.raises(GateError):
        gate_of("old").approve_versions("old/", [one], ids(one))
    with pytest.raises(GateError):
        version_gate(final("old")).approve_objects([("old/", objects("old/a"))])


def test_plan_that_says_nothing_of_the_versions_passes_no_gate_for_them():
    with pytest.raises(GateError, match="'old'"):
        version_gate(to_delete(deployment("old", 9)))
    with pytest.raises(GateError, match="'old'"):
        Gate([final("old")], ())


def test_max_delete_bytes_counts_all_versions():
    some = [version("old/a", "1"), version("old/a", "2")]
    gate = version_gate(final("old"), limits=Limits(max_delete_bytes=ByteSize.parse("2kB")))
    gate.approve_versions("old/", some, ids(*some))
    more = version("old/b", "3", size_bytes=1)
    with pytest.raises(GateError, match=r"^max-delete-bytes\b.*\b2kB\b"):
        gate.approve_versions("old/", [more], ids(more))


# Rules, which delete all of a deployment at once.


def test_rule_of_a_doomed_deployment_passes_once_and_uses_it_up():
    gate = gate_of("old", "other")
    gate.approve_rule("old/")
    gate.approve_objects([("other/", objects("other/1"))])

    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_rule("old/")
    with pytest.raises(GateError, match=r"^'other/' "):
        gate.approve_rule("other/")
    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_objects([("old/", objects("old/1", size_bytes=0))])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "OLD/", "old/a/"])
def test_rule_of_what_is_not_doomed_is_stopped(prefix):
    with pytest.raises(GateError, match=f"^{prefix!r} "):
        gate_of("old").approve_rule(prefix)


def test_rule_of_what_is_pinned_is_stopped():
    with pytest.raises(GateError, match=r"^'old/' "):
        gate_of("old", pins=pin_protected(["old"])).approve_rule("old/")


def test_rules_are_held_against_the_limits():
    most = Limits(max_delete=DeleteLimit(amount=1, is_percent=False))
    gate = gate_of("a", "b", limits=most)
    gate.approve_rule("a/")
    with pytest.raises(GateError, match=r"^max-delete\b.*\b1\b"):
        gate.approve_rule("b/")
    with pytest.raises(GateError, match="max-delete-bytes"):
        gate_of("a", limits=Limits(max_delete_bytes=ByteSize.parse("1KB"))).approve_rule("a/")


def test_rule_passes_no_gate_that_names_versions():
    one = replace(
        deployment("old", 9), versions=VersionSummary(count=1, size_bytes=1, fingerprint="")
    )
    with pytest.raises(GateError):
        Gate([to_delete(one)], (), is_by_version=True).approve_rule("old/")


MISNAMED = to_delete(replace(deployment("x", 9), name="old", prefix="live/"))
UNLISTED = to_delete(replace(deployment("old", 9), fingerprint="", is_fully_listed=False))
VERSION = version("old/a", "1")
ONE = Limits(max_delete=DeleteLimit(amount=1, is_percent=False))
FEW_BYTES = Limits(max_delete_bytes=ByteSize.parse("1kB"))

BLOCKED = {
    "not the folder": lambda: Gate([MISNAMED], []),
    "not listed in full": lambda: Gate([UNLISTED], []),
    "versions unknown": lambda: version_gate(to_delete(deployment("old", 9))),
    "another prefix": lambda: gate_of("old").approve_objects([("new/", [])]),
    "key outside": lambda: gate_of("old").approve_objects([("old/", objects("new/x"))]),
    "too many bytes": lambda: gate_of("old").approve_objects(
        [("old/", objects("old/1", size_bytes=2001))]
    ),
    "max-delete": lambda: gate_of("a", "b", limits=ONE).approve_objects(
        [("a/", objects("a/1")), ("b/", objects("b/1"))]
    ),
    "max-delete-bytes": lambda: gate_of("a", limits=FEW_BYTES).approve_objects(
        [("a/", objects("a/1", "a/2"))]
    ),
    "unlisted version": lambda: version_gate(final("old")).approve_versions(
        "old/", [VERSION], set()
    ),
    "version of a plan that leaves versions": lambda: gate_of("old").approve_versions(
        "old/", [VERSION], ids(VERSION)
    ),
    "object of a plan that deletes versions": lambda: version_gate(final("old")).approve_objects(
        [("old/", objects("old/a"))]
    ),
    "rule of another prefix": lambda: gate_of("old").approve_rule("new/"),
    "rule of a plan that deletes versions": lambda: version_gate(final("old")).approve_rule("old/"),
}


def test_messages_are_the_golden_ones():
    cases = []
    for case, call in BLOCKED.items():
        with pytest.raises(GateError) as caught:
            call()
        cases.append((case, caught.value))
    assert_messages(__file__, cases)
