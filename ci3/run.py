"""A run over its targets: planned together, refused together, applied one after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci3.aws.bucket import BucketReader
from ci3.cleanup import Approved, Cleanup, refuse_unless_applyable
from ci3.core.account import Account
from ci3.core.model import DeploymentResult, ObjectOutcome, Result
from ci3.core.plan import Plan
from ci3.core.planfile import dump_plans
from ci3.errors import Ci3Error, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run over one target or several."""

    cleanups: Sequence[Cleanup]
    buckets: Sequence[BucketReader]

    @property
    def has_targets(self) -> bool:
        """Whether a policy file named the targets, though it may be one."""
        return self.cleanups[0].settings.has_targets

    def make_plans(self) -> tuple[Plan, ...]:
        """Plan every target, in order.

        Raises SettingsError where two turn out to be one folder: AWS's own configuration can name
        an endpoint too.
        """
        plans = tuple(
            cleanup.make_plan(bucket)
            for cleanup, bucket in zip(self.cleanups, self.buckets, strict=True)
        )
        places = [(one.target.endpoint_url, one.target.url) for one in plans]
        for number, place in enumerate(places):
            if place in places[:number]:
                first = places.index(place) + 1
                raise SettingsError(
                    f"targets {first} and {number + 1} are one folder, {place[1]}",
                    "Nothing was deleted. Name each folder once.",
                )
        return plans

    def apply(self, plans: Sequence[Plan], *, is_fresh: bool) -> tuple[Account, ...]:
        """Delete what the plans name and is still due.

        Nothing is deleted anywhere while one of the targets refuses. A run that stops early in one
        target leaves those after it alone, and says so in their results.
        """
        refuse_unless_applyable(*plans)
        steps = [
            (cleanup, bucket, cleanup.approve(plan, bucket, is_fresh=is_fresh))
            for cleanup, bucket, plan in zip(self.cleanups, self.buckets, plans, strict=True)
            if plan.doomed
        ]
        results: dict[int, Result] = {}
        stopped = ""
        for cleanup, bucket, approved in steps:
            if stopped:
                result = _left(approved, stopped)
            else:
                result = _delete(cleanup, bucket, approved, is_first=not results)
            results[id(approved.plan)] = result
            stopped = stopped or result.stopped
        return tuple(Account(plan=plan, result=results.get(id(plan))) for plan in plans)

    def save_plans(self, plans: Sequence[Plan], *, is_to_be_applied: bool) -> None:
        """Write the plan file, where one is named; see `save_plans`."""
        if path := self.cleanups[0].settings.plan_file:
            text = dump_plans(plans, has_targets=self.has_targets)
            _save(text, path, is_to_be_applied=is_to_be_applied)


def open_run(cleanups: Sequence[Cleanup]) -> Run:
    """Open every target's bucket for reading."""
    buckets = tuple(cleanup.open_bucket() for cleanup in cleanups)
    return Run(cleanups=cleanups, buckets=buckets)


def _delete(
    cleanup: Cleanup, bucket: BucketReader, approved: Approved, *, is_first: bool
) -> Result:
    try:
        return cleanup.delete(approved, bucket)
    except Ci3Error as exc:
        if is_first:
            raise
        return _left(approved, exc.told)  # what the targets before it lost must be told


def _left(approved: Approved, why: str) -> Result:
    """Say of a target that nothing of it was deleted."""
    return Result(
        run_id="",
        journal_file="",
        deployments=tuple(
            DeploymentResult(
                name=decision.deployment.name,
                counts={ObjectOutcome.FAILED: decision.deployment.object_count},
                bytes_deleted=0,
                problem=f"not begun: {why}",
            )
            for decision in approved.plan.doomed
        ),
        stopped=why,
    )


def _save(text: str, path: str, *, is_to_be_applied: bool) -> None:
    """Write a plan file.

    Raises SettingsError when that is impossible, and where it would overwrite something else than
    a plan, or in an apply a plan that somebody may have approved: an apply makes its own.
    """
    try:
        beginning = b""
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                beginning = file.read(100)
        if beginning and (is_to_be_applied or b'"format": "ci3-plan/' not in beginning):
            what = "a plan" if is_to_be_applied else "a file that is no plan"
            raise SettingsError(
                f"the plan file {path} is there already, {what}: it is not overwritten",
                "Name another plan-file. Nothing was deleted.",
            )
        Path(path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError(
            f"the plan file {path} can't be written: {exc.strerror}",
            "Name a plan-file in a folder that can be written. Nothing was deleted.",
        ) from exc
