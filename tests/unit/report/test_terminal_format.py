"""Tables on terminals of any width."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from ci3.report.terminal_format import Tables, map_names, print_columns, print_line, wrap_text

HASH = "5d2f8ab019c3d4e5f60718293a4b5c6d7e8f9012"
COLUMNS = ("", "Deployment", "Objects>", "Why")
WHY = "superseded by 77de68d 9 days ago; 4 newer deployments"


def show(rows, width, columns=COLUMNS, *, can_cut=True):
    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True)
    print_columns(console, columns, [(row, "") for row in rows], can_cut=can_cut)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 50, 60, 80, 160])
def test_every_line_fits(width):
    rows = [("delete", "5d2f8ab", "3", WHY), ("keep", "a-long-branch-name" * 5, "12,345", WHY)]
    lines = show(rows, width)
    assert max(map(cell_len, lines)) <= width
    assert " ".join(" ".join(lines).split()).count("superseded") == 2


def test_last_column_is_wrapped_below_its_title():
    title, first, second = show([("delete", "5d2f8ab", "3", WHY)], 60)
    start = title.index("Why")
    assert first[start:] + " " + second[start:] == WHY
    assert second[:start].strip() == ""


def test_last_column_is_on_separate_lines_if_it_would_be_narrow():
    _, _, first, second, *_ = show([("delete", "5d2f8ab", "3", WHY)], 45)
    assert first.split() == ["delete", "5d2f8ab", "3"]
    assert second.startswith(" " * 8 + "superseded")


def test_name_that_is_wider_than_the_terminal_is_cut_off():
    lines = show([("keep", "x" * 60, "3")], 40, ("", "Deployment", "Objects>"))
    assert lines[1].split() == ["keep", f"{'x' * 24}…", "3"]


def test_wide_characters_are_measured_in_cells():
    lines = show([("keep", "部署" * 3, "3", "the newest"), ("keep", "ab", "3", "x")], 80)
    columns = [
        cell_len(line[: line.index(text)])
        for line, text in zip(lines[1:], ("the", "x"), strict=True)
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize(
    ("tables", "shown"), [(Tables.SHORT_NAMES, "5d2f8ab"), (Tables.FULL_NAMES, HASH)]
)
def test_names_are_short_unless_full_names_are_requested(tables, shown):
    assert map_names([HASH], tables) == {HASH: shown}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("fits in a line", ["fits in a line"]),
        ("does not fit in one line", ["does not fit in", "  one line"]),
        (
            "see https://ci3.example.org/docs now",
            ["see", "  https://ci3.example.org/docs", "  now"],
        ),
        ("run `ci3 plan-cleanup --help` now", ["run", "  `ci3 plan-cleanup --help`", "  now"]),
        ("an unpaired ` in a long line", ["an unpaired ` in", "  a long line"]),
        ("  keeps  two  spaces of a row", ["  keeps  two", "  spaces of a row"]),
        ("部署部署部署 部署部署", ["部署部署部署", "  部署部署"]),
    ],
)
def test_lines_are_broken_at_spaces_only(text, lines):
    assert wrap_text(text, 17, "  ") == lines


def test_keys_are_not_broken():
    key = "a folder/with  spaces.html"
    assert show([("9 kB", key)], 20, ("Size>", "Key="), can_cut=False)[1] == f"9 kB  {key}"


@pytest.mark.parametrize(("can_wrap", "is_log"), [(False, False), (True, True)])
def test_command_line_and_log_line_are_not_wrapped(can_wrap, is_log):
    console = Console(file=io.StringIO(), width=20, soft_wrap=is_log)
    print_line(console, WHY, can_wrap=can_wrap)
    assert console.file.getvalue() == f"{WHY}\n"
