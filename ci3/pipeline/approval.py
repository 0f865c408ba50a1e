"""What of a plan may be deleted now: held against what is live, and against a new plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ci3.aws.bucket import BucketReader
from ci3.core.live.pins import Pin, pin_live
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Target
from ci3.core.plan.checks import against_readings, folder_names
from ci3.core.plan.plan import NO_DEPLOYMENT, Plan, compare
from ci3.engine.inventory.folders import find_folders
from ci3.errors import RefusedError
from ci3.pipeline.context import Cleanup


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What of a plan may be deleted now; of the rest, why not, and what is gone already."""

    plan: Plan
    due: tuple[Decision, ...]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    skips_changed: bool = False

    @property
    def changed(self) -> dict[str, str]:
        """What is still there and can't be deleted any more, and why."""
        return {name: why for name, why in self.withdrawn.items() if name not in self.gone}


def approve(  # noqa: PLR0913 - all that an approval is of
    cleanup: Cleanup,
    plan: Plan,
    bucket: BucketReader,
    *,
    is_fresh: bool,
    make_plan: Callable[[], Plan] | None = None,
    tell: Callable[[Plan], None] = lambda _new_plan: None,
) -> Approved:
    """Say what of a plan may be deleted now; nothing is deleted by this.

    What is live is read once more. A plan that is not fresh, because a person took time to
    look at it, is also held against a new one, made by `make_plan` where that is given; `tell` is
    told of it, whatever comes then. Raises RefusedError for what may not be applied.
    """
    refuse_unless_applyable(plan)
    skips_changed = cleanup.settings.skip_changed
    approved = Approved(plan=plan, due=plan.doomed, skips_changed=skips_changed)
    if not is_fresh:
        settings = cleanup.settings.with_engine(plan.engine)
        cleanup = replace(cleanup, settings=settings)  # as it was shown, so it is done
        new_plan = make_plan() if make_plan else cleanup.make_plan(bucket)
        tell(new_plan)
        approved = _hold_against(new_plan, approved)
    return hold_what_is_live(cleanup, approved, bucket)


def hold_what_is_live(cleanup: Cleanup, approved: Approved, bucket: BucketReader) -> Approved:
    """Read once more what is live, and take it out of what may be deleted.

    Raises RefusedError where that can't be read.
    """
    pins, doubt = read_pins(cleanup, approved.plan, bucket)
    if doubt:
        raise RefusedError(doubt, "Nothing was deleted. Look at a new plan.")
    held = {
        decision.deployment.name: pin.reason().message
        for decision in approved.due
        for pin in pins
        if pin.holds(decision.deployment.name)
    }
    return replace(
        approved,
        due=tuple(one for one in approved.due if one.deployment.name not in held),
        withdrawn={**approved.withdrawn, **held},
        pins=pins,
    )


def read_pins(cleanup: Cleanup, plan: Plan, bucket: BucketReader) -> tuple[tuple[Pin, ...], str]:
    """Read once more what is live; give all pins, and why that is not known, if it is not."""
    readings = cleanup.read_live_sources(bucket)
    deployments = [decision.deployment for decision in plan.decisions]
    names = folder_names(deployments, plan.ignored)
    if against_readings(readings, names):
        # What is live may be newer than the plan.
        there = find_folders(bucket, plan.target.prefix)
        names = [*there.names, *folder_names((), there.ignored)]
    doubts = against_readings(readings, names)
    return (*cleanup.pins(), *pin_live(readings)), "; ".join(one.message for one in doubts)


def refuse_unless_applyable(*plans: Plan) -> None:
    """Raise RefusedError, with everything that forbids it, unless all plans may be applied."""
    refusals = [
        f"{plan.target.url}: {refusal.message}" if len(plans) > 1 else refusal.message
        for plan in plans
        for refusal in plan.refusals
    ]
    if refusals:
        raise RefusedError(
            "; ".join(refusals), "Nothing was deleted. Mend what the plan says, and run again."
        )


def refuse_other_target(planned: Target, found: Target) -> None:
    """Raise RefusedError where a plan was made for another place, or the place has changed."""
    names = ("bucket", "region", "prefix", "endpoint_url", "versioning")
    for name in names:
        was, now = getattr(planned, name), getattr(found, name)
        if was != now:
            raise RefusedError(
                f"{planned.url} is not as it was when the plan was made: its "
                f"{name.replace('_', '-')} was {was or 'the default'}, is {now or 'the default'}",
                "Nothing was deleted. Look at a new plan.",
            )


def _hold_against(new_plan: Plan, approved: Approved) -> Approved:
    plan = approved.plan
    refuse_unless_applyable(new_plan)
    refuse_other_target(plan.target, new_plan.target)
    still_due = compare(plan, new_plan)
    left = {decision.deployment.name for decision in new_plan.decisions}
    ignored = {*folder_names((), new_plan.ignored)}
    return replace(
        approved,
        due=still_due.due,
        withdrawn={
            name: NO_DEPLOYMENT if name in ignored else why
            for name, why in still_due.withdrawn.items()
        },
        gone=frozenset(still_due.withdrawn) - left - ignored,
    )
