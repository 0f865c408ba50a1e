"""Runs the complete pipeline on an in-memory S3; pauses are recorded instead of slept."""

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ci3.aws.bucket import BucketReader
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.core.live.references import Reference
from ci3.core.model.policy import Origin
from ci3.core.model.result import ApplyResult, DeploymentResult
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult, exit_code_of_outcome
from ci3.engine.workers.progress import NoProgress, Progress
from ci3.errors import ExitCode, RefusedError
from ci3.pipeline import apply as pipeline_apply
from ci3.pipeline.apply import report_late_live
from ci3.pipeline.approval import Approval, approve_plan
from ci3.pipeline.context import TargetContext
from tests.support.invariants import RunChecker
from tests.support.journals import read_records
from tests.support.s3.bucket import Bucket
from tests.support.s3.memory_site import MemorySite

OLD_NAMES = ("old-1", "old-2", "old-3")
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class CleanupRun:
    """A plan, the result of applying it, and its journal."""

    plan: Plan
    result: ApplyResult
    pauses: list[float] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        return exit_code_of_outcome(TargetResult(plan=self.plan, result=self.result).outcome)

    @property
    def journal(self) -> list[dict]:
        return read_records(self.result.journal_file)

    def result_of(self, name: str) -> DeploymentResult:
        return next(result for result in self.result.deployments if result.name == name)

    def counts(self, name: str) -> dict[str, int]:
        return {str(outcome): number for outcome, number in self.result_of(name).counts.items()}


def seed_site(bucket: Bucket | MemorySite) -> None:
    """Upload one deployment to keep, three to delete, and files outside any deployment."""
    for key in ("index.html", "old-1", "new.txt"):
        bucket.put(key, days=90)
    bucket.deploy("new", days=1)
    for days, name in enumerate(OLD_NAMES, start=10):
        bucket.deploy(name, days=days)


def make_context(
    bucket: Bucket | MemorySite,
    *,
    pauses: list[float] | None = None,
    progress: Progress | None = None,
    commits: Sequence[str] = (),
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    **settings: str,
) -> TargetContext:
    raw_texts = {
        "bucket": bucket.name,
        "endpoint-url": bucket.endpoint_url,
        "keep-count": "1",
        "match": "(?s).*",  # `new` and `old-1` are mixed names
        "journal-file": f"journal-{next(_numbers)}.jsonl",
        **{name.replace("_", "-"): value for name, value in settings.items()},
    }
    return TargetContext(
        settings=resolve_settings(
            {
                name: RawSetting(texts=(text,), origin=Origin.OPTION, where="a test")
                for name, text in raw_texts.items()
            }
        ),
        references=[Reference.from_text(commit) for commit in commits],
        progress=progress or NoProgress(),
        clock=clock,
        sleep=([] if pauses is None else pauses).append,
    )


def apply(
    bucket: Bucket | MemorySite,
    *,
    progress: Progress | None = None,
    before_approval: Callable[[], object] | None = None,
    changeable_keys: Collection[str] = (),
    **settings: str,
) -> CleanupRun:
    """Plan and apply, and check the invariants; the newest deployment is kept.

    `before_approval` is called between the plan and its approval; without it, the plan is applied
    at once, as with `--auto-approve`. Another client may change `changeable_keys`.
    """
    pauses: list[float] = []
    context = make_context(bucket, pauses=pauses, progress=progress, **settings)
    checker = RunChecker(bucket, context.settings.journal_file, changeable_keys)
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    checker.begin_apply(plan)
    try:
        if before_approval is not None:
            before_approval()
        result = apply_plan(context, plan, reader, is_fresh=before_approval is None)
    except RefusedError:
        checker.check_refused()
        raise
    finally:
        checker.detach()
    run = CleanupRun(plan=plan, result=result, pauses=pauses)
    checker.check_run(run)
    return run


def apply_plan(
    context: TargetContext, plan: Plan, reader: BucketReader, *, is_fresh: bool
) -> ApplyResult:
    return delete_approved(context, approve_plan(context, plan, reader, is_fresh=is_fresh), reader)


def delete_approved(
    context: TargetContext, approved: Approval, reader: BucketReader
) -> ApplyResult:
    """Delete in a single target, then read the live sources a last time."""
    return report_late_live(pipeline_apply.delete_approved(context, approved, reader), approved)
