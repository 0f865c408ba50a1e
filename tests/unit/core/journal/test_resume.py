"""What a resumed run may delete of the deployments that were approved."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.summary import summarize_folder
from ci3.core.journal.entry import JournalEntry
from ci3.core.journal.header import approved_by_prefix
from ci3.core.journal.resume import find_absent_keys, has_only_own_deletions, plan_resume
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import IgnoredEntry
from ci3.core.model.issues import Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DeleteLimit
from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.checks import Limits
from ci3.core.units import ByteSize
from tests.support.builders import (
    days_ago,
    deployment,
    empty_deployment,
    kept,
    make_object,
    plan,
    to_delete,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in

OBJECTS = tuple(
    make_object(f"old/{name}", at=days_ago(9 + index), size_bytes=index, etag=f'"{name}"')
    for index, name in enumerate("abcd")
)
(APPROVED,) = approved_by_prefix([summarize_folder("old", "old/", OBJECTS)]).values()


def make_entry(item, outcome=ObjectOutcome.DELETED, **changes) -> JournalEntry:
    fields = {name: getattr(item, name) for name in ("key", "etag", "size_bytes", "modified_at")}
    return JournalEntry(outcome=outcome, **(fields | changes))


A, B, C, D = OBJECTS


@pytest.mark.parametrize(
    ("remaining", "journaled", "is_expected"),
    [
        ((A, B, C, D), (), True),
        ((C, D), (A, B), True),
        ((B, C, D), (A, B), True),
        ((), (A, B, C, D), True),
        ((D, C), (B, A), True),
        ((C,), (A, B), False),
        ((C, D), (A,), False),
        ((C, D), (), False),
        ((C, D, make_object("old/e")), (A, B), False),
        ((C, D._replace(etag='"other"')), (A, B), False),
        ((C, D._replace(modified_at=days_ago(1))), (A, B), False),
        ((C, D._replace(size_bytes=9)), (A, B), False),
        ((A._replace(etag='"back"'), C, D), (A, B), False),
        ((A._replace(modified_at=days_ago(1)), C, D), (A, B), False),
    ],
)
def test_remaining_and_journaled_objects_must_add_up_to_the_approved_ones(
    remaining, journaled, is_expected
):
    assert (
        has_only_own_deletions(APPROVED, remaining, [make_entry(item) for item in journaled])
        is is_expected
    )


@given(st.sets(st.sampled_from(OBJECTS)), st.sets(st.sampled_from(OBJECTS)))
def test_object_that_neither_remains_nor_is_journaled_was_not_deleted_by_the_run(
    remaining, journaled
):
    is_complete = remaining | journaled == set(OBJECTS)
    assert (
        has_only_own_deletions(APPROVED, tuple(remaining), [make_entry(item) for item in journaled])
        is is_complete
    )


def test_newest_of_several_permanently_deleted_versions_counts_as_the_listed_one():
    older = make_entry(A._replace(etag='"was"', modified_at=days_ago(99)), is_permanent=True)
    marker = make_entry(
        make_object("old/hidden", at=days_ago(1)), is_permanent=True, is_delete_marker=True
    )
    hidden_version = make_entry(make_object("old/hidden", at=days_ago(50)), is_permanent=True)
    versions = [make_entry(A, is_permanent=True), older, marker, hidden_version]
    assert has_only_own_deletions(APPROVED, (B, C, D), versions)
    assert not has_only_own_deletions(APPROVED, (B, C, D), [older, marker, hidden_version])


# The plan for the remaining deployments.


X, Y, Z = deployment("x", 30), deployment("y", 20), deployment("z", 1)


def resume(*decisions, approved=(X, Y), unchanged=(), ignored=(), refusals=(), **options):
    fresh = plan(*decisions, ignored=ignored, refusals=refusals)
    return plan_resume(
        fresh, approved_by_prefix(approved), unchanged, run_label="the run r", **options
    )


def list_actions(resumed):
    return {
        decision.deployment.name: (str(decision.action), decision.reasons[0].code)
        for decision in resumed.plan.decisions
    }


def test_only_approved_and_unchanged_deployments_are_deleted():
    w = deployment("w", 40)
    changed = deployment("y", 20, size_bytes=2000)
    resumed = resume(kept(Z), to_delete(changed), to_delete(X), to_delete(w))
    assert list_actions(resumed) == {
        "z": ("keep", ReasonCode.KEEP_COUNT),
        "y": ("keep", ReasonCode.NOT_APPROVED),
        "x": ("delete", ReasonCode.SUPERSEDED),
        "w": ("keep", ReasonCode.NOT_APPROVED),
    }
    assert list(resumed.kept_reasons) == ["y"]


def test_half_deleted_deployment_that_is_otherwise_unchanged_is_deleted():
    half_deleted = deployment("y", 20, size_bytes=2000)
    resumed = resume(to_delete(half_deleted), to_delete(X), unchanged={"y/"})
    assert [decision.deployment for decision in resumed.plan.to_delete] == [half_deleted, X]


def test_restored_deployment_is_kept_whether_changed_or_not():
    half_deleted = deployment("y", 20, size_bytes=2000)
    resumed = resume(
        to_delete(half_deleted), to_delete(X), unchanged={"y/"}, restored_prefixes={"x/", "y/"}
    )
    assert resumed.plan.to_delete == ()
    assert resumed.kept_reasons.keys() == {"x", "y"}


def test_only_deleted_and_absent_keys_are_absent():
    outcomes = [None, *ObjectOutcome]
    entries = [make_entry(make_object(f"old/{outcome}"), outcome) for outcome in outcomes]
    assert find_absent_keys(entries) == {"old/deleted", "old/absent"}
    assert find_absent_keys([replace(item, is_permanent=True) for item in entries]) == set()


@pytest.mark.parametrize(
    ("limits", "codes"),
    [
        (Limits(max_delete=DeleteLimit(amount=1, is_percent=False)), []),
        (Limits(max_delete_bytes=ByteSize(text="2 kB", size_bytes=2000)), []),
        (Limits(max_delete=DeleteLimit(amount=10, is_percent=True)), [RefusalCode.MAX_DELETE]),
        (
            Limits(max_delete_bytes=ByteSize(text="1 kB", size_bytes=1999)),
            [RefusalCode.MAX_DELETE_BYTES],
        ),
    ],
)
def test_limits_count_only_what_remains_to_delete(limits, codes):
    """The limits of the new plan count only approved deployments; its other refusals stay."""
    fresh_codes = (RefusalCode.UNREADABLE_DEPLOYMENT, RefusalCode.MAX_DELETE,
              RefusalCode.MAX_DELETE_BYTES)  # fmt: skip
    refusals = tuple(Refusal(code=code, message="more") for code in fresh_codes)
    decisions = [to_delete(X), to_delete(deployment("w", 40)), kept(Z)]
    resumed = resume(*decisions, refusals=refusals, limits=limits)
    assert [refusal.code for refusal in resumed.plan.refusals] == [fresh_codes[0], *codes]
    assert [decision.deployment.name for decision in resumed.plan.to_delete] == ["x"]


def test_folder_without_objects_is_absent():
    resumed = resume(kept(empty_deployment("y"), message="nothing in it"), to_delete(X))
    assert (resumed.absent_prefixes, resumed.kept_reasons) == (("y/",), {})
    assert [decision.deployment for decision in resumed.plan.to_delete] == [X]


IGNORED_X = (IgnoredEntry(name="x/", reason="no match"),)


def test_deployment_that_is_now_kept_or_ignored_is_reported():
    resumed = resume(kept(Y, message="a-reason"), ignored=IGNORED_X)
    assert resumed.kept_reasons.keys() == {"y", "x"}
    assert resumed.kept_reasons["y"] == "a-reason"
    assert (resumed.plan.to_delete, resumed.absent_prefixes) == ((), ())


def test_progress_of_the_interrupted_run_is_a_warning():
    warnings = [resumed.plan.warnings[0] for resumed in (resume(to_delete(Y)), resume(kept(Z)))]
    assert {warning.code for warning in warnings} == {WarningCode.RESUMED}
    assert [numbers_in(warning.message) for warning in warnings] == [[2, 1, 1, 0], [2]]
    assert resume(to_delete(Y)).absent_prefixes == ("x/",)


def test_messages_are_the_golden_ones():
    restored = resume(to_delete(X), restored_prefixes={"x/"})
    cases = {
        "restored": restored.kept_reasons["x"],
        "changed": resume(to_delete(deployment("y", 20, size_bytes=2000))).kept_reasons["y"],
        "no deployment any more": resume(ignored=IGNORED_X).kept_reasons["x"],
        "one left": resume(to_delete(Y)).plan.warnings[0],
        "nothing left": resume(kept(Z)).plan.warnings[0],
    }
    assert_messages(__file__, cases.items())
