"""What is worth a comment or an open issue."""

from dataclasses import replace

import pytest

from ci3.action.news import News
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.target_result import TargetResult
from tests.support import report_cases as cases


def news_of(*target_results, has_policy_changes=False):
    return News.from_results(target_results, has_policy_changes=has_policy_changes)


def with_warning(code):
    plan = cases.nothing_to_delete()
    return TargetResult(plan=replace(plan, warnings=(PlanWarning(code=code, message="m"),)))


def planned(plan):
    return TargetResult(plan=plan)


def applied(**problems):
    plan = cases.usual_plan()
    return TargetResult(plan=plan, result=cases.result_of(plan, **problems))


NOTHING = planned(cases.nothing_to_delete())


@pytest.mark.parametrize(
    ("target_result", "is_comment_worthy", "needs_action"),
    [
        (planned(cases.usual_plan()), True, True),
        (planned(cases.refused_plan()), True, True),
        (NOTHING, False, False),
        (with_warning(WarningCode.NOTHING_MATCHES), True, True),
        (with_warning(WarningCode.EXPIRE_CLOSED), True, True),
        (with_warning(WarningCode.LONG_SPAN), False, False),
        (applied(), True, False),
        (applied(problem="denied"), True, True),
        (applied(stopped="timeout"), True, True),
        (cases.stale_result(), True, True),
    ],
)
def test_news_of_a_result(target_result, is_comment_worthy, needs_action):
    for target_results in ([target_result], [NOTHING, target_result]):
        news = news_of(*target_results)

        assert (news.is_comment_worthy, news.needs_action) == (is_comment_worthy, needs_action)


def test_policy_change_is_worth_a_comment_and_no_issue():
    news = news_of(NOTHING, has_policy_changes=True)

    assert (news.is_comment_worthy, news.needs_action) == (True, False)


def test_digest_text_depends_on_what_is_to_be_deleted_and_on_problems_alone():
    plan = cases.usual_plan()
    fewer = replace(plan, decisions=plan.decisions[:-1])
    kept_more = replace(plan, decisions=plan.decisions[1:])
    refused = replace(plan, refusals=cases.refused_plan().refusals)
    warned = replace(plan, warnings=with_warning(WarningCode.NOTHING_MATCHES).plan.warnings)
    elsewhere = replace(plan, target=replace(plan.target, prefix="elsewhere/"))
    texts = {
        news_of(planned(changed)).digest_text
        for changed in (plan, fewer, refused, warned, elsewhere)
    }

    assert len(texts) == 5
    assert plan.decisions[0].is_keep
    assert plan.decisions[-1].is_delete
    assert news_of(planned(kept_more)).digest_text == news_of(planned(plan)).digest_text
    assert (
        news_of(planned(refused)).digest_text
        == news_of(planned(replace(refused, refusals=refused.refusals[::-1]))).digest_text
    )
