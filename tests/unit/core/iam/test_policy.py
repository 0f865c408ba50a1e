"""The IAM policies: their grammar, their patterns, and what they never allow."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase, translate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ci3.core.iam.patterns import IamPattern, escape_literal, translate_glob
from ci3.core.iam.policy import IamTarget, Purpose, build_policy
from ci3.core.iam.trust import TrustedRuns, build_trust_policy
from ci3.core.inventory.report_location import ReportLocation
from ci3.core.live.sources import LiveSource
from tests.support.golden import assert_messages
from tests.support.s3.iam import RequiredPermission, is_allowed, matches_pattern

EVERYTHING = IamTarget(
    bucket="my-site",
    prefix="app/",
    region="eu-central-1",
    account="123456789012",
    protect=("release-*", "4f2a9c1"),
    live_from=tuple(map(LiveSource.parse, ("cloudfront", "ssm:/my-site/live", "object:live.txt#a",
                                          "branches", "url:https://www.example.org/"))),
    inventory=ReportLocation.parse("s3://reports/my-site/daily/"),
    stores_journal=True,
    delete_versions=True,
    requires_conditional_deletes=True,
)  # fmt: skip
SCOPES = {
    "plain": (IamTarget(bucket="my-site"),),
    "everything": (EVERYTHING,),
    "two targets": (EVERYTHING, IamTarget(bucket="my-site", prefix="api/")),
    "China": (IamTarget(bucket="my-site", partition="aws-cn"),),
    "access point": (IamTarget(bucket="arn:aws:s3:eu-central-1:123456789012:accesspoint/my-site"),),
}


def make_permission(action: str, key: str) -> RequiredPermission:
    return RequiredPermission(action=action, resource=f"arn:aws:s3:::my-site/{key}")


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.parametrize("purpose", Purpose)
def test_policy_follows_the_grammar(purpose: Purpose, name: str) -> None:
    policy = json.loads(json.dumps(build_policy(purpose, SCOPES[name]).document))
    assert set(policy) == {"Version", "Statement"}
    assert policy["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in policy["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert statement["Action"]
        assert not any("*" in action for action in statement["Action"])
        assert statement["Effect"] == "Deny" or all(
            resource.startswith("arn:") or statement["Action"] == ["cloudfront:ListDistributions"]
            for resource in statement["Resource"]
        )


def test_parliament_finds_no_problem_in_the_policies() -> None:
    """parliament checks the resource and condition of each action; a wrong policy proves it."""
    good = [json.dumps(build_policy(purpose, [scope]).document)
            for purpose in Purpose if purpose is not Purpose.LIFECYCLE
            for scope in (EVERYTHING, IamTarget(bucket="my-site"))]  # fmt: skip
    wrong = json.dumps(build_policy(Purpose.APPLY, [EVERYTHING]).document).replace(
        '"s3:GetBucketVersioning"', '"s3:ListBucketVersions", "s3:GetObject"')  # fmt: skip
    script = (
        "import json, sys; from parliament import analyze_policy_string as analyze; "
        "print([[finding.issue for finding in analyze(text).findings] "
        "for text in json.load(sys.stdin)])"
    )
    completed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        check=True,
        text=True,
        input=json.dumps([*good, wrong]),
        capture_output=True,
    )
    *good_findings, wrong_findings = json.loads(completed.stdout.replace("'", '"'))
    assert good_findings == [[]] * len(good)
    assert wrong_findings == ["RESOURCE_MISMATCH"]


def test_prefix_condition_is_used_only_for_list_actions() -> None:
    """IAM would deny every other request, because it has no such parameter."""
    for purpose in Purpose:
        for statement in build_policy(purpose, [EVERYTHING]).document["Statement"]:
            if "s3:prefix" in json.dumps(statement.get("Condition", {})):
                assert set(statement["Action"]) <= {"s3:ListBucket", "s3:ListBucketVersions"}


def test_only_apply_deletes_objects_and_only_in_folders() -> None:
    for purpose in Purpose:
        policy = build_policy(purpose, [IamTarget(bucket="my-site", prefix="app/")]).document
        can_delete = purpose in (Purpose.APPLY, Purpose.LIFECYCLE)
        assert (
            is_allowed(policy, make_permission("s3:DeleteObject", "app/ab12cd3/index.html"))
            == can_delete
        )
        for key in ("app/index.html", "api/ab12cd3/index.html", "index.html", "app/.ci3/j/1"):
            assert not is_allowed(policy, make_permission("s3:DeleteObject", key))


def test_parameter_is_named_with_its_region_and_account() -> None:
    text = json.dumps(build_policy(Purpose.PLAN, [EVERYTHING]).document)
    assert "arn:aws:ssm:eu-central-1:123456789012:parameter/my-site/live" in text
    assert "arn:aws:s3:::my-site/live.txt" in text


def test_partitions_and_access_points_have_their_own_arns() -> None:
    china = json.dumps(build_policy(Purpose.APPLY, SCOPES["China"]).document)
    assert "arn:aws-cn:s3:::my-site/*/*" in china
    assert "arn:aws:" not in china
    point = json.dumps(build_policy(Purpose.APPLY, SCOPES["access point"]).document)
    assert "accesspoint/my-site/object/*/*" in point


def test_same_statement_of_two_targets_is_written_once() -> None:
    targets = [IamTarget(bucket="my-site", prefix="a/"), IamTarget(bucket="my-site", prefix="b/")]
    sids = [
        statement["Sid"] for statement in build_policy(Purpose.PLAN, targets).document["Statement"]
    ]
    assert sids == [
        "ListDeployments1",
        "ReadBucket1",
        "ReadJournals1",
        "ListDeployments2",
        "ReadJournals2",
    ]


NAMES = st.text(st.sampled_from("ab-1.*?$[]{}!"), min_size=1, max_size=6)


def is_deletion_denied(protected: str, key: str) -> bool:
    policy = build_policy(
        Purpose.APPLY, [IamTarget(bucket="my-site", protect=(protected,))]
    ).document
    return not is_allowed(policy, make_permission("s3:DeleteObject", key))


@given(st.data(), NAMES, st.text(st.sampled_from("a/*?"), max_size=4))
def test_protected_folders_are_denied(data, glob: str, rest: str) -> None:
    regex = translate(glob)
    assume("(?!" not in regex)  # an empty set of characters
    name = data.draw(st.from_regex(regex, fullmatch=True))
    assume("/" not in name)
    assert is_deletion_denied(glob, f"{name}/{rest}")
    assert is_deletion_denied(glob, f"{glob}/{rest}")


@given(name=NAMES, glob=st.text(st.sampled_from("ab-1.*?$"), min_size=1, max_size=6))
def test_exact_pattern_denies_no_other_folder(name: str, glob: str) -> None:
    pattern = translate_glob(glob)
    assert not pattern.is_wider
    assert matches_pattern(f"{pattern.text}/*", f"{name}/x") == fnmatchcase(name, glob)


@given(
    st.text(st.sampled_from("ab*?$[]{}/"), max_size=8),
    st.text(st.sampled_from("ab*?$/"), max_size=8),
)
def test_escaped_literal_matches_only_itself(text: str, candidate: str) -> None:
    assert matches_pattern(escape_literal(text), text)
    assert (text == candidate) == matches_pattern(escape_literal(text), candidate)


def build_protecting_policy(glob):
    return build_policy(Purpose.APPLY, [IamTarget(bucket="my-site", protect=(glob,))])


@pytest.mark.parametrize(
    ("glob", "text", "has_note"),
    [
        ("release-*", "release-*", False),
        ("v[12]", "v?", True),
        ("v[1]", "v1", False),
        ("[*]x", "${*}x", False),
        ("*-keep", "*-keep", True),
        ("a[", "a[", False),
    ],
)
def test_glob_that_iam_cannot_express_is_widened_with_a_note(glob, text, has_note) -> None:
    policy = build_protecting_policy(glob)
    assert f'"arn:aws:s3:::my-site/{text}/*"' in json.dumps(policy.document)
    assert bool(policy.notes) is has_note


@pytest.mark.parametrize(
    ("glob", "text", "is_wider", "reaches_deeper"),
    [
        ("release-*", "release-*", False, False),
        ("*-keep", "*-keep", False, True),
        ("v[12]", "v?", True, False),
        ("v[1]", "v1", False, False),
        ("[*]x", "${*}x", False, False),
    ],
)
def test_glob_is_translated_as_documented(glob, text, is_wider, reaches_deeper) -> None:
    pattern = IamPattern(text=text, is_wider=is_wider, reaches_deeper=reaches_deeper)
    assert translate_glob(glob) == pattern


@pytest.mark.parametrize(
    ("text", "operator", "subject"),
    [
        ("o/r", "StringLike", "repo:o/r:*"),
        ("o/r:environment:production", "StringEquals", "repo:o/r:environment:production"),
        ("o/r:environment:a:b", "StringEquals", "repo:o/r:environment:a%3Ab"),
        ("o/r:branch:main", "StringEquals", "repo:o/r:ref:refs/heads/main"),
        ("o/r:branch:release/*", "StringLike", "repo:o/r:ref:refs/heads/release/*"),
        ("o/r:pull_request", "StringEquals", "repo:o/r:pull_request"),
        ("o@12/r@34:branch:main", "StringEquals", "repo:o@12/r@34:ref:refs/heads/main"),
    ],
)
def test_trust_names_the_subject_as_github_writes_it(text, operator, subject) -> None:
    policy = build_trust_policy(TrustedRuns.parse(text), account="123456789012", partition="aws")
    [statement] = policy.document["Statement"]
    actual_subject = statement["Condition"][operator]["token.actions.githubusercontent.com:sub"]
    assert actual_subject == subject
    audience = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:aud"]
    assert audience == "sts.amazonaws.com"
    assert any("June 18, 2026" in note for note in policy.notes) == ("@" not in text)


UNCLEAR = ["", "o", "o/r:main", "o/r:environment:", "*/r", "o/*", "o/r@3", "o/r:",
           "https://github.com/o/r"]  # fmt: skip


def refuse_trust(text: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is checked
        TrustedRuns.parse(text)
    return str(caught.value)


def test_unclear_trust_is_refused() -> None:
    notes = [(glob, build_protecting_policy(glob).notes) for glob in ("v[12]", "*-keep")]
    assert_messages(__file__, [*notes, *((text, refuse_trust(text)) for text in UNCLEAR)])
