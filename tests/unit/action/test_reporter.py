"""Reports that are too long or cannot be posted."""

import re

import pytest

from ci3.action.reporter import Reporter
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.core.model.policy import Origin
from ci3.core.plan.target_result import TargetResult
from ci3.errors import ExitCode, GitHubError, GitHubReadOnlyError
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner
from ci3.github.workflow_run import WorkflowRun
from tests.support import report_cases as cases
from tests.support.action_reports import row_counts
from tests.support.builders import deployment, inventory
from tests.support.messages import numbers_in


def make_settings(**texts):
    texts_by_name = {"bucket": "my-site", "mode": "plan", **texts}
    return resolve_settings(
        {
            name.replace("_", "-"): RawSetting(texts=(text,), origin=Origin.INPUT, where=name)
            for name, text in texts_by_name.items()
        }
    )


@pytest.mark.parametrize(
    ("texts", "plan_file"),
    [({"plan_file": "plan.json"}, "plan.json"), ({}, "")],
)
def test_shortened_summary_names_the_plan_file(tmp_path, texts, plan_file):
    deployments = [deployment("|" * 200 + f"{number:04}", 1 + number) for number in range(900)]
    plan = cases.make_plan(inventory(*deployments))
    reporter = Reporter(Runner(str(tmp_path / "summary")))
    reporter.configure(make_settings(**texts), None)

    assert reporter.report_run([TargetResult(plan=plan)], ()) == 0

    summary = (tmp_path / "summary").read_text(encoding="utf-8")
    assert SUMMARY_LIMIT_BYTES // 2 < len(summary.encode()) <= SUMMARY_LIMIT_BYTES
    delete_count, *_ = row_counts(summary)
    [line] = [line for line in summary.splitlines() if numbers_in(line) == [895 - delete_count]]
    assert ("`plan.json`" in line) is bool(plan_file)


class FailingGitHub:
    """A client that finds no commits and fails in any other request."""

    def __init__(self, error):
        self._error = error

    def find_commits(self, _names):
        return {}

    def __getattr__(self, _name):
        raise self._error


@pytest.mark.parametrize(
    ("error", "event", "mode", "expected"),
    [
        (GitHubReadOnlyError, "pull_request", "plan", ("::notice", ExitCode.DONE)),
        (GitHubReadOnlyError, "pull_request", "apply", ("::notice", ExitCode.DONE)),
        (GitHubReadOnlyError, "push", "plan", ("", ExitCode.DONE)),
        (GitHubReadOnlyError, "push", "apply", ("", ExitCode.DONE)),
        (GitHubError, "pull_request", "plan", ("::error", ExitCode.ACCESS)),
        (GitHubError, "pull_request", "apply", ("::warning", ExitCode.DONE)),
        (GitHubError, "push", "plan", ("::error", ExitCode.ACCESS)),
        (GitHubError, "push", "apply", ("::warning", ExitCode.DONE)),
    ],
)
def test_failed_comment_fails_only_a_plan(capsys, error, event, mode, expected):
    run = WorkflowRun(
        repository="acme/site",
        run_url="",
        api_url="",
        references=(),
        references_after_close=(),
        pull_request=7 if event == "pull_request" else None,
        head_commit="a" * 40 if event == "push" else "",
    )
    reporter = Reporter(Runner(""))
    reporter.configure_from_inputs(run, {})
    reporter.configure(make_settings(mode=mode), FailingGitHub(error("GitHub is away", "Wait.")))

    workflow_command, exit_code = expected
    assert reporter.report_run([TargetResult(plan=cases.usual_plan())], ()) == exit_code
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "GitHub is away" in line)
    assert re.match(r"(::\w+)?", line)[0] == workflow_command
