"""Shards of one plan as processes of their own, at once, against a real S3 server."""

import json
import os
import subprocess
import sys

from tests.journals import intended, records
from tests.real_s3.conftest import RELEASES
from tests.real_s3.seaweedfs import ADMIN

PLAN = ("--plan-file", "plan.json")


def test_shards_at_once_delete_the_plan_between_them(ci3, seaweedfs):
    exit_code, _, err = ci3("plan-cleanup", "--bucket", "shards", "--keep-count", "1", *PLAN)
    assert exit_code == 0, err
    command = [sys.executable, "-m", "ci3", "cleanup", *PLAN, "--auto-approve", "--output", "json"]
    running = [
        subprocess.Popen(
            [*command, "--endpoint-url", seaweedfs.url, "--shard", f"{number}/3"],
            env=os.environ | seaweedfs.environ(ADMIN),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in (1, 2, 3)
    ]
    told = [one.communicate(timeout=60) for one in running]

    assert [one.returncode for one in running] == [0, 0, 0], told
    numbers = [json.loads(out) for out, _ in told]
    assert [one["outcome"] for one in numbers] == ["applied", "applied", "nothing-to-delete"]
    assert seaweedfs.content("shards") == RELEASES[2]
    journals = [one["journal-file"] for one in numbers[:2]]
    assert [records(one)[0]["shard"] for one in journals] == ["1/3", "2/3"]
    keys = [{one["key"] for one in intended(records(journal))} for journal in journals]
    assert keys == [set(RELEASES[0]), set(RELEASES[1])]
