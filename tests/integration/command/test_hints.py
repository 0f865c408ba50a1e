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
NAMED_POLICIES = (
    "an identity-based policy",
    "a permissions boundary",
    "a service control policy",
    "a resource control policy",
    "a resource-based policy",
    "a VPC endpoint policy: arn:aws:iam::1:policy/x",
)
POLICY_KINDS = (
    "identity-based policy",
    "resource-based policy",
    "session policy",
    "VPC endpoint policy",
    "service control policy",
    "permissions boundary",
)
ANSWERS = {
    "bucket in the endpoint": (403, "SecondLevelDomainForbidden", "The bucket you are attempting"),
    "region of a store": (
        400,
        "InvalidArgument",
        "region 'x' is wrong; expecting 'eu-central-003'",
    ),
    "region in a signature": (403, "SignatureDoesNotMatch", "expecting 'eu-central-003'"),
    "region of AWS": (400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'"),
    "no such key": (404, "NoSuchKey", "The specified key does not exist."),
    "access denied": (403, "AccessDenied", "Access Denied"),
    **{
        f"denied by {policy.partition(':')[0]}": (
            403,
            "AccessDenied",
            f"{ROLE} s3:ListBucket with an explicit deny in {policy}",
        )
        for policy in NAMED_POLICIES
    },
    **{
        f"not allowed by {policy}": (
            403,
            "AccessDenied",
            f"{ROLE} s3:ListBucket because no {policy} allows the action",
        )
        for policy in POLICY_KINDS
    },
}


def list_deployments(site: Bucket, capsys) -> str:
    assert main(["list-deployments", *site.options()]) == 6
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code", "message"), [pytest.param(*row, id=name) for name, row in ANSWERS.items()]
)
def test_failed_listing_has_a_hint_for_its_cause(
    *, site: Bucket, proxy: FaultProxy, capsys, status, code, message, assert_screen
) -> None:
    proxy.answer("GET", "list-type=2", error(code, message), status=status)

    assert_screen(list_deployments(site, capsys))


def test_missing_pointer_has_no_hint_about_a_bucket_in_the_endpoint(
    site: Bucket, capsys, assert_screen
) -> None:
    site.deploy("new", days=1)

    main(["plan-cleanup", *site.options(), "--live-from", "object:live"])
    assert_screen(capsys.readouterr().err)


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
def test_error_for_a_pattern_without_quotes_shows_it_quoted(
    capsys, line: str, quoted: str, file: str
) -> None:
    Path("ci3.yml").write_text(file.format(line), encoding="utf-8")

    assert main(["plan-cleanup", "--bucket-name", "my-site", "--policy-file", "ci3.yml"]) == 2
    assert f" {quoted}\n" in capsys.readouterr().err
    assert read_policy_text(quoted, "ci3.yml").defaults
