"""Names, times and folders that do not fit the settings, in the action."""

from html import unescape

import natsort
import pytest

from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.recipes import find_recipe_url
from tests.support.action_reports import comment_of
from tests.support.github.fake_github import WORKFLOW_LOGIN
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER
from tests.support.s3.bucket import Bucket
from tests.support.s3.local_s3 import LocalS3

BUILDS = [f"build-{number}" for number in range(95, 105)]
VERSIONS = [f"v1.{number}.0" for number in range(5, 13)]
DATED = [f"2026-11-{day}-ab12cd{day % 10}" for day in range(10, 16)]
COMMITS = [f"{number:x}" * 40 for number in range(1, 9)]


@pytest.fixture
def bucket(local_s3: LocalS3) -> Bucket:
    return local_s3.new_bucket()


def upload(bucket: Bucket, names: list[str]) -> None:
    """Upload deployments of which the first is the oldest."""
    for index, name in enumerate(names):
        bucket.deploy(name, days=len(names) - index)


def rewrite_robots(bucket: Bucket, names: list[str]) -> None:
    for index, name in enumerate(names):
        bucket.put(f"{name}/robots.txt", days=0.5 - index / 1000)


def list_report_texts(run, github) -> tuple[str, str]:
    return run.summary, comment_of(github)


@pytest.mark.parametrize(
    "names", [sorted(BUILDS), sorted(VERSIONS), DATED[::-1]], ids=["keys", "semver", "reversed"]
)
def test_copied_bucket_is_refused_until_the_times_are_confirmed(act, bucket, github, names):
    upload(bucket, names)
    before = bucket.content()

    run = act(mode="apply", keep_count="2")

    assert (run.exit_code, run.outputs["outcome"]) == (4, "refused")
    assert bucket.content() == before
    (error,) = run.annotations("error")
    texts = (error, *list_report_texts(run, github), run.log)
    assert all("age-from: span" in text for text in texts)
    assert all(find_recipe_url(RefusalCode.NAMES_CONTRADICT_TIMES) in text for text in texts)

    confirmed = act(mode="apply", keep_count="2", age_from="span")

    assert confirmed.exit_code == 0
    assert bucket.folders() == {*names[-2:]}
    assert len(confirmed.annotations("warning")) == 1


@pytest.mark.parametrize("names", [sorted(BUILDS), sorted(VERSIONS)])
def test_copied_bucket_is_cleaned_in_the_order_of_names_as_suggested(act, bucket, names):
    upload(bucket, names)
    (error,) = act(mode="apply", keep_count="2").annotations("error")
    assert "age-from: name" in error

    run = act(mode="apply", keep_count="2", age_from="name")

    assert run.exit_code == 0
    assert bucket.folders() >= {*natsort.natsorted(names)[-2:]}
    assert len(bucket.folders()) <= 4
    assert run.annotations("warning") == []


@pytest.mark.parametrize(
    ("names", "inputs"),
    [
        ([f"build-{number}-ab12cd{number % 10}" for number in (10, 11, 8, 9)], {}),
        (sorted(BUILDS), {"keep_daily": "1"}),
    ],
)
def test_order_by_name_is_not_suggested_if_it_is_refused(act, bucket, names, inputs):
    upload(bucket, names)

    (error,) = act(mode="apply", keep_count="2", **inputs).annotations("error")

    assert "age-from: name" not in error
    assert "protect" in error


def test_deployments_that_the_refusal_names_can_be_protected(act, bucket):
    upload(bucket, sorted(BUILDS))

    run = act(mode="apply", keep_count="2", protect="build-1*")

    assert run.exit_code == 0
    assert bucket.folders() == {"build-98", "build-99", *(name for name in BUILDS if "-1" in name)}
    assert run.annotations("warning") == []


@pytest.mark.parametrize("names", [BUILDS, VERSIONS, DATED, [f"pr-{n}" for n in (9, 12, 8, 10)]])
def test_bucket_in_order_is_cleaned_without_warnings(act, bucket, names):
    upload(bucket, names)

    run = act(mode="apply", keep_count="2")

    assert run.exit_code == 0
    assert bucket.folders() == {*names[-2:]}
    assert run.annotations("warning") == run.annotations("error") == []


@pytest.mark.parametrize(
    ("names", "age_from"),
    [
        (COMMITS, "oldest"),
        (VERSIONS, "oldest"),
        (["develop", "feature-a", "main", "pr-9", "pr-7", "pr-8"], "newest"),
    ],
    ids=["commits", "versions", "branches"],
)
def test_file_rewritten_in_every_deployment_warns_and_the_setting_helps(
    act, bucket, github, names, age_from
):
    upload(bucket, names)
    rewrite_robots(bucket, names)
    before = bucket.content()

    run = act(mode="apply", keep_count="2")

    assert (run.exit_code, bucket.content()) == (0, before)
    warning = next(text for text in run.annotations("warning") if "age-from" in text)
    assert f"age-from: {age_from}" in warning
    assert all(f"age-from: {age_from}" in text for text in list_report_texts(run, github))

    second_run = act(mode="apply", keep_count="2", age_from=age_from)

    assert second_run.exit_code == 0
    assert bucket.folders() == {*names[-2:]}


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [
        ({"match": "[0-9a-f]{40}/"}, "`[0-9a-f]{40}`"),
        ({"match": "[0-9a-f]{7}"}, "`[0-9a-f]{40}`"),
        ({"prefix": "sites"}, " site"),
        ({"prefix": "production/site"}, "prefix"),
    ],
    ids=["slash", "length", "mistyped", "wrong"],
)
def test_match_or_prefix_without_deployments_succeeds_with_a_warning(
    act, bucket, github, inputs, hint
):
    upload(bucket, COMMITS if "match" in inputs else [f"site/{name}" for name in COMMITS])
    before = bucket.content()

    run = act(mode="apply", keep_count="2", **inputs)

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert bucket.content() == before
    (warning,) = run.annotations("warning")
    assert hint in warning
    assert warning.endswith(find_recipe_url(WarningCode.NOTHING_MATCHES))
    assert hint.strip("`") in unescape(run.summary).replace("\\", "")
    assert len(github.comments(PULL_REQUEST_NUMBER)) == 1


def test_missing_prefix_is_a_warning(act, bucket):
    upload(bucket, [f"site/{name}" for name in COMMITS])
    before = bucket.content()

    run = act(mode="apply", keep_count="2", match="[0-9a-f]{40}")

    assert (run.exit_code, bucket.content()) == (0, before)
    (warning,) = run.annotations("warning")
    assert "prefix" in warning
    assert "site" in warning


@pytest.mark.parametrize("inputs", [{}, {"match": "x"}, {"prefix": "site"}])
def test_empty_bucket_gives_no_warning(act, github, inputs):
    run = act(mode="apply", **inputs)

    assert run.exit_code == 0
    assert run.annotations("warning") == run.annotations("error") == []
    assert [
        item for item in github.comments(PULL_REQUEST_NUMBER) if item.author == WORKFLOW_LOGIN
    ] == []


def test_prefix_with_journals_only_gives_no_warning(act, bucket):
    bucket.put("site/.ci3/a-file")
    bucket.put("other/index.html")

    run = act(mode="plan", prefix="site")

    assert run.exit_code == 0
    assert run.annotations("warning") == []


def test_doctor_reports_the_same(act, bucket):
    upload(bucket, sorted(BUILDS))
    assert act(mode="doctor", keep_count="2").exit_code == 4
    run = act(mode="doctor", keep_count="2", age_from="span")
    assert run.exit_code == 0
    codes = (RefusalCode.NAMES_CONTRADICT_TIMES, WarningCode.NAMES_CONTRADICT_TIMES)
    assert any(str(code) in text for code in codes for text in run.annotations("warning"))
