"""The output of `ci3 iam-policy`: JSON on stdout, notes on stderr."""

import json
import re

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode

ROLE = "arn:aws:iam::210987654321:role/clean"


def run(capsys, *argv: str) -> tuple[int, str, str]:
    code = main(["iam-policy", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_stdout_has_only_the_policy_and_stderr_the_notes(capsys, assert_screen) -> None:
    code, out, err = run(capsys, "apply", "--bucket", "my-site", "--protect", "v[12]*")
    assert code == ExitCode.DONE
    assert json.loads(out)["Version"] == "2012-10-17"
    assert_screen(err)


def test_account_is_that_of_the_role(capsys) -> None:
    options = ["plan", "--bucket", "my-site", "--live-from", "ssm:live", "--role-to-assume", ROLE]
    _, out, _ = run(capsys, *options)
    assert "arn:aws:ssm:*:210987654321:parameter/live" in out
    _, out, _ = run(capsys, *options, "--account-id", "123456789012")
    assert "arn:aws:ssm:*:123456789012:parameter/live" in out


def test_one_policy_covers_all_targets_of_a_policy_file(capsys, tmp_path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(
        "defaults: {bucket: my-site}\ntargets: [{prefix: a}, {prefix: b, protect: c}]\n"
    )
    _, out, _ = run(capsys, "apply", "--policy-file", str(file))
    assert {"arn:aws:s3:::my-site/a/*/*", "arn:aws:s3:::my-site/b/*/*"} <= set(
        json.dumps(json.loads(out)).split('"')
    )
    assert "arn:aws:s3:::my-site/b/c/*" in out


def test_trust_policy_is_printed_instead_of_permissions(capsys) -> None:
    code, out, err = run(capsys, "--trust", "o/r:environment:live", "--role-to-assume", ROLE)
    assert code == ExitCode.DONE
    [statement] = json.loads(out)["Statement"]
    assert statement["Principal"]["Federated"].startswith(
        "arn:aws:iam::210987654321:oidc-provider/"
    )
    assert "OWNER@ID/REPO@ID" in err


def test_hostile_names_are_not_workflow_commands(capsys) -> None:
    _, out, _ = run(capsys, "apply", "--bucket", "my-site", "--protect", "##[[]error]ü*")
    assert "##[" not in out
    assert out.isascii()
    assert "arn:aws:s3:::my-site/##[error]ü*" in json.dumps(json.loads(out), ensure_ascii=False)


def test_policy_that_is_too_long_for_iam_is_reported(capsys) -> None:
    options = [part for number in range(300) for part in ("--protect", f"release-{number}")]
    _, _, err = run(capsys, "apply", "--bucket", "my-site", *options)
    assert "6,144" in err


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_arns_have_the_partition_of_the_region(capsys, region, partition) -> None:
    for argv in (("apply", "--bucket", "my-site"), ("--trust", "o/r")):
        code, out, _ = run(capsys, *argv, "--region", region)
        assert code == ExitCode.DONE
        assert set(re.findall(r'"arn:([a-z-]+):', out)) == {partition}


@pytest.mark.parametrize("purpose", ["plan", "apply", "restore", "lifecycle"])
def test_alias_of_an_access_point_is_refused(capsys, assert_screen, purpose) -> None:
    alias = "my-site-abcdefghijklmnopqrstuvwx1a-s3alias"
    code, out, err = run(capsys, purpose, "--bucket", alias)
    assert (code, out) == (ExitCode.USAGE, "")
    assert_screen(err, is_shared=True)


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("apply", "--trust", "o/r"),
        ("--trust", "o/r:main"),
        ("plan",),
        ("plan", "--bucket", "b-1", "--account-id", "12"),
        ("deletion", "--bucket", "b-1"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused_with_a_hint(capsys, assert_screen, argv) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (ExitCode.USAGE, "")
    assert_screen(err)
