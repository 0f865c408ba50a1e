"""A prefix pattern in a workflow: one summary and one comment for all targets."""

import json

import pytest

from tests.support.action_reports import comment_of, target_titles
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments


@pytest.fixture
def apps(bucket):
    for app in ("blog", "docs", "shop"):
        deploy_app(bucket, app)
    return bucket


def act_on_apps(act, **inputs):
    return act(**{"prefix": PATTERN, "match": MATCH, "keep_count": "1", **inputs})


def test_outputs_have_each_target(act, apps):
    run = act_on_apps(act, mode="apply", journal_file="ci3.jsonl")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert run.outputs["deployments-deleted"] == "6"
    prefixes = [target["prefix"] for target in json.loads(run.outputs["targets"])]
    assert prefixes == [f"apps/{app}/production/" for app in ("blog", "docs", "shop")]
    journals = run.outputs["journal-file"].splitlines()
    assert journals == [f"ci3-{app}.jsonl" for app in ("blog", "docs", "shop")]
    assert list_deployments(apps, "docs") == {0}


def test_comment_stays_the_same_if_targets_are_added_or_deleted(act, apps, github):
    comment_urls = {act_on_apps(act).outputs["comment-url"]}
    deploy_app(apps, "wiki")
    comment_urls.add(act_on_apps(act, plan_file="plan.json").outputs["comment-url"])
    saved = act_on_apps(act, mode="apply", plan_file="plan.json")
    comment_urls.add(saved.outputs["comment-url"])
    assert len(comment_urls) == 1
    assert "apps/wiki/production/" in comment_of(github)
    apps.restore_bucket(type(apps._bucket)())
    failed = act_on_apps(act)
    assert (failed.exit_code, failed.outputs["outcome"]) == (4, "refused")
    assert "apps/wiki/" not in comment_of(github)


def test_comment_of_thirty_targets_fits(act, bucket, github):
    for number in range(30):
        deploy_app(bucket, f"app-{number:02}-{'x' * 33}", count=20)

    run = act_on_apps(act)

    assert run.exit_code == 0
    body = comment_of(github)
    assert len(body.encode()) <= 65_000
    assert len(target_titles(body)) == 30


def test_refusal_names_the_target(act, apps):
    deploy_app(apps, "shop", count=9)
    before = apps.content()

    run = act_on_apps(act, mode="apply", max_delete="3")

    assert (run.exit_code, run.outputs["outcome"]) == (4, "refused")
    [error] = run.annotations("error")
    assert error.startswith(f"s3://{apps.name}/apps/shop/production/: ")
    assert apps.content() == before


def test_protected_name_in_no_target_is_annotated_once(act, apps):
    run = act_on_apps(act, protect="f" * 40)
    assert run.exit_code == 4
    assert len(run.annotations("error")) == 1


@pytest.mark.parametrize("prefix", ["", PATTERN])
def test_one_app_is_restored(act, apps, prefix):
    apps.enable_versioning()
    for app in ("blog", "docs", "shop"):
        deploy_app(apps, app)
    act_on_apps(act, mode="apply", journal_file="ci3.jsonl")

    run = act(mode="restore", journal_file="ci3-docs.jsonl", prefix=prefix)

    assert run.exit_code == 0, run.errors
    assert list_deployments(apps, "docs") == {0, 1, 2}
    assert list_deployments(apps, "shop") == {0}


def test_journal_of_another_prefix_is_not_restored(act, apps):
    apps.enable_versioning()
    act_on_apps(act, mode="apply", journal_file="ci3.jsonl")
    run = act(mode="restore", journal_file="ci3-docs.jsonl", prefix="apps/s*/production")
    assert run.exit_code == 2


def test_doctor_examines_each_target(act, apps):
    run = act_on_apps(act, mode="doctor")
    assert run.exit_code == 0
    for app in ("blog", "docs", "shop"):
        assert f"apps/{app}/production/" in run.summary


def test_live_source_of_each_folder(act, apps):
    for app in ("blog", "docs", "shop"):
        apps.put(f"live/{app}", body=commit(app, 2).encode())
    run = act_on_apps(act, mode="apply", live_from="object:live/{folder}")
    assert run.exit_code == 0
    assert [list_deployments(apps, app) for app in ("blog", "shop")] == [{0, 2}, {0, 2}]


def test_list_of_targets_that_is_too_long_for_an_output_is_omitted(act, apps, monkeypatch):
    monkeypatch.setattr("ci3.action.reporter.OUTPUT_LIMIT_CHARACTERS", 100)
    run = act_on_apps(act)
    assert run.exit_code == 0
    assert run.outputs["targets"] == ""
    assert run.outputs["deployments-to-delete"] == "6"
    assert len(run.annotations("warning")) == 1
