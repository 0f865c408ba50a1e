"""What pins keep, as tables: protected names, the commit of the run, live references."""

import re

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import (
    NOW,
    deployment,
    inventory,
    live_pin,
    marker_only_deployment,
    pin_commits,
)
from tests.support.messages import words_in
from tests.unit.core.retention.tables import Case, decide_case, keep_within, list_expected

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


def live(name):
    return live_pin(name, f"current says {name}")


CASES = {
    "a protected deployment is kept and not counted": Case(
        keep_count=1,
        pins=pin_protected(["d1"]),
        rows=(
            (deployment("d3", 1), "keep: keep-count"),
            (deployment("d2", 2), "delete: superseded"),
            (deployment("d1", 3), "keep: protected"),
        ),
    ),
    "the newest folder is not counted and supersedes nothing if it is protected": Case(
        keep_count=1,
        pins=pin_protected(["assets"]),
        rows=(
            (deployment("assets", 1), "keep: protected keep-count"),
            (deployment("live0001", 2), "keep: keep-count"),
            (deployment("old00001", 3), "delete: superseded"),
        ),
    ),
    "the same if it is also live, of this commit, or matched by several patterns": Case(
        keep_count=1,
        pins=(
            *pin_protected(["4f1c2d*", "4f1c2d3"]),
            *pin_commits([COMMIT]),
            live(COMMIT),
        ),
        rows=(
            (deployment("4f1c2d3", 1), "keep: protected protected current-commit live keep-count"),
            (deployment("d2", 2), "keep: keep-count"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "a protected shared folder with frequent uploads makes no age ambiguous": Case(
        keep_count=1,
        pins=pin_protected(["assets"]),
        rows=(
            (deployment("assets", 9, 1), "keep: protected keep-count"),
            (deployment("d2", 2), "keep: keep-count"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "an incomplete deployment may be uploading if all others are protected": Case(
        keep_count=1,
        pins=pin_protected(["release-*"]),
        rows=(
            (deployment("release-2", 1), "keep: protected keep-count"),
            (deployment("release-1", 2), "keep: protected keep-count"),
            (marker_only_deployment("d1", 9), "keep: in-progress"),
        ),
    ),
    "an incomplete deployment may be uploading if only a protected one is newer": Case(
        pins=pin_protected(["assets"]),
        rows=(
            (deployment("assets", 1), "keep: protected keep-count"),
            (marker_only_deployment("d2", 2), "keep: in-progress"),
            (deployment("d1", 3), "keep: keep-count"),
        ),
    ),
    "a protected deployment supersedes nothing and is not the newest of its day": Case(
        pins=pin_protected(["assets"]),
        rules={**keep_within("3d"), "keep_daily": 1},
        rows=(
            (deployment("assets", 0.2), "keep: protected keep-count keep-within"),
            (deployment("d3", 1), "keep: keep-count keep-within keep-daily"),
            (deployment("d2", 6), "keep: keep-within"),
            (deployment("d1", 7), "delete: superseded"),
        ),
    ),
    "the newest of a group is kept even if a protected one is newer": Case(
        keep_count=0,
        pins=pin_protected(["pr-1-assets"]),
        rules={"group_by": re.compile(r"(pr-\d+)-.*")},
        rows=(
            (deployment("pr-1-assets", 1), "keep: protected keep-count"),
            (deployment("pr-1-b", 2), "keep: minimum-keep-count"),
            (deployment("pr-1-a", 3), "delete: superseded"),
        ),
    ),
    "a protected pattern keeps each deployment that it matches": Case(
        pins=pin_protected(["release-*"]),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("release-2", 2), "keep: protected"),
            (deployment("pre-release-2", 3), "delete: superseded"),
            (deployment("release-1", 4), "keep: protected"),
        ),
    ),
    "deployments of the commit of the run are kept": Case(
        pins=pin_commits([COMMIT]),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment(COMMIT[:7], 2), "keep: current-commit"),
            (deployment(f"web-{COMMIT}", 3), "keep: current-commit"),
            (deployment("5f1c2d3", 4), "delete: superseded"),
        ),
    ),
    "a live name keeps only the deployment with exactly that name": Case(
        pins=(live("release-1"),),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("release-10", 2), "delete: superseded"),
            (deployment("release-1", 3), "keep: live"),
            (deployment("Release-1", 4), "delete: superseded"),
            (deployment("release-", 5), "delete: superseded"),
        ),
    ),
    "a live name is no pattern": Case(
        pins=(live("*"), live("d?")),
        rows=(
            (deployment("d2", 1), "keep: keep-count"),
            (deployment("d1", 2), "delete: superseded"),
        ),
    ),
    "a live commit keeps names that are or contain it, short or long": Case(
        pins=(live(COMMIT), live("ab12cd3")),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment(COMMIT, 2), "keep: live"),
            (deployment(COMMIT[:7], 3), "keep: live"),
            (deployment(f"web-{COMMIT[:12]}", 4), "keep: live"),
            (deployment(COMMIT[:6], 5), "delete: superseded"),  # 6 digits are too few
            (deployment("AB12CD3FF", 6), "keep: live"),
            (deployment("ab12cd4", 7), "delete: superseded"),
        ),
    ),
    "live deployments do not reduce how many keep-count keeps": Case(
        pins=(live("d1"), live("d2")),
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (deployment("d3", 2), "keep: keep-count"),
            (deployment("d2", 3), "keep: live"),
            (deployment("d1", 4), "keep: live"),
        ),
    ),
    "a decision has every reason to keep": Case(
        pins=(*pin_protected(["*", COMMIT]), *pin_commits([COMMIT])),
        rows=((deployment(COMMIT, 1), "keep: protected protected current-commit keep-count"),),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_pins_keep_what_the_table_lists(case):
    assert decide_case(case) == list_expected(case)


def test_live_reason_has_the_evidence():
    deployments = inventory(deployment("d2", 1), deployment("d1", 2))

    _, older = decide(deployments, RetentionPolicy(keep_count=1), (live("d1"),), NOW, 1)

    [reason] = older.reasons
    assert reason.code is ReasonCode.LIVE
    assert "current" in words_in(reason.message)
