"""Warn about a plan that deletes what an earlier run has restored."""

from collections.abc import Sequence

from ci3.aws.bucket import BucketReader
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Inventory
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.checks import find_restored_warnings
from ci3.engine.restore.record import read_restore_records
from ci3.errors import AccessError


def read_restored_warnings(
    bucket: BucketReader, prefix: str, inventory: Inventory, decisions: Sequence[Decision]
) -> tuple[PlanWarning, ...]:
    """Return a warning if a plan deletes what was restored; no request without a `.ci3/` folder."""
    if not inventory.has_journal_folder or not any(decision.is_delete for decision in decisions):
        return ()
    try:
        restored = read_restore_records(bucket, prefix)
    except AccessError as exc:
        message = f"could not check whether this deletes what was restored: {exc.message}"
        return (PlanWarning(code=WarningCode.RESTORED, message=message),)
    return find_restored_warnings(decisions, restored)
