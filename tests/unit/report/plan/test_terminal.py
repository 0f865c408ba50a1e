import io
from dataclasses import replace

import pytest
from rich.console import Console

from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.model.recipes import find_recipe_url
from ci3.errors import AccessError
from ci3.report.listings import show_deployments, show_objects
from ci3.report.plan.terminal import show_error, show_plan, show_result
from ci3.report.progress_bar import ProgressBar
from ci3.report.progress_lines import ProgressLines
from tests.support import report_cases as cases
from tests.support.builders import make_object
from tests.unit.report.golden import assert_golden


def printed(show, *shown, width: int = 130, is_terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)
    show(console, *shown)
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


GOLDENS = {
    "plan": lambda: printed(show_plan, cases.usual_plan()),
    "plan-versioned": lambda: printed(show_plan, cases.usual_plan(Versioning.ENABLED)),
    "plan-final": lambda: printed(show_plan, cases.final_plan()),
    "applied-final": lambda: printed(show_result, cases.final_plan(), cases.final_result()),
    "nothing-to-delete": lambda: printed(show_plan, cases.nothing_to_delete()),
    "empty-bucket": lambda: printed(show_plan, cases.empty_bucket()),
    "doubtful": lambda: printed(show_plan, cases.ambiguous_plan()),
    "refused": lambda: printed(show_plan, cases.refused_plan()),
    "hostile-names": lambda: printed(show_plan, cases.hostile_plan()),
    "applied-versioned": lambda: printed(
        show_result, cases.live_plan(), cases.result_of(cases.live_plan())
    ),
    "partly-applied": lambda: printed(
        show_result,
        cases.usual_plan(),
        cases.result_of(cases.usual_plan(), problem="kept: it changed", stopped="the disk is full"),
    ),
    "deployments": lambda: printed(show_deployments, cases.site(3).deployments),
    "objects": lambda: printed(show_objects, (make_object("a/one"), make_object("a/\x1b[31mtwo"))),
    "error": lambda: printed(show_error, AccessError("[red]no\x1b[0m", "Ask again.")),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_a_screen_reads_as_its_golden(name):
    assert_golden(f"{name}.txt", GOLDENS[name]())


def test_no_control_character_of_a_name_reaches_a_terminal():
    text = printed(show_plan, cases.hostile_plan(), is_terminal=True)
    assert "\x1b[31mred" not in text
    assert "\u202e" not in text


def test_a_narrow_terminal_loses_no_name():
    text = printed(show_plan, cases.usual_plan(), width=60)
    assert all(one.deployment.name in text for one in cases.usual_plan().decisions)


def test_a_narrow_terminal_does_not_break_the_url_of_a_recipe():
    refusal = Refusal(code=RefusalCode.MIXED_NAMES, message="assets is named unlike the others")
    text = printed(show_plan, replace(cases.usual_plan(), refusals=(refusal,)), width=40)
    assert find_recipe_url(RefusalCode.MIXED_NAMES) in text


def test_progress_in_a_log_is_a_line_now_and_then():
    said: list[str] = []
    times = iter([0.0, 1.0, 10.0, 10.0, 11.0])
    lines = ProgressLines(said.append, clock=lambda: next(times))
    lines.begin("Listing", 3)
    for _ in range(3):
        lines.advance(1)
    lines.end()
    assert said == ["Listing: 2 of 3", "Listing: 3 of 3"]


def test_progress_on_a_terminal_shows_its_task_and_cleans_up():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    bar = ProgressBar(console)
    bar.begin("Listing", 2)
    bar.advance(2)
    bar.end()
    assert "Listing" in console.file.getvalue()
