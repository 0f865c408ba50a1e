"""What is restored of one key: tables of journal entries and current versions."""

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
    """Return a delete marker created `seconds` after the start of the run."""
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


def mark_latest(versions: Sequence[StoredVersion]) -> list[StoredVersion]:
    """Return versions as S3 lists them: the first one is the latest."""
    return [replace(version, is_latest=index == 0) for index, version in enumerate(versions)]


def decide(journal_entry: JournalEntry, *versions: StoredVersion, versioning=Versioning.ENABLED):
    listed = mark_latest(versions)
    return decide_entry_restore(journal_entry, listed, started_at=STARTED_AT, versioning=versioning)


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
def test_only_markers_of_the_run_above_the_version_are_removed(versions, removed):
    result = decide(entry(), *versions)
    assert result == RestoreObject(
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
def test_everything_else_is_skipped_with_its_reason(versions, reason):
    assert decide(entry(), *versions) == SkipObject(key=KEY, size_bytes=10, reason=reason)


def test_denied_deletion_is_not_restored():
    """A later run may have deleted it, and has its own journal."""
    assert decide(entry(ObjectOutcome.DENIED), M1, V1).reason is SkipReason.NOT_DELETED


def test_failed_deletion_that_took_effect_is_restored():
    """The request was still running when the outcome was resolved by a listing."""
    assert decide(entry(FAILED), M1, V1).marker_version_ids == ("m1",)
    assert decide(entry(FAILED), V1).reason is SkipReason.NOT_DELETED
    assert decide(entry(FAILED), V2, M1, V1).reason is SkipReason.NEWER_VERSION
    assert decide(entry(FAILED), OLD_MARKER, V1).reason is SkipReason.OLDER_MARKER
    assert decide(entry(FAILED), M1).reason is SkipReason.VERSION_GONE


@pytest.mark.parametrize(
    "outcome", [None, ObjectOutcome.UNKNOWN, ObjectOutcome.ABSENT, ObjectOutcome.CHANGED]
)
def test_possible_deletion_is_restored_if_the_versions_show_it(outcome):
    assert decide(entry(outcome), M1, V1).marker_version_ids == ("m1",)
    assert decide(entry(outcome), V1).reason is SkipReason.ALREADY_THERE
    assert decide(entry(outcome), V2, M1, V1).reason is SkipReason.NEWER_VERSION


@pytest.mark.parametrize("versions", [(), (M1,), (M1, V2)])
def test_permanently_deleted_version_is_unrecoverable(versions):
    skip = decide(entry(is_permanent=True), *versions)
    assert isinstance(skip, SkipObject)
    assert skip.reason is SkipReason.FINAL
    assert skip.reason.is_unrecoverable
    skip_existing = decide(entry(is_permanent=True), *versions, V1)
    assert isinstance(skip_existing, SkipObject)
    assert skip_existing.reason is SkipReason.NOT_DELETED


def test_absent_object_was_not_deleted_by_the_run():
    assert decide(entry(ObjectOutcome.ABSENT)).reason is SkipReason.NOT_DELETED
    assert decide(entry(ObjectOutcome.UNKNOWN)).reason is SkipReason.VERSION_GONE


def test_marker_in_the_journal_belongs_to_the_run_whatever_its_time():
    assert decide(entry(markers=["m0"]), OLD_MARKER, V1).marker_version_ids == ("m0",)


@pytest.mark.parametrize(
    ("listed_version", "is_restored"),
    [
        (version("x"), True),
        (version("x", etag='"other"'), False),
        (version("x", size_bytes=11), False),
        (version("x", at=days_ago(9) + timedelta(seconds=1)), False),
    ],
)
def test_version_without_an_id_is_found_by_etag_size_and_time(listed_version, is_restored):
    result = decide(entry(version_id=""), M1, listed_version)
    assert isinstance(result, RestoreObject) is is_restored
    if not is_restored:
        assert result.reason is SkipReason.VERSION_GONE


def test_version_id_takes_precedence_over_equal_content():
    result = decide(entry(version_id="v1"), version("twin"), V1)
    assert result.reason is SkipReason.NEWER_VERSION


def test_rewritten_null_version_is_not_the_journaled_one():
    null = version("null", at=NOW, etag='"other"')
    assert decide(entry(version_id="null"), M1, null).reason is SkipReason.NULL_VERSION
    assert decide(entry(version_id="null"), M1, version("null")).version_id == "null"


@pytest.mark.parametrize(
    ("versioning", "is_restored"),
    [
        (Versioning.ENABLED, True),
        (Versioning.SUSPENDED, False),
        (Versioning.UNKNOWN, False),
        (Versioning.DISABLED, False),
    ],
)
def test_null_marker_is_removed_only_if_versioning_is_enabled(versioning, is_restored):
    result = decide(entry(), marker("null"), V1, versioning=versioning)
    assert isinstance(result, RestoreObject) is is_restored
    assert is_restored or result.reason is SkipReason.NULL_MARKER


def test_version_lost_under_suspended_versioning_is_reported():
    destroyed = entry(version_id="", markers=["null"])
    result = decide(destroyed, marker("null"), versioning=Versioning.SUSPENDED)
    assert result.reason is SkipReason.NULL_VERSION


def test_older_null_marker_is_not_removed_though_it_is_journaled():
    older = marker("null", seconds=-3600)
    result = decide(entry(markers=["null"]), older, V1)
    assert result.reason is SkipReason.OLDER_MARKER


def test_marker_is_never_taken_for_an_empty_object_without_an_etag():
    empty = entry(version_id="", etag="", size_bytes=0, modified_at=M1.modified_at)
    assert decide(empty, M1).reason is SkipReason.VERSION_GONE


def test_bucket_without_versions_cannot_be_restored():
    assert decide(entry(), versioning=Versioning.DISABLED).reason is SkipReason.NO_VERSIONS


# A version that is not listed as the latest is not current.

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
    result = decide_entry_restore(
        entry(outcome), listed, started_at=STARTED_AT, versioning=Versioning.ENABLED
    )
    assert isinstance(result, SkipObject)
    is_denied = outcome is ObjectOutcome.DENIED
    assert result.reason is (SkipReason.NOT_DELETED if is_denied else SkipReason.NOT_CURRENT)
    assert result.reason.is_unrecoverable is not is_denied
    result_since = decide_restore_since(listed, since=STARTED_AT, versioning=Versioning.ENABLED)
    assert result_since is not None
    assert result_since.reason is SkipReason.NOT_CURRENT


def test_older_current_version_does_not_count_as_newer():
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


def decide_since(*versions: StoredVersion, seconds: float = 0, versioning=Versioning.ENABLED):
    at = STARTED_AT + timedelta(seconds=seconds)
    return decide_restore_since(mark_latest(versions), since=at, versioning=versioning)


@pytest.mark.parametrize(
    ("versions", "removed"), [([M1, V1], ("m1",)), ([M2, M1, V1, OLD_MARKER], ("m2", "m1"))]
)
def test_deletion_since_a_time_is_restored_to_the_newest_version(versions, removed):
    assert decide_since(*versions).marker_version_ids == removed


@pytest.mark.parametrize("versions", [[V1], [OLD_MARKER, V1], [V2, M1, V1]])
def test_object_not_deleted_since_the_time_has_no_result(versions):
    assert decide_since(*versions) is None


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ([M1], SkipReason.VERSION_GONE),
        ([M1, OLD_MARKER, V1], SkipReason.OLDER_MARKER),
        ([M2, marker("null"), V1], SkipReason.NULL_MARKER),
    ],
)
def test_deletion_that_cannot_be_restored_has_its_reason(versions, reason):
    assert decide_since(*versions, versioning=Versioning.SUSPENDED).reason is reason


def test_marker_created_at_the_given_time_counts():
    assert decide_since(M1, V1, seconds=1) is not None
    assert decide_since(M1, V1, seconds=1.001) is None


# Two journal entries for one key.

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
def test_merged_entry_of_one_version_has_the_outcome_closest_to_deleted(earlier, later, merged):
    merged_entry = merge_entries(entry(earlier, markers=["m1"]), entry(later, markers=["m2"]))
    assert merged_entry.outcome is merged
    assert merged_entry.marker_version_ids == {"m1", "m2"}


@pytest.mark.parametrize(
    ("earlier", "later", "version_id"),
    [
        (DELETED, DELETED, "v2"),
        (DELETED, None, "v2"),
        (DELETED, FAILED, "v2"),
        (DELETED, ObjectOutcome.DENIED, "v1"),
        (DELETED, ABSENT, "v1"),
        (FAILED, FAILED, "v2"),
    ],
)
def test_merged_entry_has_the_last_version_that_may_be_deleted(earlier, later, version_id):
    merged_entry = merge_entries(entry(earlier), entry(later, version_id="v2", etag='"other"'))
    assert merged_entry.version_id == version_id


# Properties for any versions.


@st.composite
def version_stacks(draw):
    """Generate versions and markers of one key, newest first, from before and after the run."""
    kinds = draw(st.lists(st.sampled_from(["version", "marker", "old marker"]), max_size=6))
    stack = []
    for number, kind in enumerate(kinds):
        if kind == "version":
            stack.append(version(f"v{number}"))
        else:
            stack.append(marker(f"m{number}", seconds=1 if kind == "marker" else -3600))
    return stack


@given(
    stack=version_stacks(),
    outcome=st.sampled_from([None, *ObjectOutcome]),
    versioning=st.sampled_from(Versioning),
    number=st.integers(0, 6),
)
def test_restore_removes_only_the_markers_above_the_journaled_version(
    stack, outcome, versioning, number
):
    journal_entry = entry(outcome, version_id=f"v{number}")
    result = decide(journal_entry, *stack, versioning=versioning)
    if isinstance(result, SkipObject):
        return
    removed = set(result.marker_version_ids)
    assert removed
    assert all(item.is_delete_marker for item in stack if item.version_id in removed)
    remaining = [item for item in stack if item.version_id not in removed]
    assert remaining[0].version_id == journal_entry.version_id
    assert stack[: len(removed)] == [item for item in stack if item.version_id in removed]


def test_skips_are_summarized_by_reason_with_a_few_examples():
    skips = [
        SkipObject(key=f"old/{number}", size_bytes=2, reason=SkipReason.VERSION_GONE)
        for number in range(5)
    ]
    (summary,) = summarize_skips(skips)
    assert (summary.object_count, summary.size_bytes) == (5, 10)
    assert len(summary.examples) == EXAMPLES_KEPT
