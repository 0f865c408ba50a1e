"""What a resumed run may delete: a half-deleted deployment against what was approved."""

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
    make_object(f"old/{name}", at=days_ago(9 + at), size_bytes=at, etag=f'"{name}"')
    for at, name in enumerate("abcd")
)
(APPROVED,) = approved_by_prefix([summarize_folder("old", "old/", OBJECTS)]).values()


def entry(one, outcome=ObjectOutcome.DELETED, **changes) -> JournalEntry:
    fields = {name: getattr(one, name) for name in ("key", "etag", "size_bytes", "modified_at")}
    return JournalEntry(outcome=outcome, **(fields | changes))


A, B, C, D = OBJECTS


@pytest.mark.parametrize(
    ("left", "journaled", "is_so"),
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
def test_what_is_left_and_what_went_by_the_run_must_make_what_was_approved(left, journaled, is_so):
    assert has_only_own_deletions(APPROVED, left, [entry(one) for one in journaled]) is is_so


@given(st.sets(st.sampled_from(OBJECTS)), st.sets(st.sampled_from(OBJECTS)))
def test_object_that_is_neither_left_nor_journaled_went_without_the_run(left, journaled):
    is_whole = left | journaled == set(OBJECTS)
    assert (
        has_only_own_deletions(APPROVED, tuple(left), [entry(one) for one in journaled]) is is_whole
    )


def test_of_several_versions_that_went_for_good_the_newest_was_the_one_that_was_listed():
    older = entry(A._replace(etag='"was"', modified_at=days_ago(99)), is_permanent=True)
    marker = entry(
        make_object("old/hidden", at=days_ago(1)), is_permanent=True, is_delete_marker=True
    )
    hidden = entry(make_object("old/hidden", at=days_ago(50)), is_permanent=True)
    versions = [entry(A, is_permanent=True), older, marker, hidden]
    assert has_only_own_deletions(APPROVED, (B, C, D), versions)
    assert not has_only_own_deletions(APPROVED, (B, C, D), [older, marker, hidden])


# The plan for what is left.


X, Y, Z = deployment("x", 30), deployment("y", 20), deployment("z", 1)


def left(*decisions, approved=(X, Y), unchanged=(), ignored=(), refusals=(), **more):
    fresh = plan(*decisions, ignored=ignored, refusals=refusals)
    return plan_resume(
        fresh, approved_by_prefix(approved), unchanged, run_label="the run r", **more
    )


def actions(found):
    return {one.deployment.name: (str(one.action), one.reasons[0].code)
            for one in found.plan.decisions}  # fmt: skip


def test_nothing_is_deleted_but_what_was_approved_and_is_as_it_was():
    w = deployment("w", 40)
    changed = deployment("y", 20, size_bytes=2000)
    found = left(kept(Z), to_delete(changed), to_delete(X), to_delete(w))
    assert actions(found) == {
        "z": ("keep", ReasonCode.KEEP_COUNT),
        "y": ("keep", ReasonCode.NOT_APPROVED),
        "x": ("delete", ReasonCode.SUPERSEDED),
        "w": ("keep", ReasonCode.NOT_APPROVED),
    }
    assert list(found.kept_reasons) == ["y"]


def test_half_deleted_deployment_that_is_else_unchanged_goes():
    half = deployment("y", 20, size_bytes=2000)
    found = left(to_delete(half), to_delete(X), unchanged={"y/"})
    assert [one.deployment for one in found.plan.to_delete] == [half, X]


def test_what_was_brought_back_stays_whatever_it_is_like_now():
    half = deployment("y", 20, size_bytes=2000)
    found = left(to_delete(half), to_delete(X), unchanged={"y/"}, restored_prefixes={"x/", "y/"})
    assert found.plan.to_delete == ()
    assert found.kept_reasons.keys() == {"x", "y"}


def test_what_the_run_deleted_or_found_gone_was_gone_and_nothing_else():
    outcomes = [None, *ObjectOutcome]
    entries = [entry(make_object(f"old/{one}"), one) for one in outcomes]
    assert find_absent_keys(entries) == {"old/deleted", "old/absent"}
    assert find_absent_keys([replace(one, is_permanent=True) for one in entries]) == set()


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
def test_limits_are_held_against_what_is_left_to_delete(limits, codes):
    """The new plan is over both, with what became due since; what else it refuses stays."""
    passed = (RefusalCode.UNREADABLE_DEPLOYMENT, RefusalCode.MAX_DELETE,
              RefusalCode.MAX_DELETE_BYTES)  # fmt: skip
    refusals = tuple(Refusal(code=one, message="more") for one in passed)
    decisions = [to_delete(X), to_delete(deployment("w", 40)), kept(Z)]
    found = left(*decisions, refusals=refusals, limits=limits)
    assert [one.code for one in found.plan.refusals] == [passed[0], *codes]
    assert [one.name for one in (x.deployment for x in found.plan.to_delete)] == ["x"]


def test_folder_that_is_shown_without_objects_is_gone():
    found = left(kept(empty_deployment("y"), message="nothing in it"), to_delete(X))
    assert (found.absent_prefixes, found.kept_reasons) == (("y/",), {})
    assert [one.deployment for one in found.plan.to_delete] == [X]


IGNORED_X = (IgnoredEntry(name="x/", reason="no match"),)


def test_what_is_kept_by_now_or_no_deployment_any_more_is_told():
    found = left(kept(Y, message="a-reason"), ignored=IGNORED_X)
    assert found.kept_reasons.keys() == {"y", "x"}
    assert found.kept_reasons["y"] == "a-reason"
    assert (found.plan.to_delete, found.absent_prefixes) == ((), ())


def test_how_far_the_run_had_come_is_a_warning_of_the_plan():
    warnings = [found.plan.warnings[0] for found in (left(to_delete(Y)), left(kept(Z)))]
    assert {one.code for one in warnings} == {WarningCode.RESUMED}
    assert [numbers_in(warning.message) for warning in warnings] == [[2, 1, 1, 0], [2]]
    assert left(to_delete(Y)).absent_prefixes == ("x/",)


def test_messages_are_the_golden_ones():
    restored = left(to_delete(X), restored_prefixes={"x/"})
    cases = {
        "restored": restored.kept_reasons["x"],
        "changed": left(to_delete(deployment("y", 20, size_bytes=2000))).kept_reasons["y"],
        "no deployment any more": left(ignored=IGNORED_X).kept_reasons["x"],
        "one left": left(to_delete(Y)).plan.warnings[0],
        "nothing left": left(kept(Z)).plan.warnings[0],
    }
    assert_messages(__file__, cases.items())
