"""`expire-closed` with several targets, versions, lifecycle rules, and no remaining previews."""

import pytest

from tests.integration.action.conftest import days_ago


def test_targets_of_a_pattern_are_decided_separately_and_share_requests(
    bucket, github, close, clean
):
    close(12)
    for app in ("a", "b", "c"):
        bucket.deploy(f"apps/{app}/pr-12", days=20 if app != "c" else 1)
        bucket.deploy(f"apps/{app}/pr-13", days=20)

    run, _ = clean(prefix="apps/*")

    assert run.exit_code == 0, run.log
    remaining = {
        "/".join(key.split("/")[1:3]) for key in bucket.content() if key.startswith("apps/")
    }
    assert {name for name in remaining if ".ci3" not in name} == {"a/pr-13", "b/pr-13", "c/pr-12",
                                                            "c/pr-13"}  # fmt: skip
    numbers = [request.path.rpartition("/")[2] for request in github.requests]
    # For the plans of all three targets: a single request or a list, depending on the first.
    assert numbers.count("13") + numbers.count("pulls") == 1


def test_all_versions_of_an_expired_preview_are_deleted(bucket, close, clean):
    bucket.enable_versioning()
    close(12)
    bucket.deploy("pr-12", days=20)

    run, deleted = clean(delete_versions="true")

    assert run.exit_code == 0, run.log
    assert deleted == {"pr-12"}
    assert not [key for key, _ in bucket.versions() if key.startswith("pr-12/")]


def test_lifecycle_engine_deletes_expired_previews_directly(bucket, close, clean):
    close(12, created=400)
    bucket.deploy("pr-12", days=90)
    bucket.deploy("site-0", days=95)

    run, deleted = clean(engine="lifecycle", keep_count="6", group_by="(pr|site)-.*")

    assert run.exit_code == 0, run.log
    assert deleted == {"pr-12"}
    assert b"site-0/" in bucket.lifecycle
    assert b"pr-12" not in bucket.lifecycle


@pytest.mark.parametrize("prefix", ["previews", "*/", "apps/*"])
def test_runs_after_the_last_preview_is_deleted_succeed_with_a_notice(bucket, close, clean, prefix):
    close(12)
    folder = {"*/": "web/", "apps/*": "apps/web/"}.get(prefix, "previews/")
    bucket.deploy(f"{folder}pr-12", days=20)
    settings = {"prefix": prefix, "match": r"pr-\d+"}

    first, _ = clean(**settings)
    assert first.exit_code == 0, first.log
    assert not [key for key in bucket.content() if "pr-12" in key]
    for inputs in ({}, {"live_from": "open-pull-requests", "protect": "keep-*"}):
        run, _ = clean(**settings, **inputs)
        assert run.exit_code == 0, run.log
        assert not run.annotations("error")
        assert any("prefix" in message for message in run.annotations("notice"))


def test_pattern_that_finds_nothing_is_refused_without_the_setting(bucket, clean):
    run, _ = clean(prefix="apps/*", match=r"pr-\d+", period="")
    assert run.exit_code == 4


@pytest.mark.parametrize(
    ("noncurrent_days", "is_removed"),
    [(21, False), (100, False), (20, True)],
    ids=["of the pull request", "older than the pull request", "deleted within the period"],
)
def test_noncurrent_versions_are_evidence_too(bucket, close, clean, noncurrent_days, is_removed):
    bucket.enable_versioning()
    close(12)
    bucket.put("pr-12/index.html", days=20)
    bucket.put("pr-12/old.html", days=noncurrent_days)
    if is_removed:
        bucket.remove("pr-12/old.html")
    else:
        bucket.put("pr-12/old.html", days=19)

    run, deleted = clean(delete_versions="true")

    assert run.exit_code == 0, run.log
    assert deleted == ({"pr-12"} if noncurrent_days == 21 else set())
    assert any(key == "pr-12/old.html" for key, _ in bucket.versions()) is not bool(deleted)


def test_keep_rules_that_delete_all_previews_of_open_pull_requests_warn(bucket, github, clean):
    for number in range(20, 28):
        created_at = days_ago(90)
        github.content.open_pull_request(number, f"{number:040x}", created_at=created_at)
        bucket.deploy(f"app/pr-{number}", days=number)
    settings = {"mode": "plan", "prefix": "app", "match": r"pr-\d+"}

    run, _ = clean(keep_count="5", **settings)
    assert any("#25, #26, #27" in message for message in run.annotations("warning"))
    run, _ = clean(keep_count="5", group_by=r"(pr-\d+).*", **settings)
    assert not any("#25" in message for message in run.annotations("warning"))


def test_open_pull_request_without_a_preview_blocks_no_run_after_the_last_one(
    bucket, github, close, clean
):
    close(12)
    github.content.open_pull_request(20, f"{20:040x}", created_at=days_ago(2))
    for name in ("pr-12", "assets"):
        bucket.deploy(f"previews/{name}", days=20)
    settings = {"prefix": "previews", "match": r"pr-\d+", "live_from": "open-pull-requests"}

    first, _ = clean(**settings)
    second, _ = clean(**settings)

    assert first.exit_code == 0, first.log
    assert not [key for key in bucket.content() if "pr-12" in key]
    assert second.exit_code == 0, second.log
    third, _ = clean(**settings, period="")
    assert third.exit_code == 4
