import json
import re

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from ci3.core.doctor.checks import check_bucket
from ci3.core.doctor.facts import (
    NOT_REQUESTED,
    FolderSummary,
    LifecycleRule,
    Unavailable,
    UnfinishedUploads,
)
from ci3.core.doctor.finding import TargetFindings
from ci3.core.live.sources import LiveReading
from ci3.core.model.issues import (
    BucketIssues,
    PlanWarning,
    Refusal,
    RefusalCode,
    WarningCode,
)
from ci3.core.model.result import DeleteGuard, GuardProbe
from ci3.report.doctor import render_checkups_json, render_checkups_markdown, show_checkups
from ci3.report.markdown_format import RenderContext
from tests.support.builders import days_ago
from tests.support.examinations import COMMITS, LIVE, aim, healthy_facts
from tests.support.messages import numbers_in
from tests.unit.report.golden import assert_golden
from tests.unit.report.plan.test_terminal import print_report

HOSTILE = "a|b`c\x1b[31m\u202e@me #1 [x](http://y)\n::error::z"
DENIED = Unavailable(problem="S3 answered AccessDenied to ListObjectsV2", is_denied=True)


def make_checkup(**changes) -> TargetFindings:
    facts = healthy_facts(**changes)
    return TargetFindings(url=facts.doctor_target.target.url, findings=check_bucket(facts))


HEALTHY = make_checkup(rules=(LifecycleRule(name="tidy", noncurrent_days=30),))
USUAL = make_checkup(
    doctor_target=aim(match="", required_file=""),
    folders=FolderSummary(names=(*COMMITS, "assets", "images"), file_count=2),
    probe=NOT_REQUESTED,
    uploads=UnfinishedUploads(count=3, oldest_at=days_ago(40)),
    rules=(LifecycleRule(name="tidy", prefix="assets", expires_after_days=30),),
    readings=(),
)
BLOCKED = make_checkup(
    doctor_target=aim(prefix="app/", protect=("relase-1",)),
    probe=GuardProbe(guard=DeleteGuard.NONE, reason="no", is_denied=True),
    lists_versions=DENIED,
    readings=(LiveReading(source=LIVE, problem="S3 answered AccessDenied to GetObject"),),
)
UNREADABLE = make_checkup(folders=DENIED, identity=NOT_REQUESTED, doctor_target=aim(endpoint_url="http://minio:9000"),
                     bucket_region="", probe=NOT_REQUESTED, first_files={},
                         readings=())  # fmt: skip
HOSTILE_NAMES = make_checkup(
    doctor_target=aim(match="", protect=(HOSTILE,)),
    folders=FolderSummary(names=(*COMMITS, HOSTILE, f"2{HOSTILE}")),
    rules=(LifecycleRule(name=HOSTILE, prefix=HOSTILE, expires_after_days=1),),
)
LAYOUT = make_checkup(
    doctor_target=aim(match=""),
    issues=BucketIssues(
        refusals=(Refusal(code=RefusalCode.NESTED_DEPLOYMENTS, message="app holds sub-folders"),),
        warnings=(
            PlanWarning(
                code=WarningCode.NAMES_CONTRADICT_TIMES,
                message="names contradict upload times: build-100 is older than build-99. Times "
                "decide what is deleted",
            ),
        ),
    ),
)
CASES = {
    "doctor-well": HEALTHY,
    "doctor-usual": USUAL,
    "doctor-in-the-way": BLOCKED,
    "doctor-unreadable": UNREADABLE,
    "doctor-hostile": HOSTILE_NAMES,
    "doctor-layout": LAYOUT,
}
LARGE_CONTEXT = RenderContext(budget_bytes=100_000)


@pytest.mark.parametrize("name", CASES)
def test_checkup_on_a_terminal_equals_its_golden(name: str) -> None:
    assert_golden(f"{name}.txt", print_report(show_checkups, [CASES[name]], width=110))


@pytest.mark.parametrize("name", CASES)
def test_checkup_in_a_summary_equals_its_golden(name: str) -> None:
    text = render_checkups_markdown([CASES[name]], LARGE_CONTEXT)
    assert_golden(f"{name}.md", text)
    html = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    assert html.count("<tr>") == 1 + len(CASES[name].findings)
    recipe_urls = [finding.recipe_url for finding in CASES[name].findings if finding.recipe_url]
    assert re.findall('<a href="(.+?)"', html) == recipe_urls


def test_checkup_as_json_equals_its_golden() -> None:
    assert_golden("doctor.json", render_checkups_json([USUAL], has_targets=False))


def test_several_targets_are_listed_after_their_total() -> None:
    text = render_checkups_markdown([HEALTHY, BLOCKED], LARGE_CONTEXT)
    assert 3 in numbers_in(text.splitlines()[0])
    targets = json.loads(render_checkups_json([HEALTHY, BLOCKED], has_targets=True))["targets"]
    assert [target["exit_code"] for target in targets] == [0, 6]


def test_targets_that_do_not_fit_are_counted() -> None:
    text = render_checkups_markdown([USUAL] * 40, RenderContext(budget_bytes=8_000))
    assert len(text.encode()) <= 8_000
    shown_count = text.count(f"`{USUAL.url}`")
    assert 40 - shown_count in numbers_in(text)


@pytest.mark.parametrize("show", [
    lambda checkup: print_report(show_checkups, [checkup]),
    lambda checkup: render_checkups_markdown([checkup], LARGE_CONTEXT),
])  # fmt: skip
def test_names_are_shown_and_never_interpreted(show) -> None:
    text = show(HOSTILE_NAMES)
    assert not {"\x1b", "\u202e"} & set(text)
    assert not [line for line in text.splitlines() if line.startswith("::")]
