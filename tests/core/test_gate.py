"""What the last gate lets through."""

from dataclasses import replace

import pytest

from ci3.core.gate import Gate
from ci3.core.pins import pin_commits, protect
from ci3.errors import GateError
from tests.builders import deployment, doomed, kept


def test_keys_of_a_doomed_deployment_pass():
    gate = Gate([doomed(deployment("old", 9))], [])

    gate.check("old/", ["old/index.html", "old/", "old/a/b/c"])


@pytest.mark.parametrize("prefix", ["new/", "old", "", "/", "ol", "old/index.html", "OLD/"])
def test_prefix_that_is_not_doomed_is_stopped(prefix):
    gate = Gate([doomed(deployment("old", 9)), kept(deployment("new", 1))], [])

    with pytest.raises(GateError, match="is not doomed by this plan"):
        gate.check(prefix, [])


@pytest.mark.parametrize("key", ["old", "older/index.html", "new/old/x", "", "/old/x", "Old/x"])
def test_key_outside_its_deployment_is_stopped_even_among_others(key):
    gate = Gate([doomed(deployment("old", 9)), doomed(deployment("older", 9))], [])

    with pytest.raises(GateError, match="is outside 'old/'"):
        gate.check("old/", ["old/a", key, "old/z"])


@pytest.mark.parametrize(
    "pin", [*protect(["abcdef1"]), *protect(["abc*"]), *pin_commits(["abcdef1234"])]
)
def test_pinned_deployment_is_stopped_even_when_it_was_doomed(pin):
    gate = Gate([doomed(deployment("abcdef1", 9)), doomed(deployment("d2", 9))], [pin])

    gate.check("d2/", ["d2/a"])
    with pytest.raises(GateError):
        gate.check("abcdef1/", ["abcdef1/a"])


def test_kept_decision_handed_in_dooms_nothing():
    gate = Gate([kept(deployment("new", 1))], [])

    with pytest.raises(GateError):
        gate.check("new/", ["new/a"])


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

    Gate([doomed(one)], []).check(f"{folder}old/", [f"{folder}old/a"])


def test_deployment_that_was_never_listed_in_full_is_stopped():
    unknown = replace(deployment("old", 9), fingerprint="", is_whole=False)

    with pytest.raises(GateError, match="'old' was never listed in full"):
        Gate([doomed(unknown)], ())
