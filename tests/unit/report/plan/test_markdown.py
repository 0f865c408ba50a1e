import re
from dataclasses import replace

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from ci3.core.live.commit_names import Commit
from ci3.core.model.decision import Reason, ReasonCode
from ci3.core.model.deployment import IgnoredEntry
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.errors import AccessError
from ci3.report.listings import render_deployments_markdown, render_objects_markdown
from ci3.report.markdown_format import RenderContext
from ci3.report.plan.markdown import render_error_markdown, render_run_markdown
from tests.support import report_cases as cases
from tests.support.builders import deployment, inventory, make_object
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tests.unit.report.golden import assert_golden

CONTEXT = RenderContext(
    budget_bytes=65_000,
    run_url="https://github.com/acme/site/actions/runs/7",
    how_to_apply="run this step with `mode: apply`.",
    overflow_location="[the job summary](https://github.com/acme/site/actions/runs/7)",
    commit_url="https://github.com/acme/site/commit/",
)
CHANGED = "kept: its objects changed since the plan"

GOLDENS = {
    "plan": lambda: render_plan(cases.usual_plan(), CONTEXT),
    "plan-versioned": lambda: render_plan(cases.usual_plan(cases.Versioning.ENABLED), CONTEXT),
    "plan-final": lambda: render_plan(cases.final_plan(), CONTEXT),
    "applied-final": lambda: render_plan(cases.final_plan(), CONTEXT, cases.final_result()),
    "nothing-to-delete": lambda: render_plan(cases.nothing_to_delete(), CONTEXT),
    "empty-bucket": lambda: render_plan(cases.empty_bucket(), CONTEXT),
    "doubtful": lambda: render_plan(cases.ambiguous_plan(), CONTEXT),
    "refused": lambda: render_plan(cases.refused_plan(), CONTEXT),
    "hostile-names": lambda: render_plan(cases.hostile_plan(), CONTEXT),
    "applied": lambda: render_plan(
        cases.usual_plan(), CONTEXT, cases.result_of(cases.usual_plan())
    ),
    "partly-applied": lambda: render_plan(
        cases.usual_plan(),
        CONTEXT,
        cases.result_of(cases.usual_plan(), problem=CHANGED, stopped="the disk is full"),
    ),
    "first-run": lambda: render_plan(cases.first_run(), add_commits(cases.first_run())),
    "live": lambda: render_plan(cases.live_plan(), add_commits(cases.live_plan())),
    "applied-versioned": lambda: render_plan(
        cases.live_plan(), CONTEXT, cases.result_of(cases.live_plan())
    ),
    "other-store": lambda: render_plan(move_to_other_store(cases.live_plan()), CONTEXT),
    "lifecycle-plan": lambda: render_plan(cases.lifecycle_plan(), CONTEXT),
    "lifecycle-applied": lambda: render_plan(
        cases.lifecycle_plan(cases.Versioning.ENABLED),
        CONTEXT,
        cases.lifecycle_result(cases.lifecycle_plan(cases.Versioning.ENABLED)),
    ),
    "lifecycle-later": lambda: render_run_markdown([cases.lifecycle_later()], CONTEXT),
    "stale": lambda: render_run_markdown([cases.stale_result()], CONTEXT),
    "1500-deployments": lambda: render_plan(cases.huge_plan(), CONTEXT),
    "error-in-a-comment": lambda: render_error_markdown(
        AccessError("GitHub is away", "Wait."), CONTEXT
    ),
    "error": lambda: render_error_markdown(AccessError("S3 said <no> to `x`", "Ask *again*.")),
}


def add_commits(plan):
    return replace(CONTEXT, commits=cases.commits_of(plan))


def move_to_other_store(plan):
    return replace(plan, target=replace(plan.target, endpoint_url="https://s3.example.org"))


def render_plan(plan, context, result=None):
    return render_run_markdown([TargetResult(plan=plan, result=result)], context)


def render_html(markdown: str) -> str:
    """Render Markdown as GitHub does, without its additional filters."""
    return cmarkgfm.markdown_to_html_with_extensions(
        markdown, options=Options.CMARK_OPT_UNSAFE, extensions=["table", "autolink", "tagfilter"]
    )


def list_rows(html: str) -> list[list[str]]:
    """Return the cells of every row of every table, as text."""
    return [
        re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    ]


@pytest.mark.parametrize("name", GOLDENS)
def test_markdown_equals_its_golden(name):
    assert_golden(f"{name}.md", GOLDENS[name]())


@pytest.mark.parametrize("name", [name for name in GOLDENS if "error" not in name])
def test_every_row_of_a_table_has_three_cells(name):
    assert all(len(row) == 3 for row in list_rows(render_html(GOLDENS[name]())))


def test_refusals_and_warnings_link_to_their_recipes_only():
    message = "see https://example.org or [this](https://example.org)"
    plan = replace(
        cases.usual_plan(),
        refusals=(
            Refusal(code=RefusalCode.MIXED_NAMES, message=message),
            Refusal(code=RefusalCode.MAX_DELETE, message=message),
        ),
        warnings=(PlanWarning(code=WarningCode.NOTHING_MATCHES, message=message),),
    )
    assert re.findall(r'href="([^"]*)"', render_html(render_plan(plan, CONTEXT))) == [
        find_recipe_url(RefusalCode.MIXED_NAMES),
        find_recipe_url(WarningCode.NOTHING_MATCHES),
        CONTEXT.run_url,
    ]


@pytest.mark.parametrize("result", [None, cases.result_of(cases.hostile_plan())])
def test_names_are_never_interpreted_as_markup(result):
    plan = cases.hostile_plan()
    html = render_html(render_plan(plan, CONTEXT, result))
    table_rows = [
        row for row in list_rows(html) if row[0] not in ("To\xa0delete", "Kept", "Deployment")
    ]
    assert len(table_rows) == len(cases.HOSTILE_NAMES)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        *("h3", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
        *("ul", "li", "strong", "sub", "a", "pre", "br", "wbr"),
    }
    assert set(re.findall(r'href="([^"]*)"', html)) == {CONTEXT.run_url}
    outside_code = re.sub(r"<code>.*?</code>", "", html)
    assert not re.search(r"@someone|#1\b|https://example", outside_code)


HOSTILE_SUBJECTS = (*cases.HOSTILE_NAMES, *cases.SUBJECTS, "GH-1 gh-2 #3 a@b.example www.x.example")


def test_commits_are_never_interpreted_as_markup():
    plan = cases.make_plan(cases.site(len(HOSTILE_SUBJECTS)), keep_count=3)
    commits = {
        decision.deployment.name: Commit(
            sha="a" * 40, subject=subject, author=subject[::-1], authored_at=None
        )
        for decision, subject in zip(plan.decisions, HOSTILE_SUBJECTS, strict=False)
    }
    html = render_html(render_plan(plan, replace(CONTEXT, commits=commits)))

    assert set(re.findall(r'href="([^"]*)"', html)) == {
        CONTEXT.run_url,
        f"{CONTEXT.commit_url}{'a' * 40}",
    }
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        *("h3", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
        *("ul", "li", "strong", "sub", "a", "pre", "br", "wbr"),
    }
    text = re.sub(r"<code>.*?</code>|&#?\w+;", "", html)
    assert not re.search(r"@\w|#\d|\bgh-\d|//example|www\.x", text, re.IGNORECASE)
    assert all(len(row) == 3 for row in list_rows(html))


def test_name_that_is_no_commit_is_not_linked():
    plan = cases.live_plan()
    html = render_html(render_plan(plan, add_commits(plan)))
    linked = set(re.findall(r"<a [^>]*><code>(.*?)</code></a>", html))

    assert linked == {decision.deployment.name for decision in plan.decisions} - {"release-2.4"}


def test_live_deployment_is_listed_first_with_its_evidence():
    html = render_html(render_plan(cases.live_plan(), CONTEXT))
    first = re.search(r"<li>(.*?)</li>", html, re.DOTALL)[1]

    words = words_in(re.sub(r"<[^>]*>", "", first))
    assert {"0ac7abd", "E2ABC", "/0ac7abd", "www.example.org"} <= words


def test_name_of_a_live_deployment_is_not_repeated_in_its_evidence():
    plan = cases.live_plan()
    reason = Reason(code=ReasonCode.LIVE, message="live: 0ac7abd is deployed to production")
    decisions = tuple(
        replace(decision, reasons=(reason,)) if decision.has_reason(ReasonCode.LIVE) else decision
        for decision in plan.decisions
    )
    html = render_html(render_plan(replace(plan, decisions=decisions), CONTEXT))
    first = re.search(r"<li>(.*?)</li>", html, re.DOTALL)[1]

    assert re.findall("0ac7abd", first) == ["0ac7abd"]
    assert "production" in words_in(first)


def test_live_from_is_suggested_only_without_a_live_source():
    assert "`live-from`" in render_plan(cases.usual_plan(), CONTEXT)
    assert "`live-from`" not in render_plan(cases.live_plan(), CONTEXT)


NEXT_STEPS = {
    "plan": TargetResult(plan=cases.usual_plan()),
    "refused": TargetResult(plan=cases.refused_plan()),
    "stale": cases.stale_result(),
    "partly applied": TargetResult(
        plan=cases.live_plan(), result=cases.result_of(cases.live_plan(), problem=CHANGED)
    ),
    "applied": TargetResult(plan=cases.live_plan(), result=cases.result_of(cases.live_plan())),
    "nothing to delete": TargetResult(plan=cases.nothing_to_delete()),
}


@pytest.mark.parametrize("case", NEXT_STEPS)
def test_only_an_applicable_plan_explains_how_to_apply_it(case):
    markdown = render_run_markdown([NEXT_STEPS[case]], CONTEXT)

    assert (CONTEXT.how_to_apply in markdown) is (case == "plan")


def test_next_steps_are_the_golden_ones():
    steps = {
        case: re.findall(r"^\*\*.*", render_run_markdown([result], CONTEXT), re.MULTILINE)
        for case, result in NEXT_STEPS.items()
    }
    assert_messages(__file__, steps.items())


@pytest.mark.parametrize(
    ("plan", "is_restorable"),
    [
        (cases.live_plan(), True),
        (cases.usual_plan(), False),
        (cases.usual_plan(cases.Versioning.SUSPENDED), False),
        (cases.usual_plan(cases.Versioning.UNKNOWN), False),
        (cases.final_plan(), False),
    ],
)
def test_restore_is_offered_only_if_noncurrent_versions_are_kept(plan, is_restorable):
    markdown = render_plan(plan, CONTEXT, cases.result_of(plan))

    assert ("ci3 restore" in markdown) == is_restorable


def test_table_that_does_not_fit_is_replaced_by_a_link():
    name = "|" * 900
    deployments = [deployment(f"{name}{number:03}", 1 + number) for number in range(30)]
    plan = cases.make_plan(inventory(*deployments), keep_count=12, patterns=("*",))
    context = replace(CONTEXT, budget_bytes=2_000)

    markdown = render_plan(plan, context)

    assert len(markdown.encode()) <= context.budget_bytes
    assert markdown.startswith("### ")
    assert context.overflow_location in markdown
    assert "| :--" not in markdown


def test_shortened_plan_names_the_location_of_the_full_plan():
    context = RenderContext(budget_bytes=3_000, overflow_location="`plan.json`")

    assert "`plan.json`" in render_plan(cases.huge_plan(), context)


def test_long_names_do_not_exceed_the_budget():
    deployments = [deployment("|" * 1000 + f"{number:03}", 1 + number) for number in range(300)]
    ignored = tuple(IgnoredEntry(name="\u202e" * 1000, reason="a file") for _ in range(30))
    plan = cases.make_plan(inventory(*deployments, ignored=ignored), patterns=("*" * 900,) * 50)
    assert len(render_plan(plan, CONTEXT).encode()) <= CONTEXT.budget_bytes


def test_deployment_that_was_not_deleted_is_shown_with_its_problem():
    plan = cases.usual_plan()
    name = plan.to_delete[0].deployment.name
    html = render_html(render_plan(plan, CONTEXT, cases.result_of(plan, problem=CHANGED)))
    row = next(row for row in list_rows(html) if name in row[0])
    assert row[1].startswith("<strong>")
    assert row[2] == CHANGED


def test_deployment_that_was_not_deleted_is_listed_first():
    plan = cases.usual_plan()
    result = cases.result_of(plan)
    *deleted, oldest = result.deployments
    failed = replace(oldest, counts={ObjectOutcome.CHANGED: 2}, bytes_deleted=0, problem=CHANGED)
    result = replace(result, deployments=(*deleted, failed))

    _, first_row, *_ = list_rows(render_html(render_plan(plan, CONTEXT, result)))

    assert oldest.name in first_row[0]


@pytest.mark.parametrize("budget_bytes", [3_000, 20_000, 65_000, 1_000_000])
def test_long_plan_is_shortened_to_its_budget_and_counts_omitted_rows(budget_bytes):
    plan = cases.make_plan(cases.site(6000), keep_count=3000)
    context = replace(CONTEXT, budget_bytes=budget_bytes)
    markdown = render_plan(plan, context)
    html = render_html(markdown)
    assert len(markdown.encode()) <= budget_bytes
    listed_rows = [row for row in list_rows(html) if row[0].startswith("<code>")]
    omitted_count = sum(
        numbers_in(line)[0] for line in markdown.splitlines() if line.startswith("…")
    )
    summarized_count = sum(
        int(row[0].split()[0].replace(",", "")) for row in list_rows(html) if row[0][:1].isdigit()
    )
    assert summarized_count == plan.totals.keep
    assert len(listed_rows) + omitted_count + summarized_count == plan.totals.found
    assert markdown.count("<details") == markdown.count("</details>")


def test_listings_are_tables_with_one_row_per_item():
    deployments = cases.site(3).deployments
    assert len(list_rows(render_html(render_deployments_markdown(deployments)))) == 1 + len(
        deployments
    )
    objects = (make_object("a/b|c"), make_object("a/<d>"))
    assert len(list_rows(render_html(render_objects_markdown(objects)))) == 1 + len(objects)
