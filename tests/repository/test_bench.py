"""The benchmark: a small run, its report, and the comparison with a second checkout."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from math import ceil
from pathlib import Path

import pytest

import ci3
from bench import inventory_report
from bench.cases import all_cases
from bench.chart import find_ticks
from bench.checkout import (
    ENVIRONMENT,
    Checkout,
    CheckoutError,
    Comparison,
    Installed,
    compare_with,
)
from bench.layout import Layout
from bench.measure import FailedRunError, Run, measure_once
from bench.report import Report, write_report
from bench.start import Start
from tests.support.git import git
from tests.support.messages import numbers_in, words_in
from tests.support.paths import ROOT

PLAN = "Plan 1,000 deployments, 1,000 objects each; 30 ms latency"
DELETION = "Delete 100 of 200 deployments, 500 objects each; 30 ms latency"


def make_run(tool, seconds, *, delay_ms=30, **changes):
    values = {
        "case": "plan-1000x1000",
        "delay_ms": delay_ms,
        "tool": tool,
        "wall_seconds": seconds,
        "cpu_seconds": seconds / 2,
        "peak_bytes": 149 * 10**6,
        "requests": 1001,
        "operations": {},
        "server_cpu_seconds": 0.5,
        "most_at_once": 1,
        "journal_bytes": None,
    }
    return Run(**(values | changes))


def make_start(tool, seconds):
    return Start(
        name="`ci3`",
        tool=tool,
        cpu_seconds=seconds,
        wall_seconds=seconds,
        at_most=0.15,
        peak_bytes=30 * 10**6,
        requests=None,
    )


def test_report_compares_medians_with_limits_and_shows_each_miss(tmp_path):
    runs = [make_run("ci3", seconds) for seconds in (9.0, 2.0, 1.0)]
    runs += [make_run("s5cmd", seconds) for seconds in (10.0, 20.0, 90.0)]
    runs += [make_run("rclone", 10.0), make_run("s5cmd", 1.0, delay_ms=0)]
    report = Report(
        machine="one processor",
        versions={},
        scale=1,
        repeats=3,
        cases=[case for case in all_cases() if case.name.endswith("000x1000")],
        runs=runs,
        starts=[make_start("ci3", 0.2)],
        seconds=60,
    )
    write_report(report, tmp_path)
    text = (tmp_path / "performance.md").read_text()
    for row in (
        "- **Not measured in this run:** Plan 10,000 deployments, 1,000 objects each.",
        f"| {PLAN} | time | 0.12 × s5cmd | 0.10 × | met |",
        f"| {PLAN} | time | 0.12 × rclone | 0.20 × | **not met** |",
        f"| {PLAN} | CPU time | 0.25 × s5cmd | 0.10 × | met |",
        f"| {PLAN} | peak memory | 150 MB | 149 MB | met |",
        "| Start: `ci3` | CPU time | 0.15 s | 0.20 s | **not met** |",
        "| 30 ms | **ci3** | 2.00 s | 1.00 – 9.00 | 1.00 s | 149 MB | 1,001 | 1 | 0.50 s |",
        "| 30 ms | rclone* | 10.00 s |  | 5.00 s | 149 MB | 1,001 | 1 | 0.50 s |",
    ):
        assert row in text


@pytest.mark.parametrize(
    ("longest", "ticks"),
    [
        (13.7, (0, 5, 10)),
        (20.4, (0, 5, 10, 15, 20)),
        (133.5, (0, 50, 100)),
        (0.34, (0, 0.1, 0.2, 0.3)),
    ],
)
def test_axis_has_a_few_round_values(longest, ticks):
    assert find_ticks(longest) == pytest.approx(ticks)


def test_run_with_a_wrong_result_fails(memory, tmp_path, monkeypatch):
    case = next(case for case in all_cases() if case.name == "plan-200x500").scaled(0.02)
    output = tmp_path / "short"
    output.write_text("".join(f"{number}\n" for number in range(case.layout.total - 1)))
    monkeypatch.setattr("bench.measure.make_command", lambda *_: ["/bin/cat", str(output)])
    with pytest.raises(FailedRunError, match=r"\b39\b.*\b40\b"):
        measure_once(case, 0, "boto3", memory)
    monkeypatch.setattr(
        "bench.measure.make_command", lambda *_: ["/bin/cat", str(tmp_path / "none")]
    )
    with pytest.raises(FailedRunError, match=r"\b1\b"):
        measure_once(case, 0, "boto3", memory)


def run_bench(*arguments):
    """Run the benchmark; return the completed process."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_small_run_writes_a_table_a_picture_and_correct_counts(tmp_path):
    cases = ["plan-200x500", "delete-200x500"]
    options = ["--scale", "0.02", "--repeats", "1", "--tools", "ci3", "boto3", "--delay", "30"]
    completed = run_bench("--only", *cases, *options, "--into", tmp_path)
    assert completed.returncode == 0, completed.stderr
    runs = json.loads((tmp_path / "runs.json").read_text())
    by_tool = {(run["case"], run["tool"]): run for run in runs}
    assert len(by_tool) == 4, completed.stderr
    small, folders = Layout("4x10"), 1
    boto3_run = by_tool["plan-200x500", "boto3"]
    listings = sum(ceil(deployment.object_count / 1000) for deployment in small.deployments)
    assert boto3_run["operations"] == {"ListObjectsV2": folders + listings}
    ci3_run = by_tool["plan-200x500", "ci3"]
    assert small.least_requests <= ci3_run["operations"]["ListObjectsV2"] <= folders + listings
    assert ci3_run["wall_seconds"] > 0.06, "two responses in sequence take 60 ms"
    deletion_run = by_tool["delete-200x500", "ci3"]
    assert deletion_run["operations"]["DeleteObjects"] >= 1
    assert deletion_run["journal_bytes"] > 0
    text = (tmp_path / "performance.md").read_text()
    assert text.count("| **ci3*** |") == 2
    assert "| Start: " not in text
    assert "<svg" in (tmp_path / "images/performance.svg").read_text()


def test_plans_by_listing_and_by_each_report_are_measured(capsys):
    assert inventory_report.main(["--layout", "30x20", "--delete", "12", "--files", "3"]) == 0
    messages = capsys.readouterr().out.splitlines()
    assert numbers_in(messages[0])[:2] == [600, 30]
    assert [line.partition(":")[0].split(" of ")[0] for line in messages[1:]] == [
        "by listing",
        "by a report in CSV",
        "by a report in Parquet",
    ]


def test_start_is_selected_by_name(tmp_path):
    completed = run_bench("--only", "start", "--repeats", "1", "--tools", "ci3", "--into", tmp_path)
    assert completed.returncode == 0, completed.stderr
    text = (tmp_path / "performance.md").read_text()
    assert text.count("| Start: ") == 3
    assert json.loads((tmp_path / "runs.json").read_text()) == []


def test_unknown_case_is_refused():
    completed = run_bench("--only", "start", "plan-nothing")
    assert completed.returncode == 2
    assert {"plan-nothing", "start", "plan-200x500"} <= words_in(completed.stderr)


@pytest.fixture
def checkout(tmp_path):
    """Return a second checkout with an environment; it logs each process that imports its ci3."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "ci3", root / "ci3", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("entrypoint.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    with (root / "ci3/__init__.py").open("a") as file:
        file.write(f"import sys\nprint(*sys.orig_argv, file=open({str(root / 'log')!r}, 'a'))\n")
    venv.create(root / ENVIRONMENT, symlinks=True)
    link_packages(root, ci3_root=root)
    return root


def link_packages(root, ci3_root):
    """Add the packages of this environment, and a ci3, to a checkout's environment."""
    site_packages = next((root / ENVIRONMENT).glob("lib/python3*/site-packages"))
    lines = f"{ci3_root}\n{sysconfig.get_path('purelib')}\n"
    (site_packages / "packages.pth").write_text(lines)


def test_second_checkout_is_measured_in_each_case_of_ci3(checkout, tmp_path):
    cases = ["start", "plan-200x500", "delete-200x500"]
    options = ["--scale", "0.02", "--repeats", "2", "--tools", "ci3", "--delay", "0"]
    completed = run_bench("--also", checkout, "--only", *cases, *options, "--into", tmp_path)
    assert completed.returncode == 0, completed.stderr
    runs = json.loads((tmp_path / "runs.json").read_text())
    rounds = ["ci3", "ci3 (also)", "ci3 (also)", "ci3"]
    assert [run["tool"] for run in runs if run["case"] == "plan-200x500"] == rounds
    deletions = [run for run in runs if run["case"] == "delete-200x500"]
    assert [run["tool"] for run in deletions] == rounds
    assert all(run["journal_bytes"] > 0 for run in deletions)
    log = (checkout / "log").read_text()
    assert log.count(" -m ci3 plan-cleanup ") == log.count(" -m ci3 cleanup ") == 2
    assert log.count(" -m ci3 --help\n") == log.count(f" {checkout}/entrypoint.py\n") == 5
    text = (tmp_path / "performance.md").read_text()
    assert text.count("| 0 ms | ci3 (also) |") == 2
    _, _, comparison = text.partition("## Comparison of the checkouts")
    small = "4 deployments, 10 objects each; 0 ms latency"
    for title in (f"Plan {small}", f"Delete 2 of {small}", "Start: `ci3 --help`"):
        assert f"\n| {title} | " in comparison


def test_folder_that_is_not_a_ci3_checkout_is_refused(tmp_path):
    completed = run_bench("--also", tmp_path)
    assert completed.returncode == 1
    assert completed.stderr.startswith(str(tmp_path))


def test_checkout_whose_environment_has_another_ci3_is_refused(checkout):
    link_packages(checkout, ci3_root=ROOT)
    with pytest.raises(CheckoutError, match=f"{ROOT}/ci3/__main__.py.*{checkout}/ci3"):
        compare_with(checkout)


def test_missing_environment_is_created(checkout, monkeypatch, capsys):
    shutil.rmtree(checkout / ENVIRONMENT)
    monkeypatch.setattr(
        "bench.checkout._install", lambda created: link_packages(created.root, created.root)
    )
    comparison = compare_with(checkout)
    assert comparison.second_checkout == Checkout(
        root=checkout, python=checkout / ENVIRONMENT / "bin/python"
    )
    messages = capsys.readouterr().err
    assert (
        messages == f"Creating {checkout}/{ENVIRONMENT}\nInstalling {checkout} into {ENVIRONMENT}\n"
    )


def test_commit_of_a_changed_checkout_is_marked(checkout):
    git(checkout, "init", "--quiet")
    (checkout / ".gitignore").write_text(f"{ENVIRONMENT}\nlog\n__pycache__\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "Start")
    commit = git(checkout, "rev-parse", "--short", "HEAD")
    assert compare_with(checkout).second.version == f"{ci3.__version__} ({commit})"
    (checkout / "entrypoint.py").write_text("")
    assert compare_with(checkout).second.commit == f"{commit}-dirty"


def test_second_checkout_is_not_published(tmp_path):
    completed = run_bench("--also", tmp_path, "--into", "docs")
    assert completed.returncode == 2
    assert {"--also", "docs/performance.md"} <= words_in(completed.stderr)


def make_comparison(this_packages, second_packages):
    second_checkout = Checkout(
        root=Path("other"), python=Path("other") / ENVIRONMENT / "bin/python"
    )
    return Comparison(
        second_checkout=second_checkout,
        this=Installed(commit="1111111", packages={"ci3": "0.2.0", **this_packages}),
        second=Installed(commit="2222222", packages={"ci3": "0.1.0", **second_packages}),
    )


def test_report_compares_the_figures_of_each_checkout_with_the_limits(tmp_path):
    comparison = make_comparison(
        {"botocore": "1.40", "click": "8.1", "pip": "25"},
        {"botocore": "1.39", "click": "8.1", "pip": "24"},
    )
    deletion = {"case": "delete-200x500", "requests": 282}
    runs = [
        make_run("ci3", 1.0),
        make_run("ci3 (also)", 4.0, peak_bytes=298 * 10**6, requests=2002),
        make_run("s5cmd", 20.0),
        make_run("ci3", 1.0, journal_bytes=4_000_000, **deletion),
        make_run("ci3 (also)", 2.0, journal_bytes=8_000_000, **deletion),
    ]
    names = ("plan-1000x1000", "delete-200x500")
    cases = [
        case.with_also(comparison.second_checkout) for case in all_cases() if case.name in names
    ]
    report = Report(
        machine="one processor",
        versions={},
        scale=1,
        repeats=1,
        cases=cases,
        runs=runs,
        starts=[make_start("ci3", 0.1), make_start("ci3 (also)", 0.2)],
        seconds=60,
        comparison=comparison,
    )
    write_report(report, tmp_path)
    text = (tmp_path / "performance.md").read_text()
    journal, not_met = "| Journal of 1,000,000 keys, extrapolated from 50,000", "| **not met** |"
    for row in (
        "| case | figure | at most | ci3 | | ci3 (also) | |",
        f"| {PLAN} | time | 0.12 × s5cmd | 0.05 × | met | 0.20 × {not_met}",
        f"| {PLAN} | peak memory | 150 MB | 149 MB | met | 298 MB {not_met}",
        f"{journal} | size | 100 MB | 80 MB | met | 160 MB {not_met}",
        f"| Start: `ci3` | CPU time | 0.15 s | 0.10 s | met | 0.20 s {not_met}",
        "- **ci3:** 0.2.0 (1111111), this checkout.",
        "- **ci3 (also):** 0.1.0 (2222222), the other checkout.",
        "- **Versions that differ:** botocore 1.40 and 1.39.",
        "| case | time | CPU time | requests | peak memory | journal |",
        f"| {PLAN} | 0.25 | 0.25 | 0.50 | 0.50 | – |",
        f"| {DELETION} | 0.50 | 0.50 | 1.00 | 1.00 | 0.50 |",
        "| Start: `ci3` | 0.50 | 0.50 | – | 1.00 | – |",
        "| 30 ms | ci3 (also)* | 4.00 s |  | 2.00 s | 298 MB | 2,002 | 1 | 0.50 s |",
    ):
        assert f"\n{row}\n" in text


def test_second_checkout_runs_as_often_as_the_first():
    second_checkout = make_comparison({}, {}).second_checkout
    case = next(case for case in all_cases() if case.name == "plan-10000x1000").with_also(
        second_checkout
    )
    assert case.tools == case.once == ("ci3", "ci3 (also)")
