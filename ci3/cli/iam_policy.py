"""The command `iam-policy`, which prints IAM policies for ci3's role."""

import re
import sys
from typing import TYPE_CHECKING

import click

from ci3.aws.partitions import find_partition
from ci3.cli.console import create_console
from ci3.cli.options import SettingsCommand, resolve_option_targets, with_options
from ci3.core.formatting import format_json
from ci3.core.iam.policy import MAX_POLICY_CHARACTERS, IamTarget, Purpose, build_policy
from ci3.core.iam.trust import TrustedRuns, build_trust_policy
from ci3.core.journal.location import is_s3_url
from ci3.errors import SettingsError, begin_sentence, end_sentence
from ci3.report.terminal_format import print_line

if TYPE_CHECKING:
    from ci3.config.settings import Settings
    from ci3.core.iam.policy import IamPolicy

_SETTINGS = (
    "bucket",
    "region",
    "prefix",
    "role-to-assume",
    "protect",
    "live-from",
    "inventory",
    "delete-versions",
    "journal-file",
    "policy-file",
)
_PURPOSES = ("plan", "apply", "restore", "lifecycle", "probe-restore")


@with_options(_SETTINGS, alternatives=["--policy-file", "--trust"])
@click.command("iam-policy", cls=SettingsCommand)
@click.argument("purpose", type=click.Choice(_PURPOSES), required=False)
@click.option(
    "--insist-on-conditions",
    is_flag=True,
    help="Allow conditional deletes only: S3 then denies s3:DeleteObject without If-Match.",
)
@click.option(
    "--trust",
    metavar="OWNER/REPO[:…]",
    help="Print the role's trust policy instead. It trusts all workflow runs of this "
    "repository, or those of :environment:NAME, :branch:NAME or :pull_request.",
)
@click.option(
    "--account-id",
    metavar="NUMBER",
    help="AWS account ID of the role.  [default: from role-to-assume]",
)
def iam_policy(
    *,
    purpose: str | None,
    insist_on_conditions: bool,
    trust: str | None,
    account_id: str | None,
    **values: str | bool | None,
) -> None:
    """Print a least-privilege IAM policy for ci3.

    Attach it to the role that the workflow assumes. No requests are sent to AWS.

    \b
    Examples:
      ci3 iam-policy apply --bucket-name my-site --prefix app --protect 'release-*'
      ci3 iam-policy --trust octo-org/my-site:environment:production
    """
    account = _resolve_account(account_id, str(values.get("role_to_assume") or ""))
    if trust:
        if purpose:
            raise click.UsageError(
                f"--trust and {purpose} cannot be combined. Run the command twice."
            )
        _print_policy(_build_trust_policy(trust, account, str(values.get("region") or "")))
        return
    if not purpose:
        raise click.UsageError(f"Missing argument: {', '.join(_PURPOSES)}, or --trust.")
    scopes = [
        _build_scope(settings, account, requires_conditions=insist_on_conditions)
        for settings in resolve_option_targets(values)
    ]
    _print_policy(build_policy(Purpose(purpose), scopes))


def _build_scope(settings: "Settings", account: str, *, requires_conditions: bool) -> "IamTarget":
    if settings.bucket.endswith("-s3alias"):
        raise SettingsError(
            f"the bucket {settings.bucket} is an access point alias, which IAM policies cannot "
            "refer to",
            "Use the access point's ARN instead, such as "
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-site.",
        )
    return IamTarget(
        bucket=settings.bucket,
        prefix=settings.prefix,
        partition=find_partition(settings.region),
        region=settings.region,
        account=account,
        protect=settings.protect,
        live_from=settings.live_from,
        inventory=settings.inventory,
        stores_journal=is_s3_url(settings.journal_file),
        delete_versions=settings.delete_versions,
        requires_conditional_deletes=requires_conditions,
    )


def _build_trust_policy(text: str, account: str, region: str) -> "IamPolicy":
    try:
        trust = TrustedRuns.parse(text)
    except ValueError as exc:
        raise SettingsError(
            f"option --trust: {text!r} {exc}",
            "For example: octo-org/my-site:environment:production.",
        ) from exc
    return build_trust_policy(trust, account=account, partition=find_partition(region))


def _resolve_account(account_id: str | None, role: str) -> str:
    if account_id and not re.fullmatch("[0-9]{12}", account_id):
        raise SettingsError(
            f"option --account-id: {account_id!r} is not an AWS account ID",
            "An account ID has 12 digits.",
        )
    match = re.match(r"arn:[a-z-]+:iam::([0-9]{12}):", role)
    return account_id or (match[1] if match else "")


def _print_policy(policy: "IamPolicy") -> None:
    text = format_json(policy.document)
    click.echo(text, nl=False)
    notes = list(policy.notes)
    if len(re.sub(r"\s", "", text)) > MAX_POLICY_CHARACTERS:
        notes.append(
            f"the policy exceeds the {MAX_POLICY_CHARACTERS:,} characters of a managed policy: "
            "attach it to the role as an inline policy, or combine protect names into fewer globs"
        )
    for note in notes:
        text = f"Note: {end_sentence(begin_sentence(note))}"
        print_line(create_console(sys.stderr), text, indent="  ")
