"""The plans and results of the golden files."""

from dataclasses import replace
from datetime import timedelta

from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.lifecycle.rule_assignment import assign_rules
from ci3.core.lifecycle.rule_status import Reconciliation, RuleContext, evaluate_rules
from ci3.core.live.commit_names import Commit
from ci3.core.live.pins import pin_live, pin_protected
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.decision import Action, Decision, Engine, Reason, ReasonCode
from ci3.core.model.deployment import (
    IgnoredEntry,
    Inventory,
    NoncurrentExpiration,
    UnlistedFolder,
    Versioning,
)
from ci3.core.model.objects import VersionSummary
from ci3.core.model.policy import (
    DELETE_VERSIONS_SETTING,
    ENGINE_SETTING,
    DeleteLimit,
    Origin,
    PolicyEntry,
)
from ci3.core.model.result import (
    ApplyResult,
    DeleteGuard,
    DeploymentResult,
    GuardProbe,
    ObjectOutcome,
)
from ci3.core.plan.checks import Limits, find_limit_refusals, find_refusals, find_warnings
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    inventory,
    marker_only_deployment,
    pin_commits,
    target,
)

MB = 1_000_000
RESTORE_PERIOD = NoncurrentExpiration(days=30)
HOSTILE_NAMES = (
    "a|b`c",
    "back\\|slash",
    "<img src=x onerror=alert(1)>",
    "line\nbreak",
    "[link](https://example.org) @someone #1",
    "**bold** _it_ ~no~",
    "\x1b[31mred",
    "\u202egnp.exe",
    " led by a space",
    "<!-- -->",
    "::error::x",
    "##[error]x",
)


def make_plan(
    site_inventory: Inventory,
    *,
    keep_count: int = 5,
    patterns: tuple[str, ...] = (),
    commits: tuple[str, ...] = (),
    live: tuple[str, ...] = (),
    max_delete: DeleteLimit | None = None,
    versioning: Versioning = Versioning.DISABLED,
) -> Plan:
    source = LiveSource.parse("cloudfront")
    references = [
        LiveReference(name=name, evidence=f"CloudFront E2ABC serves /{name} for www.example.org")
        for name in live
    ]
    readings = (LiveReading(source=source, references=tuple(references)),) if live else ()
    pins = (*pin_protected(patterns), *pin_commits(commits), *pin_live(readings))
    decisions = decide(site_inventory, RetentionPolicy(keep_count=keep_count), pins, NOW, 1)
    return Plan(
        ci3_version="1.2.3",
        created_at=NOW,
        target=target(versioning),
        policy=policy_of(keep_count, patterns, live),
        decisions=decisions,
        ignored=site_inventory.ignored,
        refusals=(
            *find_refusals(site_inventory, pins, readings),
            *find_limit_refusals(decisions, Limits(max_delete=max_delete)),
        ),
        warnings=find_warnings(site_inventory, pins, readings, versioning),
        restore_period=RESTORE_PERIOD if versioning is Versioning.ENABLED else None,
    )


def policy_of(
    keep_count: int, patterns: tuple[str, ...], live: tuple[str, ...]
) -> dict[str, PolicyEntry]:
    sources = ("cloudfront",) if live else ()
    entries = {"keep-count": keep_count, "protect": patterns, "live-from": sources}
    return {
        name: PolicyEntry(value=value, origin=Origin.INPUT)
        for name, value in entries.items()
        if value not in (5, ())
    }


def site(count: int = 12) -> Inventory:
    """Return deployments a few days apart, a protected release, and a file at the root."""
    names = [f"{(number * 7919 + 0xABC123) % 0xFFFFFFF:07x}" for number in range(count)]
    commits = [
        deployment(name, 0.2 + 2.3 * number, size_bytes=MB * (1 + number % 4))
        for number, name in enumerate(names)
    ]
    return inventory(
        *commits,
        deployment("release-2.4", 20, size_bytes=3 * MB),
        ignored=(IgnoredEntry(name="index.html", reason="a file outside every deployment"),),
    )


def usual_plan(versioning: Versioning = Versioning.DISABLED) -> Plan:
    return make_plan(
        site(), patterns=("release-*",), commits=("0abe012" + "0" * 33,), versioning=versioning
    )


def final_plan() -> Plan:
    """Return `usual_plan` with `delete-versions`: three versions per object, and one marker."""
    plan = usual_plan(Versioning.ENABLED)
    entry = PolicyEntry(value="true", origin=Origin.INPUT)
    return replace(
        plan,
        policy={**plan.policy, DELETE_VERSIONS_SETTING: entry},
        decisions=tuple(_with_versions(decision) for decision in plan.decisions),
    )


def _with_versions(decision: Decision) -> Decision:
    if not decision.is_delete:
        return decision
    original = decision.deployment
    versions = VersionSummary(
        count=3 * original.object_count + 1,
        size_bytes=3 * original.size_bytes,
        fingerprint="0" * 64,
    )
    return replace(decision, deployment=replace(original, versions=versions))


def final_result() -> ApplyResult:
    guard = GuardProbe(guard=DeleteGuard.VERSION_ID, reason="")
    return replace(result_of(final_plan()), guard=guard)


def lifecycle_plan(versioning: Versioning = Versioning.DISABLED) -> Plan:
    """Return a plan that deletes seven of twelve: the newest directly, the others by rules."""
    plan = make_plan(site(), keep_count=3, versioning=versioning)
    decisions = [
        decision for decision in plan.decisions if decision.deployment.name != "release-2.4"
    ]
    assignment = assign_rules(decisions, (), now=NOW, other_rules_count=2)
    return replace(
        plan, policy={**plan.policy, ENGINE_SETTING: BY_S3}, decisions=assignment.decisions
    )


def lifecycle_result(plan: Plan) -> ApplyResult:
    """Return the result of applying a lifecycle plan: what has a rule is expiring."""
    direct_result = result_of(plan)
    names = {
        decision.deployment.name for decision in plan.to_delete if decision.expire_days is not None
    }
    results = [
        replace(result, counts={}, bytes_deleted=0, is_expiring=True)
        if result.name in names
        else result
        for result in direct_result.deployments
    ]
    return replace(direct_result, deployments=tuple(results))


def lifecycle_later() -> TargetResult:
    """Return a later run: one deployment is empty, one is live again, the others still expire."""
    plan = lifecycle_plan()
    by_rule = [decision for decision in plan.to_delete if decision.expire_days is not None]
    emptied, live_again = by_rule[-1].deployment, by_rule[0].deployment
    decisions = tuple(
        replace(decision, action=Action.KEEP, expire_days=None, reasons=(LIVE_AGAIN,))
        if decision.deployment == live_again
        else replace(decision, expire_days=None, reasons=decision.reasons[:1])
        for decision in plan.decisions
        if decision.deployment != emptied
    )
    created_rules = [
        ManagedRule(
            prefix=decision.deployment.prefix,
            days=(NOW - decision.deployment.newest_at).days - 1,
            noncurrent_days=None,
            expires_at=NOW + timedelta(days=6),
        )
        for decision in by_rule
    ]
    rules = evaluate_rules(
        created_rules,
        RuleContext(prefix="", engine=Engine.LIFECYCLE, now=NOW, decisions=decisions,
            non_deployments={},
              live_problems=(), is_versioned=False),
    )  # fmt: skip
    assignment = assign_rules(decisions, rules, now=NOW, other_rules_count=2)
    reconciled = Reconciliation(
        removed=tuple(rule for rule in rules if rule.should_remove), removed_by_others=("gone",)
    )
    later_plan = replace(plan, decisions=assignment.decisions, rules=rules)
    return TargetResult(plan=later_plan, reconciled=reconciled)


BY_S3 = PolicyEntry(value="lifecycle", origin=Origin.INPUT)
LIVE_AGAIN = Reason(code=ReasonCode.LIVE, message="live: current names it")
LIVE = "0ac7abd"


def live_plan(versioning: Versioning = Versioning.ENABLED) -> Plan:
    """Return a plan after a rollback: the live deployment is older than those that are kept."""
    return make_plan(site(), patterns=("release-*",), live=(LIVE,), versioning=versioning)


def first_run() -> Plan:
    """Return the plan of a first cleanup after many deployments."""
    return make_plan(site(60), keep_count=3, live=("0abe012",), versioning=Versioning.ENABLED)


def huge_plan() -> Plan:
    return make_plan(site(1499), keep_count=100)


def stale_result() -> TargetResult:
    """Return the result of a stale plan: one deployment has changed and one has gone live."""
    plan = usual_plan()
    names = [decision.deployment.name for decision in plan.to_delete]
    changed = {
        names[0]: "its objects changed since the plan",
        names[2]: "live: CloudFront E2ABC serves it",
    }
    return TargetResult(plan=plan, changed=changed, is_stale=True)


SUBJECTS = (
    "Fix the header on small screens",
    "Merge pull request #42 from acme/login",
    "Add a dark theme @everyone",
    "x" * 300,
    "<script>alert(1)</script> | `code` GH-12 https://example.org ![x](y)",
    "",
)


def commits_of(plan: Plan) -> dict[str, Commit]:
    """Return GitHub's data on the commits that a plan's deployments are named after."""
    deployments = [
        decision.deployment
        for decision in plan.decisions
        if not decision.deployment.name.startswith("rel")
    ]
    return {
        deployment.name: Commit(
            sha=deployment.name.ljust(40, "0"),
            subject=SUBJECTS[index % len(SUBJECTS)],
            author=("Ann Smith", "dependabot[bot]", "@mallory")[index % 3],
            authored_at=days_ago(2.3 * index + 3 * (index % 2)),
        )
        for index, deployment in enumerate(deployments)
    }


def nothing_to_delete() -> Plan:
    return make_plan(inventory(deployment("abc1234", 3), deployment("def5678", 1)))


def empty_bucket() -> Plan:
    return make_plan(inventory())


def ambiguous_plan() -> Plan:
    """Return a plan with overlaps, equal times and an upload in progress: all are kept."""
    return make_plan(
        inventory(
            deployment("feed001", 9, 1),
            deployment("feed002", 3),
            deployment("feed003", 5),
            deployment("feed004", 20, 5),
            deployment("feed005", 30),
            marker_only_deployment("feed006", 0.1),
        ),
        keep_count=2,
    )


def refused_plan() -> Plan:
    listed = site()
    with_unlisted = Inventory(
        deployments=listed.deployments,
        ignored=listed.ignored,
        unlisted=(
            UnlistedFolder(name="dead123", reason="listing s3://my-site/dead123/: AccessDenied"),
        ),
    )
    return make_plan(
        with_unlisted,
        patterns=("relaese-2.4", "v9-*"),
        max_delete=DeleteLimit(amount=20, is_percent=True),
        versioning=Versioning.UNKNOWN,
    )


def hostile_plan() -> Plan:
    deployments = [deployment(name, 1 + number) for number, name in enumerate(HOSTILE_NAMES)]
    ignored = tuple(IgnoredEntry(name=name, reason="a file") for name in HOSTILE_NAMES)
    return make_plan(inventory(*deployments, ignored=ignored), keep_count=2)


def result_of(plan: Plan, *, problem: str = "", stopped: str = "") -> ApplyResult:
    """Return the result of applying a plan; with a problem, the first deployment is not deleted."""
    return ApplyResult(
        run_id="20261123T120000Z-ab12cd34",
        journal_file="ci3-journal-20261123T120000Z-ab12cd34.jsonl",
        deployments=tuple(
            _deployment_result(decision, problem if not index else "")
            for index, decision in enumerate(plan.to_delete)
        ),
        stop_reason=stopped,
    )


def _deployment_result(decision: Decision, problem: str) -> DeploymentResult:
    outcome = ObjectOutcome.CHANGED if problem else ObjectOutcome.DELETED
    return DeploymentResult(
        name=decision.deployment.name,
        counts={outcome: decision.deployment.deletion_count},
        bytes_deleted=0 if problem else decision.deployment.deletion_bytes,
        problem=problem,
    )
