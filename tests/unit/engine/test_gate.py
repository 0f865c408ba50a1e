"""Which objects, versions and rules the gate approves."""

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


def make_objects(*keys, size_bytes=1000):
    return [make_object(key, size_bytes=size_bytes) for key in keys]


def make_gate(*names, pins=(), limits=None, found_count=0):
    return Gate([to_delete(deployment(name, 9)) for name in names], pins, limits, found_count)


def test_objects_of_a_deployment_to_delete_are_approved():
    make_gate("old").approve_objects([("old/", make_objects("old/index.html", "old/a/b/c"))])


def test_batch_of_several_deployments_to_delete_is_approved():
    gate = make_gate("a", "b")

    gate.approve_objects([("a/", make_objects("a/1", "a/2")), ("b/", make_objects("b/1"))])
    gate.approve_objects([("b/", make_objects("b/2"))])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "ol", "old/index.html", "OLD/"])
def test_prefix_that_is_not_to_be_deleted_is_stopped(prefix):
    with pytest.raises(GateError, match=f"^{prefix!r} "):
        make_gate("old").approve_objects([(prefix, make_objects("old/index.html"))])


@pytest.mark.parametrize(
    "key", ["new/index.html", "older/x", "old", "new/old/x", "", "/old/x", "Old/x"]
)
def test_batch_with_a_key_outside_its_deployment_is_stopped(key):
    with pytest.raises(GateError, match=f"^{key!r} .*'old/'"):
        make_gate("old").approve_objects([("old/", make_objects("old/index.html", key))])


def test_kept_deployment_is_stopped():
    gate = Gate([kept(deployment("new", 1)), to_delete(deployment("old", 9))], [])

    with pytest.raises(GateError):
        gate.approve_objects([("new/", make_objects("new/index.html"))])


LIVE_READING = LiveReading(
    source=LiveSource.parse("cloudfront"),
    references=(LiveReference(name="old-1", evidence="served"),),
)


@pytest.mark.parametrize(
    ("name", "pins"),
    [
        ("old-1", pin_protected(["old-*"])),
        ("old-1", pin_protected(["old-1"])),
        ("ab12cd3", pin_commits(["ab12cd3e4f"])),
        ("old-1", pin_live([LIVE_READING])),
    ],
)
def test_pinned_deployment_is_stopped_even_if_it_is_to_be_deleted(name, pins):
    with pytest.raises(GateError):
        make_gate(name, pins=pins).approve_objects([(f"{name}/", make_objects(f"{name}/x"))])


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
def test_prefix_to_delete_must_be_the_folder_of_its_deployment(name, prefix):
    misnamed = replace(deployment("x", 9), name=name, prefix=prefix)

    with pytest.raises(GateError, match=f"^{prefix!r} .*{name!r}"):
        Gate([to_delete(misnamed)], [])


@pytest.mark.parametrize("folder", ["", "site/", "a/b/"])
def test_deployment_below_a_prefix_is_approved(folder):
    old = deployment("old", 9, prefix=folder)

    Gate([to_delete(old)], []).approve_objects([(f"{folder}old/", make_objects(f"{folder}old/a"))])


def test_deployment_that_was_never_listed_in_full_is_stopped():
    unlisted = replace(deployment("old", 9), fingerprint="", is_fully_listed=False)

    with pytest.raises(GateError, match=r"^'old' "):
        Gate([to_delete(unlisted)], ())


def test_more_objects_than_planned_are_stopped():
    gate = make_gate("old")
    gate.approve_objects([("old/", make_objects("old/1", "old/2", size_bytes=1))])

    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_objects([("old/", make_objects("old/3", size_bytes=1))])


def test_more_bytes_than_planned_are_stopped():
    with pytest.raises(GateError, match=r"^'old/' "):
        make_gate("old").approve_objects([("old/", make_objects("old/1", size_bytes=2001))])


@pytest.mark.parametrize(
    ("max_delete", "found_count"),
    [
        (DeleteLimit(amount=2, is_percent=False), 9),
        (DeleteLimit(amount=50, is_percent=True), 4),
    ],
)
def test_one_deployment_more_than_max_delete_allows_is_stopped(max_delete, found_count):
    gate = make_gate("a", "b", "c", limits=Limits(max_delete=max_delete), found_count=found_count)
    gate.approve_objects([("a/", make_objects("a/1")), ("b/", make_objects("b/1"))])
    gate.approve_objects([("b/", make_objects("b/2"))])

    with pytest.raises(GateError, match=rf"^max-delete\b.* {re.escape(str(max_delete))}"):
        gate.approve_objects([("c/", make_objects("c/1"))])


def test_one_byte_more_than_max_delete_bytes_allows_is_stopped():
    limits = Limits(max_delete_bytes=ByteSize.parse("3kB"))
    gate = make_gate("a", "b", limits=limits)
    gate.approve_objects([("a/", make_objects("a/1", "a/2")), ("b/", make_objects("b/1"))])

    with pytest.raises(GateError, match=r"^max-delete-bytes\b.*\b3kB\b"):
        gate.approve_objects([("b/", make_objects("b/2", size_bytes=1))])


# Versions.


def make_version(key, number, *, size_bytes=1000):
    return StoredVersion(
        key=key,
        version_id=number,
        is_latest=False,
        is_delete_marker=False,
        etag='"e"',
        size_bytes=size_bytes,
        modified_at=NOW,
    )


def delete_versions_of(name, *, count=3, size_bytes=3000):
    versions = VersionSummary(count=count, size_bytes=size_bytes, fingerprint="0" * 64)
    return to_delete(replace(deployment(name, 9), versions=versions))


def make_version_gate(*decisions, pins=(), limits=None):
    return Gate(decisions, pins, limits, len(decisions), is_by_version=True)


def list_ids(*versions):
    return {(version.key, version.version_id) for version in versions}


def test_listed_versions_are_approved_up_to_the_planned_count():
    versions = [make_version("old/a", "1"), make_version("old/a", "2")]
    gate = make_version_gate(delete_versions_of("old"))
    gate.approve_versions("old/", versions, list_ids(*versions))
    last = make_version("old/b", "3")
    gate.approve_versions("old/", [last], list_ids(last))

    extra = make_version("old/c", "4", size_bytes=0)
    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_versions("old/", [extra], list_ids(extra))


def test_more_bytes_of_versions_than_planned_are_stopped():
    large = make_version("old/a", "1", size_bytes=3001)
    with pytest.raises(GateError, match=r"^'old/' "):
        make_version_gate(delete_versions_of("old")).approve_versions(
            "old/", [large], list_ids(large)
        )


@pytest.mark.parametrize(
    ("key", "number"), [("old/a", ""), ("old/a", "3"), ("old/b", "1"), ("old/a", "null")]
)
def test_batch_with_a_version_that_was_not_listed_is_stopped(key, number):
    listed = make_version("old/a", "1")
    with pytest.raises(GateError, match=f"^{key!r} .*{number!r}"):
        make_version_gate(delete_versions_of("old")).approve_versions(
            "old/", [listed, make_version(key, number)], list_ids(listed) | {("old/a", "")}
        )


@pytest.mark.parametrize("key", ["new/a", "older/a", "old"])
def test_listed_version_outside_its_deployment_is_stopped(key):
    version = make_version(key, "1")
    with pytest.raises(GateError, match=f"^{key!r} .*'old/'"):
        make_version_gate(delete_versions_of("old")).approve_versions(
            "old/", [version], list_ids(version)
        )


def test_version_of_a_pinned_or_kept_deployment_is_stopped():
    version = make_version("old/a", "1")
    for gate in (
        make_version_gate(delete_versions_of("old"), pins=pin_protected(["old"])),
        make_version_gate(delete_versions_of("x")),
    ):
        with pytest.raises(GateError, match=r"^'old/' "):
            gate.approve_versions("old/", [version], list_ids(version))


def test_gate_approves_either_objects_or_versions():
    version = make_version("old/a", "1")
    with pytest.raises(GateError):
        make_gate("old").approve_versions("old/", [version], list_ids(version))
    with pytest.raises(GateError):
        make_version_gate(delete_versions_of("old")).approve_objects(
            [("old/", make_objects("old/a"))]
        )


def test_gate_for_versions_needs_planned_versions_and_the_reverse():
    with pytest.raises(GateError, match="'old'"):
        make_version_gate(to_delete(deployment("old", 9)))
    with pytest.raises(GateError, match="'old'"):
        Gate([delete_versions_of("old")], ())


def test_max_delete_bytes_counts_all_versions():
    versions = [make_version("old/a", "1"), make_version("old/a", "2")]
    gate = make_version_gate(
        delete_versions_of("old"), limits=Limits(max_delete_bytes=ByteSize.parse("2kB"))
    )
    gate.approve_versions("old/", versions, list_ids(*versions))
    extra = make_version("old/b", "3", size_bytes=1)
    with pytest.raises(GateError, match=r"^max-delete-bytes\b.*\b2kB\b"):
        gate.approve_versions("old/", [extra], list_ids(extra))


# Lifecycle rules, which delete all objects of a deployment at once.


def test_rule_of_a_deployment_to_delete_is_approved_once():
    gate = make_gate("old", "other")
    gate.approve_rule("old/")
    gate.approve_objects([("other/", make_objects("other/1"))])

    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_rule("old/")
    with pytest.raises(GateError, match=r"^'other/' "):
        gate.approve_rule("other/")
    with pytest.raises(GateError, match=r"^'old/' "):
        gate.approve_objects([("old/", make_objects("old/1", size_bytes=0))])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "OLD/", "old/a/"])
def test_rule_of_a_kept_deployment_is_stopped(prefix):
    with pytest.raises(GateError, match=f"^{prefix!r} "):
        make_gate("old").approve_rule(prefix)


def test_rule_of_a_pinned_deployment_is_stopped():
    with pytest.raises(GateError, match=r"^'old/' "):
        make_gate("old", pins=pin_protected(["old"])).approve_rule("old/")


def test_rules_count_for_the_limits():
    limits = Limits(max_delete=DeleteLimit(amount=1, is_percent=False))
    gate = make_gate("a", "b", limits=limits)
    gate.approve_rule("a/")
    with pytest.raises(GateError, match=r"^max-delete\b.*\b1\b"):
        gate.approve_rule("b/")
    with pytest.raises(GateError, match="max-delete-bytes"):
        make_gate("a", limits=Limits(max_delete_bytes=ByteSize.parse("1KB"))).approve_rule("a/")


def test_gate_for_versions_approves_no_rule():
    old = replace(
        deployment("old", 9), versions=VersionSummary(count=1, size_bytes=1, fingerprint="")
    )
    with pytest.raises(GateError):
        Gate([to_delete(old)], (), is_by_version=True).approve_rule("old/")


MISNAMED = to_delete(replace(deployment("x", 9), name="old", prefix="live/"))
UNLISTED = to_delete(replace(deployment("old", 9), fingerprint="", is_fully_listed=False))
VERSION = make_version("old/a", "1")
ONE_DEPLOYMENT = Limits(max_delete=DeleteLimit(amount=1, is_percent=False))
ONE_KILOBYTE = Limits(max_delete_bytes=ByteSize.parse("1kB"))

BLOCKED = {
    "not the folder": lambda: Gate([MISNAMED], []),
    "not listed in full": lambda: Gate([UNLISTED], []),
    "versions unknown": lambda: make_version_gate(to_delete(deployment("old", 9))),
    "another prefix": lambda: make_gate("old").approve_objects([("new/", [])]),
    "key outside": lambda: make_gate("old").approve_objects([("old/", make_objects("new/x"))]),
    "too many bytes": lambda: make_gate("old").approve_objects(
        [("old/", make_objects("old/1", size_bytes=2001))]
    ),
    "max-delete": lambda: make_gate("a", "b", limits=ONE_DEPLOYMENT).approve_objects(
        [("a/", make_objects("a/1")), ("b/", make_objects("b/1"))]
    ),
    "max-delete-bytes": lambda: make_gate("a", limits=ONE_KILOBYTE).approve_objects(
        [("a/", make_objects("a/1", "a/2"))]
    ),
    "unlisted version": lambda: make_version_gate(delete_versions_of("old")).approve_versions(
        "old/", [VERSION], set()
    ),
    "version of a plan that leaves versions": lambda: make_gate("old").approve_versions(
        "old/", [VERSION], list_ids(VERSION)
    ),
    "object of a plan that deletes versions": lambda: make_version_gate(
        delete_versions_of("old")
    ).approve_objects([("old/", make_objects("old/a"))]),
    "rule of another prefix": lambda: make_gate("old").approve_rule("new/"),
    "rule of a plan that deletes versions": lambda: make_version_gate(
        delete_versions_of("old")
    ).approve_rule("old/"),
}


def test_messages_are_the_golden_ones():
    cases = []
    for case, call in BLOCKED.items():
        with pytest.raises(GateError) as caught:
            call()
        cases.append((case, caught.value))
    assert_messages(__file__, cases)
