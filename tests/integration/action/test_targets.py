"""A policy file with targets: one summary, one comment, and total and separate outputs."""

import json
from pathlib import Path

import pytest

from tests.support.action_reports import (
    ALL,
    APPLY,
    cell_text,
    comment_of,
    headline,
    row_counts,
    target_titles,
)


@pytest.fixture
def targets(bucket):
    """Three targets, the root and two prefixes of the bucket, and their policy file."""
    for folder in ("staging", "production"):
        for days in (1, 2, 3):
            bucket.deploy(f"{folder}/web-{days}", days=days)
    text = (
        f"defaults:\n  bucket: {bucket.name}\n  keep-count: 1\n"
        "targets:\n  - match: site-.*\n    keep-count: 4\n"
        "  - prefix: staging\n  - prefix: production\n    protect: web-3\n"
    )
    Path("policy.yml").write_text(text, encoding="utf-8")
    return bucket


def act_on_targets(act, **inputs):
    return act(policy_file="policy.yml", environ={"INPUT_BUCKET": ""}, **inputs)


def test_one_comment_and_one_summary_show_every_target(act, targets, github, assert_screen):
    run = act_on_targets(act)

    assert run.exit_code == 0
    assert headline(comment_of(github)) == headline(run.summary)
    assert_screen(headline(run.summary))
    for text in (run.summary, comment_of(github)):
        assert text.count(headline(text)) == 1
        assert len(target_titles(text)) == 3
        assert row_counts(text) == [3, 2, 4, 2, 1, 1, 2]
        assert f"s3://{targets.name}/staging/" in cell_text(text)
        assert text.count(APPLY) == 1


def test_outputs_have_totals_and_values_of_each_target(act, targets):
    run = act_on_targets(act, mode="apply")

    assert run.exit_code == 0
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["deployments-deleted"] == "5"
    assert run.outputs["objects-deleted"] == "15"
    target_outputs = json.loads(run.outputs["targets"])
    assert [target["prefix"] for target in target_outputs] == ["", "staging/", "production/"]
    assert [target["deployments-deleted"] for target in target_outputs] == [2, 2, 1]
    assert len({target["plan-id"] for target in target_outputs} | {run.outputs["plan-id"]}) == 4
    journals = run.outputs["journal-file"].splitlines()
    assert journals == [target["journal-file"] for target in target_outputs]
    assert all(Path(path).is_file() for path in journals)
    assert targets.folders() == ALL - {"site-1", "site-2"} | {"staging", "production"}


def test_refusal_of_one_target_keeps_all_and_names_it(act, targets, assert_screen):
    text = Path("policy.yml").read_text(encoding="utf-8")
    Path("policy.yml").write_text(f"{text}    max-delete: 0\n", encoding="utf-8")

    run = act_on_targets(act, mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (4, "refused")
    [error] = run.annotations("error")
    assert error.startswith(f"s3://{targets.name}/production/: ")
    assert_screen(error)
    assert targets.folders() == ALL | {"staging", "production"}


def test_comment_of_many_targets_fits(act, bucket, github):
    lines = ["defaults:", f"  bucket: {bucket.name}", "targets:"]
    for number in range(60):
        for days in range(12):
            bucket.deploy(f"t{number}/{'x' * 60}-{12 - days}", days=days, files=1)
        lines.append(f"  - prefix: t{number}")
    Path("policy.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    run = act_on_targets(act)

    assert run.exit_code == 0, run.errors
    body = comment_of(github)
    assert len(body.encode()) <= 65_000
    shown_count = len(target_titles(body))
    assert shown_count >= 45
    assert shown_count == 60 or f" {60 - shown_count} " in body
    assert row_counts(body)[0] == 60
    assert row_counts(run.summary)[0] == 60


def test_policy_file_with_one_target_is_reported_like_a_single_plan(act, bucket, github):
    text = f"targets:\n  - bucket: {bucket.name}\n    keep-count: 4\n"
    Path("policy.yml").write_text(text, encoding="utf-8")

    run = act_on_targets(act)

    assert headline(comment_of(github)) == headline(run.summary)
    assert row_counts(run.summary) == [2, 4]
    assert len(json.loads(run.outputs["targets"])) == 1
