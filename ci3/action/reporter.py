"""Report of a workflow's step: outputs, annotations, job summary, comment and exit code."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci3.config.modes import CommentPolicy, Mode
from ci3.config.named_policy import read_named_policy
from ci3.config.pattern_targets import lists_targets
from ci3.config.resolve import RawSetting, raw_text
from ci3.config.settings import Settings
from ci3.core.formatting import format_json
from ci3.core.live.commit_names import Commit, interleave_names
from ci3.core.model.issues import NAME_WARNINGS
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
    AccessError,
    Ci3Error,
    ExitCode,
    GitHubError,
    GitHubReadOnlyError,
    RefusedError,
    SettingsError,
)
from ci3.github.run_references import find_pull_request
from ci3.github.workflow_commands import OUTPUT_LIMIT_CHARACTERS, SUMMARY_LIMIT_BYTES, Runner
from ci3.github.workflow_run import WorkflowRun
from ci3.report.markdown_format import RenderContext, format_code
from ci3.report.plan.headlines import format_stale_headline
from ci3.report.plan.lifecycle_text import (
    format_reconciled_problem,
    format_rule_changes,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentTarget:
    """Comment of a step; `github` is None if there is no token or repository.

    `ids` are the candidates for the comment's id, the most likely first. There are several until
    the settings are resolved.
    """

    github: "GitHubApi | None"
    comment_policy: CommentPolicy
    ids: tuple[str, ...]
    is_plan_mode: bool = False


class Reporter:
    """Reports the results of one step of a workflow.

    Configured in two steps, so that an error in the settings can be reported too.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._run: WorkflowRun | None = None
        self._comment_target: CommentTarget | None = None
        self._plan_file = ""
        self._has_targets = False

    def configure_from_inputs(self, run: WorkflowRun, inputs: Mapping[str, RawSetting]) -> None:
        """Configure the report from run and inputs, before the settings are resolved."""
        self._run = run
        self.runner.mask_secret(raw_text(inputs, "github-token"))
        self._comment_target = _comment_target_from_inputs(run, inputs)

    def configure(self, settings: Settings, github: "GitHubApi | None") -> None:
        """Configure the report from the first target's settings.

        The settings that are used here are equal in all targets.
        """
        match = settings.match.pattern if settings.match else ""
        # That of a pattern is the same from run to run, whatever targets it finds.
        url = f"s3://{settings.bucket}/{settings.pattern or settings.prefix}"
        target_id = make_comment_id(url, match)
        default_id = settings.policy_file if settings.has_targets else target_id
        self.runner.mask_secret(settings.github_token)
        self._plan_file = settings.plan_file
        self._has_targets = lists_targets(settings)
        self._comment_target = CommentTarget(
            github=github,
            comment_policy=_comment_policy(settings.comment, mode=settings.mode),
            ids=(settings.comment_id or default_id,),
            is_plan_mode=settings.mode is Mode.PLAN,
        )

    def report_run(
        self, target_results: Sequence[TargetResult], changes: "Sequence[PolicyChange]"
    ) -> int:
        """Write outputs, summary, annotations and comment of a run; return the step's exit code."""
        self.set_outputs(target_results)
        self.runner.set_output("comment-url", "")
        commits = self._find_commits(target_results)
        plan_file = f"the plan file {format_code(self._plan_file)}" if self._plan_file else ""
        summary_context = self._create_context(
            SUMMARY_LIMIT_BYTES, plan_file or "the step's log", commits
        )
        self.runner.write_summary(render_run_markdown(target_results, summary_context, changes))
        self._annotate(target_results)
        target = self._comment_target
        is_always_created = target is not None and target.comment_policy is CommentPolicy.ALWAYS
        has_news = bool(changes) or any(map(_has_news, target_results))
        comment_exit_code = self._comment(
            lambda context: render_run_markdown(target_results, context, changes),
            commits,
            is_worth_creating=is_always_created or has_news,
        )
        return exit_code_of_outcome(find_worst_outcome(target_results)) or comment_exit_code

    def set_outputs(self, target_results: Sequence[TargetResult]) -> None:
        """Set the action's outputs, except `comment-url`."""
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
        """Report an error, also in an existing comment, which would describe an earlier run.

        `notes` are sentences on what else has happened.
        """
        is_refused = isinstance(error, RefusedError)
        self.runner.set_output("outcome", RunOutcome.REFUSED if is_refused else RunOutcome.FAILED)
        self.runner.add_error(" ".join((error.full_message, *notes)))
        self.runner.write_summary(render_error_markdown(error, notes=notes))
        with suppress(KeyboardInterrupt):  # everything but the comment is reported by now
            self.update_comment(lambda context: render_error_markdown(error, context, notes))
        return error.exit_code

    def update_comment(self, render: Callable[[RenderContext], str], comment_id: str = "") -> None:
        """Replace the text of an existing comment; create none.

        `comment_id` is that of the target if a journal names it. It becomes the most likely id.
        """
        comment_target = self._comment_target
        if comment_target is not None and comment_id and len(comment_target.ids) > 1:
            self._comment_target = replace(
                comment_target, ids=tuple(dict.fromkeys((comment_id, *comment_target.ids)))
            )
        self._comment(render, {}, is_worth_creating=False)

    def _annotate(self, target_results: Sequence[TargetResult]) -> None:
        runner = self.runner
        plans = [target_result.plan for target_result in target_results]
        for label, refusal in label_refusals(plans):
            runner.add_error(f"{label}{format_issue(refusal)}")
        labels = label_plans(plans)
        for target_result, label in zip(target_results, labels, strict=True):
            prefix = f"{label}: " if len(target_results) > 1 else ""
            for warning in list_open_warnings(target_result):
                runner.add_warning(f"{prefix}{format_issue(warning)}")
            if target_result.is_stale and target_result.changed:
                runner.add_error(f"{prefix}{format_stale_headline(target_result)}")
            if problem := format_reconciled_problem(target_result):
                runner.add_error(f"{prefix}{problem}")
            result = target_result.result
            if result is not None and result.outcome is RunOutcome.PARTIAL:
                runner.add_error(f"{prefix}{format_shortfall(target_result.plan, result)}")

    def _find_commits(self, target_results: Sequence[TargetResult]) -> Mapping[str, Commit]:
        """Return the commits that deployments are named after; empty without a GitHub client."""
        if self._comment_target is None or self._comment_target.github is None:
            return {}
        plans = [target_result.plan for target_result in target_results]
        kept_names = (decision.deployment.name for plan in plans for decision in plan.kept)
        names_to_delete = (
            decision.deployment.name for plan in plans for decision in plan.to_delete
        )
        return self._comment_target.github.find_commits(
            interleave_names(kept_names, names_to_delete)
        )

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

    def _comment(
        self,
        render: Callable[[RenderContext], str],
        commits: Mapping[str, Commit],
        *,
        is_worth_creating: bool,
    ) -> ExitCode:
        """Write the comment if there is a pull request; return the exit code for the step.

        | failure               | mode: plan          | other modes          |
        |-----------------------|---------------------|----------------------|
        | token may not write   | notice, exit code 0 | notice, exit code 0  |
        | other error of GitHub | error, exit code 6  | warning, exit code 0 |

        After a push, the notice is a line of the log instead: the token may not look for a pull
        request, so there may be none.
        """
        run, comment_target, runner = self._run, self._comment_target, self.runner
        if run is None or comment_target is None or not (run.pull_request or run.head_commit):
            return ExitCode.DONE
        if comment_target.comment_policy is CommentPolicy.NEVER:
            return ExitCode.DONE
        if comment_target.github is None:
            if run.pull_request is not None:
                runner.add_notice(
                    "cannot comment without github-token: the report is in the job summary"
                )
            return ExitCode.DONE
        from ci3.github.markers import MARKER_BYTES, POST_LIMIT_BYTES  # noqa: PLC0415 - requests: few runs comment

        url = run.run_url
        overflow_location = f"[the job summary]({url})" if url else "the job summary"
        context = self._create_context(POST_LIMIT_BYTES - MARKER_BYTES, overflow_location, commits)
        try:
            self._post(comment_target.github, render(context), is_worth_creating=is_worth_creating)
        except GitHubError as exc:
            message = f"cannot comment (the report is in the job summary): {exc.full_message}"
            if isinstance(exc, GitHubReadOnlyError):
                write = runner.log if run.pull_request is None else runner.add_notice
                write(message)
            elif comment_target.is_plan_mode:
                runner.add_error(message)
                return ExitCode.ACCESS
            else:
                runner.add_warning(message)
        return ExitCode.DONE

    def _post(self, github: "GitHubApi", body: str, *, is_worth_creating: bool) -> None:
        number = find_pull_request(self._run, github) if self._run else None
        if number is None or self._comment_target is None:
            return
        from ci3.github.comments import post_comment  # noqa: PLC0415 - requests: few runs comment

        for comment_id in self._comment_target.ids:
            comment = post_comment(
                github,
                number=number,
                comment_id=comment_id,
                body=body,
                should_create=is_worth_creating,
            )
            if comment is not None:
                self.runner.set_output("comment-url", comment.url)
                self.runner.log(f"Comment: {comment.url}")


def make_comment_id(url: str, match: str) -> str:
    """Return the default ID of a comment: two steps of one folder may have another `match`."""
    return f"{url} {match}" if match else url


def _has_news(target_result: TargetResult) -> bool:
    """Return True if a comment is worth creating: to delete, refused, or a wrong setup."""
    plan = target_result.plan
    has_changes = bool(plan.to_delete) or not plan.is_applyable
    has_changes = has_changes or any(warning.code in NAME_WARNINGS for warning in plan.warnings)
    return has_changes or bool(format_rule_changes([target_result]))


def open_github(run: WorkflowRun, *, api_url: str, token: str) -> "GitHubApi | None":
    """Return a GitHub client, or None without a token or repository.

    Raises SettingsError if address, token or repository are malformed, and AccessError if the
    file of AWS_CA_BUNDLE cannot be used.
    """
    if not token or not run.repository:
        return None
    from ci3.github.api import GitHubApi  # noqa: PLC0415 - requests: few runs ask GitHub
    from ci3.github.http import GitHubTransport  # noqa: PLC0415 - as above

    transport = GitHubTransport(
        api_url=api_url, token=token, repository=run.repository, ca_bundle=run.ca_bundle
    )
    return GitHubApi(transport, run.own_workflow)


def _comment_policy(policy: CommentPolicy, *, mode: str) -> CommentPolicy:
    """Return `policy`, or NEVER in doctor mode, which has no plan to show."""
    return CommentPolicy.NEVER if mode == Mode.DOCTOR else policy


def _comment_target_from_inputs(
    run: WorkflowRun, inputs: Mapping[str, RawSetting]
) -> CommentTarget | None:
    """Return the likely comment target from the inputs alone, which are not validated yet."""
    try:
        settings = {**read_named_policy(inputs).defaults, **inputs}
    except SettingsError:  # reported later, when the settings are resolved
        settings = dict(inputs)
    prefix = raw_text(settings, "prefix").strip("/")
    url = f"s3://{raw_text(settings, 'bucket')}/{f'{prefix}/' if prefix else ''}"
    target_id = make_comment_id(url, raw_text(settings, "match"))
    comment_id = raw_text(inputs, "comment-id")
    is_disabled = raw_text(inputs, "comment") == CommentPolicy.NEVER
    policy = _comment_policy(
        CommentPolicy.NEVER if is_disabled else CommentPolicy.CHANGES,
        mode=raw_text(inputs, "mode"),
    )
    try:
        return CommentTarget(
            github=open_github(
                run,
                api_url=raw_text(inputs, "github-api-url") or run.api_url,
                token=raw_text(inputs, "github-token"),
            ),
            comment_policy=policy,
            ids=(comment_id,) if comment_id else (target_id, raw_text(inputs, "policy-file")),
        )
    except (SettingsError, AccessError):
        return None
