import json
import re

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.restore.decide import SkipObject, SkipReason
from ci3.core.restore.plan import (
    DeploymentRestorePlan,
    DeploymentRestoreResult,
    ObjectRestoreOutcome,
    RestorePlan,
    RestoreResult,
    summarize_skips,
)
from ci3.report.markdown_format import RenderContext
from ci3.report.restore import (
    render_restore_json,
    render_restore_markdown,
    show_restore_plan,
    show_restored,
)
from tests.support.builders import target
from tests.support.messages import numbers_in
from tests.unit.report.golden import assert_golden
from tests.unit.report.plan.test_terminal import print_report

HOSTILE = "a|b`c\x1b[31m\u202e@me #1 [x](http://y)"


def make_skips(reason: SkipReason, *keys: str) -> tuple:
    return tuple(SkipObject(key=key, size_bytes=1000, reason=reason) for key in keys)


SKIPPED = summarize_skips(
    (
        *make_skips(SkipReason.VERSION_GONE, *(f"old-1/{number}" for number in range(5))),
        *make_skips(SkipReason.NEWER_VERSION, f"old-1/{HOSTILE}"),
        *make_skips(SkipReason.ALREADY_THERE, "old-1/there"),
    )
)


def make_plan(*deployments: DeploymentRestorePlan) -> RestorePlan:
    return RestorePlan(
        target=target(Versioning.ENABLED),
        source_label="the run 20261123T100000Z-1a2b3c4d of 2026-11-23 10:00 UTC",
        run_id="20261123T100000Z-1a2b3c4d",
        deployments=deployments,
        notes=("The journal's last line was cut off; what it is about is looked up.",),
    )


USUAL = make_plan(
    DeploymentRestorePlan(name="old-1", object_count=3, size_bytes=3000, skipped=SKIPPED),
    DeploymentRestorePlan(name="old-2", object_count=1200, size_bytes=5_000_000),
)
NOTHING = make_plan(DeploymentRestorePlan(name="old-1", object_count=0, size_bytes=0))
REFUSED = make_plan(
    DeploymentRestorePlan(
        name="old-1",
        object_count=0,
        size_bytes=0,
        skipped=summarize_skips(make_skips(SkipReason.NO_VERSIONS, "old-1/a", "old-1/b")),
    )
)
RESTORED = RestoreResult(
    deployments=(
        DeploymentRestoreResult(
            name="old-1",
            counts={
                ObjectRestoreOutcome.RESTORED: 2,
                ObjectRestoreOutcome.FAILED: 1,
                ObjectRestoreOutcome.SKIPPED: 7,
            },
            bytes_restored=2000,
            problem="a delete marker is still there: AccessDenied: not you",
            skipped=SKIPPED,
        ),
        DeploymentRestoreResult(
            name="old-2", counts={ObjectRestoreOutcome.RESTORED: 1200}, bytes_restored=5_000_000
        ),
    ),
    stop_reason="it was interrupted",
)
LARGE_CONTEXT = RenderContext(budget_bytes=100_000)
GOLDENS = {
    "undo-plan.txt": lambda: print_report(show_restore_plan, USUAL),
    "undo-nothing.txt": lambda: print_report(show_restore_plan, NOTHING),
    "undo-refused.txt": lambda: print_report(show_restore_plan, REFUSED),
    "undo-restored.txt": lambda: print_report(show_restored, RESTORED),
    "undo-plan.md": lambda: render_restore_markdown(USUAL, None, LARGE_CONTEXT),
    "undo-restored.md": lambda: render_restore_markdown(USUAL, RESTORED, LARGE_CONTEXT),
    "undo-plan.json": lambda: render_restore_json(USUAL),
    "undo-restored.json": lambda: render_restore_json(USUAL, RESTORED),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_restore_report_equals_its_golden(name):
    assert_golden(name, GOLDENS[name]())


@pytest.mark.parametrize(
    ("plan", "result", "outcome"),
    [
        (USUAL, None, "planned"),
        (NOTHING, None, "nothing-to-restore"),
        (REFUSED, None, "refused"),
        (USUAL, RESTORED, "partial"),
        (USUAL, RestoreResult(deployments=()), "restored"),
    ],
)
def test_json_has_the_outcome(plan, result, outcome):
    assert json.loads(render_restore_json(plan, result))["outcome"] == outcome


def test_no_control_character_of_a_key_reaches_a_terminal():
    text = print_report(show_restore_plan, USUAL, is_terminal=True)
    assert "\x1b[31m\u202e" not in text
    assert "\\u202e" in text


def test_markdown_of_many_deployments_is_within_its_budget():
    plan = make_plan(
        *(
            DeploymentRestorePlan(name=f"d{number}", object_count=1, size_bytes=1)
            for number in range(5000)
        )
    )
    text = render_restore_markdown(plan, None, RenderContext(budget_bytes=20_000))
    assert len(text.encode()) <= 20_000
    assert 5000 - len(re.findall(r"\bd\d+\b", text)) in numbers_in(text)


def test_markdown_of_many_skipped_objects_is_within_its_budget():
    keys = tuple(f"{'@#|' * 300}{number}" for number in range(3))
    deployments = [
        DeploymentRestorePlan(
            name=f"{'|' * 300}{number}",
            object_count=1,
            size_bytes=1,
            skipped=summarize_skips(make_skips(SkipReason.NEWER_VERSION, *keys)),
        )
        for number in range(60)
    ]
    context = RenderContext(budget_bytes=65_000)

    markdown = render_restore_markdown(make_plan(*deployments), None, context)

    assert len(markdown.encode()) <= context.budget_bytes
    assert "more" in markdown
    assert markdown.count("<details") == markdown.count("</details>") == 1
