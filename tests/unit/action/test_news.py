"""Which results are worth a comment or an open issue."""

from dataclasses import replace

import pytest

from ci3.action.news import News
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.target_result import TargetResult
from tests.support import report_cases as cases


def make_news(*target_results, has_policy_changes=False):
    return News.from_results(target_results, has_policy_changes=has_policy_changes)


def make_result_with_warning(code):
    plan = cases.nothing_to_delete()
    return TargetResult(plan=replace(plan, warnings=(PlanWarning(code=code, message="m"),)))


def make_planned_result(plan):
    return TargetResult(plan=plan)


def make_applied_result(**problems):
    plan = cases.usual_plan()
    return TargetResult(plan=plan, result=cases.result_of(plan, **problems))


NOTHING = make_planned_result(cases.nothing_to_delete())


@pytest.mark.parametrize(
    ("target_result", "is_comment_worthy", "needs_action"),
    [
        (make_planned_result(cases.usual_plan()), True, True),
        (make_planned_result(cases.refused_plan()), True, True),
        (NOTHING, False, False),
        (make_result_with_warning(WarningCode.NOTHING_MATCHES), True, True),
        (make_result_with_warning(WarningCode.EXPIRE_CLOSED), True, True),
        (make_result_with_warning(WarningCode.LONG_SPAN), False, False),
        (make_applied_result(), True, False),
        (make_applied_result(problem="denied"), True, True),
        (make_applied_result(stopped="timeout"), True, True),
        (cases.stale_result(), True, True),
    ],
)
def test_results_are_worth_a_comment_or_an_action(target_result, is_comment_worthy, needs_action):
    for target_results in ([target_result], [NOTHING, target_result]):
        news = make_news(*target_results)

        assert (news.is_comment_worthy, news.needs_action) == (is_comment_worthy, needs_action)


def test_policy_change_is_worth_a_comment_and_no_issue():
    news = make_news(NOTHING, has_policy_changes=True)

    assert (news.is_comment_worthy, news.needs_action) == (True, False)


def test_digest_text_depends_only_on_deployments_to_delete_and_on_problems():
    plan = cases.usual_plan()
    fewer = replace(plan, decisions=plan.decisions[:-1])
    kept_more = replace(plan, decisions=plan.decisions[1:])
    refused = replace(plan, refusals=cases.refused_plan().refusals)
    warned = replace(
        plan, warnings=make_result_with_warning(WarningCode.NOTHING_MATCHES).plan.warnings
    )
    other_target = replace(plan, target=replace(plan.target, prefix="elsewhere/"))
    texts = {
        make_news(make_planned_result(changed_plan)).digest_text
        for changed_plan in (plan, fewer, refused, warned, other_target)
    }

    assert len(texts) == 5
    assert plan.decisions[0].is_keep
    assert plan.decisions[-1].is_delete
    assert (
        make_news(make_planned_result(kept_more)).digest_text
        == make_news(make_planned_result(plan)).digest_text
    )
    assert (
        make_news(make_planned_result(refused)).digest_text
        == make_news(
            make_planned_result(replace(refused, refusals=refused.refusals[::-1]))
        ).digest_text
    )
