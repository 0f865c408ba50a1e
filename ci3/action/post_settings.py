"""Settings of the comment and the issue of a step."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from ci3.config.modes import Mode, PostPolicy
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import RawSetting, raw_text
from ci3.config.settings import Settings
from ci3.core.formatting import escape_control_chars
from ci3.errors import AccessError, SettingsError
from ci3.github.workflow_run import WorkflowRun

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi

_TITLE_LIMIT_CHARACTERS = 200
"""GitHub takes 256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostSettings:
    """Settings of the comment and the issue; `github` is None if there is no token or repository.

    `ids` are the candidates for their ID, the most likely first. There are several until the
    settings are resolved. `subject` is what the issue's title names.
    """

    github: "GitHubApi | None"
    comment_policy: PostPolicy
    issue_policy: PostPolicy
    ids: tuple[str, ...]
    is_id_certain: bool
    subject: str = ""
    is_plan_mode: bool = False

    def with_likely_id(self, post_id: str) -> Self:
        """Return these settings with an ID as the most likely one, unless the ID is certain."""
        if self.is_id_certain or not post_id:
            return self
        return replace(self, ids=tuple(dict.fromkeys((post_id, *self.ids))))

    @property
    def issue_title(self) -> str:
        """The title of a new issue, without what could mention a user or refer to an issue."""
        subject = re.sub("[@#`<>]", "?", escape_control_chars(self.subject))
        return f"Cleanup of {subject[:_TITLE_LIMIT_CHARACTERS]}"

    @classmethod
    def from_settings(cls, settings: Settings, github: "GitHubApi | None") -> Self:
        """Return those of the first target's settings; all targets have the same."""
        match = settings.match.pattern if settings.match else ""
        # That of a pattern is the same from run to run, whatever targets it finds.
        url = f"s3://{settings.bucket}/{settings.pattern or settings.prefix}"
        # A saved plan has the targets of a policy file, but not its path.
        policy_file = settings.policy_file if settings.has_targets else ""
        default_id = policy_file or make_post_id(url, match)
        is_doctor = settings.mode is Mode.DOCTOR  # it has no plan to show
        return cls(
            github=github,
            comment_policy=PostPolicy.NEVER if is_doctor else settings.comment,
            issue_policy=PostPolicy.NEVER if is_doctor else settings.issue,
            ids=(settings.comment_id or default_id,),
            is_id_certain=True,
            subject=policy_file or url,
            is_plan_mode=settings.mode is Mode.PLAN,
        )

    @classmethod
    def from_inputs(cls, run: WorkflowRun, inputs: Mapping[str, RawSetting]) -> Self | None:
        """Return the likely ones from inputs and policy file, which are not validated yet.

        The runner sets each input that a workflow does not set to an empty text.
        """
        settings = {name: raw for name, raw in inputs.items() if raw_text(inputs, name)}
        with suppress(SettingsError):  # reported later, when the settings are resolved
            settings = {**read_named_policy(inputs).defaults, **settings}
        prefix = raw_text(settings, "prefix").strip("/")
        url = f"s3://{raw_text(settings, 'bucket')}/{f'{prefix}/' if prefix else ''}"
        target_id = make_post_id(url, raw_text(settings, "match"))
        comment_id = raw_text(settings, "comment-id")
        candidate_ids = (target_id, raw_text(inputs, "policy-file"))
        is_doctor = raw_text(inputs, "mode") == Mode.DOCTOR
        has_comment = not is_doctor and raw_text(settings, "comment") != PostPolicy.NEVER
        has_issue = not is_doctor and raw_text(settings, "issue") not in ("", PostPolicy.NEVER)
        try:
            return cls(
                github=open_github(
                    run,
                    api_url=raw_text(inputs, "github-api-url") or run.api_url,
                    token=raw_text(inputs, "github-token"),
                ),
                comment_policy=PostPolicy.CHANGES if has_comment else PostPolicy.NEVER,
                issue_policy=PostPolicy.CHANGES if has_issue else PostPolicy.NEVER,
                ids=(comment_id,) if comment_id else tuple(filter(None, candidate_ids)),
                is_id_certain=bool(comment_id),
            )
        except (SettingsError, AccessError):
            return None


def make_post_id(url: str, match: str) -> str:
    """Return the default ID: two steps of one folder may have another `match`."""
    return f"{url} {match}" if match else url


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
