import pytest

from ci3.core.plan.target_result import TargetResult
from ci3.report.plan.timeline import draw_timeline
from tests.support import report_cases as cases
from tests.support.builders import deployment, inventory


def draw_lanes(target_result):
    """Return the lanes of a timeline, from top to bottom."""
    fence, *lines, _axis, end = draw_timeline(target_result).split("\n")
    assert (fence, end) == ("```diff", "```")
    return lines


def test_each_deployment_has_its_mark_in_its_lane():
    to_delete, kept, live = draw_lanes(TargetResult(plan=cases.live_plan()))

    assert (to_delete[0], kept[0], live[0]) == ("-", "+", "!")
    assert to_delete.count("✕") == 6
    assert kept.count("●") == 7
    assert live.count("▲") == 1
    assert kept[live.index("▲")] == "●"


def test_newest_deployment_is_at_the_right_and_the_axis_has_both_dates():
    *_, last, axis, _ = draw_timeline(TargetResult(plan=cases.usual_plan())).split("\n")

    assert last.rstrip().endswith("●")
    assert len(last) == len(axis)
    assert axis.split() == ["2026-10-29", "2026-11-23"]


def test_deployment_that_was_not_deleted_has_a_separate_lane():
    plan = cases.usual_plan()
    target_result = TargetResult(plan=plan, result=cases.result_of(plan, problem="changed"))

    lanes = draw_lanes(target_result)
    [deleted] = [lane for lane in lanes if "✕" in lane]
    [not_deleted] = [lane for lane in lanes if "▲" in lane]
    assert deleted.count("✕") == 6
    assert not_deleted.count("▲") == 1


def test_height_of_a_cell_shows_the_number_of_deployments():
    to_delete, kept = draw_lanes(TargetResult(plan=cases.huge_plan()))

    assert to_delete.count("█") > 20
    assert "✕" not in to_delete
    assert len(kept.partition("kept")[2].strip()) < 10


@pytest.mark.parametrize("ages", [(), (1,), (1, 2)])
def test_few_deployments_have_no_timeline(ages):
    deployments = [deployment(f"d{age}", age) for age in ages]

    assert draw_timeline(TargetResult(plan=cases.make_plan(inventory(*deployments)))) == ""


def test_old_deployment_does_not_squeeze_the_others():
    ages = (1, 2, 3, 4, 1000)
    deployments = [deployment(f"d{age}", age) for age in ages]

    [kept] = draw_lanes(TargetResult(plan=cases.make_plan(inventory(*deployments))))

    assert kept.count("●") == len(ages)
    gaps = kept.partition("●")[2].split("●")[:-1]
    distances = [len(gap) for gap in gaps]
    assert max(distances) - min(distances) <= 1
