"""What pins keep, as tables: protected names, the commit of the run, what is live."""

import pytest

from ci3.core.live.pins import Pin, pin_commits, pin_protected
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import NOW, deployment, inventory
from tests.unit.core.retention.tables import Case, decided, expected

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


def live(name):
    return Pin(code=ReasonCode.LIVE, pattern=name, evidence=f"current says {name}")


CASES = {
    "a protected name stays and fills no slot of another": Case(
        keep_count=1,
        pins=pin_protected(["d1"]),
        rows=(
            (deployment("d3", 1), "keep: keep-count"),
            (deployment("d2", 2), "delete: superseded"),
            (deployment("d1", 3), "keep: protected"),
        ),
    ),
    "a protecting glob keeps each that it matches": Case(
        pins=pin_protected(["release-*"]),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("release-2", 2), "keep: protected"),
            (deployment("pre-release-2", 3), "delete: superseded"),
            (deployment("release-1", 4), "keep: protected"),
        ),
    ),
    "the commit of this run stays": Case(
        pins=pin_commits([COMMIT]),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment(COMMIT[:7], 2), "keep: current-commit"),
            (deployment(f"web-{COMMIT}", 3), "keep: current-commit"),
            (deployment("5f1c2d3", 4), "delete: superseded"),
        ),
    ),
    "what is live by name stays, and only what has that very name": Case(
        pins=(live("release-1"),),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("release-10", 2), "delete: superseded"),
            (deployment("release-1", 3), "keep: live"),
            (deployment("Release-1", 4), "delete: superseded"),
            (deployment("release-", 5), "delete: superseded"),
        ),
    ),
    "a live name is no glob": Case(
        pins=(live("*"), live("d?")),
        rows=(
            (deployment("d2", 1), "keep: keep-count"),
            (deployment("d1", 2), "delete: superseded"),
        ),
    ),
    "what is live by commit stays, as a name or a part of one, short or long": Case(
        pins=(live(COMMIT), live("ab12cd3")),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment(COMMIT, 2), "keep: live"),
            (deployment(COMMIT[:7], 3), "keep: live"),
            (deployment(f"web-{COMMIT[:12]}", 4), "keep: live"),
            (deployment(COMMIT[:6], 5), "delete: superseded"),  # six digits are too few to tell
            (deployment("AB12CD3FF", 6), "keep: live"),
            (deployment("ab12cd4", 7), "delete: superseded"),
        ),
    ),
    "what is live fills no slot of another": Case(
        pins=(live("d1"), live("d2")),
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (deployment("d3", 2), "keep: keep-count"),
            (deployment("d2", 3), "keep: live"),
            (deployment("d1", 4), "keep: live"),
        ),
    ),
    "every reason to keep is told": Case(
        pins=(*pin_protected(["*", COMMIT]), *pin_commits([COMMIT])),
        rows=((deployment(COMMIT, 1), "keep: protected protected current-commit keep-count"),),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_pins_keep_what_the_table_says(case):
    assert decided(case) == expected(case)


def test_live_reason_tells_where_that_was_read():
    found = inventory(deployment("d2", 1), deployment("d1", 2))

    _, older = decide(found, RetentionPolicy(keep_count=1), (live("d1"),), NOW, 1)

    assert [reason.message for reason in older.reasons] == ["live: current says d1"]
