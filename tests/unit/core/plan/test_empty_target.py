"""`nothing-matches`: a warning if there is no deployment, though the bucket is not empty."""

import re

import pytest

from ci3.core.model.deployment import IgnoredEntry, Inventory, UnlistedFolder
from ci3.core.model.issues import WarningCode
from ci3.core.model.user_pattern import UserPattern
from ci3.core.plan.empty_target import BucketRoot, find_empty_target_warnings, needs_bucket_root
from tests.support.builders import deployment, inventory, target
from tests.support.golden import assert_messages

COMMITS = ("1" * 40, "a" * 40, "b2" * 20)


def make_entries(*names: str) -> tuple[IgnoredEntry, ...]:
    return tuple(IgnoredEntry(name=name, reason="a reason") for name in names)


def check(*ignored: str, prefix="", match="", root=(), problem="") -> str:
    """Return the message of the warning, or an empty string."""
    target_inventory = Inventory(deployments=(), ignored=make_entries(*ignored))
    warnings = find_empty_target_warnings(
        target_inventory,
        target(prefix=prefix),
        UserPattern.compile(match) if match else None,
        BucketRoot(names=tuple(root), problem=problem),
    )
    assert {warning.code for warning in warnings} <= {WarningCode.NOTHING_MATCHES}
    return warnings[0].message if warnings else ""


def find_suggestion(message: str) -> str:
    return ", ".join(re.findall("`(.*?)`", message))


@pytest.mark.parametrize(
    ("folders", "match", "suggested"),
    [
        (COMMITS, "[0-9a-f]{40}/", "[0-9a-f]{40}"),
        (COMMITS, "/[0-9a-f]{40}", "[0-9a-f]{40}"),
        (COMMITS, "site/[0-9a-f]{40}", "[0-9a-f]{40}"),
        (COMMITS, "[0-9a-f]{7}", "[0-9a-f]{40}"),
        (("build-1", "build-2"), "release-.*", "build-[0-9]+"),
        (("site", "assets"), "[0-9a-f]{40}", ""),
        (("site", "assets"), "[0-9a-f]{40}/", ""),
        (("only",), "x", ""),
    ],
)
def test_match_that_leaves_out_every_folder_warns(folders, match, suggested):
    message = check(*(f"{name}/" for name in folders), match=match)
    assert message
    assert find_suggestion(message) == suggested


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        ("sites/", ["site/"]),
        ("apps/web/", ["apps/", "index.html"]),
        ("site/", ["index.html"]),
    ],
)
def test_empty_prefix_in_a_bucket_with_objects_warns(prefix, root):
    assert check(prefix=prefix, root=root)


def test_similar_folder_is_suggested():
    assert check(prefix="sitez/", root=["sitex/", "other/"]).count("sitex") == 2
    assert check(prefix="sitex/x/", root=["sitex/", "sitez/"]).count("sitez") == 1


def test_messages_are_the_golden_ones():
    cases = {
        "similar folder": check(prefix="sites/", root=["site/", "other/"]),
        "no similar folder": check(prefix="site/x/", root=["site/", "sites/"]),
        "files alone": check("index.html", "app.js", prefix="site/"),
        "match leaves out everything": check("a1/", "a2/", match="b"),
    }
    assert_messages(__file__, cases.items())


def test_files_without_a_folder_warn():
    assert check("index.html")
    assert check("index.html", "app.js", prefix="site/")
    assert check(".ci3/", "index.html")


def test_root_that_cannot_be_listed_warns():
    assert "denied" in check(prefix="site/", problem="denied")


@pytest.mark.parametrize(
    "ignored", [(), (".ci3/",), ("site/",), ("site/", ".ci3/")]
)  # `site/` is the marker of the prefix itself
def test_empty_bucket_or_prefix_does_not_warn(ignored):
    assert check(*ignored) == "" or ignored[0] == "site/"
    assert check(*ignored, prefix="site/", match="") == ""


def test_deployment_or_unlisted_folder_prevents_the_warning():
    root = BucketRoot(names=("x/",))
    for target_inventory in (
        inventory(deployment("a", 1)),
        Inventory(deployments=(), unlisted=(UnlistedFolder(name="a", reason="denied"),)),
    ):
        assert not find_empty_target_warnings(target_inventory, target(), None, root)


@pytest.mark.parametrize(
    ("prefix", "ignored", "is_needed"),
    [("", (), False), ("site/", (), True), ("site/", (".ci3/",), False), ("site/", ("f",), False)],
)
def test_root_is_listed_only_if_the_prefix_is_empty(prefix, ignored, is_needed):
    target_inventory = Inventory(deployments=(), ignored=make_entries(*ignored))
    assert needs_bucket_root(target_inventory, target(prefix=prefix)) is is_needed
