"""The action, run as a runner runs it, against an S3 and a GitHub on loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from ci3.action import main
from tests.github.fake_github import TOKEN, FakeGitHub
from tests.github.fake_runner import HEAD_SHA, MERGE_SHA, NUMBER, FakeStep, commands

ENTRYPOINT = Path(__file__).parents[1] / "entrypoint.py"
PUSH = {"after": MERGE_SHA}


@pytest.fixture(autouse=True)
def _signals():
    """Put back what the action does on a signal."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, action in before.items():
        signal.signal(one, action)


@pytest.fixture
def github():
    with FakeGitHub() as fake:
        yield fake


class Run:
    """What a run of the action left behind."""

    def __init__(self, step, exit_code, log, errors):
        self.exit_code = exit_code
        self.log = log
        self.errors = errors
        self.outputs = step.outputs
        self.summary = step.summary

    def annotations(self, kind):
        return [message for name, message in commands(self.log) if name == kind]


@pytest.fixture
def act(bucket, github, tmp_path, monkeypatch, capsys):
    """Run one step with these inputs on the bucket; each step has files of its own."""
    steps = iter(range(100))

    def act(event=None, api_url=github.url, environ=None, **inputs):
        folder = tmp_path / f"step-{next(steps)}"
        step = FakeStep(folder) if event is None else FakeStep(folder, event)
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        variables = {**step.environ(named, api_url), **bucket.inputs(), **(environ or {})}
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            capsys.readouterr()
            exit_code = main()
        log, errors = capsys.readouterr()
        return Run(step, exit_code, log, errors)

    return act


@pytest.fixture
def bucket(bucket):
    """Six deployments, `site-1` the oldest, and a file at the root."""
    for number in range(1, 7):
        bucket.deploy(f"site-{number}", days=60 - 10 * number)
    bucket.put("robots.txt", days=99)
    return bucket


ALL = {f"site-{number}" for number in range(1, 7)}


def read_journal(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def comment_of(github):
    (comment,) = github.comments(NUMBER)
    return comment.body


def row_counts(markdown):
    """Count the rows of each table as GitHub renders them; a torn one would leave pipes in text."""
    options = Options.CMARK_OPT_UNSAFE
    rendered = cmarkgfm.github_flavored_markdown_to_html(markdown, options)
    rendered = rendered.replace("<details open>", "<details>").replace("&nbsp;", " ")
    root = ET.fromstring(f"<root>{rendered}</root>")  # noqa: S314 - our own text
    for paragraph in root.iter("p"):
        assert "|" not in "".join(paragraph.itertext())
    return [len(table.findall("tbody/tr")) for table in root.iter("table")]


def test_plan_on_a_pull_request_comments_reports_and_deletes_nothing(act, bucket, github):
    run = act(keep_count="4")

    assert run.exit_code == 0
    assert bucket.folders() == ALL
    assert run.outputs["outcome"] == "planned"
    assert run.outputs["deployments-found"] == "6"
    assert run.outputs["deployments-kept"] == "4"
    assert run.outputs["deployments-to-delete"] == "2"
    assert run.outputs["deployments-deleted"] == "0"
    assert run.outputs["objects-deleted"] == "0"
    assert run.outputs["journal-file"] == ""
    assert run.outputs["plan-file"] == ""
    assert len(run.outputs["plan-id"]) == 64
    assert run.outputs["comment-url"].endswith(f"/pull/{NUMBER}#issuecomment-1001")
    for told in (run.summary, comment_of(github)):
        assert "2 of 6 deployments would be deleted" in told
        assert "mode: apply" in told
        assert "https://github.test/acme/storefront/actions/runs/42" in told
        assert row_counts(told) == [2, 4]
    assert not list(Path().glob("*.jsonl"))
    assert run.errors == ""


def test_each_output_that_action_yml_promises_is_set_by_a_run(act):
    promised = set()
    lines = (ENTRYPOINT.parent / "action.yml").read_text().partition("\noutputs:\n")[2]
    for line in lines.partition("\nruns:")[0].splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            promised.add(line.strip().removesuffix(":"))

    assert promised
    assert act(mode="apply").outputs.keys() == promised


def test_second_run_edits_the_comment_of_the_first(act, bucket, github):
    first = act(keep_count="4")
    bucket.deploy("site-7", days=-1)
    second = act(keep_count="4")

    assert first.outputs["comment-url"] == second.outputs["comment-url"]
    assert "3 of 7 deployments would be deleted" in comment_of(github)


def test_comment_for_changes_is_not_made_for_a_plan_that_deletes_nothing(act, github):
    run = act(keep_count="6")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert run.outputs["comment-url"] == ""
    assert github.comments(NUMBER) == ()
    assert "Nothing to delete" in run.summary


def test_comment_for_changes_that_is_there_is_kept_up_to_date(act, github):
    act(keep_count="4")
    act(keep_count="6")

    assert "Nothing to delete" in comment_of(github)


def test_comment_that_is_never_wanted_is_not_asked_for(act, github):
    run = act(keep_count="4", comment="never")

    assert run.exit_code == 0
    assert github.requests == ()


def test_comment_that_is_always_wanted_says_that_there_is_nothing_to_delete(act, github):
    act(keep_count="6", comment="always")

    assert "Nothing to delete" in comment_of(github)


def test_two_buckets_or_ids_have_a_comment_each(act, github):
    act(keep_count="4")
    act(keep_count="4", comment_id="another")
    act(keep_count="4", comment_id="another")

    assert len(github.comments(NUMBER)) == 2


def test_run_without_a_pull_request_asks_github_for_nothing(act, github):
    run = act(event=PUSH, keep_count="4")

    assert (run.exit_code, run.outputs["comment-url"]) == (0, "")
    assert github.requests == ()


def test_apply_deletes_the_doomed_alone_and_reports_it(act, bucket, github):
    run = act(keep_count="4", mode="apply")

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert "robots.txt" in bucket.keys()  # noqa: SIM118 - not a mapping
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["deployments-deleted"] == "2"
    assert run.outputs["objects-deleted"] == "6"
    assert run.outputs["bytes-deleted"] == "6"
    journal = read_journal(run.outputs["journal-file"])
    assert journal[0]["plan_id"] == run.outputs["plan-id"]
    assert sum(len(one.get("outcomes", ())) for one in journal) == 6
    for told in (run.summary, comment_of(github), run.log):
        assert "2 deployments deleted: 6 objects" in told
    assert "would" not in comment_of(github)


def test_apply_with_nothing_to_delete_makes_no_journal(act):
    run = act(keep_count="6", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert not list(Path().glob("*.jsonl"))


@pytest.mark.parametrize("sha", [MERGE_SHA, HEAD_SHA])
def test_commit_of_the_run_and_head_of_its_pull_request_are_kept_however_old(act, bucket, sha):
    names = {sha, f"build-{sha[:7]}"}
    for name in names:
        bucket.deploy(name, days=300)
    run = act(keep_count="1", mode="apply")

    assert bucket.folders() == {"site-6", *names}
    assert "of this run" in run.summary


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"max_delete": "1"}, "max-delete allows 1"),
        ({"max_delete": "10%"}, "max-delete allows 10%"),
        ({"protect": "site-1\nsite-11"}, "protect names site-11"),
    ],
)
@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_refused_plan_deletes_nothing_and_is_shown_with_its_reason(
    *, act, bucket, github, mode, inputs, told
):
    run = act(keep_count="1", mode=mode, **inputs)

    assert run.exit_code == 4
    assert run.outputs["outcome"] == "refused"
    assert bucket.folders() == ALL
    assert [told in message for message in run.annotations("error")] == [True]
    for text in (run.summary, comment_of(github)):
        assert "Not applied" in text
        assert len(row_counts(text)) == 2
        assert "To apply" not in text
    assert not list(Path().glob("*.jsonl"))


def test_fork_whose_token_cannot_comment_is_told_in_a_notice_alone(act, bucket):
    with FakeGitHub(may_write=False) as github:
        run = act(api_url=github.url, keep_count="4")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    (notice,) = run.annotations("notice")
    assert "Resource not accessible by integration" in notice
    assert "permissions: pull-requests: write" in notice
    assert run.annotations("warning") == run.annotations("error") == []
    assert "2 of 6 deployments" in run.summary


@pytest.mark.parametrize(("mode", "exit_code"), [("plan", 6), ("apply", 0)])
@pytest.mark.parametrize("keep_count", ["4", "6"])
def test_github_that_fails_is_a_warning_and_fails_only_a_plan(
    act, github, keep_count, mode, exit_code
):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})
    run = act(keep_count=keep_count, mode=mode)

    assert run.exit_code == exit_code
    assert run.outputs["outcome"] in ("planned", "applied", "nothing-to-delete")
    assert ["404" in message for message in run.annotations("warning")] == [True]
    assert "6 deployments" in run.summary or "2 deployments deleted" in run.summary


def test_refusal_goes_before_a_comment_that_failed(act, github):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})

    assert act(keep_count="1", max_delete="1").exit_code == 4


def test_misspelt_input_is_refused_with_the_nearest_name(act, bucket, github):
    run = act(mode="apply", keep_cuont="3")

    assert (run.exit_code, run.outputs) == (2, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "keep-cuont" in error
    assert "Did you mean keep-count?" in error
    assert "keep-count" in run.summary
    assert bucket.folders() == ALL
    assert github.requests == ()


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"keep_count": "0"}, "at least 1"),
        ({"mode": "aply"}, "Did you mean apply?"),
        ({"bucket": ""}, "bucket is not set"),
        ({"policy_file": "gone.yml"}, "gone.yml"),
        ({"plan_file": "gone/plan.json"}, "gone/plan.json"),
        ({"journal_file": "gone/journal.jsonl"}, "gone/journal.jsonl"),
        ({"github_token": "two words"}, "github-token"),
        ({"github_api_url": "https://me:hidden@ghes.test"}, "github-api-url"),
    ],
)
def test_setting_that_is_wrong_is_refused_before_anything_is_deleted(act, bucket, inputs, told):
    environ = {f"INPUT_{name.replace('_', '-').upper()}": text for name, text in inputs.items()}
    run = act(environ=environ, **{"keep_count": "4", "mode": "apply"} | inputs)

    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    (error,) = run.annotations("error")
    assert told in error
    assert ".." not in error
    assert "hidden" not in run.log
    assert bucket.folders() == ALL


def test_empty_input_counts_as_not_given(act):
    assert act(keep_count=" ", protect="", policy_file="").outputs["deployments-kept"] == "5"


def test_policy_file_is_read_and_an_input_goes_before_it(act):
    Path("policy.yml").write_text("keep-count: 2\nprotect: [site-1]\n")

    assert act(policy_file="policy.yml").outputs["deployments-kept"] == "3"
    assert act(policy_file="policy.yml", keep_count="3").outputs["deployments-kept"] == "4"


def test_plan_file_is_written_and_named(act):
    run = act(keep_count="4", plan_file="plan.json")

    assert run.outputs["plan-file"] == "plan.json"
    plan = json.loads(Path("plan.json").read_text())
    assert plan["plan_id"] == run.outputs["plan-id"]
    assert plan["policy"] == {"keep-count": {"value": 4, "from": "input"}}


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_token_is_masked_first_and_shown_nowhere(act, github, mode):
    github.fail_next("GET", "comments", 422, {"message": f"no {TOKEN}"})
    run = act(keep_count="4", mode=mode)

    mask, _, log = run.log.partition("\n")
    assert mask == f"::add-mask::{TOKEN}"
    assert TOKEN not in f"{log}{run.errors}{run.summary}{run.outputs}"


@pytest.mark.parametrize("event", [None, PUSH])
def test_missing_token_is_noticed_where_there_is_a_pull_request(act, github, event):
    run = act(event=event, keep_count="4", environ={"INPUT_GITHUB-TOKEN": ""})

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert ["token" in message for message in run.annotations("notice")] == [True] * (event is None)
    assert "add-mask" not in run.log
    assert github.requests == ()


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
@pytest.mark.parametrize("path", ["", "{tmp}", "{tmp}/gone/file"])
def test_file_that_the_runner_lost_does_not_undo_the_report_of_a_deletion(
    *, act, bucket, tmp_path, name, path
):
    run = act(keep_count="4", mode="apply", environ={name: path.format(tmp=tmp_path)})

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert "2 deployments deleted" in run.log
    assert run.errors == ""
    assert run.annotations("error") == []
    assert len(run.annotations("warning")) == bool(path)


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_hostile_names_are_no_commands_in_the_log_and_tear_no_table(act, bucket, github, mode):
    hostile = [
        "::error::x",
        "##[set-output name=outcome;]applied",
        "a\r::error::x",
        "a|b`c",
        "<!-- -->|<b>",
        "x" * 155 + "::error::y",
    ]
    if mode == "plan":
        hostile.append("a\n::error::x")  # which moto can't delete
    for name in hostile:
        bucket.deploy(name, days=500)
    bucket.put("##[error]root", days=1)
    run = act(keep_count="4", mode=mode)

    assert run.exit_code == 0
    assert bool(bucket.folders() & set(hostile)) == (mode == "plan")
    assert {name for name, _ in commands(run.log)} == {"add-mask", "group", "endgroup"}
    for told in (run.summary, comment_of(github)):
        assert row_counts(told) == [len(hostile) + 2, 4]


def test_wrong_bucket_is_an_access_error_that_names_it(act):
    run = act(environ={"INPUT_BUCKET": "not-there"})

    assert (run.exit_code, run.outputs) == (6, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "s3://not-there/" in error
    assert "NoSuchBucket" in run.summary


def test_long_and_hostile_names_fit_comment_and_summary(act, bucket, github):
    for number in range(60):
        bucket.deploy(f"{number:04}" + "`|" * 450, days=1000 + number, files=1)
    for number in range(30):
        bucket.put(f"{number:04}" + "`" * 1000, days=1)
    run = act(keep_count="20", mode="apply", max_delete="46", protect="*-nothing\n" * 200)

    assert run.exit_code == 0
    assert run.outputs["outcome"] == "applied"
    assert len(run.summary.encode()) <= 1_000_000
    assert len(comment_of(github).encode()) <= 65_000


class ManyFolders(BaseHTTPRequestHandler):
    """An S3 with very many deployments of one object; moto would list them for half a minute."""

    COUNT = 1500

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "versioning" in query:
            return self._answer("<VersioningConfiguration/>")
        (prefix,) = query["prefix"]
        names = [prefix] if prefix else [f"{number:040x}/" for number in range(self.COUNT)]
        entries = [self._entry(name, is_folder=not prefix) for name in names]
        return self._answer(
            "<ListBucketResult><IsTruncated>false</IsTruncated>"
            f"{''.join(entries)}</ListBucketResult>"
        )

    def _entry(self, name, *, is_folder):
        if is_folder:
            return f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
        age = timedelta(hours=int(name.rstrip("/"), 16))
        uploaded_at = datetime(2026, 1, 1, tzinfo=UTC) - age
        return (
            f"<Contents><Key>{name}index.html</Key><ETag>e</ETag><Size>1000</Size>"
            f"<LastModified>{uploaded_at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
        )

    def _answer(self, xml):
        content = xml.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def many_folders_url():
    with ThreadingHTTPServer(("127.0.0.1", 0), ManyFolders) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_1500_deployments_fit_comment_and_summary_with_tables_intact(act, github, many_folders_url):
    run = act(environ={"INPUT_ENDPOINT-URL": many_folders_url, "INPUT_KEEP-COUNT": "100"})

    assert run.exit_code == 0
    assert len(run.summary.encode()) <= 1_000_000
    assert row_counts(run.summary) == [1400, 100]
    comment = comment_of(github)
    assert len(comment.encode()) <= 65_000
    doomed, *_ = row_counts(comment)
    assert 100 < doomed < 1400
    assert f"{1400 - doomed:,} more deployments" in comment


@pytest.fixture
def start(bucket, proxy, github, tmp_path):
    """Start the action in a process of its own and wait for some request, which is then held."""
    may_go_on = threading.Event()
    started = []

    def start(method, pattern, *, nth=None, **inputs):
        came = threading.Event()
        proxy.before(method, pattern, lambda: (came.set(), may_go_on.wait(timeout=60)), nth=nth)
        step = FakeStep(tmp_path / "step")
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        environ = os.environ | step.environ(named, github.url) | bucket.inputs()
        process = subprocess.Popen(
            [sys.executable, ENTRYPOINT],
            env=environ | {"INPUT_ENDPOINT-URL": proxy.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert came.wait(timeout=60)
        return step, process, may_go_on

    yield start
    may_go_on.set()
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_a_deletion_is_out_end_in_a_true_report(bucket, github, start, first):
    step, process, may_go_on = start(
        "POST", "delete", keep_count="4", mode="apply", journal_file="journal.jsonl"
    )
    process.send_signal(first)
    process.send_signal(signal.SIGTERM)
    may_go_on.set()
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    journal = read_journal("journal.jsonl")
    assert [o["outcome"] for one in journal for o in one.get("outcomes", ())] == ["deleted"] * 6
    assert step.outputs["objects-deleted"] == "6"
    assert step.outputs["deployments-deleted"] == "2"
    assert (process.returncode, step.outputs["outcome"]) == (3, "partial")
    for told in (log, step.summary, comment_of(github)):
        assert "2 deployments deleted" in told
        assert "interrupted" in told


def test_signals_before_the_first_deletion_of_an_apply_delete_nothing(bucket, github, start):
    step, process, may_go_on = start(
        "GET", "prefix=site-1", keep_count="4", mode="apply", nth=2, journal_file="journal.jsonl"
    )
    process.send_signal(signal.SIGTERM)
    may_go_on.set()
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL
    assert step.outputs["objects-deleted"] == "0"
    assert (process.returncode, step.outputs["outcome"]) == (3, "partial")
    for told in (log, step.summary, comment_of(github)):
        assert "0 of 2 deployments deleted" in told
        assert "interrupted" in told


def test_signal_while_the_comment_is_written_leaves_the_report_of_a_deletion_as_it_is(
    bucket, github, start
):
    stalled = github.stall_next("GET", "comments")
    step, process, may_go_on = start("POST", "delete", keep_count="4", mode="apply")
    may_go_on.set()
    assert stalled.wait(timeout=60)
    process.send_signal(signal.SIGTERM)
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert (process.returncode, step.outputs["outcome"]) == (0, "applied")
    assert step.outputs["objects-deleted"] == "6"
    assert "2 deployments deleted" in step.summary
    assert ["after the deletion" in m for name, m in commands(log) if name == "warning"] == [True]


def test_signal_while_planning_says_that_nothing_was_deleted(bucket, start):
    step, process, may_go_on = start("GET", "prefix=site-1", mode="apply")
    process.send_signal(signal.SIGTERM)
    may_go_on.set()
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert process.returncode == 130
    assert step.outputs == {"outcome": "failed"}
    assert ("error", "interrupted before anything was deleted") in commands(log)
    assert bucket.folders() == ALL
    assert not list(Path().glob("*.jsonl"))
