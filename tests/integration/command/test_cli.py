"""The command line: what stands on stdout and stderr, exit codes, and the question before a yes."""

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
HOSTILE = (
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
    """Four deployments, `web-0` the newest, and a file next to them."""
    site.put("index.html")
    for days in range(4):
        site.deploy(f"web-{days}", days=days)
    return site


def run_child(*argv: str, text: bool = True, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=text, timeout=60, check=False, **more
    )


# What is shown where.


def test_plan_as_json_stands_alone_on_stdout_and_fits_its_schema(live: Bucket, capsys) -> None:
    assert main(["plan-cleanup", *live.options(), *KEEP_2, "--output", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs/plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(plan, schema)
    decisions = {one["name"]: one["decision"] for one in plan["deployments"]}
    assert decisions == {
        "web-0": "keep", "web-1": "keep", "web-2": "delete", "web-3": "delete"
    }  # fmt: skip
    assert plan["ignored"][0]["name"] == "index.html"


def test_plan_file_holds_what_json_shows(live: Bucket, capsys) -> None:
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
def test_detailed_exit_code_tells_whether_something_would_go(
    live: Bucket, keep_count: str, code: int
) -> None:
    argv = ["plan-cleanup", *live.options(), "--keep-count", keep_count]
    assert main([*argv, "--detailed-exitcode"]) == code
    assert main(argv) == 0


def test_cleanup_as_json_tells_its_numbers_alone_on_stdout(live: Bucket, capsys) -> None:
    argv = ["cleanup", *live.options(), *KEEP_2, "--auto-approve", "--output", "json"]
    assert main(argv) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["outcome"] == "applied"
    assert (numbers["deployments-deleted"], numbers["objects-deleted"]) == (2, 6)
    assert Path(numbers["journal-file"]).is_file()
    assert live.folders() == {"web-0", "web-1"}


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_cleanup_tells_what_it_deleted(live: Bucket, capsys, output: str) -> None:
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
def test_lists_tell_names(live: Bucket, capsys, output: str) -> None:
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
def test_lists_as_json_are_json_alone(live: Bucket, capsys, command: str) -> None:
    assert main([command, *live.options(), "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["deployments"]) == 4


# Asking first.


def test_cleanup_with_nobody_to_ask_is_refused(live: Bucket, proxy: FaultProxy) -> None:
    argv = ("-m", "ci3", "cleanup", *live.options(), *KEEP_2)
    ran = run_child(*argv, stdin=subprocess.DEVNULL)
    assert ran.returncode == 4
    assert "--auto-approve" in ran.stderr
    assert proxy.deletions == []


def test_yes_through_a_pipe_is_nobody(live: Bucket, proxy: FaultProxy) -> None:
    assert run_child("-m", "ci3", "cleanup", *live.options(), *KEEP_2, input="y\n").returncode == 4
    assert proxy.deletions == []


@pytest.mark.parametrize(
    ("closed", "code"),
    [(">&-", 2), ("<&-", 4), ("2>&-", 4)],
)
def test_closed_stream_is_no_bug(
    live: Bucket, proxy: FaultProxy, closed, code, assert_screen
) -> None:
    words = [sys.executable, "-m", "ci3", "cleanup", *live.options(), *KEEP_2]
    ran = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == code, ran
    assert_screen(ran.stderr)
    assert proxy.deletions == []


def on_terminal(
    *argv: str, answer: bytes, before_answer: Callable[[int], object] = lambda _: None
) -> tuple[int, str]:
    """Run the command on a terminal of its own, answering its question."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ci3", *argv],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    ) as child:  # fmt: skip
        os.close(slave)
        shown, is_answered, patience = b"", False, 60
        try:
            while patience:
                if not select.select([master], [], [], 1)[0]:
                    patience -= 1
                    if is_answered:  # a signal just before Python reads waits for the next one
                        before_answer(child.pid)
                    continue
                try:
                    part = os.read(master, 65536)
                except OSError:  # Linux says so when the other side is closed
                    break
                if not part:
                    break
                shown += part
                if b"[y/N]" in shown and not is_answered:
                    is_answered = True
                    before_answer(child.pid)
                    os.write(master, answer)
        finally:
            os.close(master)
        code = child.wait(timeout=60)
    return code, shown.decode(errors="replace")


def test_yes_at_the_terminal_deletes(live: Bucket) -> None:
    code, shown = on_terminal("cleanup", *live.options(), *KEEP_2, answer=b"y\n")
    assert (code, live.folders()) == (0, {"web-0", "web-1"}), shown


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"], ids=["no", "enter", "end of file"])
def test_anything_but_yes_deletes_nothing(live: Bucket, proxy: FaultProxy, answer: bytes) -> None:
    code, shown = on_terminal("cleanup", *live.options(), *KEEP_2, answer=answer)
    assert code == 4, shown
    assert "[y/N]" in shown
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
    code, shown = on_terminal(
        "cleanup",
        *live.options(),
        *KEEP_2,
        answer=b"",
        before_answer=lambda child: os.kill(child, signal.SIGTERM),
    )
    assert code == 130, shown
    assert "[y/N]" in shown
    assert proxy.deletions == []


def test_deployment_that_changes_while_the_question_stands_is_kept(live: Bucket) -> None:
    code, shown = on_terminal(
        "cleanup",
        *live.options(),
        *KEEP_2,
        answer=b"y\n",
        before_answer=lambda _: live.put("web-2/file-00001", days=2, body=b"new"),
    )
    assert code == 3, shown
    assert live.folders() == {"web-0", "web-1", "web-2"}


# Hostile names.


@pytest.fixture
def hostile(bucket: Bucket) -> Bucket:
    for days, name in enumerate(HOSTILE):
        bucket.put(f"{name}/{name}", days=days)
    return bucket


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("command", ["plan-cleanup", "list-deployments"])
def test_hostile_names_are_shown_and_never_obeyed(
    hostile: Bucket, capsys, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main([command, *hostile.options(), "--output", output]) == 0
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line
        assert not set(line) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_keys_are_shown_and_never_obeyed(
    hostile: Bucket, capsys, monkeypatch: pytest.MonkeyPatch, name: str, output: str
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main(["list-objects", name, *hostile.options(), "--output", output]) == 0
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line
        assert not set(line) & {"\x1b", "\x07", "\u202e"}


def test_hostile_names_move_no_cursor_of_a_terminal(hostile: Bucket) -> None:
    code, shown = on_terminal("plan-cleanup", *hostile.options(), answer=b"")
    assert code == 0
    assert "owned" in shown
    assert "\x1b]0;" not in shown
    assert "\x1b[2Jclear" not in shown
    assert "[bold]" in shown


# Help, speed, and the demonstration.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command: str) -> None:
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("command", [*(one for one in COMMANDS if one != "demo"), ""])
def test_help_shows_an_example(capsys, command: str) -> None:
    assert main([*command.split(), "--help"]) == 0
    examples = capsys.readouterr().out.partition("Example")[2]
    assert re.search(rf"^ +ci3 {command or 'demo'}\b", examples, re.MULTILINE)


def test_version_is_told(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ci3 {ci3.__version__}\n"


def test_demo_runs_through(tmp_path: Path) -> None:
    ran = run_child("-m", "ci3", "demo", env={"PATH": os.environ["PATH"]})
    assert ran.returncode == 0, ran.stderr
    left, back = ran.stdout.split("ci3 list-deployments")[1:]
    assert re.search(r"\b85\b", left)
    assert ("b64c210" in left.partition("ci3 restore")[0], "b64c210" in back) == (False, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["table", "json"])
def test_reader_that_goes_away_is_no_success(live: Bucket, proxy: FaultProxy, output: str) -> None:
    command = [sys.executable, "-m", "ci3", "cleanup", *live.options(), *KEEP_2]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [*command, "--auto-approve", "--output", output],
            stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert ran.returncode == 141
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
