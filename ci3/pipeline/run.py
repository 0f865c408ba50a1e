"""A run over its targets: planned together, refused together, applied one after another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.core.journal.location import refuse_other_place
from ci3.core.live.sources import folder_under
from ci3.core.model.decision import Engine
from ci3.core.model.result import Result
from ci3.core.plan.json_writer import dump_plans
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.errors import Ci3Error, SettingsError, told
from ci3.pipeline.apply import delete, not_begun
from ci3.pipeline.approval import Approved, approve, hold_what_is_live, refuse_unless_applyable
from ci3.pipeline.context import Cleanup
from ci3.pipeline.lifecycle_cleanup import hold_standing, reconcile_now
from ci3.pipeline.plan_file import write_plan_file
from ci3.report.plan.lifecycle_text import rules_told

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import Reconciled
    from ci3.engine.journal.reader import OpenJournal
    from ci3.pipeline.resume import Resumption


@dataclass(slots=True, kw_only=True)
class Begun:
    """One target of an apply that has begun: its plan, and what has come of it until now."""

    cleanup: Cleanup
    bucket: BucketReader
    plan: Plan
    reconciled: "Reconciled | None"
    """What became of the lifecycle rules of earlier runs, where there were any."""
    newer: Plan | None = None
    """A plan that this run has made since, if it has."""
    is_deleting: bool = False
    """Whether the deletion has begun, whatever came of it."""
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(plan=self.plan)

    @property
    def is_held(self) -> bool:
        """Whether rules may not be written, since those of earlier runs could not be mended."""
        is_muddled = self.reconciled is not None and bool(self.reconciled.problem)
        return is_muddled and self.plan.engine is Engine.LIFECYCLE

    def approve(self, *, is_fresh: bool) -> Approved:
        """Say what of the plan may be deleted now; raises RefusedError."""
        return approve(
            self.cleanup, self.plan, self.bucket, is_fresh=is_fresh, tell=self._note_newer
        )

    def _note_newer(self, plan: Plan) -> None:
        self.newer = plan

    def delete(self, approved: Approved) -> Result:
        """Delete what was approved; see `ci3.pipeline.apply`."""
        self.is_deleting = True
        return delete(self.cleanup, approved, self.bucket)

    def hold_rules(self) -> Account:
        """Take away the rules for what is live, pinned or kept by now, where there may be any.

        They are looked for where rules of ours stood at the beginning, or in a plan of this run
        that saw some, or this run has written some, or may have.
        """
        has_stood = self.reconciled is not None or bool((self.newer or self.plan).rules)
        result = self.account.result
        is_written = bool(result.expiring) if result is not None else self.is_deleting
        if has_stood or is_written:
            self.account = hold_standing(self.cleanup, self.bucket, self.account, self.newer)
        return self.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run over one target or several; `saved` are the plans that it applies, if it has any."""

    cleanups: Sequence[Cleanup]
    buckets: Sequence[BucketReader]
    saved: Sequence[Plan] = ()
    resumption: "Resumption | None" = None
    """The earlier run that this one goes on with, if it does."""

    @property
    def has_targets(self) -> bool:
        """Whether a policy file named the targets, though it may be one."""
        return self.cleanups[0].settings.has_targets

    def make_plans(self) -> tuple[Plan, ...]:
        """Plan every target, in order, or take the plans that were saved.

        Raises SettingsError where two turn out to be in each other's way: AWS's own configuration
        can name an endpoint too.
        """
        if self.resumption is not None:
            return (self.resumption.make_plan(),)
        plans = tuple(self.saved) or tuple(
            cleanup.make_plan(bucket)
            for cleanup, bucket in zip(self.cleanups, self.buckets, strict=True)
        )
        for number, outer in enumerate(plans, 1):
            for other, inner in enumerate(plans, 1):
                if number != other and _is_in_the_way(outer, inner):
                    raise SettingsError(
                        f"target {other}, {inner.target.url}, lies in what target {number}, "
                        f"{outer.target.url}, takes for its own",
                        "Nothing was deleted. Name each folder once, or set match so that the one "
                        "leaves the other out.",
                    )
        return plans

    def has_work(self, begun: Sequence[Begun]) -> bool:
        """Whether applying would do anything: delete, or tell how a run ended."""
        is_due = any(one.plan.doomed for one in begun) or self.resumption is not None
        return is_due and all(one.plan.applyable and not one.is_held for one in begun)

    def reconcile(self, plans: Sequence[Plan]) -> tuple[Begun, ...]:
        """Begin an apply: in each target, take away lifecycle rules that may not stand any longer.

        To be done by each apply, before anything else and whatever comes of the rest: it deletes
        nothing, and keeps S3 from deleting what is to be kept by now.
        """
        targets = zip(self.cleanups, self.buckets, plans, strict=True)
        return tuple(
            Begun(
                cleanup=cleanup,
                bucket=bucket,
                plan=plan,
                reconciled=self._reconcile(cleanup, bucket, plan),
            )
            for cleanup, bucket, plan in targets
        )

    def _reconcile(self, cleanup: Cleanup, bucket: BucketReader, plan: Plan) -> "Reconciled | None":
        if self.saved and cleanup.read_rules(bucket).own:
            plan = cleanup.make_plan(bucket)  # what was saved tells of the rules of then
        if not plan.rules:
            return None
        return reconcile_now(cleanup, bucket, plan)

    def apply(self, begun: Sequence[Begun], *, is_fresh: bool) -> tuple[Account, ...]:
        """Delete what the plans name and is still due, and hold the rules that stand then.

        Nothing is deleted anywhere while one of the targets refuses. A run that stops early in one
        target leaves those after it alone, and says so in their results.
        """
        try:
            self._apply(begun, is_fresh=is_fresh)
        except (Exception, KeyboardInterrupt) as exc:
            held = hold_all(begun)
            if isinstance(exc, Ci3Error):
                exc.hint = " ".join((exc.hint, *rules_told(held)))
            raise
        return hold_all(begun)

    def _apply(self, begun: Sequence[Begun], *, is_fresh: bool) -> None:
        refuse_unless_applyable(*(one.plan for one in begun))
        if self.resumption is not None:
            begun[0].account = self.resumption.apply(begun[0].plan, is_fresh=is_fresh)
            return
        is_fresh = is_fresh and not self.saved
        steps = [(one, one.approve(is_fresh=is_fresh)) for one in begun if one.plan.doomed]
        is_changed = any(approved.changed for _, approved in steps)
        if self.saved and is_changed and not self.cleanups[0].settings.skip_changed:
            for one in begun:
                one.account = Account(plan=one.plan, is_stale=True)
            for one, approved in steps:
                one.account = replace(one.account, changed=approved.changed)
            return
        _delete_each(steps)

    def save_plans(self, plans: Sequence[Plan]) -> None:
        """Write the plan file, where one is named.

        Raises SettingsError when that is impossible, and where it would overwrite something else
        than a plan.
        """
        if path := self.cleanups[0].settings.plan_file:
            write_plan_file(dump_plans(plans, has_targets=self.has_targets), path)


def open_run(
    cleanups: Sequence[Cleanup], saved: Sequence[Plan] = (), opened: "OpenJournal | None" = None
) -> Run:
    """Open every target's bucket for reading; from now on the timeout counts.

    Raises SettingsError where a journal was to be stored in a place that is not its own. With a
    journal, which must stay open, the run goes on with the one that wrote it.
    """
    for one in cleanups:
        refuse_other_place(one.settings.journal_file, one.settings.bucket, one.settings.prefix)
    timed = [
        replace(one, ends_at=one.clock() + one.settings.timeout.length)
        if one.settings.timeout
        else one
        for one in cleanups
    ]
    buckets = tuple(cleanup.open_bucket() for cleanup in timed)
    resumption = None
    if opened is not None:
        from ci3.pipeline.resume import Resumption  # noqa: PLC0415 - pydantic: only a resume reads a journal

        resumption = Resumption(cleanup=timed[0], bucket=buckets[0], opened=opened)
    return Run(cleanups=timed, buckets=buckets, saved=saved, resumption=resumption)


def hold_all(begun: Iterable[Begun]) -> tuple[Account, ...]:
    """Take away in each target, when all else is done, the rules for what is to stay by now."""
    return tuple(one.hold_rules() for one in begun)


def _is_in_the_way(outer: Plan, inner: Plan) -> bool:
    """Whether cleaning the one could delete the other, or both are the same folder."""
    one, other = outer.target, inner.target
    if (one.endpoint_url, one.bucket) != (other.endpoint_url, other.bucket):
        return False
    if one.prefix == other.prefix:
        return True
    names = {decision.deployment.name for decision in outer.decisions}
    return folder_under(other.prefix, one.prefix) in names


def _delete_each(steps: Sequence[tuple[Begun, Approved]]) -> None:
    """Delete in one target after another, until one stops early."""
    stopped = ""
    for number, (one, approved) in enumerate(steps):
        if stopped:
            result = _left(one.plan, stopped)
        elif number == 0:
            result = one.delete(approved)
        else:
            result = _delete_next(one, approved)
        one.account = Account(plan=one.plan, result=result)
        stopped = result.stopped


def _delete_next(begun: Begun, approved: Approved) -> Result:
    """Delete a later target: what is live there is read anew, since the earlier ones took time.

    Whatever happens comes back as a result: what the earlier ones lost must be told.
    """
    try:
        return begun.delete(hold_what_is_live(begun.cleanup, approved, begun.bucket))
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        return _left(begun.plan, told(exc))


def _left(plan: Plan, why: str) -> Result:
    """Say of a target that nothing of it was deleted."""
    return Result(
        run_id="",
        journal_file="",
        deployments=not_begun(plan.doomed, why),
        stopped=why,
    )
