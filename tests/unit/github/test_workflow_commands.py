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
def read_run(tmp_path):
    """Return a function that writes the payload of an event and reads its run."""

    def read(event, **environ):
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return read_workflow_run({"GITHUB_EVENT_PATH": str(path), "GITHUB_SHA": MERGE} | environ)

    return read


def list_commits(run):
    return tuple(commit for reference in run.references for commit in reference.commits)


@pytest.fixture
def output_path(tmp_path, monkeypatch):
    path = tmp_path / "output"
    path.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    return path


def test_names_of_inputs_have_hyphens_as_in_the_workflow():
    environ = {"INPUT_KEEP-COUNT": "3", "INPUT_BUCKET": " site ", "PATH": "/bin", "INPUTS": "no"}

    assert read_inputs(environ) == {"keep-count": "3", "bucket": " site "}


def test_unknown_input_is_read_so_that_it_can_be_refused():
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
def test_commits_and_pull_request_are_those_of_the_event(read_run, event, commits, pull_request):
    run = read_run(event)

    assert list_commits(run) == commits
    assert run.pull_request == pull_request


@pytest.mark.parametrize("sha", ["", ZEROS, "0000000", "abc", "not-a-commit", "a" * 65])
def test_invalid_commit_is_no_reference(read_run, sha):
    assert read_run({"after": sha}, GITHUB_SHA=sha).references == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", None])
def test_payload_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        read_workflow_run({"GITHUB_EVENT_PATH": str(path)})

    assert str(path) in caught.value.message
    assert "GITHUB_EVENT_PATH" in caught.value.hint


def test_run_without_a_payload_has_its_own_commit():
    assert list_commits(read_workflow_run({"GITHUB_SHA": MERGE})) == (MERGE,)


def test_run_url_is_on_the_server_of_the_run(read_run):
    environ = {
        "GITHUB_SERVER_URL": "https://ghes.test",
        "GITHUB_REPOSITORY": "acme/storefront",
        "GITHUB_RUN_ID": "42",
    }
    assert read_run({}, **environ).run_url == "https://ghes.test/acme/storefront/actions/runs/42"
    assert read_run({}, **environ | {"GITHUB_RUN_ID": ""}).run_url == ""


COMMAND_TEXTS = [
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


@pytest.mark.parametrize("text", COMMAND_TEXTS)
def test_escaped_text_is_no_command(text):
    assert parse_commands(text), "the text is not a command"
    assert parse_commands(escape_commands(text)) == []


@pytest.mark.parametrize("text", COMMAND_TEXTS)
def test_escaped_text_looks_the_same(text):
    assert escape_commands(text).replace("\u200b", "") == text


@pytest.mark.parametrize(
    "text", ["s3://a-site/x::y", "std::string", "# [a]", "12:30", "", "a:", "#"]
)
def test_text_that_is_no_command_is_not_changed(text):
    assert escape_commands(text) == text


@pytest.mark.parametrize("text", COMMAND_TEXTS)
@pytest.mark.parametrize("should_flush", [False, True])
def test_stream_escapes_lines_that_are_split_between_writes(text, should_flush):
    for position in range(len(text) + 1):
        log = io.StringIO()
        stream = EscapedStream(log)
        for part in ("first\n", text[:position], text[position:], "\nlast"):
            assert stream.write(part) == len(part)
            if should_flush:
                stream.flush()
        stream.flush()

        assert parse_commands(log.getvalue()) == []
        assert log.getvalue().replace("\u200b", "") == f"first\n{text}\nlast"


def test_unfinished_line_is_written_only_by_a_flush():
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
def test_annotation_is_one_command_for_any_text(capsys, method, name):
    message = "100% of a\r\n::error::b, c: d\n##[warning]e"
    getattr(Runner(""), method)(message)

    assert parse_commands(capsys.readouterr().out) == [(name, message)]


def test_long_annotation_is_shortened_below_the_limit_of_the_runner(capsys):
    Runner("").add_warning("x" * 10_000)

    ((_, message),) = parse_commands(capsys.readouterr().out)
    assert len(message) < 4096
    assert message.endswith(" …")


@pytest.mark.parametrize(
    ("method", "name"),
    [("add_notice", "notice"), ("add_warning", "warning"), ("add_error", "error")],
)
def test_annotations_over_githubs_limit_are_logged_and_counted(capsys, method, name):
    runner = Runner("")
    for number in range(25):
        getattr(runner, method)(f"number {number} ##[error]\n::error::x")
    runner.report_omitted_annotations()

    log = capsys.readouterr().out
    lines = [message for command, message in parse_commands(log) if command == name]
    assert len(parse_commands(log)) == len(lines) == 10
    assert numbers_in(lines[-1]) == [16]
    assert "number 24" in log


def test_annotation_has_only_a_title_property(capsys):
    runner = Runner("")
    runner.add_notice("a,b:100%")
    runner.add_warning("two\nlines")
    runner.add_error("three")

    assert capsys.readouterr().out.splitlines() == [
        "::notice title=ci3::a,b:100%25",
        "::warning title=ci3::two%0Alines",
        "::error title=ci3::three",
    ]


def test_annotations_within_githubs_limit_are_not_counted(capsys):
    runner = Runner("")
    for add_annotation in (runner.add_warning, runner.add_error) * 9:
        add_annotation("written")
    runner.report_omitted_annotations()

    assert len(parse_commands(capsys.readouterr().out)) == 18


def test_title_of_a_group_is_one_command(capsys):
    runner = Runner("")
    runner.begin_group("Plan\n::error::x ##[error]y")
    runner.end_group()

    commands = parse_commands(capsys.readouterr().out)
    assert [name for name, _ in commands] == ["group", "endgroup"]


@pytest.mark.parametrize(
    "value",
    ["", "plain", "two\nlines", "a=b", "x<<EOF\ny\nEOF", "outcome=applied\n", "é 😀", " spaced "],
)
def test_output_is_written_unchanged_for_any_value(output_path, value):
    runner = Runner("")
    runner.set_output("journal-file", value)
    runner.set_output("objects-deleted", 3)

    assert read_outputs(output_path.read_text()) == {"journal-file": value, "objects-deleted": "3"}


def test_output_with_a_surrogate_is_escaped(output_path):
    Runner("").set_output("plan-file", "plan-\udcff.json")

    assert read_outputs(output_path.read_text()) == {"plan-file": "plan-\\udcff.json"}


def test_outputs_are_not_set_by_the_deprecated_command(capsys):
    Runner("").set_output("outcome", "applied")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "gone/output"])
def test_unwritable_outputs_and_summary_cause_one_warning(tmp_path, monkeypatch, capsys, name):
    path = str(tmp_path / name)
    monkeypatch.setenv("GITHUB_OUTPUT", path)
    runner = Runner(path)
    runner.set_output("outcome", "applied")
    runner.set_output("objects-deleted", 3)
    runner.write_summary("text")

    ((name, message),) = parse_commands(capsys.readouterr().out)
    assert name == "warning"
    assert message


def test_summary_is_appended(tmp_path):
    path = tmp_path / "summary"
    path.write_text("before\n")
    Runner(str(path)).write_summary("after \udcff\n")

    assert path.read_text() == "before\nafter \\udcff\n"


def test_summary_limit_is_at_most_the_limit_of_the_runner():
    assert SUMMARY_LIMIT_BYTES <= 1_048_576


def test_secret_is_masked_once_and_not_shown_elsewhere(capsys):
    runner = Runner("")
    runner.mask_secret("a-secret")
    runner.mask_secret("a-secret")
    runner.mask_secret("")

    assert re.sub(r"\s", "", capsys.readouterr().out) == "::add-mask::a-secret"
