"""Make the plan of a target from what is known about it."""

from collections.abc import Sequence
from dataclasses import replace

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.config.settings import Settings
from ci3.constants import RESTORE_WINDOW_DAYS
from ci3.core.lifecycle.planning import (
    LifecyclePlan,
    find_abandoned_rule_warnings,
    plan_lifecycle,
)
from ci3.core.lifecycle.rule_status import RuleContext
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import Inventory, NoncurrentExpiration, Versioning
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.plan.checks import (
    Limits,
    find_limit_refusals,
    find_refusals,
    find_report_warnings,
    find_restore_period_warnings,
    find_versioning_refusals,
    find_warnings,
)
from ci3.core.plan.engine_choice import choose_engine
from ci3.core.plan.plan import Plan
from ci3.core.retention.closed_previews import find_open_warnings, keep_by_versions
from ci3.engine.inventory.versions import add_versions
from ci3.engine.workers.progress import Progress
from ci3.pipeline.bucket_checks import find_bucket_issues
from ci3.pipeline.restored import read_restored_warnings
from ci3.pipeline.target_state import TargetState


def make_plan(
    bucket: BucketReader, state: TargetState, settings: Settings, limits: Limits, progress: Progress
) -> Plan:
    """Return the plan of a target; with `delete-versions`, the versions to delete are listed."""
    versioning = state.target.versioning
    decisions, inventory = _list_versions(bucket, state, settings, progress)
    issues = find_bucket_issues(bucket, state, settings)
    safety_refusals = (*_find_refusals(state, settings, inventory), *issues.refusals)
    rule_context = RuleContext(
        prefix=state.target.prefix,
        engine=settings.engine,
        now=state.now,
        decisions=decisions,
        non_deployments=describe_others(inventory, "it could not be listed"),
        live_problems=[refusal.message for refusal in safety_refusals],
        is_versioned=versioning is Versioning.ENABLED,
    )
    engine, explanation = _choose_engine(state, settings, rule_context)
    lifecycle_plan = _plan_lifecycle(state, settings, replace(rule_context, engine=engine))
    return Plan(
        ci3_version=__version__,
        created_at=state.now,
        target=state.target,
        policy=settings.with_engine(engine).recorded,
        decisions=lifecycle_plan.decisions,
        ignored=state.inventory.ignored,
        refusals=(
            *(find_versioning_refusals(versioning) if settings.delete_versions else ()),
            *safety_refusals,
            *find_limit_refusals(lifecycle_plan.decisions, limits),
            *lifecycle_plan.refusals,
        ),
        warnings=(
            *find_warnings(
                state.inventory,
                state.pins,
                state.readings,
                versioning,
                group_by=settings.group_by,
                required_file=settings.required_file,
                target_names=state.target_names,
            ),
            *issues.warnings,
            *_find_reading_warnings(state, decisions),
            *read_restored_warnings(bucket, state.target.prefix, inventory, decisions),
            *find_restore_period_warnings(state.restore_period),
            *lifecycle_plan.warnings,
            *_find_pattern_warnings(state, settings),
        ),
        restore_period=_find_restore_period(state, lifecycle_plan),
        rules=lifecycle_plan.rules,
        engine_explanation=explanation,
    )


def _list_versions(
    bucket: BucketReader, state: TargetState, settings: Settings, progress: Progress
) -> tuple[tuple[Decision, ...], Inventory]:
    """Return the decisions, with `delete-versions` those by all versions, and the inventory."""
    decisions = tuple(evaluation.decision for evaluation in state.evaluations)
    if not (settings.delete_versions and state.target.versioning.may_have_noncurrent_versions):
        return decisions, state.inventory
    decisions, unlisted = add_versions(bucket, decisions, progress)
    inventory = replace(state.inventory, unlisted=(*state.inventory.unlisted, *unlisted))
    period = settings.expire_closed
    return keep_by_versions(decisions, state.pull_requests, period, state.now), inventory


def _find_refusals(
    state: TargetState, settings: Settings, inventory: Inventory
) -> tuple[Refusal, ...]:
    return find_refusals(
        inventory,
        state.pins,
        state.readings,
        state.target_names,
        may_be_empty=settings.expire_closed is not None,
    )


def _find_reading_warnings(
    state: TargetState, decisions: Sequence[Decision]
) -> tuple[PlanWarning, ...]:
    """Return the warnings about open pull requests, journals and an inventory report."""
    return (
        *find_open_warnings(state.pull_requests, decisions),
        *state.journal_warnings,
        *find_report_warnings(state.inventory, state.now),
    )


def _find_restore_period(
    state: TargetState, lifecycle_plan: LifecyclePlan
) -> NoncurrentExpiration | None:
    """Return how long the plan's deletions can be restored, including those by managed rules."""
    is_by_rule = any(decision.expire_days is not None for decision in lifecycle_plan.decisions)
    if state.restore_period is None or not is_by_rule:
        return state.restore_period
    return state.restore_period.combine_with(NoncurrentExpiration(days=RESTORE_WINDOW_DAYS))


def _find_pattern_warnings(state: TargetState, settings: Settings) -> tuple[PlanWarning, ...]:
    """Return the warnings about a pattern in the plan of its first target."""
    if not (settings.pattern and state.target_names.is_first):
        return ()
    prefixes = state.target_names.by_prefix
    return find_abandoned_rule_warnings(state.rules, settings.pattern, prefixes)


def _choose_engine(
    state: TargetState, settings: Settings, rule_context: RuleContext
) -> tuple[Engine, tuple[str, ...]]:
    """Return the engine, and the explanation of an automatic choice."""
    if settings.engine is not Engine.AUTO:
        return settings.engine, ()
    with_rules = _plan_lifecycle(state, settings, replace(rule_context, engine=Engine.LIFECYCLE))
    direct_names = {
        decision.deployment.name for decision in with_rules.decisions if decision.is_direct_delete
    }
    to_delete = [decision.deployment for decision in rule_context.decisions if decision.is_delete]
    choice = choose_engine(
        [item.deletion_count for item in to_delete if item.name not in direct_names],
        [item.deletion_count for item in to_delete if item.name in direct_names],
        obstacle="; ".join(refusal.message for refusal in with_rules.refusals),
    )
    return choice.engine, choice.sentences


def _plan_lifecycle(
    state: TargetState, settings: Settings, rule_context: RuleContext
) -> LifecyclePlan:
    return plan_lifecycle(
        state.rules,
        rule_context,
        versioning=state.target.versioning,
        needs_mfa=state.needs_mfa,
        delete_versions=settings.delete_versions,
    )


def describe_others(inventory: Inventory, unlisted_text: str) -> dict[str, str]:
    """Return why each other file or folder under the prefix is no deployment, by name."""
    ignored = {entry.name.removesuffix("/"): entry.reason for entry in inventory.ignored}
    unlisted = {folder.name: f"{unlisted_text}: {folder.reason}" for folder in inventory.unlisted}
    return ignored | unlisted
