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


def print_report(show, *arguments, width: int = 130, is_terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)
    show(console, *arguments)
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


GOLDENS = {
    "plan": lambda: print_report(show_plan, cases.usual_plan()),
    "plan-versioned": lambda: print_report(show_plan, cases.usual_plan(Versioning.ENABLED)),
    "plan-final": lambda: print_report(show_plan, cases.final_plan()),
    "applied-final": lambda: print_report(show_result, cases.final_plan(), cases.final_result()),
    "nothing-to-delete": lambda: print_report(show_plan, cases.nothing_to_delete()),
    "empty-bucket": lambda: print_report(show_plan, cases.empty_bucket()),
    "doubtful": lambda: print_report(show_plan, cases.ambiguous_plan()),
    "refused": lambda: print_report(show_plan, cases.refused_plan()),
    "hostile-names": lambda: print_report(show_plan, cases.hostile_plan()),
    "applied-versioned": lambda: print_report(
        show_result, cases.live_plan(), cases.result_of(cases.live_plan())
    ),
    "partly-applied": lambda: print_report(
        show_result,
        cases.usual_plan(),
        cases.result_of(cases.usual_plan(), problem="kept: it changed", stopped="the disk is full"),
    ),
    "deployments": lambda: print_report(show_deployments, cases.site(3).deployments),
    "objects": lambda: print_report(
        show_objects, (make_object("a/one"), make_object("a/\x1b[31mtwo"))
    ),
    "error": lambda: print_report(show_error, AccessError("[red]no\x1b[0m", "Ask again.")),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_screen_equals_its_golden(name):
    assert_golden(f"{name}.txt", GOLDENS[name]())


def test_no_control_character_of_a_name_reaches_a_terminal():
    text = print_report(show_plan, cases.hostile_plan(), is_terminal=True)
    assert "\x1b[31mred" not in text
    assert "\u202e" not in text


def test_narrow_terminal_shows_all_names():
    text = print_report(show_plan, cases.usual_plan(), width=60)
    assert all(decision.deployment.name in text for decision in cases.usual_plan().decisions)


def test_narrow_terminal_does_not_break_the_url_of_a_recipe():
    refusal = Refusal(code=RefusalCode.MIXED_NAMES, message="assets is named unlike the others")
    text = print_report(show_plan, replace(cases.usual_plan(), refusals=(refusal,)), width=40)
    assert find_recipe_url(RefusalCode.MIXED_NAMES) in text


def test_progress_in_a_log_is_one_line_per_interval():
    messages: list[str] = []
    times = iter([0.0, 1.0, 10.0, 10.0, 11.0])
    progress = ProgressLines(messages.append, clock=lambda: next(times))
    progress.begin("Listing", 3)
    for _ in range(3):
        progress.advance(1)
    progress.end()
    assert messages == ["Listing: 2 of 3", "Listing: 3 of 3"]


def test_progress_on_a_terminal_shows_its_task():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    bar = ProgressBar(console)
    bar.begin("Listing", 2)
    bar.advance(2)
    bar.end()
    assert "Listing" in console.file.getvalue()
