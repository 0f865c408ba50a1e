"""Paths of files on the runner, which do not exist in the action's container."""

import pytest

WORKSPACE = "/home/runner/work/storefront/storefront"
"""The value of `${{ github.workspace }}` in an input; the container has /github/workspace."""

INPUTS = {
    "policy file": {"policy_file": f"{WORKSPACE}/cleanup.yml"},
    "plan file to write": {"keep_count": "4", "plan_file": f"{WORKSPACE}/plan.json"},
    "plan file to apply": {"mode": "apply", "plan_file": f"{WORKSPACE}/plan.json"},
    "journal to write": {
        "keep_count": "4",
        "mode": "apply",
        "journal_file": f"{WORKSPACE}/j.jsonl",
    },
    "journal to restore": {"mode": "restore", "journal_file": f"{WORKSPACE}/j.jsonl"},
    "journal to resume": {"mode": "apply", "resume": f"{WORKSPACE}/j.jsonl"},
}


@pytest.mark.parametrize("name", INPUTS)
def test_path_of_the_runner_is_an_error_and_deletes_nothing(act, bucket, name, assert_screen):
    before = bucket.content()

    run = act({}, **INPUTS[name])

    assert run.exit_code == 2
    assert bucket.content() == before
    assert_screen("\n".join(run.annotations("error")))
