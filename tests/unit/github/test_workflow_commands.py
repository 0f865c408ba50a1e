import io
import json
import re

import pytest

from ci3.errors import SettingsError
from ci3.github.log_escape import EscapedStream, escape_commands
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner, read_inputs
from ci3.github.workflow_run import read_workflow_run
from tests.support.github.fake_runner import parse_commands, read_outputs
from tests.support.messages import numbers_in

MERGE = "a" * 40
HEAD = "b" * 40
BASE = "c" * 40
ZEROS = "0" * 40


@pytest.fixture
def run_of(tmp_path):
    """Read the run of an event, whose payload is written first."""

    def read(event, **environ):
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return read_workflow_run({"GITHUB_EVENT_PATH": str(path), "GITHUB_SHA": MERGE} | environ)

    return read


def commits_of(run):
    return tuple(commit for reference in run.references for commit in reference.commits)


@pytest.fixture
def output_path(tmp_path, monkeypatch):
    path = tmp_path / "output"
    path.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    return path


def test_input_is_named_as_in_the_workflow_with_its_hyphens():
    environ = {"INPUT_KEEP-COUNT": "3", "INPUT_BUCKET": " site ", "PATH": "/bin", "INPUTS": "no"}

    assert read_inputs(environ) == {"keep-count": "3", "bucket": " site "}


def test_input_that_no_setting_has_is_read_too_so_that_it_can_be_refused():
    assert read_inputs({"INPUT_KEEP_COUNT": "3", "INPUT_": "x"}) == {"keep_count": "3", "": "x"}


@pytest.mark.parametrize(
    ("event", "commits", "pull_request"),
    [
        pytest.param(
            {"number": 7, "pull_request": {"number": 7, "head": {"sha": HEAD}}},
            (MERGE, HEAD),
            7,
            id="pull_request and pull_request_target: the head, which GITHUB_SHA is not",
        ),
        pytest.param({"before": BASE, "after": MERGE}, (MERGE,), None, id="push"),
        pytest.param(
            {"before": BASE, "after": ZEROS, "deleted": True},
            (MERGE,),
            None,
            id="push that deletes a branch: zeros are no commit",
        ),
        pytest.param(
            {"merge_group": {"head_sha": HEAD, "base_sha": BASE}},
            (MERGE, HEAD),
            None,
            id="merge_group: no pull request of its own",
        ),
        pytest.param({"schedule": "0 3 * * *"}, (MERGE,), None, id="schedule"),
        pytest.param(
            {"inputs": {"mode": "apply"}, "ref": "refs/heads/main"},
            (MERGE,),
            None,
            id="workflow_dispatch",
        ),
        pytest.param(
            {"deployment": {"sha": HEAD, "ref": ""}, "deployment_status": {"state": "success"}},
            (MERGE, HEAD),
            None,
            id="deployment_status, though its ref is empty",
        ),
        pytest.param({"workflow_run": {"head_sha": HEAD}}, (MERGE, HEAD), None, id="workflow_run"),
        pytest.param({"ref": "gone", "ref_type": "branch"}, (MERGE,), None, id="delete"),
        pytest.param({"pull_request": None, "after": 5}, (MERGE,), None, id="other shapes"),
        pytest.param(["no", "object"], (MERGE,), None, id="no object at all"),
    ],
)
def test_commits_and_pull_request_are_those_that_the_event_is_about(
    run_of, event, commits, pull_request
):
    run = run_of(event)

    assert commits_of(run) == commits
    assert run.pull_request == pull_request


@pytest.mark.parametrize("sha", ["", ZEROS, "0000000", "abc", "not-a-commit", "a" * 65])
def test_what_is_no_commit_pins_nothing(run_of, sha):
    assert run_of({"after": sha}, GITHUB_SHA=sha).references == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", None])
def test_payload_that_cannot_be_read_is_refused_because_its_commit_would_go_unprotected(
    tmp_path, content
):
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        read_workflow_run({"GITHUB_EVENT_PATH": str(path)})

    assert str(path) in caught.value.message
    assert "GITHUB_EVENT_PATH" in caught.value.hint


def test_run_without_a_payload_is_about_its_own_commit():
    assert commits_of(read_workflow_run({"GITHUB_SHA": MERGE})) == (MERGE,)


def test_run_is_linked_on_its_own_server(run_of):
    environ = {
        "GITHUB_SERVER_URL": "https://ghes.test",
        "GITHUB_REPOSITORY": "acme/storefront",
        "GITHUB_RUN_ID": "42",
    }
    assert run_of({}, **environ).run_url == "https://ghes.test/acme/storefront/actions/runs/42"
    assert run_of({}, **environ | {"GITHUB_RUN_ID": ""}).run_url == ""


HOSTILE = [
    "::error::x",
    "::set-output name=outcome::applied",
    "   ::error::x",
    "\t\x0b\x0c\x85\xa0\u2028\u3000::error::x",
    "##[error]x",
    "a key/##[set-output name=outcome;]applied",
    "###[error]x",
    "before\r::error::x",
    "before\r   ::error::x",
    "before\r\r\n ::error::x",
    "\r::error::x",
    "::stop-commands::x",
    ":::error::x\r::error::x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_no_command_once_it_is_neutral(text):
    assert parse_commands(text), "this test is of no use"
    assert parse_commands(escape_commands(text)) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_neutral_text_differs_in_nothing_that_can_be_seen(text):
    assert escape_commands(text).replace("\u200b", "") == text


@pytest.mark.parametrize(
    "text", ["s3://a-site/x::y", "std::string", "# [a]", "12:30", "", "a:", "#"]
)
def test_text_that_is_no_command_stays_as_it_is(text):
    assert escape_commands(text) == text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("flushes", [False, True])
def test_stream_is_neutral_however_its_lines_are_cut_into_writes(text, flushes):
    for cut in range(len(text) + 1):
        log = io.StringIO()
        stream = EscapedStream(log)
        for part in ("first\n", text[:cut], text[cut:], "\nlast"):
            assert stream.write(part) == len(part)
            if flushes:
                stream.flush()
        stream.flush()

        assert parse_commands(log.getvalue()) == []
        assert log.getvalue().replace("\u200b", "") == f"first\n{text}\nlast"


def test_unfinished_line_is_written_by_a_flush_alone():
    log = io.StringIO()
    stream = EscapedStream(log)
    stream.write("whole\nunfin")
    assert log.getvalue() == "whole\n"
    stream.flush()
    stream.flush()
    assert log.getvalue() == "whole\nunfin"


@pytest.mark.parametrize(
    ("method", "name"),
    [("add_notice", "notice"), ("add_warning", "warning"), ("add_error", "error")],
)
def test_annotation_is_one_command_whatever_it_says(capsys, method, name):
    message = "100% of a\r\n::error::b, c: d\n##[warning]e"
    getattr(Runner(""), method)(message)

    assert parse_commands(capsys.readouterr().out) == [(name, message)]


def test_annotation_stays_under_what_the_runner_would_cut(capsys):
    Runner("").add_warning("x" * 10_000)

    ((_, message),) = parse_commands(capsys.readouterr().out)
    assert len(message) < 4096
    assert message.endswith(" …")


@pytest.mark.parametrize(
    ("method", "name"),
    [("add_notice", "notice"), ("add_warning", "warning"), ("add_error", "error")],
)
def test_annotations_beyond_what_github_shows_stand_in_the_log_and_are_counted(
    capsys, method, name
):
    runner = Runner("")
    for number in range(25):
        getattr(runner, method)(f"number {number} ##[error]\n::error::x")
    runner.report_omitted_annotations()

    log = capsys.readouterr().out
    lines = [message for found, message in parse_commands(log) if found == name]
    assert len(parse_commands(log)) == len(lines) == 10
    assert numbers_in(lines[-1]) == [16]
    assert "number 24" in log


def test_annotation_writes_out_no_property_that_it_has_not(capsys):
    runner = Runner("")
    runner.add_notice("a,b:100%")
    runner.add_warning("two\nlines")
    runner.add_error("three")

    assert capsys.readouterr().out.splitlines() == [
        "::notice title=ci3::a,b:100%25",
        "::warning title=ci3::two%0Alines",
        "::error title=ci3::three",
    ]


def test_annotations_that_github_shows_are_not_counted(capsys):
    runner = Runner("")
    for kind in (runner.add_warning, runner.add_error) * 9:
        kind("told")
    runner.report_omitted_annotations()

    assert len(parse_commands(capsys.readouterr().out)) == 18


def test_title_of_a_group_is_one_command(capsys):
    runner = Runner("")
    runner.begin_group("Plan\n::error::x ##[error]y")
    runner.end_group()

    found = parse_commands(capsys.readouterr().out)
    assert [name for name, _ in found] == ["group", "endgroup"]


@pytest.mark.parametrize(
    "value",
    ["", "plain", "two\nlines", "a=b", "x<<EOF\ny\nEOF", "outcome=applied\n", "é 😀", " spaced "],
)
def test_output_arrives_as_it_was_set_whatever_is_in_it(output_path, value):
    runner = Runner("")
    runner.set_output("journal-file", value)
    runner.set_output("objects-deleted", 3)

    assert read_outputs(output_path.read_text()) == {"journal-file": value, "objects-deleted": "3"}


def test_output_that_is_no_unicode_is_escaped(output_path):
    Runner("").set_output("plan-file", "plan-\udcff.json")

    assert read_outputs(output_path.read_text()) == {"plan-file": "plan-\\udcff.json"}


def test_outputs_are_not_set_by_the_retired_command(capsys):
    Runner("").set_output("outcome", "applied")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "gone/output"])
def test_outputs_and_summary_that_cannot_be_written_are_one_warning(
    tmp_path, monkeypatch, capsys, name
):
    path = str(tmp_path / name)
    monkeypatch.setenv("GITHUB_OUTPUT", path)
    runner = Runner(path)
    runner.set_output("outcome", "applied")
    runner.set_output("objects-deleted", 3)
    runner.write_summary("text")

    ((name, message),) = parse_commands(capsys.readouterr().out)
    assert name == "warning"
    assert message


def test_summary_is_added_to_what_stands_there(tmp_path):
    path = tmp_path / "summary"
    path.write_text("before\n")
    Runner(str(path)).write_summary("after \udcff\n")

    assert path.read_text() == "before\nafter \\udcff\n"


def test_summary_stays_under_the_size_that_the_runner_drops():
    assert SUMMARY_LIMIT_BYTES <= 1_048_576


def test_secret_is_masked_and_nothing_else_is_said_of_it(capsys):
    runner = Runner("")
    runner.mask_secret("a-secret")
    runner.mask_secret("a-secret")
    runner.mask_secret("")

    assert re.sub(r"\s", "", capsys.readouterr().out) == "::add-mask::a-secret"
