"""Records output that needs no plan: help, IAM policies and usage errors."""

import re

from tools import sample_buckets
from tools.command_scenarios import ON_DEMO
from tools.stage import Stage

WIDE = 160

_COMMAND = re.compile(r"^  ([a-z][a-z-]*)  ", re.MULTILINE)


def record_help(stage: Stage) -> None:
    """Record the help of ci3 and of each command."""
    stage.run_ci3("version", "--version")
    stage.run_ci3("no-command", "")
    for columns in (80, WIDE):
        help_text = stage.run_ci3(f"ci3-{columns}", "--help", columns=columns).stdout.decode()
        commands = _COMMAND.findall(help_text.partition("\nCommands:\n")[2])
        for command in commands:
            stage.run_ci3(f"{command}-{columns}", f"{command} --help", columns=columns)


def record_iam_policies(stage: Stage) -> None:
    """Record the IAM policy of each kind."""
    sample_buckets.fill(stage)
    journal = "--journal-file s3://"
    live = "--live-from cloudfront --live-from ssm:/site/live --live-from object:current"
    for kind in ("plan", "apply", "restore", "lifecycle"):
        stage.run_ci3(kind, f"iam-policy {kind} {ON_DEMO}")
        stage.run_ci3(
            f"{kind}-prefix", f"iam-policy {kind} {ON_DEMO} --prefix app/web --protect 'release-*'"
        )
    stage.run_ci3("default", f"iam-policy {ON_DEMO}")
    stage.run_ci3("apply-live", f"iam-policy apply {ON_DEMO} {live} {journal}")
    stage.run_ci3("apply-versions", f"iam-policy apply {ON_DEMO} --delete-versions")
    stage.run_ci3("apply-conditions", f"iam-policy apply {ON_DEMO} --insist-on-conditions")
    stage.run_ci3("apply-targets", "iam-policy apply --policy-file targets.yml")
    trusted = "octo-org/my-site:environment:production --account-id 123456789012"
    stage.run_ci3("trust", f"iam-policy --trust {trusted}")


def record_errors(stage: Stage) -> None:
    """Record the errors for wrong input."""
    sample_buckets.fill(stage)
    (stage.folder / "not-a-journal.jsonl").write_text("hello\n", encoding="utf-8")
    for name, command in (
        ("unknown-command", "plan-clenup"),
        ("unknown-option", f"plan-cleanup {ON_DEMO} --keep-cuont 3"),
        ("no-bucket-name", "plan-cleanup"),
        ("bad-bucket-name", "plan-cleanup --bucket-name Bad_Bucket"),
        ("missing-bucket", "plan-cleanup --bucket-name missing-site"),
        ("missing-bucket-doctor", "doctor --bucket-name missing-site"),
        ("keep-count-zero", f"plan-cleanup {ON_DEMO} --keep-count 0"),
        ("keep-count-word", f"plan-cleanup {ON_DEMO} --keep-count many"),
        ("keep-within", f"plan-cleanup {ON_DEMO} --keep-within 5"),
        ("match", f"plan-cleanup {ON_DEMO} --match '('"),
        ("group-by", f"plan-cleanup {ON_DEMO} --group-by 'a'"),
        ("max-delete", f"plan-cleanup {ON_DEMO} --max-delete 5x"),
        ("max-delete-bytes", f"plan-cleanup {ON_DEMO} --max-delete-bytes 5"),
        ("live-from", f"plan-cleanup {ON_DEMO} --live-from cloudfrnt"),
        ("engine", f"plan-cleanup {ON_DEMO} --engine fast"),
        ("age-from", f"plan-cleanup {ON_DEMO} --age-from youngest"),
        ("inventory", f"plan-cleanup {ON_DEMO} --inventory report"),
        ("output", f"plan-cleanup {ON_DEMO} --output xml"),
        ("unknown-key", f"plan-cleanup {ON_DEMO} --policy-file unknown-key.yml"),
        ("not-yaml", f"plan-cleanup {ON_DEMO} --policy-file not-yaml.yml"),
        ("bad-value", f"plan-cleanup {ON_DEMO} --policy-file bad-value.yml"),
        ("duplicates", "plan-cleanup --policy-file duplicates.yml"),
        ("no-policy-file", f"plan-cleanup {ON_DEMO} --policy-file none.yml"),
        ("refused", f"cleanup {ON_DEMO} --max-delete 2 --auto-approve"),
        ("explain-unknown", f"explain 3ad97e2 {ON_DEMO}"),
        ("objects-unknown", f"list-objects 3ad97e2 {ON_DEMO}"),
        ("restore-nothing", "restore"),
        ("restore-missing", "restore none.jsonl"),
        ("restore-not-a-journal", "restore not-a-journal.jsonl"),
        ("restore-run-id", f"restore --run-id 20261123T100000Z-12345678 {ON_DEMO}"),
        ("restore-since", f"restore 3ad97e1 --deleted-since never {ON_DEMO}"),
        ("restore-not-deleted", f"restore 3ad97e1 --deleted-since 2h {ON_DEMO}"),
        ("iam-policy-kind", "iam-policy all"),
        ("iam-policy-trust", "iam-policy --trust my-site"),
    ):
        stage.run_ci3(name, command)
