"""What became of a run: of each target its plan and what applying it did, and all of it summed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from ci3.core.model.result import ObjectOutcome, Outcome, Result
from ci3.core.plan.plan import Plan
from ci3.errors import ExitCode

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import Reconciled


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One target's plan, and where it was applied the result.

    `changed` says of a saved plan why deployments that it names can't be deleted any more: then
    nothing was. `reconciled` tells of the lifecycle rules of earlier runs, where there are any.
    """

    plan: Plan
    result: Result | None = None
    changed: Mapping[str, str] = field(default_factory=dict)
    is_stale: bool = False
    reconciled: "Reconciled | None" = None

    @property
    def expiring_count(self) -> int:
        """How many deployments S3 deletes by now, or will: those of earlier runs, and of this."""
        earlier = {one.deployment.name for one in self.plan.expiring}
        if self.reconciled is not None:
            earlier -= {one.name for one in self.reconciled.removed}
        return len(earlier | (self.result.expiring if self.result else frozenset()))

    @property
    def outcome(self) -> Outcome:
        """Say what became of it; without a result it was only planned."""
        if self.is_stale:
            return Outcome.STALE_PLAN
        told = self.reconciled
        is_muddled = told is not None and bool(told.problem or told.doubt)
        if self.result is not None:
            return Outcome.PARTIAL if is_muddled else self.result.outcome
        if is_muddled and self.plan.applyable:
            return Outcome.PARTIAL
        if not self.plan.applyable:
            return Outcome.REFUSED
        return Outcome.PLANNED if self.plan.doomed else Outcome.NOTHING_TO_DELETE

    @property
    def numbers(self) -> dict[str, str | int]:
        """Its numbers under the names of the action's outputs."""
        plan, result = self.plan, self.result
        return {
            "outcome": self.outcome.value,
            "plan-id": plan.plan_id,
            "deployments-found": plan.totals.found,
            "deployments-kept": plan.totals.keep,
            "deployments-to-delete": plan.totals.delete,
            "deployments-expiring": self.expiring_count,
            "deployments-deleted": result.deployments_deleted if result else 0,
            "objects-deleted": result.count(ObjectOutcome.DELETED) if result else 0,
            "bytes-deleted": result.bytes_deleted if result else 0,
            "journal-file": result.journal_file if result else "",
        }


def with_reconciled(
    accounts: Sequence[Account], reconciled: Sequence["Reconciled | None"]
) -> tuple[Account, ...]:
    """Say in each target's account what became of lifecycle rules at first, beside what it says."""
    return tuple(
        replace(account, reconciled=_both(first, account.reconciled))
        for account, first in zip(accounts, reconciled, strict=True)
    )


def _both(first: "Reconciled | None", last: "Reconciled | None") -> "Reconciled | None":
    return first.followed_by(last) if first is not None and last is not None else first or last


_GRAVEST_FIRST = (
    Outcome.FAILED,
    Outcome.STALE_PLAN,
    Outcome.PARTIAL,
    Outcome.REFUSED,
    Outcome.APPLIED,
    Outcome.PLANNED,
    Outcome.NOTHING_TO_DELETE,
)


def outcome_of(accounts: Sequence[Account]) -> Outcome:
    """Give the gravest of several outcomes; an applied target outweighs one with nothing to do."""
    outcomes = {account.outcome for account in accounts}
    return next(outcome for outcome in _GRAVEST_FIRST if outcome in outcomes)


def sum_up(accounts: Sequence[Account]) -> dict[str, str | int]:
    """Sum the numbers of a run's targets, under the names of the action's outputs.

    Of several targets `plan-id` is SHA-256 in hex over all their ids, and `journal-file` has one
    path a line.
    """
    summed: dict[str, str | int] = {}
    for name in accounts[0].numbers:
        values = [account.numbers[name] for account in accounts]
        numbers = [value for value in values if isinstance(value, int)]
        summed[name] = sum(numbers) if numbers else "\n".join(str(one) for one in values if one)
    if len(accounts) > 1:
        ids = str(summed["plan-id"]).encode("ascii")
        summed["plan-id"] = hashlib.sha256(ids).hexdigest()
    summed["outcome"] = outcome_of(accounts).value
    return summed


def list_numbers(accounts: Sequence[Account]) -> list[dict[str, str | int]]:
    """List each target's own numbers, with its bucket and prefix."""
    return [
        {
            "bucket": account.plan.target.bucket,
            "prefix": account.plan.target.prefix,
            **account.numbers,
        }
        for account in accounts
    ]


def exit_code(outcome: Outcome) -> ExitCode:
    """Give the exit code that tells an outcome."""
    match outcome:
        case Outcome.NOTHING_TO_DELETE | Outcome.PLANNED | Outcome.APPLIED:
            return ExitCode.DONE
        case Outcome.PARTIAL:
            return ExitCode.PARTIAL
        case Outcome.REFUSED:
            return ExitCode.REFUSED
        case Outcome.STALE_PLAN:
            return ExitCode.STALE_PLAN
        case Outcome.FAILED:
            return ExitCode.ACCESS
        case _:
            assert_never(outcome)
