"""Report of a workflow's step: outputs, annotations, job summary, comment, issue, exit code."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ci3.action.news import News
from ci3.action.post_settings import PostSettings
from ci3.action.posting import Poster
from ci3.config.pattern_targets import lists_targets
from ci3.config.resolve import RawSetting, raw_text
from ci3.config.settings import Settings
from ci3.core.formatting import format_json
from ci3.core.live.commit_names import Commit, interleave_names
from ci3.core.model.issues import WarningCode
from ci3.core.model.result import RunOutcome
from ci3.core.plan.shared_folders import label_plans, label_refusals
from ci3.core.plan.target_result import (
    TargetResult,
    exit_code_of_outcome,
    find_worst_outcome,
    list_outputs,
    sum_outputs,
)
from ci3.errors import (
    Ci3Error,
    ExitCode,
    RefusedError,
)
from ci3.github.markers import MARKER_BYTES, POST_LIMIT_BYTES
from ci3.github.workflow_commands import OUTPUT_LIMIT_CHARACTERS, SUMMARY_LIMIT_BYTES, Runner
from ci3.github.workflow_run import WorkflowRun
from ci3.report.markdown_format import RenderContext, format_code
from ci3.report.plan.headlines import format_stale_headline
from ci3.report.plan.lifecycle_text import (
    format_reconciled_problem,
    list_open_warnings,
)
from ci3.report.plan.markdown import render_error_markdown, render_run_markdown
from ci3.report.plan.text import format_issue, format_shortfall

if TYPE_CHECKING:
    from ci3.core.plan.policy_diff import PolicyChange
    from ci3.github.api import GitHubApi

HOW_TO_APPLY = (
    "run this step with `mode: apply`. Apply creates a fresh plan, so the result may differ."
)
HOW_TO_APPLY_SAVED = (
    "run a step with `mode: apply` and this plan's file as `plan-file`. It deletes only what this "
    "plan names, and nothing if any of it has changed (unless `skip-changed` is set)."
)


class Reporter:
    """Reports the results of one step of a workflow.

    Configured in two steps, so that an error in the settings can be reported too.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._run: WorkflowRun | None = None
        self._post_settings: PostSettings | None = None
        self._plan_file = ""
        self._has_targets = False

    def configure_from_inputs(self, run: WorkflowRun, inputs: Mapping[str, RawSetting]) -> None:
        """Configure the report from run and inputs, before the settings are resolved."""
        self._run = run
        self.runner.mask_secret(raw_text(inputs, "github-token"))
        self._post_settings = PostSettings.from_inputs(run, inputs)

    def configure(self, settings: Settings, github: "GitHubApi | None") -> None:
        """Configure the report from the first target's settings.

        The settings that are used here are equal in all targets.
        """
        self.runner.mask_secret(settings.github_token)
        self._plan_file = settings.plan_file
        self._has_targets = lists_targets(settings)
        self._post_settings = PostSettings.from_settings(settings, github)

    def report_run(
        self, target_results: Sequence[TargetResult], changes: "Sequence[PolicyChange]"
    ) -> int:
        """Report a run everywhere; return the step's exit code."""
        self.set_outputs(target_results)
        self.runner.set_output("comment-url", "")
        self.runner.set_output("issue-url", "")
        commits = self._find_commits(target_results)
        plan_file = f"the plan file {format_code(self._plan_file)}" if self._plan_file else ""
        summary_context = self._create_context(
            SUMMARY_LIMIT_BYTES, plan_file or "the step's log", commits
        )
        self.runner.write_summary(render_run_markdown(target_results, summary_context, changes))
        self._annotate(target_results)
        post_exit_code = self._post(
            lambda context: render_run_markdown(target_results, context, changes),
            commits,
            News.from_results(target_results, has_policy_changes=bool(changes)),
        )
        return exit_code_of_outcome(find_worst_outcome(target_results)) or post_exit_code

    def set_outputs(self, target_results: Sequence[TargetResult]) -> None:
        """Set the action's outputs, except `comment-url` and `issue-url`."""
        for name, value in sum_outputs(target_results).items():
            self.runner.set_output(name, value)
        self.runner.set_output("plan-file", self._plan_file)
        self.runner.set_output("objects-restored", 0)
        outputs = list_outputs(target_results)
        targets = format_json(outputs, indent=None).rstrip() if self._has_targets else ""
        if len(targets) > OUTPUT_LIMIT_CHARACTERS:
            self.runner.add_warning("the output targets is empty: it would exceed the size limit")
            targets = ""
        self.runner.set_output("targets", targets)

    def report_error(self, error: Ci3Error, notes: Sequence[str] = ()) -> int:
        """Report an error, also in an existing comment or issue, which describes an earlier run.

        `notes` are sentences on what else has happened.
        """
        is_refused = isinstance(error, RefusedError)
        self.runner.set_output("outcome", RunOutcome.REFUSED if is_refused else RunOutcome.FAILED)
        self.runner.add_error(" ".join((error.full_message, *notes)))
        self.runner.write_summary(render_error_markdown(error, notes=notes))
        with suppress(KeyboardInterrupt):  # the rest is reported by now
            self.update_post(lambda context: render_error_markdown(error, context, notes))
        return error.exit_code

    def update_post(self, render: Callable[[RenderContext], str], post_id: str = "") -> None:
        """Replace the text of an existing comment or open issue; create none.

        `post_id` is that of the target if a journal names it. It becomes the most likely id.
        """
        if self._post_settings is not None:
            self._post_settings = self._post_settings.with_likely_id(post_id)
        self._post(render, {}, None)

    def _annotate(self, target_results: Sequence[TargetResult]) -> None:
        runner = self.runner
        plans = [target_result.plan for target_result in target_results]
        for label, refusal in label_refusals(plans):
            runner.add_error(f"{label}{format_issue(refusal)}")
        labels = label_plans(plans)
        for target_result, label in zip(target_results, labels, strict=True):
            prefix = f"{label}: " if len(target_results) > 1 else ""
            for warning in list_open_warnings(target_result):
                is_notice = warning.code is WarningCode.NO_PREVIEWS
                annotate = runner.add_notice if is_notice else runner.add_warning
                annotate(f"{prefix}{format_issue(warning)}")
            if target_result.is_stale and target_result.changed:
                runner.add_error(f"{prefix}{format_stale_headline(target_result)}")
            if problem := format_reconciled_problem(target_result):
                runner.add_error(f"{prefix}{problem}")
            result = target_result.result
            if result is not None and result.outcome is RunOutcome.PARTIAL:
                runner.add_error(f"{prefix}{format_shortfall(target_result.plan, result)}")

    def _find_commits(self, target_results: Sequence[TargetResult]) -> Mapping[str, Commit]:
        """Return the commits that deployments are named after; empty without a GitHub client."""
        github = self._post_settings.github if self._post_settings else None
        if github is None:
            return {}
        plans = [target_result.plan for target_result in target_results]
        kept_names = (decision.deployment.name for plan in plans for decision in plan.kept)
        names_to_delete = (
            decision.deployment.name for plan in plans for decision in plan.to_delete
        )
        return github.find_commits(interleave_names(kept_names, names_to_delete))

    def _create_context(
        self, budget_bytes: int, overflow_location: str, commits: Mapping[str, Commit]
    ) -> RenderContext:
        run = self._run
        return RenderContext(
            budget_bytes=budget_bytes,
            run_url=run.run_url if run else "",
            how_to_apply=HOW_TO_APPLY_SAVED if self._plan_file else HOW_TO_APPLY,
            overflow_location=overflow_location,
            commit_url=run.commit_url if run else "",
            commits=commits,
        )

    def _post(
        self,
        render: Callable[[RenderContext], str],
        commits: Mapping[str, Commit],
        news: News | None,
    ) -> ExitCode:
        """Post the report as a comment or an issue; return the exit code for the step."""
        run = self._run
        if run is None or self._post_settings is None:
            return ExitCode.DONE
        url = run.run_url
        overflow_location = f"[the job summary]({url})" if url else "the job summary"
        budget_bytes = POST_LIMIT_BYTES - MARKER_BYTES
        context = self._create_context(budget_bytes, overflow_location, commits)
        poster = Poster(self.runner, run, self._post_settings)
        return poster.post(lambda: render(context), news)
