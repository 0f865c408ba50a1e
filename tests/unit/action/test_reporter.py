"""What a report says where it can't say all."""

import pytest

from ci3.action.reporter import Reporter
from ci3.config.resolve import Given, resolve
from ci3.core.model.policy import Origin
from ci3.core.plan.target_result import Account
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner
from tests.support import report_cases as cases
from tests.support.action_reports import row_counts
from tests.support.builders import deployment, inventory


def settings(**texts):
    named = {"bucket": "my-site", "mode": "plan", **texts}
    return resolve(
        {
            name.replace("_", "-"): Given(texts=(text,), origin=Origin.INPUT, where=name)
            for name, text in named.items()
        }
    )


@pytest.mark.parametrize(
    ("texts", "rest"),
    [({"plan_file": "plan.json"}, "the plan file `plan.json`"), ({}, "the step's log")],
)
def test_summary_that_can_not_hold_all_says_where_the_rest_is(tmp_path, texts, rest):
    found = [deployment("|" * 200 + f"{number:04}", 1 + number) for number in range(900)]
    plan = cases.make_plan(inventory(*found))
    reporter = Reporter(Runner(str(tmp_path / "summary")))
    reporter.settle(settings(**texts), None)

    assert reporter.report([Account(plan=plan)], ()) == 0

    summary = (tmp_path / "summary").read_text(encoding="utf-8")
    assert SUMMARY_LIMIT_BYTES // 2 < len(summary.encode()) <= SUMMARY_LIMIT_BYTES
    doomed, *_ = row_counts(summary)
    assert f"… and {895 - doomed:,} more deployments, in {rest}." in summary
