"""The findings of doctor: level, topic and text of each."""

from dataclasses import replace
from datetime import date

import pytest

from ci3.core.doctor.checks import check_bucket
from ci3.core.doctor.facts import (
    NOT_REQUESTED,
    FolderSummary,
    LifecycleRule,
    ObjectLock,
    Unavailable,
    UnfinishedUploads,
    VersioningState,
)
from ci3.core.doctor.finding import Finding, Level, TargetFindings, exit_code_of_findings
from ci3.core.live.sources import LiveReading
from ci3.core.model.decision import Engine
from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import BucketIssues, PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import DeleteGuard, GuardProbe
from ci3.errors import ExitCode
from tests.support.builders import days_ago
from tests.support.examinations import COMMITS, LIVE, aim, healthy_facts
from tests.support.golden import assert_messages
from tests.support.s3.lifecycle_texts import make_rule

DENIED = Unavailable(problem="S3 answered AccessDenied", hint="Use another one.", is_denied=True)
FAILED = Unavailable(problem="S3 can't be reached", hint="Check the network.")
TIDY = LifecycleRule(name="tidy", noncurrent_days=30)


def make_rules(prefix: str = "", **more) -> tuple[LifecycleRule, ...]:
    return (TIDY, LifecycleRule(name="old", prefix=prefix, **{"expires_after_days": 90, **more}))


def make_managed_rules(days_over: float) -> tuple[LifecycleRule, ...]:
    """Return a managed rule whose lifetime ended `days_over` days ago."""
    prefix = f"{COMMITS[0]}/"
    rule = make_rule(prefix, expires_at=days_ago(days_over))
    return (LifecycleRule(name=rule.rule_id, prefix=prefix, expires_after_days=20),)


def make_probe(item: DeleteGuard, *, is_denied: bool = False) -> GuardProbe:
    return GuardProbe(guard=item, reason="so it answered", is_denied=is_denied)


SUSPENDED = VersioningState(versioning=Versioning.SUSPENDED)
OFF = VersioningState(versioning=Versioning.DISABLED)
MFA = VersioningState(versioning=Versioning.ENABLED, has_mfa_delete=True)
LEFT_OUT = FolderSummary(names=COMMITS, ignored=("css",), file_count=2)
FOLDERS = FolderSummary(names=(*COMMITS, "assets", "images"))

# Facts, topic, level, and a value in the text of the finding.
CASES = {
    "root": ({"identity": "arn:aws:iam::1:root"}, "identity", "warning", ""),
    "nobody to ask": ({"identity": NOT_REQUESTED, "doctor_target": aim(endpoint_url="http://minio")},
                      "identity", "note", ""),
    "identity fails": ({"identity": FAILED}, "identity", "note", ""),
    "other region": ({"bucket_region": "us-west-2"}, "region", "note", ""),
    "denied list": ({"folders": DENIED}, "list", "problem", "ci3 iam-policy plan --bucket my-site"),
    "no bucket": ({"folders": FAILED}, "list", "problem", ""),
    "denied versions": ({"lists_versions": DENIED}, "list versions", "note", "iam-policy apply"),
    "failed versions": ({"lists_versions": FAILED}, "list versions", "warning", ""),
    "not tried": ({"probe": NOT_REQUESTED}, "delete", "note", "probe-deletes"),
    "denied delete": ({"probe": make_probe(DeleteGuard.NONE, is_denied=True)},
                      "delete", "problem", "s3:DeleteObject"),
    "writer fails": ({"probe": FAILED}, "delete", "problem", ""),
    "ignores conditions": ({"probe": make_probe(DeleteGuard.NONE)},
                           "delete", "warning", ""),
    "conditions singly": ({"probe": make_probe(DeleteGuard.ETAG_SINGLE)},
                          "delete", "warning", ""),
    "denied versioning": ({"versioning": DENIED}, "versioning", "warning", ""),
    "suspended": ({"versioning": SUSPENDED}, "versioning", "warning", ""),
    "no versions": ({"versioning": OFF}, "versioning", "note", ""),
    "versions for ever": ({"rules": ()}, "versioning", "note", ""),
    "newer versions for longer": (
        {"rules": (replace(TIDY, keeps_newer_versions=True),)}, "versioning", "ok", "30"),
    "versions of other folders": (
        {"rules": (replace(TIDY, prefix="css/"),), "folders": LEFT_OUT}, "versioning", "note", ""),
    "versions for a while": ({"rules": (TIDY,)}, "versioning", "ok", "30"),
    "versions go too": ({"doctor_target": aim(delete_versions=True)},
                        "versioning", "warning", ""),
    "mfa": ({"versioning": MFA}, "MFA delete", "warning", ""),
    "mfa, versions go": ({"versioning": MFA, "doctor_target": aim(delete_versions=True)},
                         "MFA delete", "problem", ""),
    "lock": ({"lock": ObjectLock(is_enabled=True, default="30 days (governance)")},
             "object lock", "note", "30 days (governance)"),
    "lock, versions go": ({"lock": ObjectLock(is_enabled=True),
        "doctor_target": aim(delete_versions=True)},
                          "object lock", "warning", ""),
    "denied lock": ({"lock": DENIED}, "object lock", "note", "GetBucketObjectLockConfiguration"),
    "denied rules": ({"rules": DENIED}, "lifecycle", "warning", "s3:GetLifecycleConfiguration"),
    "expiring": ({"rules": make_rules()}, "lifecycle", "warning",
                 "90"),
    "expiring on a day": (
        {"rules": make_rules(expires_after_days=None, expires_on=date(2027, 1, 1))},
        "lifecycle", "warning", "2027-01-01"),
    "expiring by tag": ({"rules": make_rules(is_narrowed=True)}, "lifecycle", "warning", ""),
    "expiring a deployment": ({"rules": make_rules(f"{COMMITS[0]}/js/")},
                              "lifecycle", "warning", "js"),
    "expiring names that begin so": ({"rules": make_rules("1111")}, "lifecycle", "warning", "1111"),
    "own rule": ({"rules": make_managed_rules(-1)}, "managed rules", "note", "1"),
    "lifecycle engine": ({"doctor_target": aim(engine=Engine.LIFECYCLE)},
                         "schedule", "note", "60"),
    "own rule left behind": ({"rules": make_managed_rules(1)}, "managed rules", "warning", "ci3/"),
    "own rule is no collision": ({"rules": make_managed_rules(-1)}, "lifecycle", "ok", ""),
    "expiring another folder": ({"rules": make_rules("logs/")}, "lifecycle", "ok", ""),
    "expiring next to the prefix": (
        {"rules": make_rules("logs/"), "doctor_target": aim(prefix="app/")}, "lifecycle", "ok", ""),
    "expiring above the prefix": ({"rules": make_rules("ap"), "doctor_target": aim(prefix="app/")},
                                  "lifecycle", "warning", ""),
    "stray uploads": ({"uploads": UnfinishedUploads(count=3, oldest_at=days_ago(40))},
                      "uploads", "warning", "40"),
    "uploads going on": ({"uploads": UnfinishedUploads(count=1, oldest_at=days_ago(0.1))},
                         "uploads", "note", "1"),
    "denied uploads": ({"uploads": DENIED}, "uploads", "note", "s3:ListBucketMultipartUploads"),
    "no folder": ({"folders": FolderSummary(names=())}, "folders", "warning", ""),
    "match leaves out all": ({"folders": FolderSummary(names=(), ignored=("a", "b"))},
                             "folders", "warning", ""),
    "match leaves out some": ({"folders": LEFT_OUT},
                              "folders", "ok", "css"),
    "unlike": ({"folders": FOLDERS, "doctor_target": aim(match="")}, "folders", "warning",
               "`[0-9a-f]{40}`"),
    "unlike, protected": ({"folders": FOLDERS,
        "doctor_target": aim(match="", protect=("assets", "images"))},
                          "folders", "note", ""),
    "related": ({"folders": FolderSummary(names=("main", "pr-1", "pr-2", "pr-3")),
        "doctor_target": aim(match="")}, "folders", "note", ""),
    "assets next to one commit": ({"folders": FolderSummary(names=(COMMITS[0], "assets")),
        "doctor_target": aim(match="")}, "folders", "warning", "protect"),
    "a plan accepts the names": ({"folders": FOLDERS, "doctor_target": aim(match=""),
        "issues": BucketIssues()}, "folders", "note", ""),
    "all alike": ({"doctor_target": aim(match="")}, "folders", "note",
        "`[0-9a-f]{40}`"),
    "no pattern": ({"folders": FolderSummary(names=("a", "b", "c")),
        "doctor_target": aim(match="")},
                   "folders", "warning", "3"),
    "required file nowhere": ({"doctor_target": aim(required_file="done")},
                              "required-file", "warning", "done"),
    "no required file": ({"doctor_target": aim(required_file="")},
                         "required-file", "note", "app.js, index.html"),
    "protected name": ({"doctor_target": aim(protect=("relase-1",))}, "protect", "problem",
        ""),
    "protected glob": ({"doctor_target": aim(protect=("release-*",))}, "protect", "warning",
        ""),
    "protects": ({"doctor_target": aim(protect=("1111*",))}, "protect", "ok",
        COMMITS[0]),
    "not live": ({"readings": ()}, "live", "note", "live-from"),
    "live can't be read": ({"readings": (LiveReading(source=LIVE, problem="403"),)},
                           "live", "problem", "object:live.txt"),
    "nothing live": ({"readings": (LiveReading(source=LIVE),)}, "live", "problem", ""),
    "live, list denied": ({"folders": DENIED, "readings": (LiveReading(source=LIVE,
        problem="403"),)},
                          "live", "problem", "403"),
}  # fmt: skip


def find_case(name: str) -> Finding:
    changes, topic, *_ = CASES[name]
    [match] = [
        finding for finding in check_bucket(healthy_facts(**changes)) if finding.topic == topic
    ]
    return match


@pytest.mark.parametrize("name", CASES)
def test_finding_has_its_level_and_value(name: str) -> None:
    _, _, level, value = CASES[name]
    finding = find_case(name)
    assert finding.level == level
    assert value in finding.text


def test_findings_are_the_golden_ones() -> None:
    assert_messages(__file__, [(name, find_case(name).text) for name in CASES])


def test_folder_named_unlike_the_others_is_reported_once() -> None:
    issue = Refusal(code=RefusalCode.MIXED_NAMES, message="assets is named unlike the others")
    facts = healthy_facts(
        folders=FOLDERS, doctor_target=aim(match=""), issues=BucketIssues(refusals=(issue,))
    )
    findings = [finding for finding in check_bucket(facts) if "assets" in finding.message]
    assert [(finding.topic, finding.level) for finding in findings] == [
        ("mixed-names", Level.PROBLEM)
    ]


def test_findings_of_a_plan_name_their_recipes() -> None:
    refusal = Refusal(code=RefusalCode.MIXED_NAMES, message="assets is named unlike the others")
    warning = PlanWarning(code=WarningCode.NEVER_DELETABLE, message="nothing can be deleted")
    issues = BucketIssues(refusals=(refusal,), warnings=(warning,))
    findings = check_bucket(healthy_facts(doctor_target=aim(match=""), issues=issues))
    urls = {finding.topic: finding.recipe_url for finding in findings if finding.recipe_url}
    assert urls == {issue.code: find_recipe_url(issue.code) for issue in (refusal, warning)}
    assert all(finding.text.endswith(finding.recipe_url) for finding in findings)


def test_empty_target_has_a_recipe() -> None:
    folders = FolderSummary(names=())
    findings = check_bucket(healthy_facts(folders=folders, readings=()))
    assert find_recipe_url(WarningCode.NOTHING_MATCHES) in {
        finding.recipe_url for finding in findings
    }


def test_healthy_bucket_has_only_ok_findings() -> None:
    assert {finding.level for finding in check_bucket(healthy_facts(rules=(TIDY,)))} == {Level.OK}


@pytest.mark.parametrize("name", CASES)
def test_every_warning_or_problem_has_advice(name: str) -> None:
    for finding in check_bucket(healthy_facts(**CASES[name][0])):
        if finding.level in (Level.WARNING, Level.PROBLEM):
            assert finding.advice.endswith("."), finding


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ExitCode.DONE),
        ({"rules": make_rules(), "uploads": DENIED}, ExitCode.DONE),
        ({"doctor_target": aim(protect=("relase-1",))}, ExitCode.REFUSED),
        ({"readings": (LiveReading(source=LIVE, problem="403"),)}, ExitCode.REFUSED),
        (
            {"folders": DENIED, "readings": (LiveReading(source=LIVE, problem="403"),)},
            ExitCode.ACCESS,
        ),
        ({"probe": make_probe(DeleteGuard.NONE, is_denied=True)}, ExitCode.ACCESS),
    ],
)
def test_exit_code_of_an_access_problem_takes_precedence(changes, code) -> None:
    healthy_target = TargetFindings(url="s3://fine/", findings=())
    assert (
        exit_code_of_findings(
            (
                healthy_target,
                TargetFindings(url="s3://x/", findings=check_bucket(healthy_facts(**changes))),
            )
        )
        == code
    )
