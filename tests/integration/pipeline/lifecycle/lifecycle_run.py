"""Applies with engine: lifecycle, in the same steps as both front ends."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from ci3.core.model.result import RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult, add_reconciled
from ci3.pipeline.context import TargetContext
from ci3.pipeline.run import open_run, revoke_all_rules
from tests.support.cleanup_run import OLD_NAMES, make_context
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite

FOREIGN = config(f" <!-- ours, hands off -->\n{foreign_rule()}\n")
MANAGED_RULES = [f"ci3/{name}/" for name in OLD_NAMES]
PUT, GET = ("PUT", r"\?lifecycle"), ("GET", r"\?lifecycle")


class LifecycleRun:
    """One apply with engine: lifecycle, and its result."""

    def __init__(self, site: MemorySite, **settings: str) -> None:
        self.pauses: list[float] = []
        context = make_context(site, pauses=self.pauses, **({"engine": "lifecycle"} | settings))
        self.journal_file = context.settings.journal_file
        (self.target_result,) = apply(context)
        self.result, self.plan = self.target_result.result, self.target_result.plan

    @property
    def outcome(self) -> RunOutcome:
        return self.target_result.outcome

    @property
    def stop_reason(self) -> str:
        return self.result.stop_reason

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in Path(self.journal_file).read_text().splitlines()]

    def find_record(self, name: str) -> dict:
        return next(record for record in self.records if record["record"] == name)


def apply(
    context: TargetContext,
    *,
    before_reconcile: Callable[[], object] = lambda: None,
    after_reconcile: Callable[[], object] = lambda: None,
    is_fresh: bool = True,
) -> tuple[TargetResult, ...]:
    """Plan, reconcile and apply in the same steps as both front ends."""
    run = open_run([context])
    plans = run.make_plans()
    before_reconcile()
    target_runs = run.reconcile_rules(plans)
    after_reconcile()
    results = (
        run.apply_plans(target_runs, is_fresh=is_fresh)
        if run.has_work(target_runs)
        else revoke_all_rules(target_runs)
    )
    return add_reconciled(results, [target_run.reconciled for target_run in target_runs])


def make_plan(site: MemorySite, **settings: str) -> Plan:
    context = make_context(site, **({"engine": "lifecycle"} | settings))
    return context.make_plan(context.open_bucket())


def list_rules(site: MemorySite) -> list[str]:
    """Return the IDs of the bucket's rules; those of managed rules without the time."""
    return [re.sub(r"[0-9TZ]+$", "", rule_id) for rule_id in rule_ids(site.lifecycle)]
