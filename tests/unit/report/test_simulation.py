import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from rich.cells import cell_len
from rich.console import Console

from ci3.core.live.pins import pin_protected
from ci3.core.model.deployment import Inventory, UnlistedFolder
from ci3.core.retention.decide import RetentionPolicy
from ci3.core.retention.simulate import simulate
from ci3.core.units import Duration
from ci3.report.charts import BLOCKS, DOT, Chart, draw_block_chart, draw_mermaid_chart
from ci3.report.simulation import (
    PolicySimulation,
    render_simulation_markdown,
    render_simulations_json,
    show_simulation,
)
from tests.support.builders import (
    NOW,
    deployment,
    empty_deployment,
    inventory,
    marker_only_deployment,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in
from tests.unit.report.golden import assert_golden

MB = 1_000_000
HOSTILE_FILE = "a|b`\x1b[31m\u202e<img src=x> @someone.yml"


def make_busy_site() -> Inventory:
    """Make deployments of many sizes, with busy days and gaps of days; one is protected."""
    deployments, age_days = [], 0.1
    for number in range(340):
        name = "release-7" if number == 200 else f"{(number * 7919 + 0xABC123) % 0xFFFFFFF:07x}"
        deployments.append(deployment(name, age_days, size_bytes=MB * (20 + number * number % 37)))
        age_days += (0.05, 0.3, 4.1 if number % 7 == 0 else 0.9, 0.2, 0.6)[number * number % 5]
    return inventory(*deployments)


def replay(
    inventory: Inventory, policy_file: str = "", *, protected=(), **rules
) -> PolicySimulation:
    policy = RetentionPolicy(**{"keep_count": 5, **rules})
    pins = pin_protected(protected)
    simulation = simulate(inventory, policy, pins, minimum_keep_count=1, ends_at=NOW)
    return PolicySimulation(simulation=simulation, policy_file=policy_file)


def make_unknown_sizes() -> Inventory:
    """Make a deployment that was listed in part, one that was not listed, and an empty one."""
    deployments = (
        deployment("d1", 9),
        deployment("d2", 5),
        replace(deployment("d3", 1), is_fully_listed=False),
    )
    return Inventory(
        deployments=(*deployments, empty_deployment("gone")),
        unlisted=(UnlistedFolder(name="h", reason="AccessDenied"),),
    )


_CASE_FUNCTIONS = {
    "busy": lambda: (replay(make_busy_site(), keep_count=8, protected=["release-*"]),),
    "two-policies": lambda: (
        replay(make_busy_site(), keep_count=8),
        replay(make_busy_site(), "old.yml", keep_count=1, keep_within=Duration.parse("4d")),
    ),
    "quiet": lambda: (replay(inventory(*(deployment(f"d{age}", age) for age in (140, 60, 21)))),),
    "newest-only": lambda: (
        replay(inventory(deployment("d1", 3), deployment("d2", 2.5)), keep_count=1),
    ),
    "empty-bucket": lambda: (replay(inventory()),),
    "one-deployment": lambda: (replay(inventory(deployment("abc1234", 12))),),
    "equal-times": lambda: (
        replay(inventory(*(deployment(f"d{number}", 0) for number in range(3))), keep_count=1),
    ),
    "unknown-sizes": lambda: (replay(make_unknown_sizes(), keep_count=2),),
}
CASES = {name: cache(make) for name, make in _CASE_FUNCTIONS.items()}


def print_report(*sides: PolicySimulation, width: int = 80, is_terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)
    show_simulation(console, *sides)
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_html(markdown: str) -> str:
    return cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )


@pytest.mark.parametrize("name", CASES)
def test_simulation_equals_its_goldens(name):
    assert_golden(f"simulation-{name}.txt", print_report(*CASES[name]()))
    assert_golden(f"simulation-{name}.md", render_simulation_markdown(*CASES[name]()))


def test_json_equals_its_golden():
    small = inventory(deployment("d1", 2), deployment("d2", 1), marker_only_deployment("torn", 1.5))
    sides = (replay(small, keep_count=1), replay(small, "old.yml"))
    text = render_simulations_json([("s3://my-site/", sides)], has_targets=False)
    assert_golden("simulation.json", text)


@pytest.mark.parametrize("name", CASES)
def test_json_has_every_state_of_every_policy(name):
    text = render_simulations_json([("", CASES[name]())], has_targets=False)
    policies = json.loads(text)["policies"]
    assert [len(policy["states"]) for policy in policies] == [
        len(side.simulation.states) for side in CASES[name]()
    ]


@pytest.mark.parametrize("width", [60, 80, 99, 100, 250])
def test_charts_fit_the_width_of_the_terminal(width):
    drawn = [
        line
        for line in print_report(*CASES["two-policies"](), width=width).splitlines()
        if re.search("[┤│└]", line)
    ]
    assert len(drawn) == 3 * 9
    assert max(cell_len(line) for line in drawn) == min(width, 100)


def test_two_policies_are_distinguishable_without_color():
    text = print_report(*CASES["two-policies"]())
    assert re.search(rf"{BLOCKS[-1]} .* {DOT} old\.yml", text)
    assert text.count(DOT) > 3 * 60
    assert DOT not in print_report(*CASES["busy"]())


def test_colors_are_only_for_terminals():
    assert "\x1b[36m" in print_report(*CASES["busy"](), is_terminal=True)
    assert "\x1b" not in print_report(*CASES["busy"]())


def make_chart(*lines, is_minimum=False) -> Chart:
    return Chart(
        title="T",
        unit="u",
        scale=1,
        series=lines,
        format_value=lambda value: f"{value:g}",
        is_minimum=is_minimum,
    )


def make_points(*values):
    return [(NOW + timedelta(days=day), value) for day, value in enumerate(values)]


def test_column_without_a_point_shows_the_previous_value():
    assert make_chart(make_points(1, 5, 2)).resample(8) == ((1, 1, 1, 1, 5, 5, 5, 2),)


def test_column_of_many_points_shows_their_maximum_or_minimum():
    assert make_chart(make_points(1, 5, 2, 9)).resample(2) == ((5, 9),)
    assert make_chart(make_points(1, 5, 2, 9), is_minimum=True).resample(2) == ((1, 2),)


def test_heights_are_proportional_and_only_zero_is_invisible():
    rows = draw_block_chart(
        make_chart(make_points(*[1] * 40, *[500] * 40, *[1000] * 40, *[0] * 40)), 166
    )
    assert rows[1].startswith("1000 ┤")
    assert rows[9].startswith("   0 └")
    drawn = [row[6:].ljust(160) for row in rows[1:9]]
    heights = ["".join(column).strip() for column in zip(*drawn, strict=True)]
    assert heights == [*["▁"] * 40, *["████"] * 40, *["████████"] * 40, *[""] * 40]


def test_second_line_is_drawn_over_the_bars_and_its_zero_on_the_axis():
    rows = draw_block_chart(make_chart(make_points(8, 8, 8), make_points(0, 4, 8)), 70)
    assert rows[9][10] == DOT
    assert rows[5][40] == DOT
    assert rows[1][-1] == DOT
    assert rows[4][40] == "█"


def test_scale_ends_at_the_highest_value_that_is_drawn():
    shown = make_chart(make_points(1, 4, 2, 9), make_points(3, 1, 1, 1), is_minimum=True)
    assert shown.resample(2) == ((1, 2), (1, 1))
    assert shown.find_maximum(shown.resample(2)) == 2
    assert "--> 2\n" in draw_mermaid_chart(shown, 2)
    assert "0 --> 9\n" in draw_mermaid_chart(
        make_chart(make_points(0, 9, 0, 9), is_minimum=True), 2
    )


def test_constant_value_is_described_instead_of_drawn():
    assert draw_block_chart(make_chart(make_points(3, 3), make_points(3, 3)), 70) == ["T: always 3"]
    assert len(draw_block_chart(make_chart(make_points(3, 3), make_points(2, 2)), 70)) == 11
    assert draw_block_chart(make_chart(make_points(0, 0)), 70) == ["T: always 0"]
    assert draw_mermaid_chart(make_chart(make_points(0, 0)), 40) == "T: always 0."


@pytest.mark.parametrize("name", ["busy", "two-policies", "quiet", "newest-only"])
def test_each_mermaid_chart_has_a_category_and_a_value_for_each_column(name):
    markdown = render_simulation_markdown(*CASES[name]())
    blocks = re.findall(r"```mermaid\n(.*?)```", markdown, re.DOTALL)
    assert len(blocks) == 3 - markdown.count(": always ")
    for block in blocks:
        categories = re.search(r"x-axis \[(.*)\]", block)[1].split(", ")
        assert len(set(categories)) == len(categories) == 40
        assert sum("-" in label for label in categories) == 6
        plots = re.findall(r"(?:bar|line) \[(.*)\]", block)
        assert len(plots) == len(CASES[name]())
        highest = float(re.search(r"0 --> (.*)", block)[1])
        values = [float(value) for plot in plots for value in plot.split(", ")]
        assert len(values) == 40 * len(plots)
        assert 0 <= min(values) <= max(values) <= highest


@pytest.mark.parametrize("name", [*CASES, "hostile"])
def test_markdown_has_only_expected_tags(name):
    sides = CASES["two-policies" if name == "hostile" else name]()
    if name == "hostile":
        sides = (sides[0], replace(sides[1], policy_file=HOSTILE_FILE))
    html = render_html(render_simulation_markdown(*sides))
    tags = set(re.findall(r"<([a-z0-9]+)", html))
    assert tags <= {*("p", "ul", "li", "code", "pre", "table", "thead", "tbody", "tr", "th", "td")}
    assert "@someone" not in re.sub(r"<code>.*?</code>", "", html)
    for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL):
        assert len(re.findall("<t[dh]", row)) == 6


def test_no_control_character_of_a_policy_file_reaches_a_terminal():
    current, proposed = CASES["two-policies"]()
    text = print_report(current, replace(proposed, policy_file=HOSTILE_FILE), is_terminal=True)
    assert "\x1b[31m" not in text
    assert "\u202e" not in text


def test_sizes_that_are_not_known_are_not_shown():
    for text in (
        print_report(*CASES["unknown-sizes"]()),
        render_simulation_markdown(*CASES["unknown-sizes"]()),
    ):
        assert not re.search(r"\d (kB|Bytes)|Storage[:,]", text)


def print_summary(*sides):
    """Return the printed text after the charts and the table."""
    return "\n\n".join(print_report(*sides, width=1000).split("\n\n")[-2:])


def test_shortest_reach_counts_from_the_first_deletion():
    site = inventory(*(deployment(f"d{age}", age) for age in range(0, 100, 2)))
    assert {3, 6} <= set(numbers_in(print_summary(replay(site, keep_count=4))))


def replay_many_deployments():
    return replay(inventory(*(deployment(f"d{number}", number / 3) for number in range(600))))


def test_number_of_omitted_deployments_is_shown():
    for text in (
        print_summary(replay_many_deployments()),
        render_simulation_markdown(replay_many_deployments()),
    ):
        assert any(numbers_in(line)[:2] == [500, 600] for line in text.splitlines())


def test_summaries_are_the_golden_ones():
    site = inventory(deployment("d1", 12), deployment("d2", 9), deployment("d3", 3))
    two_days = Duration.parse("2d")
    cases = {
        "sampled": print_summary(replay_many_deployments()),
        "never anything to roll back to": print_summary(replay(site, keep_count=1)),
        "sometimes nothing to roll back to": print_summary(
            replay(site, keep_count=1, keep_within=two_days)
        ),
        "nothing to replay for one policy": print_summary(
            replay(inventory()), replay(make_busy_site(), "old.yml")
        ),
    }
    assert_messages(__file__, cases.items())
