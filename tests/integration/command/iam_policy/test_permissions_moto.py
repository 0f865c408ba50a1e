"""Plan, apply and restore under the printed policies, as another judge than ours reads: moto."""

import json

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.s3.moto_iam import use_policy
from tests.support.s3.moto_s3 import MotoBucket

RULES = ["--keep-count", "2"]


@pytest.fixture
def printed(moto_bucket: MotoBucket, capsys):
    def printed(purpose: str) -> dict:
        capsys.readouterr()
        assert main(["iam-policy", purpose, "--bucket-name", moto_bucket.name]) == ExitCode.DONE
        return json.loads(capsys.readouterr().out)

    return printed


def also_in_batches(policy: dict, bucket: MotoBucket) -> dict:
    """Allow what moto asks of a batch: deleting, on the bucket; at AWS that deletes nothing."""
    on_bucket = {"Effect": "Allow", "Action": "s3:DeleteObject",
                 "Resource": f"arn:aws:s3:::{bucket.name}"}  # fmt: skip
    return {**policy, "Statement": [*policy["Statement"], on_bucket]}


def test_plan_apply_and_restore_work_as_users_who_may_only_that(
    moto_bucket: MotoBucket, printed, monkeypatch, tmp_path
) -> None:
    bucket = moto_bucket
    bucket.enable_versioning()
    for number in range(4):
        bucket.deploy(f"site-{number}", days=100 - 10 * number)
    before, journal = bucket.keys(), str(tmp_path / "journal.jsonl")
    apply = ["cleanup", *bucket.options(), *RULES, "--auto-approve", "--journal-file", journal]
    policies = {one: printed(one) for one in ("plan", "apply", "restore")}

    use_policy(monkeypatch, policies["plan"], bucket.endpoint_url)
    assert main(["plan-cleanup", *bucket.options(), *RULES, "--detailed-exitcode"]) == (
        ExitCode.WOULD_DELETE)  # fmt: skip
    assert main([*apply[:-1], str(tmp_path / "in-vain.jsonl")]) == ExitCode.PARTIAL
    assert bucket.keys() == before

    use_policy(monkeypatch, also_in_batches(policies["apply"], bucket), bucket.endpoint_url)
    assert main(apply) == ExitCode.DONE
    assert bucket.folders() == {"site-2", "site-3"}

    use_policy(monkeypatch, also_in_batches(policies["restore"], bucket), bucket.endpoint_url)
    assert main(["restore", journal, "--auto-approve"]) == ExitCode.DONE
    assert bucket.keys() == before
