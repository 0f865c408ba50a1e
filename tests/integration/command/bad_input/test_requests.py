"""Mistakes that are found by a request or in a file: exit code, one error, and no change."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.command.bad_input.conftest import CLEANUP, PLAN
from tests.support.plan_issues import warning_codes
from tests.support.s3.answers import GROUP_LISTING, HTML, error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.mark.parametrize("command", [PLAN, CLEANUP, ("list-deployments",), ("list-objects", "a")])
def test_bucket_is_required(ci3, command: Sequence[str]) -> None:
    ci3(*command).check_error(2, "--bucket-name")


@pytest.mark.parametrize("command", [PLAN, CLEANUP, ("list-deployments",), ("list-objects", "a")])
def test_missing_bucket_is_an_error(ci3, s3_url: str, command: Sequence[str]) -> None:
    options = ("--bucket-name", "nobody-has-this", "--endpoint-url", s3_url)
    ci3(*command, *options).check_error(6, "s3://nobody-has-this/", "NoSuchBucket")


def test_no_credentials(ci3, live: Bucket, monkeypatch: pytest.MonkeyPatch, assert_screen) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = ci3(*CLEANUP, *live.options())
    result.check_error(6, "configure-aws-credentials")
    assert_screen(result.err)


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_error_of_a_wrong_region_names_the_right_one(
    ci3, live: Bucket, proxy: FaultProxy, status: int, code: str
) -> None:
    body = error(code, xml="<Region>eu-west-1</Region>")
    proxy.answer("GET", "list-type=2", body, status=status)
    ci3(*CLEANUP, *live.options()).check_error(6, code, "eu-west-1")


def test_redirect_to_another_server_is_an_error(
    ci3, live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", ".", status=302, headers={"Location": "http://127.0.0.1:1/login"})
    result = ci3(*CLEANUP, *live.options())
    result.check_error(6, f"s3://{live.name}/")
    assert_screen(result.err)


def test_denied_listing_suggests_the_iam_policy(ci3, live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "list-type=2", error("AccessDenied"), status=403)
    ci3(*CLEANUP, *live.options()).check_error(6, "AccessDenied", live.name, "iam-policy")


def test_endpoint_that_does_not_answer(
    ci3, live: Bucket, closed_port_url: str, pauses: list[float], assert_screen
) -> None:
    options = ("--bucket-name", live.name, "--endpoint-url", closed_port_url)
    result = ci3(*CLEANUP, *options)
    result.check_error(6, closed_port_url, "endpoint-url")
    assert_screen(result.err)


@pytest.mark.parametrize("body", [HTML, "<!DOCTYPE html><br>Sign in", "", "{}"])
def test_endpoint_that_is_no_s3(
    ci3, live: Bucket, proxy: FaultProxy, body: str, assert_screen
) -> None:
    proxy.answer("GET", "list-type=2", body)
    result = ci3(*CLEANUP, *live.options())
    result.check_error(6, f"s3://{live.name}/", "endpoint-url")
    assert_screen(result.err)


def test_listing_that_breaks_off(ci3, live: Bucket, proxy: FaultProxy, assert_screen) -> None:
    proxy.answer("GET", "list-type=2", listing(folders=["web-1/"], is_truncated="true"))
    result = ci3(*CLEANUP, *live.options())
    result.check_error(6)
    assert_screen(result.err)


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_protected_name_that_matches_nothing_refuses(
    ci3, live: Bucket, command: Sequence[str], output: str, assert_screen
) -> None:
    result = ci3(*command, *live.options(), "--protect", "wbe-6", "--output", output)
    result.check_error(4, "wbe-6", "web-6")
    assert_screen(result.err[result.err.index("Error: ") :], is_shared=True)


@pytest.mark.parametrize("limit", ["1", "10%", "0"])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_plan_that_exceeds_max_delete_is_refused(
    ci3, live: Bucket, command: Sequence[str], limit: str
) -> None:
    result = ci3(*command, *live.options(), "--max-delete", limit)
    result.check_error(4, "2", "7", limit)


def test_cleanup_is_refused_if_a_deployment_cannot_be_listed(
    ci3, live: Bucket, proxy: FaultProxy
) -> None:
    for query in (GROUP_LISTING, "prefix=web-6%2F"):
        proxy.answer("GET", query, error("AccessDenied"), status=403)
    ci3(*CLEANUP, *live.options()).check_error(4, "web-6", "AccessDenied")


def test_list_deployments_fails_if_a_deployment_cannot_be_listed(
    ci3, live: Bucket, proxy: FaultProxy
) -> None:
    for query in (GROUP_LISTING, "prefix=web-6%2F"):
        proxy.answer("GET", query, HTML)
    result = ci3("list-deployments", *live.options(), "--output", "json")
    assert result.code == 6
    assert "web-6" in result.err


def test_existing_journal_is_not_overwritten(ci3, live: Bucket, assert_screen) -> None:
    Path("journal.jsonl").write_text("precious\n", encoding="utf-8")
    result = ci3(*CLEANUP, *live.options(), "--journal-file", "journal.jsonl")
    result.check_error(2, "journal.jsonl")
    assert result.out == ""  # the plan is not shown either
    assert_screen(result.err)
    assert Path("journal.jsonl").read_text(encoding="utf-8") == "precious\n"


def test_plan_ignores_an_existing_journal(ci3, live: Bucket) -> None:
    Path("journal.jsonl").touch()
    Path("policy.yml").write_text("journal-file: journal.jsonl\n", encoding="utf-8")
    assert ci3("plan-cleanup", *live.options(), "--policy-file", "policy.yml").code == 0


@pytest.mark.parametrize("path", ["nowhere/journal.jsonl", "/proc/journal.jsonl"])
def test_journal_that_cannot_be_created_is_an_error(ci3, live: Bucket, path: str) -> None:
    result = ci3(*CLEANUP, *live.options(), "--journal-file", path)
    result.check_error(2, path)


@pytest.mark.parametrize("path", ["nowhere/plan.json", ".", "/dev/full"])
def test_plan_file_that_cannot_be_written_is_an_error(ci3, live: Bucket, path: str) -> None:
    result = ci3("plan-cleanup", *live.options(), "--plan-file", path)
    result.check_error(2, f" {path} ")


@pytest.mark.parametrize("name", ["web-9", "", "/", "../x"])
def test_list_objects_of_an_unknown_deployment_is_an_error(ci3, live: Bucket, name: str) -> None:
    result = ci3("list-objects", name, *live.options())
    result.check_error(2, "list-deployments")


# Valid input.


def check_nothing_to_delete(out: str) -> None:
    """Check the JSON of a plan or of a cleanup."""
    values = json.loads(out)
    if "outcome" in values:
        assert values["outcome"] == "nothing-to-delete"
    else:
        assert (values["totals"]["delete"], values["applyable"]) == (0, True)


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_empty_bucket_has_nothing_to_delete(ci3, bucket: Bucket, command: Sequence[str]) -> None:
    result = ci3(*command, *bucket.options(), "--output", "json")
    assert (result.code, "Error" in result.err) == (0, False)
    check_nothing_to_delete(result.out)


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_bucket_with_files_only_has_nothing_to_delete(
    ci3, bucket: Bucket, command: Sequence[str]
) -> None:
    bucket.put("index.html")
    result = ci3(*command, *bucket.options(), "--keep-count", "1", "--output", "json")
    assert (result.code, "Error" in result.err) == (0, False)
    check_nothing_to_delete(result.out)
    assert bucket.keys() == {"index.html"}


def test_glob_that_matches_nothing_only_warns(ci3, live: Bucket) -> None:
    result = ci3(*PLAN, *live.options(), "--protect", "release-*", "--output", "json")
    assert result.code == 0
    assert warning_codes(result.out) == ["protected-glob-unmatched"]


def test_plan_file_overwrites_only_a_plan(ci3, live: Bucket, assert_screen) -> None:
    Path("notes.txt").write_text("mine", encoding="utf-8")
    result = ci3("plan-cleanup", *live.options(), "--plan-file", "notes.txt")
    result.check_error(2, "notes.txt")
    assert_screen(result.err)
    assert Path("notes.txt").read_text(encoding="utf-8") == "mine"
    Path("empty").touch()
    result = ci3("plan-cleanup", *live.options(), "--plan-file", "empty")
    result.check_error(2, "empty ")
    assert Path("empty").stat().st_size == 0
    assert ci3("plan-cleanup", *live.options(), "--plan-file", "plan.json").code == 0
    assert ci3("plan-cleanup", *live.options(), "--plan-file", "plan.json").code == 0
