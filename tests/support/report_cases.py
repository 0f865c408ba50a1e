"""The plans and results that the goldens show."""

from dataclasses import replace
from datetime import timedelta

from ci3.core.lifecycle.rule import ExpiryRule
from ci3.core.lifecycle.rule_assignment import allot
from ci3.core.lifecycle.rule_status import Reconciled, Sight, judge_rules
from ci3.core.live.commit_names import Commit
from ci3.core.live.pins import pin_commits, pin_live, protect
from ci3.core.live.sources import LiveSource, Reading, Sighting
from ci3.core.model.decision import Action, Decision, Engine, Reason, ReasonCode
from ci3.core.model.deployment import Hole, Ignored, Inventory, Versioning
from ci3.core.model.objects import AllVersions
from ci3.core.model.policy import DELETE_VERSIONS, ENGINE, DeleteLimit, Origin, PolicyEntry
from ci3.core.model.result import DeleteGuard, DeploymentResult, GuardProbe, ObjectOutcome, Result
from ci3.core.plan.checks import Limits, find_refusals, find_warnings
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import NOW, days_ago, deployment, inventory, marker_only, target

MB = 1_000_000
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
    found: Inventory,
    *,
    keep_count: int = 5,
    patterns: tuple[str, ...] = (),
    commits: tuple[str, ...] = (),
    live: tuple[str, ...] = (),
    max_delete: DeleteLimit | None = None,
    versioning: Versioning = Versioning.DISABLED,
) -> Plan:
    source = LiveSource.parse("cloudfront")
    sightings = [
        Sighting(name=name, evidence=f"CloudFront E2ABC serves /{name} for www.example.org")
        for name in live
    ]
    readings = (Reading(source=source, sightings=tuple(sightings)),) if live else ()
    pins = (*protect(patterns), *pin_commits(commits), *pin_live(readings))
    decisions = decide(found, RetentionPolicy(keep_count=keep_count), pins, NOW, 1)
    return Plan(
        ci3_version="1.2.3",
        created_at=NOW,
        target=target(versioning),
        policy=policy_of(keep_count, patterns, live),
        decisions=decisions,
        ignored=found.ignored,
        refusals=find_refusals(found, decisions, pins, readings, Limits(max_delete=max_delete)),
        warnings=find_warnings(found, pins, readings, versioning),
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
    """Deployments a few days apart, a protected release among them, and a file at the root."""
    names = [f"{(number * 7919 + 0xABC123) % 0xFFFFFFF:07x}" for number in range(count)]
    commits = [
        deployment(name, 0.2 + 2.3 * number, size_bytes=MB * (1 + number % 4))
        for number, name in enumerate(names)
    ]
    return inventory(
        *commits,
        deployment("release-2.4", 20, size_bytes=3 * MB),
        ignored=(Ignored(name="index.html", reason="a file outside every deployment"),),
    )


def usual_plan(versioning: Versioning = Versioning.DISABLED) -> Plan:
    return make_plan(
        site(), patterns=("release-*",), commits=("0abe012" + "0" * 33,), versioning=versioning
    )


def final_plan() -> Plan:
    """The usual plan, by which all versions go: three of each object that goes, and one marker."""
    one = usual_plan(Versioning.ENABLED)
    entry = PolicyEntry(value="true", origin=Origin.INPUT)
    return replace(
        one,
        policy={**one.policy, DELETE_VERSIONS: entry},
        decisions=tuple(_with_versions(decision) for decision in one.decisions),
    )


def _with_versions(decision: Decision) -> Decision:
    if not decision.is_delete:
        return decision
    found = decision.deployment
    versions = AllVersions(
        count=3 * found.object_count + 1, size_bytes=3 * found.size_bytes, fingerprint="0" * 64
    )
    return replace(decision, deployment=replace(found, versions=versions))


def final_result() -> Result:
    guard = GuardProbe(guard=DeleteGuard.VERSION_ID, reason="")
    return replace(result_of(final_plan()), guard=guard)


def lifecycle_plan(versioning: Versioning = Versioning.DISABLED) -> Plan:
    """Seven go of twelve: the youngest of them directly, the others by rules of S3's."""
    one = make_plan(site(), keep_count=3, versioning=versioning)
    decisions = [
        decision for decision in one.decisions if decision.deployment.name != "release-2.4"
    ]
    found = allot(decisions, (), now=NOW, others_count=2)
    return replace(one, policy={**one.policy, ENGINE: BY_S3}, decisions=found.decisions)


def lifecycle_result(plan: Plan) -> Result:
    """What an apply of it did: rules stand for all that S3 deletes."""
    done = result_of(plan)
    named = {one.deployment.name for one in plan.doomed if one.expire_days is not None}
    results = [
        replace(one, counts={}, bytes_deleted=0, is_expiring=True) if one.name in named else one
        for one in done.deployments
    ]
    return replace(done, deployments=tuple(results))


def lifecycle_later() -> Account:
    """A later run: one is emptied, one is live again, the others are expiring yet."""
    plan = lifecycle_plan()
    by_rule = [one for one in plan.doomed if one.expire_days is not None]
    emptied, back = by_rule[-1].deployment, by_rule[0].deployment
    decisions = tuple(
        replace(one, action=Action.KEEP, expire_days=None, reasons=(LIVE_AGAIN,))
        if one.deployment == back
        else replace(one, expire_days=None, reasons=one.reasons[:1])
        for one in plan.decisions
        if one.deployment != emptied
    )
    made = [
        ExpiryRule(
            prefix=one.deployment.prefix,
            days=(NOW - one.deployment.newest_at).days - 1,
            noncurrent_days=None,
            expires_at=NOW + timedelta(days=6),
        )
        for one in by_rule
    ]
    rules = judge_rules(
        made,
        Sight(prefix="", engine=Engine.LIFECYCLE, now=NOW, decisions=decisions, others={},
              doubts=(), keeps_versions=False),
    )  # fmt: skip
    ruled = allot(decisions, rules, now=NOW, others_count=2)
    reconciled = Reconciled(removed=tuple(one for one in rules if one.goes), vanished=("gone",))
    later = replace(plan, decisions=ruled.decisions, rules=rules)
    return Account(plan=later, reconciled=reconciled)


BY_S3 = PolicyEntry(value="lifecycle", origin=Origin.INPUT)
LIVE_AGAIN = Reason(code=ReasonCode.LIVE, message="live: current names it")
LIVE = "0ac7abd"


def live_plan(versioning: Versioning = Versioning.ENABLED) -> Plan:
    """What is live was rolled back to, and is older than what would be kept."""
    return make_plan(site(), patterns=("release-*",), live=(LIVE,), versioning=versioning)


def first_run() -> Plan:
    """Years of deployments that nobody has ever cleaned up."""
    return make_plan(site(60), keep_count=3, live=("0abe012",), versioning=Versioning.ENABLED)


def huge_plan() -> Plan:
    return make_plan(site(1499), keep_count=100)


def stale_account() -> Account:
    """A saved plan, since which one deployment has changed and one went live."""
    plan = usual_plan()
    names = [one.deployment.name for one in plan.doomed]
    changed = {
        names[0]: "its objects changed since the plan",
        names[2]: "live: CloudFront E2ABC serves it",
    }
    return Account(plan=plan, changed=changed, is_stale=True)


SUBJECTS = (
    "Fix the header on small screens",
    "Merge pull request #42 from acme/login",
    "Add a dark theme @everyone",
    "x" * 300,
    "<script>alert(1)</script> | `code` GH-12 https://example.org ![x](y)",
    "",
)


def commits_of(plan: Plan) -> dict[str, Commit]:
    """What GitHub tells of the commits that a plan's deployments are named after."""
    named = [one.deployment for one in plan.decisions if not one.deployment.name.startswith("rel")]
    return {
        one.name: Commit(
            sha=one.name.ljust(40, "0"),
            subject=SUBJECTS[place % len(SUBJECTS)],
            author=("Ann Smith", "dependabot[bot]", "@mallory")[place % 3],
            authored_at=days_ago(2.3 * place + 3 * (place % 2)),
        )
        for place, one in enumerate(named)
    }


def nothing_to_delete() -> Plan:
    return make_plan(inventory(deployment("abc1234", 3), deployment("def5678", 1)))


def empty_bucket() -> Plan:
    return make_plan(inventory())


def doubtful_plan() -> Plan:
    """Overlaps, equal times and an upload under way: all kept, with the reason."""
    return make_plan(
        inventory(
            deployment("feed001", 9, 1),
            deployment("feed002", 3),
            deployment("feed003", 5),
            deployment("feed004", 20, 5),
            deployment("feed005", 30),
            marker_only("feed006", 0.1),
        ),
        keep_count=2,
    )


def refused_plan() -> Plan:
    found = site()
    with_hole = Inventory(
        deployments=found.deployments,
        ignored=found.ignored,
        holes=(Hole(name="dead123", reason="listing s3://my-site/dead123/: AccessDenied"),),
    )
    return make_plan(
        with_hole,
        patterns=("relaese-2.4", "v9-*"),
        max_delete=DeleteLimit(amount=20, is_percent=True),
        versioning=Versioning.UNKNOWN,
    )


def hostile_plan() -> Plan:
    found = [deployment(name, 1 + number) for number, name in enumerate(HOSTILE_NAMES)]
    ignored = tuple(Ignored(name=name, reason="a file") for name in HOSTILE_NAMES)
    return make_plan(inventory(*found, ignored=ignored), keep_count=2)


def result_of(plan: Plan, *, problem: str = "", stopped: str = "") -> Result:
    """What an apply of a plan did; with a problem, the first deployment was left."""
    return Result(
        run_id="20261123T120000Z-ab12cd34",
        journal_file="ci3-journal-20261123T120000Z-ab12cd34.jsonl",
        deployments=tuple(
            _one_result(decision, problem if not place else "")
            for place, decision in enumerate(plan.doomed)
        ),
        stopped=stopped,
    )


def _one_result(decision: Decision, problem: str) -> DeploymentResult:
    outcome = ObjectOutcome.CHANGED if problem else ObjectOutcome.DELETED
    return DeploymentResult(
        name=decision.deployment.name,
        counts={outcome: decision.deployment.deletion_count},
        bytes_deleted=0 if problem else decision.deployment.deletion_bytes,
        problem=problem,
    )
