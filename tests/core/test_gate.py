"""What the last gate lets through."""

from dataclasses import replace

import pytest

from ci3.core.gate import Gate
from ci3.core.live import LiveSource, Reading, Sighting
from ci3.core.measures import ByteSize
from ci3.core.objections import Limits
from ci3.core.pins import pin_commits, pin_live, protect
from ci3.core.plan import DeleteLimit
from ci3.errors import GateError
from tests.builders import deployment, doomed, kept, stored


def objects(*keys, size_bytes=1000):
    return [stored(key, size_bytes=size_bytes) for key in keys]


def gate_of(*names, pins=(), limits=None, found_count=0):
    return Gate([doomed(deployment(name, 9)) for name in names], pins, limits, found_count)


def test_objects_of_a_doomed_deployment_pass():
    gate_of("old").check([("old/", objects("old/index.html", "old/a/b/c"))])


def test_batch_of_several_doomed_deployments_passes():
    gate = gate_of("a", "b")

    gate.check([("a/", objects("a/1", "a/2")), ("b/", objects("b/1"))])
    gate.check([("b/", objects("b/2"))])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "ol", "old/index.html", "OLD/"])
def test_prefix_that_is_not_doomed_is_stopped(prefix):
    with pytest.raises(GateError, match="is not doomed by this plan"):
        gate_of("old").check([(prefix, objects("old/index.html"))])


@pytest.mark.parametrize(
    "key", ["new/index.html", "older/x", "old", "new/old/x", "", "/old/x", "Old/x"]
)
def test_key_outside_its_deployment_is_stopped_even_among_others(key):
    with pytest.raises(GateError, match="is outside 'old/'"):
        gate_of("old").check([("old/", objects("old/index.html", key))])


def test_kept_deployment_is_stopped():
    gate = Gate([kept(deployment("new", 1)), doomed(deployment("old", 9))], [])

    with pytest.raises(GateError):
        gate.check([("new/", objects("new/index.html"))])


READING = Reading(
    source=LiveSource.parse("cloudfront"), sightings=(Sighting(name="old-1", evidence="served"),)
)


@pytest.mark.parametrize(
    ("name", "pins"),
    [
        ("old-1", protect(["old-*"])),
        ("old-1", protect(["old-1"])),
        ("ab12cd3", pin_commits(["ab12cd3e4f"])),
        ("old-1", pin_live([READING])),
    ],
)
def test_pinned_deployment_is_stopped_even_when_it_was_doomed(name, pins):
    with pytest.raises(GateError):
        gate_of(name, pins=pins).check([(f"{name}/", objects(f"{name}/x"))])


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

    with pytest.raises(GateError, match="is not the folder of a deployment"):
        Gate([doomed(astray)], [])


@pytest.mark.parametrize("folder", ["", "site/", "a/b/"])
def test_deployment_below_a_prefix_passes(folder):
    one = deployment("old", 9, prefix=folder)

    Gate([doomed(one)], []).check([(f"{folder}old/", objects(f"{folder}old/a"))])


def test_deployment_that_was_never_listed_in_full_is_stopped():
    unknown = replace(deployment("old", 9), fingerprint="", is_whole=False)

    with pytest.raises(GateError, match="'old' was never listed in full"):
        Gate([doomed(unknown)], ())


def test_more_objects_than_the_plan_names_are_stopped():
    gate = gate_of("old")
    gate.check([("old/", objects("old/1", "old/2", size_bytes=1))])

    with pytest.raises(GateError, match="'old/' has more in it than the plan names"):
        gate.check([("old/", objects("old/3", size_bytes=1))])


def test_more_bytes_than_the_plan_names_are_stopped():
    with pytest.raises(GateError, match="'old/' has more in it than the plan names"):
        gate_of("old").check([("old/", objects("old/1", size_bytes=2001))])


@pytest.mark.parametrize(
    ("most", "found_count"),
    [
        (DeleteLimit(amount=2, is_percent=False), 9),
        (DeleteLimit(amount=50, is_percent=True), 4),
    ],
)
def test_one_deployment_more_than_max_delete_allows_is_stopped(most, found_count):
    gate = gate_of("a", "b", "c", limits=Limits(max_delete=most), found_count=found_count)
    gate.check([("a/", objects("a/1")), ("b/", objects("b/1"))])
    gate.check([("b/", objects("b/2"))])

    with pytest.raises(GateError, match="one deployment more"):
        gate.check([("c/", objects("c/1"))])


def test_one_byte_more_than_max_delete_bytes_allows_is_stopped():
    limits = Limits(max_delete_bytes=ByteSize.parse("3kB"))
    gate = gate_of("a", "b", limits=limits)
    gate.check([("a/", objects("a/1", "a/2")), ("b/", objects("b/1"))])

    with pytest.raises(GateError, match="max-delete-bytes allows 3kB"):
        gate.check([("b/", objects("b/2", size_bytes=1))])
