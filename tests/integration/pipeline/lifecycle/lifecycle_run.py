"""Leaving deployments to S3: one apply as both faces do it, and what stands then."""

import json
import re
from pathlib import Path

from ci3.core.model.result import RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import add_reconciled
from ci3.pipeline.run import open_run, revoke_all_rules
from tests.support.cleanup_run import make_context
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite

FOREIGN = config(f" <!-- ours, hands off -->\n{foreign_rule()}\n")
DOOMED = ("old-1", "old-2", "old-3")
OURS = [f"ci3/{name}/" for name in DOOMED]
PUT, GET = ("PUT", r"\?lifecycle"), ("GET", r"\?lifecycle")


class Ran:
    """One apply with engine: lifecycle, and what became of it."""

    def __init__(self, site: MemorySite, **changes: str) -> None:
        self.pauses: list[float] = []
        run = make_context(site, pauses=self.pauses, **({"engine": "lifecycle"} | changes))
        self.journal_file = run.settings.journal_file
        (self.account,) = apply(run)
        self.result, self.plan = self.account.result, self.account.plan

    @property
    def outcome(self) -> RunOutcome:
        return self.account.outcome

    @property
    def stop_reason(self) -> str:
        return self.result.stop_reason

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in Path(self.journal_file).read_text().splitlines()]

    def record(self, name: str) -> dict:
        return next(one for one in self.records if one["record"] == name)


def apply(run, *, meanwhile=lambda: None, later=lambda: None, is_fresh: bool = True) -> tuple:
    """Plan, reconcile and apply as both faces do, with what happens after each of the first."""
    one = open_run([run])
    plans = one.make_plans()
    meanwhile()
    begun = one.reconcile_rules(plans)
    later()
    accounts = (
        one.apply_plans(begun, is_fresh=is_fresh)
        if one.has_work(begun)
        else revoke_all_rules(begun)
    )
    return add_reconciled(accounts, [each.reconciled for each in begun])


def plan_of(site: MemorySite, **changes: str) -> Plan:
    run = make_context(site, **({"engine": "lifecycle"} | changes))
    return run.make_plan(run.open_bucket())


def written(site: MemorySite) -> list[str]:
    """The IDs of the rules that stand, without when they expire."""
    return [re.sub(r"[0-9TZ]+$", "", one) for one in rule_ids(site.lifecycle)]
