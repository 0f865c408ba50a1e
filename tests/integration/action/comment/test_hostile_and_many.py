"""Hostile names and many deployments in log, summary and comment."""

import pytest

from tests.support.action_reports import comment_of, row_counts
from tests.support.github.fake_runner import parse_commands


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_hostile_names_are_not_workflow_commands_and_break_no_table(act, bucket, github, mode):
    hostile = [
        "::error::x",
        "##[set-output name=outcome;]applied",
        "a\r::error::x",
        "a|b`c",
        "<!-- -->|<b>",
        "x" * 155 + "::error::y",
        "a\n::error::x",
    ]
    for name in hostile:
        bucket.deploy(name, days=500)
    bucket.put("##[error]root", days=1)
    run = act(keep_count="4", mode=mode, match="(?s).*")

    assert run.exit_code == 0
    assert bool(bucket.folders() & set(hostile)) == (mode == "plan")
    assert {name for name, _ in parse_commands(run.log)} == {"add-mask", "group", "endgroup"}
    for text in (run.summary, comment_of(github)):
        assert row_counts(text) == [len(hostile) + 2, 4]


def test_long_and_hostile_names_fit_comment_and_summary(act, bucket, github):
    for number in range(60):
        bucket.deploy(f"{number:04}" + "`|" * 450, days=2000 - number, files=1)
    for number in range(30):
        bucket.put(f"{number:04}" + "`" * 1000, days=1)
    run = act(
        keep_count="20",
        match=".*",
        mode="apply",
        max_delete="46",
        protect="*-nothing\n" * 200,
    )

    assert run.exit_code == 0
    assert run.outputs["outcome"] == "applied"
    assert len(run.summary.encode()) <= 1_000_000
    assert len(comment_of(github).encode()) <= 65_000


def test_1500_deployments_fit_comment_and_summary_with_tables_intact(act, github, many_folders_url):
    run = act(environ={"INPUT_ENDPOINT-URL": many_folders_url, "INPUT_KEEP-COUNT": "100"})

    assert run.exit_code == 0
    assert len(run.summary.encode()) <= 1_000_000
    assert row_counts(run.summary)[0] == 1400
    comment = comment_of(github)
    assert len(comment.encode()) <= 65_000
    delete_count, *_ = row_counts(comment)
    assert 100 < delete_count < 1400
    assert f" {1400 - delete_count:,} " in comment
