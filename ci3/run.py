"""A run over its targets: planned together, refused together, applied one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ci3.approval import Approved, approve, hold_what_is_live, refuse_unless_applyable
from ci3.aws.bucket import BucketReader
from ci3.cleanup import Cleanup
from ci3.core.account import Account
from ci3.core.journal_place import refuse_other_place
from ci3.core.live import folder_under
from ci3.core.model import Engine, Result
from ci3.core.plan import Plan
from ci3.errors import Ci3Error, SettingsError, told

if TYPE_CHECKING:
    from ci3.core.expiry_plan import Reconciled
    from ci3.engine.journal_file import OpenJournal
    from ci3.resuming import Resumption


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
        plans = self._cut() or tuple(
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

    def _cut(self) -> tuple[Plan, ...]:
        """Take the plans that were saved, or where this is a shard its parts of them."""
        shard = self.cleanups[0].settings.shard
        if shard is None:
            return tuple(self.saved)
        if any(plan.engine is Engine.LIFECYCLE for plan in self.saved):
            raise SettingsError(
                "the plan has engine: lifecycle, and shard cuts what ci3 deletes itself",
                "Leave shard out: S3 does the work. Nothing was deleted.",
            )
        from ci3.core.parting import cut

        return cut(self.saved, shard)

    def has_work(self, plans: Sequence[Plan]) -> bool:
        """Whether applying the plans would do anything: delete, or tell how a run ended."""
        is_due = any(plan.doomed for plan in plans) or self.resumption is not None
        return is_due and all(plan.applyable for plan in plans)

    def reconcile(self, plans: Sequence[Plan]) -> tuple["Reconciled | None", ...]:
        """Take away lifecycle rules of earlier runs that may not stand any longer, in each target.

        To be done by each apply, before anything else and whatever comes of the rest: it deletes
        nothing, and keeps S3 from deleting what is to be kept by now.
        """
        targets = zip(self.cleanups, self.buckets, plans, strict=True)
        return tuple(self._reconcile(*target) for target in targets)

    def hold_rules(
        self,
        accounts: Sequence[Account],
        reconciled: Sequence["Reconciled | None"] = (),
        newer: Mapping[int, Plan] = MappingProxyType({}),
    ) -> tuple[Account, ...]:
        """Take away, when all else is done, the rules for what is live, pinned or kept by now.

        It is asked for where rules of ours stood at the beginning (`reconciled` says so), or this
        run has written some. `newer` has plans that were made meanwhile, by the id of the first.
        """
        held = list(accounts)
        for number, account in enumerate(accounts):
            cleanup, bucket = self.cleanups[number], self.buckets[number]
            has_stood = bool(reconciled and reconciled[number]) or bool(account.plan.rules)
            is_written = account.result is not None and bool(account.result.expiring)
            if (has_stood or is_written) and not _is_later_shard(cleanup):
                from ci3.standing import hold_standing

                new_plan = newer.get(id(account.plan))
                held[number] = hold_standing(cleanup, bucket, account, new_plan)
        return tuple(held)

    def is_held(self, plans: Sequence[Plan], reconciled: Sequence["Reconciled | None"]) -> bool:
        """Say whether rules may not be written, since those of earlier runs could not be mended."""
        return any(
            one is not None and bool(one.problem) and plan.engine is Engine.LIFECYCLE
            for plan, one in zip(plans, reconciled, strict=True)
        )

    def _reconcile(self, cleanup: Cleanup, bucket: BucketReader, plan: Plan) -> "Reconciled | None":
        if _is_later_shard(cleanup):
            return None
        if self.saved and cleanup.read_rules(bucket).own:
            plan = cleanup.make_plan(bucket)  # what was saved tells of the rules of then
        if not plan.rules:
            return None
        from ci3.standing import reconcile_now

        return reconcile_now(cleanup, bucket, plan)

    def apply(
        self,
        plans: Sequence[Plan],
        *,
        is_fresh: bool,
        reconciled: Sequence["Reconciled | None"] = (),
    ) -> tuple[Account, ...]:
        """Delete what the plans name and is still due, and hold the rules that stand then.

        Nothing is deleted anywhere while one of the targets refuses. A run that stops early in one
        target leaves those after it alone, and says so in their results.
        """
        newer: dict[int, Plan] = {}
        try:
            accounts = self._apply(plans, newer, is_fresh=is_fresh)
        except (Exception, KeyboardInterrupt) as exc:
            held = self.hold_rules([Account(plan=plan) for plan in plans], reconciled, newer)
            if isinstance(exc, Ci3Error):
                from ci3.report.rules import rules_told

                exc.hint = " ".join((exc.hint, *rules_told(held)))
            raise
        return self.hold_rules(accounts, reconciled, newer)

    def _apply(
        self, plans: Sequence[Plan], newer: dict[int, Plan], *, is_fresh: bool
    ) -> tuple[Account, ...]:
        from ci3.applying import delete

        refuse_unless_applyable(*plans)
        if self.resumption is not None:
            return (self.resumption.apply(plans[0], is_fresh=is_fresh),)
        is_fresh = is_fresh and not self.saved
        steps = [
            (
                cleanup,
                bucket,
                approve(
                    cleanup,
                    plan,
                    bucket,
                    is_fresh=is_fresh,
                    tell=partial(newer.__setitem__, id(plan)),
                ),
            )
            for cleanup, bucket, plan in zip(self.cleanups, self.buckets, plans, strict=True)
            if plan.all_doomed
        ]
        changed = {id(approved.plan): approved.changed for _, _, approved in steps}
        if self.saved and any(changed.values()) and not self.cleanups[0].settings.skip_changed:
            return tuple(
                Account(plan=plan, changed=changed.get(id(plan), {}), is_stale=True)
                for plan in plans
            )
        results: dict[int, Result] = {}
        stopped = ""
        for cleanup, bucket, approved in steps:
            if not approved.plan.doomed:
                continue  # all of it is other shards'
            if stopped:
                result = _left(approved, stopped)
            elif not results:
                result = delete(cleanup, approved, bucket)
            else:
                result = _delete_next(cleanup, bucket, approved)
            results[id(approved.plan)] = result
            stopped = stopped or result.stopped
        return tuple(Account(plan=plan, result=results.get(id(plan))) for plan in plans)

    def save_plans(self, plans: Sequence[Plan]) -> None:
        """Write the plan file, where one is named.

        Raises SettingsError when that is impossible, and where it would overwrite something else
        than a plan.
        """
        if path := self.cleanups[0].settings.plan_file:
            from ci3.core.plan_writing import dump_plans

            _save(dump_plans(plans, has_targets=self.has_targets), path)


def open_run(
    cleanups: Sequence[Cleanup], saved: Sequence[Plan] = (), opened: "OpenJournal | None" = None
) -> Run:
    """Open every target's bucket for reading; from now on the timeout counts.

    Raises SettingsError where a journal was to be stored in a place that is not its own, and for a
    shard of no saved plan. With a journal, which must stay open, the run goes on with the one that
    wrote it.
    """
    if cleanups[0].settings.shard and not saved and opened is None:
        raise SettingsError(
            "shard cuts a plan that is saved, and there is none: each shard would make another, "
            "while the others delete",
            "Save it in a job before (mode: plan or ci3 plan-cleanup, with plan-file) and apply "
            "that plan-file with the shard. Nothing was deleted.",
        )
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
        from ci3.resuming import Resumption

        resumption = Resumption(cleanup=timed[0], bucket=buckets[0], opened=opened)
    return Run(cleanups=timed, buckets=buckets, saved=saved, resumption=resumption)


def _is_in_the_way(outer: Plan, inner: Plan) -> bool:
    """Whether cleaning the one could delete the other, or both are the same folder."""
    one, other = outer.target, inner.target
    if (one.endpoint_url, one.bucket) != (other.endpoint_url, other.bucket):
        return False
    if one.prefix == other.prefix:
        return True
    names = {decision.deployment.name for decision in outer.decisions}
    return folder_under(other.prefix, one.prefix) in names


def _is_later_shard(cleanup: Cleanup) -> bool:
    """Whether rules are another's: all at once would be in each other's way, so the first does."""
    shard = cleanup.settings.shard
    return shard is not None and shard.number > 1


def _delete_next(cleanup: Cleanup, bucket: BucketReader, approved: Approved) -> Result:
    """Delete a later target: what is live there is read anew, since the earlier ones took time.

    Whatever happens comes back as a result: what the earlier ones lost must be told.
    """
    from ci3.applying import delete

    try:
        return delete(cleanup, hold_what_is_live(cleanup, approved, bucket), bucket)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        return _left(approved, told(exc))


def _left(approved: Approved, why: str) -> Result:
    """Say of a target that nothing of it was deleted."""
    from ci3.applying import not_begun

    return Result(
        run_id="",
        journal_file="",
        deployments=not_begun(approved.plan.doomed, why),
        stopped=why,
    )


def _save(text: str, path: str) -> None:
    try:
        beginning = b""
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                beginning = file.read(100)
        if beginning and b'"format": "ci3-plan/' not in beginning:
            raise SettingsError(
                f"the plan file {path} is there already, a file that is no plan: "
                "it is not overwritten",
                "Name another plan-file. Nothing was deleted.",
            )
        Path(path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError(
            f"the plan file {path} can't be written: {exc.strerror}",
            "Name a plan-file in a folder that can be written. Nothing was deleted.",
        ) from exc
