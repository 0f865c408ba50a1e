"""What each thing that can be seen of a bucket comes to: level, topic, words."""

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
from ci3.core.doctor.finding import Level, TargetFindings, exit_code_of_findings
from ci3.core.live.sources import LiveReading
from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import BucketIssues, PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import DeleteGuard, GuardProbe
from ci3.errors import ExitCode
from tests.support.builders import days_ago
from tests.support.examinations import COMMITS, LIVE, aim, healthy_facts
from tests.support.s3.lifecycle_texts import make_rule

DENIED = Unavailable(problem="S3 answered AccessDenied", hint="Use another one.", is_denied=True)
FAILED = Unavailable(problem="S3 can't be reached", hint="Check the network.")
TIDY = LifecycleRule(name="tidy", noncurrent_days=30)


def rules(prefix: str = "", **more) -> tuple[LifecycleRule, ...]:
    return (TIDY, LifecycleRule(name="old", prefix=prefix, **{"expires_after_days": 90, **more}))


def own_rule(days_over: float) -> tuple[LifecycleRule, ...]:
    """A rule of ci3's own whose term ended so many days ago."""
    prefix = f"{COMMITS[0]}/"
    made = make_rule(prefix, expires_at=days_ago(days_over))
    return (LifecycleRule(name=made.rule_id, prefix=prefix, expires_after_days=20),)


def guard(one: DeleteGuard, *, is_denied: bool = False) -> GuardProbe:
    return GuardProbe(guard=one, reason="so it answered", is_denied=is_denied)


SUSPENDED = VersioningState(versioning=Versioning.SUSPENDED)
OFF = VersioningState(versioning=Versioning.DISABLED)
MFA = VersioningState(versioning=Versioning.ENABLED, has_mfa_delete=True)
LEFT_OUT = FolderSummary(names=COMMITS, ignored=("css",), file_count=2)
FOLDERS = FolderSummary(names=(*COMMITS, "assets", "images"))

# What is seen, the topic, its level, and a part of what is told of it.
CASES = {
    "root": ({"identity": "arn:aws:iam::1:root"}, "identity", "warning", "root user"),
    "nobody to ask": ({"identity": NOT_REQUESTED, "doctor_target": aim(endpoint_url="http://minio")},
                      "identity", "note", "http://minio is not AWS"),
    "identity fails": ({"identity": FAILED}, "identity", "note", "can't be reached"),
    "other region": ({"bucket_region": "us-west-2"}, "region", "note", "Set region to us-west-2"),
    "denied list": ({"folders": DENIED}, "list", "problem", "ci3 iam-policy plan --bucket my-site"),
    "no bucket": ({"folders": FAILED}, "list", "problem", "Check the network"),
    "denied versions": ({"lists_versions": DENIED}, "list versions", "note", "iam-policy apply"),
    "failed versions": ({"lists_versions": FAILED}, "list versions", "warning", "be reached"),
    "not tried": ({"probe": NOT_REQUESTED}, "delete", "note", "add probe-deletes"),
    "denied delete": ({"probe": guard(DeleteGuard.NONE, is_denied=True)},
                      "delete", "problem", "allow s3:DeleteObject, and s3:GetObject"),
    "writer fails": ({"probe": FAILED}, "delete", "problem", "can't be reached"),
    "ignores conditions": ({"probe": guard(DeleteGuard.NONE)},
                           "delete", "warning", "deleting was not denied; so it answered"),
    "conditions singly": ({"probe": guard(DeleteGuard.ETAG_SINGLE)},
                          "delete", "warning", "you may delete; so it answered"),
    "denied versioning": ({"versioning": DENIED}, "versioning", "warning", "as final"),
    "suspended": ({"versioning": SUSPENDED}, "versioning", "warning", "suspended"),
    "no versions": ({"versioning": OFF}, "versioning", "note", "gone for good"),
    "versions for ever": ({"rules": ()}, "versioning", "note", "cost as before"),
    "versions for a while": ({"rules": (TIDY,)}, "versioning", "ok", "for 30 days"),
    "versions go too": ({"doctor_target": aim(delete_versions=True)},
                        "versioning", "warning", "all the same"),
    "mfa": ({"versioning": MFA}, "MFA delete", "warning", "without a token"),
    "mfa, versions go": ({"versioning": MFA, "doctor_target": aim(delete_versions=True)},
                         "MFA delete", "problem", "without a token"),
    "lock": ({"lock": ObjectLock(is_enabled=True, default="30 days (governance)")},
             "object lock", "note", "by default for 30 days (governance)"),
    "lock, versions go": ({"lock": ObjectLock(is_enabled=True),
        "doctor_target": aim(delete_versions=True)},
                          "object lock", "warning", "can't remove a locked version"),
    "denied lock": ({"lock": DENIED}, "object lock", "note", "GetBucketObjectLockConfiguration"),
    "denied rules": ({"rules": DENIED}, "lifecycle", "warning", "s3:GetLifecycleConfiguration"),
    "expiring": ({"rules": rules()}, "lifecycle", "warning",
                 "rule old deletes every object of the bucket 90 days after its upload"),
    "expiring on a day": ({"rules": rules(expires_after_days=None, expires_on=date(2027, 1, 1))},
                          "lifecycle", "warning", "from 2027-01-01 on"),
    "expiring by tag": ({"rules": rules(is_narrowed=True)}, "lifecycle", "warning", "its tags"),
    "expiring a deployment": ({"rules": rules(f"{COMMITS[0]}/js/")},
                              "lifecycle", "warning", "js"),
    "expiring names that begin so": ({"rules": rules("1111")}, "lifecycle", "warning", "1111"),
    "own rule": ({"rules": own_rule(-1)}, "own rules", "note", "1 lifecycle rule of ci3's own"),
    "own rule left behind": ({"rules": own_rule(1)}, "own rules", "warning", "gone by now: ci3/"),
    "own rule is no collision": ({"rules": own_rule(-1)}, "lifecycle", "ok", "no rule"),
    "expiring another folder": ({"rules": rules("logs/")}, "lifecycle", "ok", "no rule"),
    "expiring beside the prefix": ({"rules": rules("logs/"), "doctor_target": aim(prefix="app/")},
                                   "lifecycle", "ok", "no rule"),
    "expiring above the prefix": ({"rules": rules("ap"), "doctor_target": aim(prefix="app/")},
                                  "lifecycle", "warning", "begins with ap"),
    "stray uploads": ({"uploads": UnfinishedUploads(count=3, oldest_at=days_ago(40))},
                      "uploads", "warning", "3 unfinished uploads, the oldest begun 40 days ago"),
    "uploads going on": ({"uploads": UnfinishedUploads(count=1, oldest_at=days_ago(0.1))},
                         "uploads", "note", "1 unfinished upload, "),
    "denied uploads": ({"uploads": DENIED}, "uploads", "note", "s3:ListBucketMultipartUploads"),
    "no folder": ({"folders": FolderSummary(names=())}, "folders", "warning", "the prefix"),
    "match leaves out all": ({"folders": FolderSummary(names=(), ignored=("a", "b"))},
                             "folders", "warning", "no deployment"),
    "match leaves out some": ({"folders": LEFT_OUT},
                              "folders", "ok", "left alone: 2 files beside them, css"),
    "unlike": ({"folders": FOLDERS, "doctor_target": aim(match="")}, "folders", "warning",
               "set match to `[0-9a-f]{40}`"),
    "unlike, protected": ({"folders": FOLDERS,
        "doctor_target": aim(match="", protect=("assets", "images"))},
                          "folders", "note", "each of which counts"),
    "related": ({"folders": FolderSummary(names=("main", "pr-1", "pr-2", "pr-3")),
        "doctor_target": aim(match="")}, "folders", "note", "each of which counts"),
    "assets next to one commit": ({"folders": FolderSummary(names=(COMMITS[0], "assets")),
        "doctor_target": aim(match="")}, "folders", "warning", "add it to protect"),
    "a plan accepts the names": ({"folders": FOLDERS, "doctor_target": aim(match=""),
        "issues": BucketIssues()}, "folders", "note", "each of which counts"),
    "all alike": ({"doctor_target": aim(match="")}, "folders", "note",
        "Set match to `[0-9a-f]{40}`"),
    "no pattern": ({"folders": FolderSummary(names=("a", "b", "c")),
        "doctor_target": aim(match="")},
                   "folders", "warning", "3 folders, each of which counts"),
    "required file nowhere": ({"doctor_target": aim(required_file="done")},
                              "required-file", "warning", "ci3 deletes nothing"),
    "no required file": ({"doctor_target": aim(required_file="")},
                         "required-file", "note", "there is app.js, index.html"),
    "protected name": ({"doctor_target": aim(protect=("relase-1",))}, "protect", "problem",
        "misspelt"),
    "protected glob": ({"doctor_target": aim(protect=("release-*",))}, "protect", "warning",
        "no folder"),
    "protects": ({"doctor_target": aim(protect=("1111*",))}, "protect", "ok",
        f"keeps {COMMITS[0]}"),
    "not live": ({"readings": ()}, "live", "note", "live-from is not set"),
    "live can't be read": ({"readings": (LiveReading(source=LIVE, problem="403"),)},
                           "live", "problem", "object:live.txt can't be read: 403"),
    "nothing live": ({"readings": (LiveReading(source=LIVE),)}, "live", "problem", "names nothing"),
    "live, list denied": ({"folders": DENIED, "readings": (LiveReading(source=LIVE,
        problem="403"),)},
                          "live", "problem", "403"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_seen_is_told_with_its_level_and_what_to_do(name: str) -> None:
    changes, topic, level, words = CASES[name]
    found = [one for one in check_bucket(healthy_facts(**changes)) if one.topic == topic]
    assert [one.level for one in found] == [level]
    assert words in found[0].text


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


def test_all_is_well_where_nothing_is_amiss() -> None:
    assert {one.level for one in check_bucket(healthy_facts(rules=(TIDY,)))} == {Level.OK}


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_amiss_comes_with_advice(name: str) -> None:
    for one in check_bucket(healthy_facts(**CASES[name][0])):
        if one.level in (Level.WARNING, Level.PROBLEM):
            assert one.advice.endswith("."), one


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ExitCode.DONE),
        ({"rules": rules(), "uploads": DENIED}, ExitCode.DONE),
        ({"doctor_target": aim(protect=("relase-1",))}, ExitCode.REFUSED),
        ({"readings": (LiveReading(source=LIVE, problem="403"),)}, ExitCode.REFUSED),
        (
            {"folders": DENIED, "readings": (LiveReading(source=LIVE, problem="403"),)},
            ExitCode.ACCESS,
        ),
        ({"probe": guard(DeleteGuard.NONE, is_denied=True)}, ExitCode.ACCESS),
    ],
)
def test_exit_code_tells_of_access_first_and_of_what_would_be_refused(changes, code) -> None:
    fine = TargetFindings(url="s3://fine/", findings=())
    assert (
        exit_code_of_findings(
            (fine, TargetFindings(url="s3://x/", findings=check_bucket(healthy_facts(**changes))))
        )
        == code
    )
