"""Plan, apply and restore under the printed policies, which moto enforces."""

import json

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.s3.moto_iam import use_policy
from tests.support.s3.moto_s3 import MotoBucket

RULES = ["--keep-count", "2"]


@pytest.fixture
def print_policy(moto_bucket: MotoBucket, capsys):
    def print_policy(purpose: str) -> dict:
        capsys.readouterr()
        assert main(["iam-policy", purpose, "--bucket-name", moto_bucket.name]) == ExitCode.DONE
        return json.loads(capsys.readouterr().out)

    return print_policy


def allow_batches(policy: dict, bucket: MotoBucket) -> dict:
    """Allow s3:DeleteObject on the bucket, which moto requires for a batch; AWS does not."""
    on_bucket = {"Effect": "Allow", "Action": "s3:DeleteObject",
                 "Resource": f"arn:aws:s3:::{bucket.name}"}  # fmt: skip
    return {**policy, "Statement": [*policy["Statement"], on_bucket]}


def test_plan_apply_and_restore_work_under_their_policies(
    moto_bucket: MotoBucket, print_policy, monkeypatch, tmp_path
) -> None:
    bucket = moto_bucket
    bucket.enable_versioning()
    for number in range(4):
        bucket.deploy(f"site-{number}", days=100 - 10 * number)
    before, journal = bucket.keys(), str(tmp_path / "journal.jsonl")
    apply = ["cleanup", *bucket.options(), *RULES, "--auto-approve", "--journal-file", journal]
    policies = {purpose: print_policy(purpose) for purpose in ("plan", "apply", "restore")}

    use_policy(monkeypatch, policies["plan"], bucket.endpoint_url)
    assert main(["plan-cleanup", *bucket.options(), *RULES, "--detailed-exitcode"]) == (
        ExitCode.WOULD_DELETE)  # fmt: skip
    assert main([*apply[:-1], str(tmp_path / "denied.jsonl")]) == ExitCode.PARTIAL
    assert bucket.keys() == before

    use_policy(monkeypatch, allow_batches(policies["apply"], bucket), bucket.endpoint_url)
    assert main(apply) == ExitCode.DONE
    assert bucket.folders() == {"site-2", "site-3"}

    use_policy(monkeypatch, allow_batches(policies["restore"], bucket), bucket.endpoint_url)
    assert main(["restore", journal, "--auto-approve"]) == ExitCode.DONE
    assert bucket.keys() == before
