"""Runs the whole pipeline on the in-process S3; pauses are recorded instead of slept."""

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ci3.aws.bucket import BucketReader
from ci3.config.resolve import Given, resolve
from ci3.core.model.policy import Origin
from ci3.core.model.result import DeploymentResult, Result
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account, exit_code
from ci3.engine.workers.progress import Progress, Silent
from ci3.errors import ExitCode, RefusedError
from ci3.pipeline.apply import delete
from ci3.pipeline.approval import approve
from ci3.pipeline.context import Cleanup
from tests.support.invariants import Watch
from tests.support.journals import records
from tests.support.s3.memory_site import MemorySite
from tests.support.s3.moto_s3 import Bucket

DOOMED = ("old-1", "old-2", "old-3")
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A plan, the result of applying it, and its journal."""

    plan: Plan
    result: Result
    pauses: list[float] = field(default_factory=list)

    @property
    def code(self) -> ExitCode:
        return exit_code(Account(plan=self.plan, result=self.result).outcome)

    @property
    def journal(self) -> list[dict]:
        return records(self.result.journal_file)

    def of(self, name: str) -> DeploymentResult:
        return next(result for result in self.result.deployments if result.name == name)

    def counts(self, name: str) -> dict[str, int]:
        return {str(outcome): number for outcome, number in self.of(name).counts.items()}


def furnish(bucket: Bucket | MemorySite) -> None:
    """Upload one deployment to keep, three to delete, and files outside any deployment."""
    for key in ("index.html", "old-1", "new.txt"):
        bucket.put(key, days=90)
    bucket.deploy("new", days=1)
    for days, name in enumerate(DOOMED, start=10):
        bucket.deploy(name, days=days)


def cleanup(
    bucket: Bucket | MemorySite,
    *,
    pauses: list[float] | None = None,
    progress: Progress | None = None,
    commits: Sequence[str] = (),
    **settings: str,
) -> Cleanup:
    given = {
        "bucket": bucket.name,
        "endpoint-url": bucket.endpoint_url,
        "keep-count": "1",
        "journal-file": f"journal-{next(_numbers)}.jsonl",
        **{name.replace("_", "-"): value for name, value in settings.items()},
    }
    return Cleanup(
        settings=resolve(
            {
                name: Given(texts=(text,), origin=Origin.OPTION, where="a test")
                for name, text in given.items()
            }
        ),
        commits=commits,
        progress=progress or Silent(),
        clock=lambda: datetime.now(UTC),
        sleep=([] if pauses is None else pauses).append,
    )


def apply(
    bucket: Bucket | MemorySite,
    *,
    progress: Progress | None = None,
    meanwhile: Callable[[], object] | None = None,
    moves: Collection[str] = (),
    **settings: str,
) -> Ran:
    """Plan and apply, and check the invariants; the newest deployment is kept.

    Without `meanwhile` the plan is applied at once, as with `--auto-approve`; otherwise `meanwhile`
    is called between the plan and its approval. `moves` are keys that another client may change.
    """
    pauses: list[float] = []
    run = cleanup(bucket, pauses=pauses, progress=progress, **settings)
    watch = Watch(bucket, run.settings.journal_file, moves)
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    watch.begin_apply(plan)
    try:
        if meanwhile is not None:
            meanwhile()
        result = apply_plan(run, plan, reader, is_fresh=meanwhile is None)
    except RefusedError:
        watch.check_refused()
        raise
    finally:
        watch.end()
    ran = Ran(plan=plan, result=result, pauses=pauses)
    watch.check(ran)
    return ran


def apply_plan(run: Cleanup, plan: Plan, reader: BucketReader, *, is_fresh: bool) -> Result:
    return delete(run, approve(run, plan, reader, is_fresh=is_fresh), reader)
