"""Deployments of the workflow run's commit, pull request, branch and tag are kept."""

import pytest

from tests.support.github.fake_runner import HEAD_SHA, MERGE_SHA

PULL_REQUEST = {
    "pull_request": {"number": 12, "head": {"sha": HEAD_SHA, "ref": "feature/login"}},
}
QUEUED = {
    "merge_group": {
        "head_sha": MERGE_SHA,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-12-{'c' * 40}",
    }
}
TRIGGERED = {
    "workflow_run": {
        "head_sha": HEAD_SHA,
        "head_branch": "feature/login",
        "pull_requests": [{"number": 12, "head": {"sha": HEAD_SHA}}],
    }
}
DEPLOYED = {"deployment": {"sha": HEAD_SHA, "ref": "v1.2.0"}, "deployment_status": {}}


def deploy(bucket, names):
    for days, name in enumerate(names, start=2):
        bucket.deploy(f"builds/{name}", days=days)


def list_folders(bucket):
    return {key.split("/")[1] for key in bucket.content() if key.startswith("builds/")}


@pytest.mark.parametrize(
    ("event", "ref", "kept"),
    [
        (PULL_REQUEST, "refs/pull/12/merge", {"pr-12", "12", "feature-login"}),
        (PULL_REQUEST, "refs/heads/main", {"pr-12", "12", "feature-login", "main"}),
        (QUEUED, QUEUED["merge_group"]["head_ref"], {"pr-12", "12"}),
        (TRIGGERED, "refs/heads/main", {"pr-12", "12", "feature-login", "main"}),
        (DEPLOYED, "", {"v1.2.0"}),
        ({}, "refs/heads/main", {"main"}),
        ({}, "refs/heads/feature/login", {"feature-login"}),
        ({}, "refs/tags/v1.2.0", {"v1.2.0"}),
        ({"ref": "feature/login", "ref_type": "branch"}, "refs/heads/main", {"main"}),
    ],
)
def test_run_keeps_the_folders_of_its_pull_request_branch_and_tag(*, act, bucket, event, ref, kept):
    deploy(bucket, ["newest", "pr-12", "pr-13", "12", "feature-login", "v1.2.0", "v1.2.1", "main",
                    "develop"])  # fmt: skip

    rules = {"keep_count": "1", "match": ".*", "age_from": "span"}
    run = act(event, environ={"GITHUB_REF": ref}, prefix="builds/", mode="apply", **rules)

    assert run.exit_code == 0, run.log
    assert list_folders(bucket) - {".ci3"} == {"newest", *kept}


@pytest.mark.parametrize("name", [f"v1.2.3-2-g{MERGE_SHA[:7]}", f"web_1-0-g{MERGE_SHA}",
                                  f"1.2-2-G{MERGE_SHA[:9].upper()}-dirty"])  # fmt: skip
def test_run_keeps_the_describe_name_of_its_commit(act, bucket, name):
    deploy(bucket, ["v1.2.3-4-g4444444", "v1.2.3-3-g3333333", name, "v1.2.3-1-g1111111"])

    run = act({}, prefix="builds/", keep_count="1", mode="apply")

    assert run.exit_code == 0, run.log
    assert list_folders(bucket) - {".ci3"} == {"v1.2.3-4-g4444444", name}


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["web-1", "main-2222222", "main-1111111"], {"web-1", "main-2222222"}),
        (["web-1", "main-2222222", f"main-{MERGE_SHA[:8]}", "main-1111111"],
         {"web-1", f"main-{MERGE_SHA[:8]}"}),
        ([f"main-{MERGE_SHA}", "main-2222222", "main-1111111"], {f"main-{MERGE_SHA}"}),
    ],
)  # fmt: skip
def test_run_of_a_branch_keeps_at_most_the_newest_build_of_it(act, bucket, names, kept):
    deploy(bucket, names)
    push = {"ref": "refs/heads/main", "after": MERGE_SHA}

    run = act(push, environ={"GITHUB_REF": "refs/heads/main"}, prefix="builds/", keep_count="1",
              mode="apply")  # fmt: skip

    assert run.exit_code == 0, run.log
    assert list_folders(bucket) - {".ci3"} == kept
