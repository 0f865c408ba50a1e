"""What is undone of one key: tables of what a journal says against what stands there now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.journal.entry import JournalEntry, merge_entries
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.core.restore.decide import (
    CLOCK_ALLOWANCE,
    RestoreObject,
    SkipObject,
    SkipReason,
    decide_entry_restore,
    decide_expired_restore,
    decide_restore_since,
)
from ci3.core.restore.plan import EXAMPLES_KEPT, summarize_skips
from tests.support.builders import NOW, days_ago

STARTED_AT = NOW
KEY = "old/a"


def version(version_id: str, *, at=None, etag: str = '"e"', size_bytes: int = 10):
    return StoredVersion(
        key=KEY,
        version_id=version_id,
        is_latest=False,
        is_delete_marker=False,
        etag=etag,
        size_bytes=size_bytes,
        modified_at=at or days_ago(9),
    )


def marker(version_id: str, *, seconds: float = 1):
    """A delete marker made so long after the run began."""
    return StoredVersion(
        key=KEY,
        version_id=version_id,
        is_latest=False,
        is_delete_marker=True,
        etag="",
        size_bytes=0,
        modified_at=STARTED_AT + timedelta(seconds=seconds),
    )


def entry(outcome=ObjectOutcome.DELETED, *, version_id: str = "v1", markers=(), **changes):
    fields = {"etag": '"e"', "size_bytes": 10, "modified_at": days_ago(9)}
    return JournalEntry(
        key=KEY,
        version_id=version_id,
        outcome=outcome,
        marker_version_ids=frozenset(markers),
        **(fields | changes),
    )


def as_listed(versions: Sequence[StoredVersion]) -> list[StoredVersion]:
    """Return versions as S3 lists them: the first one is the latest."""
    return [replace(version, is_latest=index == 0) for index, version in enumerate(versions)]


def decide(one: JournalEntry, *versions: StoredVersion, versioning=Versioning.ENABLED):
    listed = as_listed(versions)
    return decide_entry_restore(one, listed, started_at=STARTED_AT, versioning=versioning)


V1, V2 = version("v1"), version("v2", at=NOW, etag='"other"')
M1, M2 = marker("m1"), marker("m2", seconds=2)
OLD_MARKER = marker("m0", seconds=-3600)


@pytest.mark.parametrize(
    ("versions", "removed"),
    [
        ([M1, V1], ("m1",)),
        ([M2, M1, V1], ("m2", "m1")),
        ([M1, V1, OLD_MARKER, version("v0")], ("m1",)),
        ([M1, V1, marker("below")], ("m1",)),
        ([marker("early", seconds=-CLOCK_ALLOWANCE.total_seconds()), V1], ("early",)),
    ],
)
def test_markers_of_the_run_above_the_version_are_removed_and_no_others(versions, removed):
    undo = decide(entry(), *versions)
    assert undo == RestoreObject(
        key=KEY,
        version_id="v1",
        size_bytes=10,
        modified_at=V1.modified_at,
        marker_version_ids=removed,
    )


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([V1], SkipReason.ALREADY_THERE),
        ([V1, M1, version("v0")], SkipReason.ALREADY_THERE),
        ([V2, M1, V1], SkipReason.NEWER_VERSION),
        ([M2, V2, M1, V1], SkipReason.NEWER_DELETED),
        ([V2], SkipReason.NEWER_VERSION),
        ([OLD_MARKER, V1], SkipReason.OLDER_MARKER),
        ([M1, OLD_MARKER, V1], SkipReason.OLDER_MARKER),
        ([M1], SkipReason.VERSION_GONE),
        ([M1, version("v0")], SkipReason.VERSION_GONE),
        ([], SkipReason.VERSION_GONE),
    ],
)
def test_everything_else_is_left_as_it_is_with_its_reason(versions, reason):
    assert decide(entry(), *versions) == SkipObject(key=KEY, size_bytes=10, reason=reason)


def test_what_the_run_was_denied_is_not_undone():
    """A later run may have deleted it: that is for that run's journal."""
    assert decide(entry(ObjectOutcome.DENIED), M1, V1).reason is SkipReason.NOT_DELETED


def test_what_failed_and_went_all_the_same_is_undone():
    """The request was still out when it was looked whether the object is there."""
    assert decide(entry(FAILED), M1, V1).marker_version_ids == ("m1",)
    assert decide(entry(FAILED), V1).reason is SkipReason.NOT_DELETED
    assert decide(entry(FAILED), V2, M1, V1).reason is SkipReason.NEWER_VERSION
    assert decide(entry(FAILED), OLD_MARKER, V1).reason is SkipReason.OLDER_MARKER
    assert decide(entry(FAILED), M1).reason is SkipReason.VERSION_GONE


@pytest.mark.parametrize(
    "outcome", [None, ObjectOutcome.UNKNOWN, ObjectOutcome.ABSENT, ObjectOutcome.CHANGED]
)
def test_what_the_run_may_have_deleted_is_looked_up(outcome):
    assert decide(entry(outcome), M1, V1).marker_version_ids == ("m1",)
    assert decide(entry(outcome), V1).reason is SkipReason.ALREADY_THERE
    assert decide(entry(outcome), V2, M1, V1).reason is SkipReason.NEWER_VERSION


@pytest.mark.parametrize("versions", [(), (M1,), (M1, V2)])
def test_version_that_was_deleted_for_good_is_told_as_final(versions):
    one = decide(entry(is_permanent=True), *versions)
    assert isinstance(one, SkipObject)
    assert one.reason is SkipReason.FINAL
    assert one.reason.is_unrecoverable
    there = decide(entry(is_permanent=True), *versions, V1)
    assert isinstance(there, SkipObject)
    assert there.reason is SkipReason.NOT_DELETED


def test_what_was_absent_and_is_gone_was_nobodys_to_undo():
    assert decide(entry(ObjectOutcome.ABSENT)).reason is SkipReason.NOT_DELETED
    assert decide(entry(ObjectOutcome.UNKNOWN)).reason is SkipReason.VERSION_GONE


def test_marker_that_the_journal_names_is_the_runs_whatever_the_clocks_say():
    assert decide(entry(markers=["m0"]), OLD_MARKER, V1).marker_version_ids == ("m0",)


@pytest.mark.parametrize(
    ("other", "is_found"),
    [
        (version("x"), True),
        (version("x", etag='"other"'), False),
        (version("x", size_bytes=11), False),
        (version("x", at=days_ago(9) + timedelta(seconds=1)), False),
    ],
)
def test_without_an_id_the_version_is_found_by_etag_size_and_time_exactly(other, is_found):
    undoing = decide(entry(version_id=""), M1, other)
    assert isinstance(undoing, RestoreObject) is is_found
    if not is_found:
        assert undoing.reason is SkipReason.VERSION_GONE


def test_id_goes_before_likeness():
    undo = decide(entry(version_id="v1"), version("twin"), V1)
    assert undo.reason is SkipReason.NEWER_VERSION


def test_null_version_that_was_written_anew_is_not_the_journaled_one():
    null = version("null", at=NOW, etag='"other"')
    assert decide(entry(version_id="null"), M1, null).reason is SkipReason.NULL_VERSION
    assert decide(entry(version_id="null"), M1, version("null")).version_id == "null"


@pytest.mark.parametrize(
    ("versioning", "is_undone"),
    [
        (Versioning.ENABLED, True),
        (Versioning.SUSPENDED, False),
        (Versioning.UNKNOWN, False),
        (Versioning.DISABLED, False),
    ],
)
def test_null_marker_is_removed_only_where_no_upload_takes_its_place(versioning, is_undone):
    undoing = decide(entry(), marker("null"), V1, versioning=versioning)
    assert isinstance(undoing, RestoreObject) is is_undone
    assert is_undone or undoing.reason is SkipReason.NULL_MARKER


def test_version_that_suspended_versioning_destroyed_is_told():
    destroyed = entry(version_id="", markers=["null"])
    undoing = decide(destroyed, marker("null"), versioning=Versioning.SUSPENDED)
    assert undoing.reason is SkipReason.NULL_VERSION


def test_null_marker_that_the_journal_names_may_be_somebody_elses_by_now():
    older = marker("null", seconds=-3600)
    undoing = decide(entry(markers=["null"]), older, V1)
    assert undoing.reason is SkipReason.OLDER_MARKER


def test_marker_is_never_taken_for_the_version_of_an_empty_object_without_an_etag():
    empty = entry(version_id="", etag="", size_bytes=0, modified_at=M1.modified_at)
    assert decide(empty, M1).reason is SkipReason.VERSION_GONE


def test_bucket_without_versions_makes_it_final():
    assert decide(entry(), versioning=Versioning.DISABLED).reason is SkipReason.NO_VERSIONS


# What is not listed as the latest is not current.

LATEST = {
    "none": lambda _index: False,
    "several": lambda _index: True,
    "another one": lambda index: index == 1,
}


@pytest.mark.parametrize("latest", LATEST)
@pytest.mark.parametrize("outcome", [None, *ObjectOutcome])
@pytest.mark.parametrize("versions", [[V1, V2], [V2, V1], [M1, V1], [V1, M1]])
def test_version_that_is_not_the_only_latest_one_is_never_current(latest, outcome, versions):
    listed = [
        replace(version, is_latest=LATEST[latest](index)) for index, version in enumerate(versions)
    ]
    undoing = decide_entry_restore(
        entry(outcome), listed, started_at=STARTED_AT, versioning=Versioning.ENABLED
    )
    assert isinstance(undoing, SkipObject)
    is_denied = outcome is ObjectOutcome.DENIED
    assert undoing.reason is (SkipReason.NOT_DELETED if is_denied else SkipReason.NOT_CURRENT)
    assert undoing.reason.is_unrecoverable is not is_denied
    since_undoing = decide_restore_since(listed, since=STARTED_AT, versioning=Versioning.ENABLED)
    assert since_undoing is not None
    assert since_undoing.reason is SkipReason.NOT_CURRENT


def test_older_version_that_is_current_is_not_a_newer_one():
    older = version("v0", at=days_ago(20), etag='"other"')
    assert decide(entry(), older, V1).reason is SkipReason.NOT_CURRENT
    assert decide(entry(), older).reason is SkipReason.VERSION_GONE


@pytest.mark.parametrize("number_hidden", [1, 2])
def test_expired_deployment_counts_only_what_is_listed_as_latest(number_hidden):
    keys = [[replace(V1, key=f"old/{number}", is_latest=number >= number_hidden)]
            for number in range(3)]  # fmt: skip
    skips = decide_expired_restore(
        "old/", keys, approved_count=3, since=STARTED_AT, versioning=Versioning.ENABLED
    )
    counts = {skip.reason: 0 for skip in skips}
    for skip in skips:
        counts[skip.reason] += skip.object_count
    assert counts == {
        SkipReason.NOT_CURRENT: number_hidden,
        SkipReason.ALREADY_THERE: 3 - number_hidden,
    }


# Without a journal.


def since(*versions: StoredVersion, seconds: float = 0, versioning=Versioning.ENABLED):
    at = STARTED_AT + timedelta(seconds=seconds)
    return decide_restore_since(as_listed(versions), since=at, versioning=versioning)


@pytest.mark.parametrize(
    ("versions", "removed"), [([M1, V1], ("m1",)), ([M2, M1, V1, OLD_MARKER], ("m2", "m1"))]
)
def test_deletion_since_is_undone_down_to_the_newest_version(versions, removed):
    assert since(*versions).marker_version_ids == removed


@pytest.mark.parametrize("versions", [[V1], [OLD_MARKER, V1], [V2, M1, V1]])
def test_what_was_not_deleted_since_is_out_of_question(versions):
    assert since(*versions) is None


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([M1], SkipReason.VERSION_GONE),
        ([M1, OLD_MARKER, V1], SkipReason.OLDER_MARKER),
        ([M2, marker("null"), V1], SkipReason.NULL_MARKER),
    ],
)
def test_what_cannot_be_undone_since_says_why(versions, reason):
    assert since(*versions, versioning=Versioning.SUSPENDED).reason is reason


def test_marker_of_the_very_moment_counts():
    assert since(M1, V1, seconds=1) is not None
    assert since(M1, V1, seconds=1.001) is None


# What a journal says twice.

DELETED, ABSENT, FAILED = ObjectOutcome.DELETED, ObjectOutcome.ABSENT, ObjectOutcome.FAILED
UNKNOWN = ObjectOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("earlier", "later", "merged"),
    [
        (FAILED, DELETED, DELETED),
        (UNKNOWN, ABSENT, UNKNOWN),
        (None, DELETED, DELETED),
        (None, FAILED, None),
        (DELETED, ABSENT, DELETED),
        (DELETED, FAILED, DELETED),
        (ABSENT, FAILED, ABSENT),
    ],
)
def test_of_one_version_the_outcome_stays_that_says_most_of_a_deletion(earlier, later, merged):
    one = merge_entries(entry(earlier, markers=["m1"]), entry(later, markers=["m2"]))
    assert one.outcome is merged
    assert one.marker_version_ids == {"m1", "m2"}


@pytest.mark.parametrize(
    ("earlier", "later", "stays"),
    [
        (DELETED, DELETED, "v2"),
        (DELETED, None, "v2"),
        (DELETED, FAILED, "v2"),
        (DELETED, ObjectOutcome.DENIED, "v1"),
        (DELETED, ABSENT, "v1"),
        (FAILED, FAILED, "v2"),
    ],
)
def test_of_two_versions_the_later_stays_unless_nothing_was_done_to_it(earlier, later, stays):
    one = merge_entries(entry(earlier), entry(later, version_id="v2", etag='"other"'))
    assert one.version_id == stays


# For all versions there could be.


@st.composite
def stacks(draw):
    """The versions of one key, newest first: versions and markers, before and since the run."""
    kinds = draw(st.lists(st.sampled_from(["version", "marker", "old marker"]), max_size=6))
    made = []
    for number, kind in enumerate(kinds):
        if kind == "version":
            made.append(version(f"v{number}"))
        else:
            made.append(marker(f"m{number}", seconds=1 if kind == "marker" else -3600))
    return made


@given(
    stack=stacks(),
    outcome=st.sampled_from([None, *ObjectOutcome]),
    versioning=st.sampled_from(Versioning),
    number=st.integers(0, 6),
)
def test_undo_removes_nothing_but_the_markers_that_hide_the_journaled_version(
    stack, outcome, versioning, number
):
    one = entry(outcome, version_id=f"v{number}")
    undoing = decide(one, *stack, versioning=versioning)
    if isinstance(undoing, SkipObject):
        return
    removed = set(undoing.marker_version_ids)
    assert removed
    assert all(other.is_delete_marker for other in stack if other.version_id in removed)
    left = [other for other in stack if other.version_id not in removed]
    assert left[0].version_id == one.version_id
    assert stack[: len(removed)] == [other for other in stack if other.version_id in removed]


def test_skips_are_summed_up_by_reason_with_a_few_examples():
    skips = [
        SkipObject(key=f"old/{number}", size_bytes=2, reason=SkipReason.VERSION_GONE)
        for number in range(5)
    ]
    (one,) = summarize_skips(skips)
    assert (one.object_count, one.size_bytes, len(one.examples)) == (5, 10, EXAMPLES_KEPT)
