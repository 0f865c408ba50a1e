"""The first two lines of a report: outcome, target and consequences."""

from dataclasses import replace

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.plan.target_result import TargetResult
from ci3.report.plan.verdict import describe_verdict
from tests.support import report_cases as cases
from tests.support.golden import assert_messages

REFUSAL = Refusal(code=RefusalCode.MAX_DELETE, message="too many")


def make_planned_result(versioning=Versioning.DISABLED, *, refusals=()):
    return TargetResult(plan=replace(cases.usual_plan(versioning), refusals=refusals))


def make_applied_result(plan, **options):
    return TargetResult(plan=plan, result=cases.result_of(plan, **options))


SITUATIONS = {
    **{versioning.value: [make_planned_result(versioning)] for versioning in Versioning},
    "versions deleted": [TargetResult(plan=cases.final_plan())],
    "versioned and not": [make_planned_result(Versioning.ENABLED), make_planned_result()],
    "two of a kind": [make_planned_result(), make_planned_result()],
    "refused": [make_planned_result(refusals=(REFUSAL,))],
    "one of two refused": [make_planned_result(), make_planned_result(refusals=(REFUSAL,))],
    "nothing to delete": [TargetResult(plan=cases.nothing_to_delete())],
    "empty": [TargetResult(plan=cases.empty_bucket())],
    "applied": [make_applied_result(cases.usual_plan())],
    "some skipped": [make_applied_result(cases.usual_plan(), problem="it changed")],
    "by rules": [TargetResult(plan=cases.lifecycle_plan())],
    "expiring": [cases.lifecycle_later()],
    "stale": [cases.stale_result()],
    "overlapping": [TargetResult(plan=cases.ambiguous_plan())],
}


def test_verdicts_equal_their_golden():
    verdicts = {name: describe_verdict(results) for name, results in SITUATIONS.items()}
    assert_messages(
        __file__,
        [
            (name, f"{item.glyph} {item.subject} X: {item.result}\n{item.summary}")
            for name, item in verdicts.items()
        ],
    )


@pytest.mark.parametrize("name", ["refused", "one of two refused", "stale"])
def test_blocked_cleanup_never_looks_like_a_deletion(name):
    verdict = describe_verdict(SITUATIONS[name])
    assert verdict.glyph == "⛔"
    assert not any(character.isdigit() for character in verdict.result)


def test_target_that_is_blocked_by_another_target_is_not_shown_as_a_plan():
    alone, blocked = (
        describe_verdict([make_planned_result()], is_run_blocked=is_run_blocked)
        for is_run_blocked in (False, True)
    )
    assert (alone.glyph, blocked.glyph) == ("🧹", "⏸️")
    assert alone.summary != blocked.summary


@pytest.mark.parametrize("versioning", [Versioning.SUSPENDED, Versioning.UNKNOWN])
def test_freed_size_is_an_upper_bound_if_versions_may_be_kept(versioning):
    known, unknown = (
        describe_verdict([make_planned_result(item)]) for item in (Versioning.DISABLED, versioning)
    )
    assert known.summary != unknown.summary
    assert "38 MB" in unknown.summary


def test_sizes_of_versioned_and_other_targets_are_not_added():
    summary = describe_verdict(SITUATIONS["versioned and not"]).summary
    assert summary.count("38 MB") == 2
    assert "76 MB" not in summary
