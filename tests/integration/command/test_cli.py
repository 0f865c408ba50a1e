"""The command line: stdout and stderr, exit codes, and the question before a cleanup."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

import ci3
from ci3.cli.main import main
from tests.support.paths import ROOT
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

COMMANDS = ("plan-cleanup", "cleanup", "list-deployments", "list-objects", "demo")
KEEP_2 = ("--keep-count", "2")
HOSTILE_NAMES = (
    "\x1b]0;owned\x07\x1b[2Jclear",
    "line\n::error::x",
    "::error::y",
    "##[error]z",
    "\u202egnp.exe",
    "[bold]markup[/bold]",
    "a|b`c",
)


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """Four deployments, `web-0` the newest, and a file at the root."""
    site.put("index.html")
    for days in range(4):
        site.deploy(f"web-{days}", days=days)
    return site


def run_python(*argv: str, text: bool = True, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=text, timeout=60, check=False, **options
    )


# Output.


def test_stdout_of_a_plan_in_json_is_only_json_and_fits_the_schema(live: Bucket, capsys) -> None:
    assert main(["plan-cleanup", *live.options(), *KEEP_2, "--output", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs/plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(plan, schema)
    decisions = {deployment["name"]: deployment["decision"] for deployment in plan["deployments"]}
    assert decisions == {
        "web-0": "keep", "web-1": "keep", "web-2": "delete", "web-3": "delete"
    }  # fmt: skip
    assert plan["ignored"][0]["name"] == "index.html"


def test_plan_file_equals_the_json_output(live: Bucket, capsys) -> None:
    argv = ["plan-cleanup", *live.options(), "--output", "json", "--plan-file", "plan.json"]
    assert main(argv) == 0
    assert capsys.readouterr().out == Path("plan.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_plan_names_every_deployment(live: Bucket, capsys, output: str) -> None:
    assert main(["plan-cleanup", *live.options(), *KEEP_2, "--output", output]) == 0
    out = capsys.readouterr().out
    assert all(f"web-{number}" in out for number in range(4))
    assert live.folders() == {f"web-{number}" for number in range(4)}


def test_plan_never_writes(live: Bucket, proxy: FaultProxy) -> None:
    assert main(["plan-cleanup", *live.options(), *KEEP_2]) == 0
    assert proxy.deletions == []


@pytest.mark.parametrize(("keep_count", "code"), [("2", 10), ("4", 0)])
def test_detailed_exit_code_reports_if_there_is_something_to_delete(
    live: Bucket, keep_count: str, code: int
) -> None:
    argv = ["plan-cleanup", *live.options(), "--keep-count", keep_count]
    assert main([*argv, "--detailed-exitcode"]) == code
    assert main(argv) == 0


def test_stdout_of_a_cleanup_in_json_is_only_its_result(live: Bucket, capsys) -> None:
    argv = ["cleanup", *live.options(), *KEEP_2, "--auto-approve", "--output", "json"]
    assert main(argv) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["outcome"] == "applied"
    assert (numbers["deployments-deleted"], numbers["objects-deleted"]) == (2, 6)
    assert Path(numbers["journal-file"]).is_file()
    assert live.folders() == {"web-0", "web-1"}


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_cleanup_names_the_deleted_deployments(live: Bucket, capsys, output: str) -> None:
    assert main(["cleanup", *live.options(), *KEEP_2, "--auto-approve", "--output", output]) == 0
    out = capsys.readouterr().out
    assert "web-2" in out
    assert "web-3" in out
    assert live.folders() == {"web-0", "web-1"}
    assert live.keys() >= {"index.html"}


def test_second_cleanup_has_nothing_to_do_and_leaves_no_journal(live: Bucket, capsys) -> None:
    argv = ["cleanup", *live.options(), *KEEP_2, "--auto-approve"]
    assert (main(argv), main(argv)) == (0, 0)
    assert len(list(Path.cwd().glob("ci3-journal-*.jsonl"))) == 1


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
def test_lists_show_names(live: Bucket, capsys, output: str) -> None:
    assert main(["list-deployments", *live.options(), "--output", output]) == 0
    out = capsys.readouterr().out
    assert [out.index(f"web-{number}") for number in range(4)] == sorted(
        out.index(f"web-{number}") for number in range(4)
    )
    assert main(["list-objects", "web-1/", *live.options(), "--output", output]) == 0
    out = capsys.readouterr().out
    assert "web-1/file-00002" in out
    assert "web-2" not in out


@pytest.mark.parametrize("command", ["list-deployments", "plan-cleanup"])
def test_stdout_of_a_list_in_json_is_only_json(live: Bucket, capsys, command: str) -> None:
    assert main([command, *live.options(), "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["deployments"]) == 4


# The question before a deletion.


def test_cleanup_without_a_terminal_is_refused(live: Bucket, proxy: FaultProxy) -> None:
    argv = ("-m", "ci3", "cleanup", *live.options(), *KEEP_2)
    completed = run_python(*argv, stdin=subprocess.DEVNULL)
    assert completed.returncode == 4
    assert "--auto-approve" in completed.stderr
    assert proxy.deletions == []


def test_yes_from_a_pipe_is_not_an_approval(live: Bucket, proxy: FaultProxy) -> None:
    assert run_python("-m", "ci3", "cleanup", *live.options(), *KEEP_2, input="y\n").returncode == 4
    assert proxy.deletions == []


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 2), ("<&-", 4), ("2>&-", 4)],
)
def test_closed_stream_is_not_reported_as_a_bug(
    live: Bucket, proxy: FaultProxy, redirection, code, assert_screen
) -> None:
    argv = [sys.executable, "-m", "ci3", "cleanup", *live.options(), *KEEP_2]
    completed = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == code, completed
    assert_screen(completed.stderr)
    assert proxy.deletions == []


def run_on_terminal(
    *argv: str, answer: bytes, before_answer: Callable[[int], object] = lambda _: None
) -> tuple[int, str]:
    """Run the command on a pseudo-terminal and answer its question; return exit code and output."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ci3", *argv],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    ) as process:  # fmt: skip
        os.close(slave)
        screen, has_answered, remaining_seconds = b"", False, 60
        try:
            while remaining_seconds:
                if not select.select([master], [], [], 1)[0]:
                    remaining_seconds -= 1
                    if has_answered:  # a signal right before a read is handled only with the next
                        before_answer(process.pid)
                    continue
                try:
                    data = os.read(master, 65536)
                except OSError:  # Linux: the other side is closed
                    break
                if not data:
                    break
                screen += data
                if b"[y/N]" in screen and not has_answered:
                    has_answered = True
                    before_answer(process.pid)
                    os.write(master, answer)
        finally:
            os.close(master)
        code = process.wait(timeout=60)
    return code, screen.decode(errors="replace")


def test_yes_at_the_terminal_deletes(live: Bucket) -> None:
    code, screen = run_on_terminal("cleanup", *live.options(), *KEEP_2, answer=b"y\n")
    assert (code, live.folders()) == (0, {"web-0", "web-1"}), screen


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"], ids=["no", "enter", "end of file"])
def test_anything_but_yes_deletes_nothing(live: Bucket, proxy: FaultProxy, answer: bytes) -> None:
    code, screen = run_on_terminal("cleanup", *live.options(), *KEEP_2, answer=answer)
    assert code == 4, screen
    assert "[y/N]" in screen
    assert proxy.deletions == []


def test_question_names_deployments_and_objects(
    live: Bucket, monkeypatch: pytest.MonkeyPatch, capsys, assert_screen
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert main(["cleanup", *live.options(), *KEEP_2]) == 4
    assert_screen(capsys.readouterr().err)
    assert len(live.folders()) == 4


class Terminal(io.StringIO):
    """Text that is typed at a terminal."""

    def isatty(self) -> bool:
        return True


def test_interrupt_at_the_question_deletes_nothing(live: Bucket, proxy: FaultProxy) -> None:
    code, screen = run_on_terminal(
        "cleanup",
        *live.options(),
        *KEEP_2,
        answer=b"",
        before_answer=lambda process_id: os.kill(process_id, signal.SIGTERM),
    )
    assert code == 130, screen
    assert "[y/N]" in screen
    assert proxy.deletions == []


def test_deployment_that_changes_before_the_answer_is_kept(live: Bucket) -> None:
    code, screen = run_on_terminal(
        "cleanup",
        *live.options(),
        *KEEP_2,
        answer=b"y\n",
        before_answer=lambda _: live.put("web-2/file-00001", days=2, body=b"new"),
    )
    assert code == 3, screen
    assert live.folders() == {"web-0", "web-1", "web-2"}


# Hostile names.


def assert_escaped(text: str) -> None:
    """Check that a text has no workflow commands and no control characters."""
    for line in text.splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line
        assert not set(line) & {"\x1b", "\x07", "\u202e"}


@pytest.fixture
def hostile_bucket(bucket: Bucket) -> Bucket:
    for days, name in enumerate(HOSTILE_NAMES):
        bucket.put(f"{name}/{name}", days=days)
    return bucket


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("command", ["plan-cleanup", "list-deployments"])
def test_hostile_names_are_escaped(
    hostile_bucket: Bucket, capsys, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main([command, *hostile_bucket.options(), "--output", output]) == 0
    captured = capsys.readouterr()
    assert_escaped(captured.out + captured.err)


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_keys_are_escaped(
    hostile_bucket: Bucket, capsys, monkeypatch: pytest.MonkeyPatch, name: str, output: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main(["list-objects", name, *hostile_bucket.options(), "--output", output]) == 0
    captured = capsys.readouterr()
    assert_escaped(captured.out + captured.err)


def test_hostile_names_send_no_control_codes_to_a_terminal(hostile_bucket: Bucket) -> None:
    code, screen = run_on_terminal("plan-cleanup", *hostile_bucket.options(), answer=b"")
    assert code == 0
    assert "owned" in screen
    assert "\x1b]0;" not in screen
    assert "\x1b[2Jclear" not in screen
    assert "[bold]" in screen


# Help and the demo.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command: str) -> None:
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("command", [*(command for command in COMMANDS if command != "demo"), ""])
def test_help_shows_an_example(capsys, command: str) -> None:
    assert main([*command.split(), "--help"]) == 0
    examples = capsys.readouterr().out.partition("Example")[2]
    assert re.search(rf"^ +ci3 {command or 'demo'}\b", examples, re.MULTILINE)


def test_version_is_printed(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ci3 {ci3.__version__}\n"


def test_demo_cleans_up_and_restores(tmp_path: Path) -> None:
    completed = run_python("-m", "ci3", "demo", env={"PATH": os.environ["PATH"]})
    assert completed.returncode == 0, completed.stderr
    after_cleanup, after_restore = completed.stdout.split("ci3 list-deployments")[1:]
    assert re.search(r"\b85\b", after_cleanup)
    assert "b64c210" not in after_cleanup.partition("ci3 restore")[0]
    assert "b64c210" in after_restore
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["table", "json"])
def test_closed_pipe_on_stdout_is_an_error(live: Bucket, proxy: FaultProxy, output: str) -> None:
    command = [sys.executable, "-m", "ci3", "cleanup", *live.options(), *KEEP_2]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        completed = subprocess.run(
            [*command, "--auto-approve", "--output", output],
            stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert completed.returncode == 141
    assert "Traceback" not in completed.stderr
    assert "Exception ignored" not in completed.stderr
