"""Headlines of results count absent objects separately."""

from dataclasses import replace

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.target_result import TargetResult, sum_outputs
from ci3.report.plan.headlines import format_result_headline
from tests.support.messages import numbers_in
from tests.support.report_cases import deployment, inventory, make_plan, result_of


@pytest.mark.parametrize(
    ("absent", "shown_counts"),
    [(0, []), (1, [1]), (24, [24])],
)
def test_headline_counts_absent_objects(absent: int, shown_counts: list[int]) -> None:
    plan = make_plan(inventory(*(deployment(f"v{days}", days) for days in (1, 2, 3))), keep_count=1)
    result = result_of(plan)
    first, *remaining = (replace(item, counts={}) for item in result.deployments)
    first = replace(first, counts={ObjectOutcome.ABSENT: absent})
    result = replace(result, deployments=(first, *remaining))
    _, _, after_objects = format_result_headline(plan, result).partition("0 objects")
    assert numbers_in(after_objects)[: len(shown_counts)] == shown_counts
    outputs = sum_outputs([TargetResult(plan=plan, result=result)])
    assert (outputs["objects-absent"], outputs["objects-deleted"]) == (absent, 0)
