"""Errors of other S3 services and of policy files, each with a hint that can work."""

import ssl
from pathlib import Path

import pytest
from botocore.exceptions import SSLError

from ci3.aws.client_errors import translate_errors
from ci3.cli.main import main
from ci3.config.policy_file import read_policy_text
from ci3.errors import AccessError
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

ROLE = "User: arn:aws:sts::123456789012:assumed-role/ci/ci3 is not authorized to perform:"
ANSWERS = [
    (403, "SecondLevelDomainForbidden", "The bucket you are attempting", "addressing-style:"),
    (400, "InvalidArgument", "region 'x' is wrong; expecting 'eu-central-003'", "eu-central-003."),
    (403, "SignatureDoesNotMatch", "expecting 'eu-central-003'", "Set region to eu-central-003."),
    (400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'", "Set region to eu-west-1."),
    (404, "NoSuchKey", "The specified key does not exist.", "leave the bucket's name out of"),
    (
        403,
        "AccessDenied",
        f"{ROLE} s3:ListBucket with an explicit deny in a resource-based policy",
        "An allow can't help",
    ),
    *(
        (403, "AccessDenied", f"{ROLE} s3:ListBucket with an explicit deny in {policy}", hint)
        for policy, hint in (
            ("an identity-based policy", "change the identity-based policy"),
            ("a permissions boundary", "change the permissions boundary"),
            ("a service control policy", "change the service control policy"),
            ("a resource control policy", "change the resource control policy"),
            ("a VPC endpoint policy: arn:aws:iam::1:policy/x", "change the VPC endpoint policy so"),
        )
    ),
    *(
        (403, "AccessDenied", f"{ROLE} s3:ListBucket because no {policy} allows the action", hint)
        for policy, hint in (
            ("identity-based policy", "ci3 iam-policy"),
            ("resource-based policy", "Let the resource-based policy allow it too"),
            ("session policy", "Let the session policy allow it too"),
            ("VPC endpoint policy", "Let the VPC endpoint policy allow it too"),
            ("service control policy", "Let the service control policy allow it too"),
            ("permissions boundary", "Let the permissions boundary allow it too"),
        )
    ),
    (403, "AccessDenied", "Access Denied", "the bucket's policy does not deny it"),
    (403, "AccessDenied", "Access Denied.", "requester pays"),
]
NOT_BARE = f"{ROLE} s3:ListBucket because no identity-based policy allows the action"


def list_deployments(site: Bucket, capsys) -> str:
    assert main(["list-deployments", *site.options()]) == 6
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("status", "code", "message", "hint"), ANSWERS)
def test_answer_to_a_listing_has_a_hint_that_can_work(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, capsys, status, code, message, hint
) -> None:
    proxy.answer("GET", "list-type=2", error(code, message), status=status)

    assert hint in list_deployments(site, capsys)


def test_denial_that_says_why_has_no_other_reasons(site: Bucket, proxy: FaultProxy, capsys) -> None:
    proxy.answer("GET", "list-type=2", error("AccessDenied", NOT_BARE), status=403)

    shown = list_deployments(site, capsys)
    assert "ci3 iam-policy" in shown
    assert "requester pays" not in shown


def test_missing_pointer_is_not_taken_for_a_bucket_in_the_endpoint(site: Bucket, capsys) -> None:
    site.deploy("new", days=1)

    main(["plan-cleanup", *site.options(), "--live-from", "object:live"])
    shown = " ".join(capsys.readouterr().err.split())
    assert "relative to the bucket's root" in shown
    assert "out of its path" not in shown


def test_untrusted_certificate_names_the_bundle() -> None:
    untrusted = ssl.SSLCertVerificationError("unable to get local issuer certificate")
    with pytest.raises(AccessError) as caught, translate_errors("listing s3://my-site/"):
        raise SSLError(endpoint_url="https://s3.test", error=untrusted)

    assert "AWS_CA_BUNDLE" in caught.value.hint
    assert "workspace" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        ("match: [0-9a-f]{40}", "match: '[0-9a-f]{40}'"),
        ("match: [0-9a-f]+ # commits", "match: '[0-9a-f]+'"),
        ("match: [0-9a-f]", "match: '[0-9a-f]'"),
        ("match: [a'b]{2}", "match: '[a''b]{2}'"),
        ("group-by: [a-z]+-(.*)", "group-by: '[a-z]+-(.*)'"),
    ],
)
@pytest.mark.parametrize(
    "file", ["{}\n", "keep-count: 3\n{}", "keep-count: 3\n{}\nprefix: app\n", "targets:\n- {}\n"]
)
def test_pattern_without_quotes_in_a_policy_file_is_to_be_quoted(
    capsys, line: str, quoted: str, file: str
) -> None:
    Path("ci3.yml").write_text(file.format(line), encoding="utf-8")

    assert main(["plan-cleanup", "--bucket-name", "my-site", "--policy-file", "ci3.yml"]) == 2
    assert f"Put it in quotes: {quoted}\n" in capsys.readouterr().err
    assert read_policy_text(quoted, "ci3.yml").defaults
