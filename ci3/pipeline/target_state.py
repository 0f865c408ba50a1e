"""What a plan of a target is made from."""

from dataclasses import dataclass
from datetime import datetime

from ci3.core.lifecycle.planning import LifecycleSnapshot
from ci3.core.live.pins import Pin
from ci3.core.live.sources import LiveReading
from ci3.core.model.deployment import Inventory, NoncurrentExpiration, Target
from ci3.core.model.issues import PlanWarning
from ci3.core.plan.target_names import NO_OTHER_TARGETS, TargetNames
from ci3.core.retention.closed_previews import NO_PULL_REQUESTS, PullRequestReading
from ci3.core.retention.evaluation import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """What is known about a target, and the evaluation of each deployment."""

    target: Target
    inventory: Inventory
    readings: tuple[LiveReading, ...]
    pins: tuple[Pin, ...]
    """As they were read, without `newest_names`; only the evaluations have determined those."""
    now: datetime
    evaluations: tuple[Evaluation, ...]
    restore_period: NoncurrentExpiration | None
    """How long noncurrent versions are kept; None unless deletions can be restored."""
    rules: LifecycleSnapshot
    """The lifecycle rules of the bucket, including managed rules."""
    needs_mfa: bool = False
    journal_warnings: tuple[PlanWarning, ...] = ()
    """Warnings about the stored journals of unfinished runs."""
    target_names: TargetNames = NO_OTHER_TARGETS
    """The folder names of the other targets of the pattern, if the target is one of a pattern."""
    pull_requests: PullRequestReading = NO_PULL_REQUESTS
    """What was read for `expire-closed`."""
