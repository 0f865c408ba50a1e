"""The run that ci3 reads from GitHub's example payloads, which `cut_events.py` shortened."""

import copy
import json
from typing import Final

import pytest

from ci3.core.live.pins import pin_run
from ci3.core.live.references import Reference
from ci3.github.workflow_run import Lookup, read_workflow_run
from tests.support.github.cut_events import PACKAGE, SLICE, VERSION

EXAMPLES: Final = json.loads(SLICE.read_text(encoding="utf-8"))
RUN_SHA: Final = "a" * 40
"""The value of GITHUB_SHA: a merge commit or the head of the default branch."""

PULL_REQUEST_HEAD: Final = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
PULL_REQUEST_BASE: Final = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
PUSHED: Final = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
QUEUED: Final = "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d"
DEPLOYED: Final = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"


@pytest.fixture
def read_run(tmp_path):
    """Return a function that reads the run of an example, or of an `event` with its payload."""

    def read(example, *, event="", sha=RUN_SHA, ref="", change=lambda _: None):
        payload = copy.deepcopy(EXAMPLES["events"][example]) if example else {}
        change(payload)
        path = tmp_path / "event.json"
        path.write_text(json.dumps(payload))
        environ = {
            "GITHUB_EVENT_NAME": event or example.partition(" ")[0],
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": "Codertocat/Hello-World",
            "GITHUB_SERVER_URL": "https://ghes.test",
            "GITHUB_SHA": sha,
            "GITHUB_REF": ref,
        }
        return read_workflow_run(environ)

    return read


def list_commits(run):
    return tuple(commit for reference in run.references for commit in reference.commits)


def use_fork(payload):
    payload["pull_request"]["head"]["repo"]["full_name"] = "somebody/Hello-World"
    payload["pull_request"]["head"]["repo"]["fork"] = True


def use_deleted_fork(payload):
    payload["pull_request"]["head"]["repo"] = None


def use_dependabot(payload):
    payload["pull_request"]["user"] = {"login": "dependabot[bot]", "type": "Bot"}
    payload["sender"] = payload["pull_request"]["user"]


def test_examples_are_of_the_version_that_the_script_names():
    assert EXAMPLES["cut_from"] == f"{PACKAGE} {VERSION}"


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
@pytest.mark.parametrize("action", ["opened", "synchronize", "closed"])
@pytest.mark.parametrize("change", [lambda _: None, use_fork, use_deleted_fork, use_dependabot])
def test_pull_request_event_has_its_number_and_pins_its_head_and_the_runs_commit(
    *, read_run, event, action, change
):
    run = read_run(f"pull_request {action}", event=event, change=change)

    assert run.pull_request == 2
    assert list_commits(run) == (RUN_SHA, PULL_REQUEST_HEAD)
    assert run.base_commit == PULL_REQUEST_BASE
    assert run.head_commit == ""


def test_push_to_a_branch_pins_its_head_and_may_be_of_a_pull_request(read_run):
    run = read_run("push refs/heads/master", sha=PUSHED)

    assert (list_commits(run), run.pull_request, run.head_commit) == ((PUSHED,), None, PUSHED)


def test_push_of_a_tag_pins_its_commit_and_has_no_pull_request(read_run):
    run = read_run("push refs/tags/simple-tag", sha=PUSHED)

    assert (list_commits(run), run.pull_request, run.head_commit) == ((PUSHED,), None, "")


MERGE_GROUP = "merge_group checks_requested"


@pytest.mark.parametrize("ref", ["refs/tags/simple-tag", "refs/heads/gone"])
def test_deleted_branch_or_tag_pins_only_the_runs_commit(read_run, ref):
    run = read_run("push deleted", change=lambda payload: payload.update(ref=ref))

    assert (list_commits(run), run.pull_request, run.head_commit) == ((RUN_SHA,), None, "")


def test_merge_queue_has_the_pull_request_of_its_branch(read_run):
    run = read_run("merge_group checks_requested", sha=QUEUED)

    assert (list_commits(run), run.pull_request, run.head_commit) == ((QUEUED,), 104, "")


@pytest.mark.parametrize(
    "head_ref",
    [
        "refs/heads/gh-readonly-queue/main/pr-104",
        f"refs/heads/main/pr-104-{QUEUED}",
        f"refs/heads/gh-readonly-queue/main/pr-104-{QUEUED}/x",
        f"refs/heads/gh-readonly-queue/main/pr-104-{QUEUED}\n",
        f"refs/heads/gh-readonly-queue/main/pr-{'9' * 11}-{QUEUED}",
        None,
        104,
    ],
)
def test_branch_outside_a_merge_queue_has_no_pull_request(read_run, head_ref):
    def change(payload):
        payload["merge_group"]["head_ref"] = head_ref

    assert read_run(MERGE_GROUP, change=change).pull_request is None


@pytest.mark.parametrize(
    ("example", "commits"),
    [
        ("workflow_dispatch refs/heads/main", (RUN_SHA,)),
        ("deployment_status created", (RUN_SHA, DEPLOYED)),
        ("delete simple-tag", (RUN_SHA,)),
        ("workflow_run completed", (RUN_SHA, "5779607b49aab1200488439f02372c57b4f75444")),
    ],
)
def test_event_without_a_pull_request_pins_its_commits(read_run, example, commits):
    run = read_run(example)

    assert (list_commits(run), run.pull_request, run.head_commit) == (commits, None, "")


WORKFLOW_RUN_HEAD: Final = "5779607b49aab1200488439f02372c57b4f75444"


def set_queue_branch(payload):
    payload["merge_group"]["head_ref"] = f"refs/heads/gh-readonly-queue/main/pr-104-{QUEUED}"


def add_pull_requests(payload):
    payload["workflow_run"]["head_branch"] = "topic"
    payload["workflow_run"]["pull_requests"] = [
        {"number": number, "head": {"sha": WORKFLOW_RUN_HEAD}} for number in (5, 6)
    ]


@pytest.mark.parametrize(
    ("example", "ref", "change", "expected"),
    [
        pytest.param(
            "pull_request opened",
            "refs/pull/2/merge",
            lambda _: None,
            [Reference(commits=(RUN_SHA, PULL_REQUEST_HEAD), pull_request=2,
                       branches=("changes",))],
            id="pull request: one reference, with its merge commit and its head",
        ),
        pytest.param(
            "pull_request opened",
            "refs/heads/master",
            use_fork,
            [Reference(commits=(RUN_SHA,), branches=("master",)),
             Reference(commits=(PULL_REQUEST_HEAD,), pull_request=2, branches=("changes",))],
            id="pull_request_target: the base branch by itself",
        ),
        pytest.param(
            "push refs/heads/master",
            "refs/heads/master",
            lambda _: None,
            [Reference(commits=(RUN_SHA,), branches=("master",)),
             Reference(commits=(PUSHED,), branches=("master",))],
            id="push, with a run of another commit",
        ),
        pytest.param(
            "push refs/tags/simple-tag",
            "refs/tags/simple-tag",
            lambda payload: payload.update(after=RUN_SHA),
            [Reference(commits=(RUN_SHA,), tags=("simple-tag",))],
            id="push of a tag",
        ),
        pytest.param(
            "push deleted",
            "refs/heads/master",
            lambda payload: payload.update(ref="refs/heads/gone"),
            [Reference(commits=(RUN_SHA,), branches=("master",))],
            id="deleted branch: it is not kept",
        ),
        pytest.param(
            "merge_group checks_requested",
            "",
            set_queue_branch,
            [Reference(commits=(RUN_SHA,)),
             Reference(commits=(QUEUED,), pull_request=104,
                       branches=(f"gh-readonly-queue/main/pr-104-{QUEUED}",))],
            id="merge queue",
        ),
        pytest.param(
            "workflow_run completed",
            "refs/heads/main",
            add_pull_requests,
            [Reference(commits=(RUN_SHA,), branches=("main",)),
             Reference(commits=(WORKFLOW_RUN_HEAD,), pull_request=5, branches=("topic",)),
             Reference(commits=(WORKFLOW_RUN_HEAD,), pull_request=6)],
            id="workflow_run: what triggered it, by itself",
        ),
        pytest.param(
            "deployment_status created",
            "",
            lambda payload: payload["deployment"].update(ref="v1.2.0"),
            [Reference(commits=(RUN_SHA,)),
             Reference(commits=(DEPLOYED,), branches=("v1.2.0",))],
            id="deployment_status: the ref of the deployment",
        ),
    ],
)  # fmt: skip
def test_run_has_the_references_of_its_event(read_run, example, ref, change, expected):
    assert [*read_run(example, ref=ref, change=change).references] == expected


@pytest.mark.parametrize("pull_requests", [None, {}, [5], [{"number": "5"}], [{}], ["x"]])
def test_pull_requests_in_an_unexpected_shape_are_ignored(read_run, pull_requests):
    def change(payload):
        payload["workflow_run"]["pull_requests"] = pull_requests

    references = read_run("workflow_run completed", change=change).references

    assert [reference.pull_request for reference in references] == [None, None]


TRIGGER_ID: Final = 396980812
"""The repository of the run that triggered GitHub's example."""


def set_trigger(event, *, base=TRIGGER_ID, head=TRIGGER_ID, sha=WORKFLOW_RUN_HEAD, numbers=(6, 5)):
    """Return a change to an example: the event of its trigger, and the listed pull requests."""

    def change(payload):
        payload["repository"]["id"] = TRIGGER_ID
        payload["workflow_run"]["event"] = event
        payload["workflow_run"]["pull_requests"] = [
            {
                "number": number,
                "head": {"ref": "topic", "sha": sha, "repo": {"id": head}},
                "base": {"ref": "main", "sha": PULL_REQUEST_BASE, "repo": {"id": base}},
            }
            for number in numbers
        ]

    return change


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "push"])
def test_workflow_run_has_the_oldest_pull_request_of_its_trigger(read_run, event):
    run = read_run("workflow_run completed", change=set_trigger(event))

    assert (run.pull_request, run.lookup) == (5, Lookup.NONE)


@pytest.mark.parametrize(
    "changes",
    [{"base": 1}, {"head": 1}, {"sha": PUSHED}, {"base": None, "head": None}, {"numbers": ["5"]}],
    ids=["into another repository", "from another", "newer head", "no repository", "no number"],
)
def test_workflow_run_ignores_listed_pull_requests_of_other_heads(read_run, changes):
    run = read_run("workflow_run completed", change=set_trigger("pull_request", **changes))

    assert (run.pull_request, run.lookup) == (None, Lookup.NUMBER)
    assert (run.head_commit, run.head_repository) == (WORKFLOW_RUN_HEAD, "octo-org/octo-repo")


def test_workflow_run_without_repositories_has_no_pull_request(read_run):
    def change(payload):
        set_trigger("pull_request", base=None, head=None)(payload)
        payload["repository"] = payload["workflow_run"]["head_repository"] = None

    run = read_run("workflow_run completed", change=change)

    assert (run.pull_request, run.head_commit, run.lookup) == (None, "", Lookup.NONE)


def test_workflow_run_after_a_push_has_a_head_and_no_lookup(read_run):
    run = read_run("workflow_run completed", change=set_trigger("push", numbers=()))

    assert (run.head_commit, run.lookup) == (WORKFLOW_RUN_HEAD, Lookup.NONE)


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch", "issue_comment", None])
def test_workflow_run_after_another_event_has_no_head_and_no_lookup(read_run, event):
    run = read_run("workflow_run completed", change=set_trigger(event, numbers=()))

    assert (run.head_commit, run.head_repository, run.lookup) == ("", "", Lookup.NONE)


def test_comment_on_a_pull_request_has_its_number_and_no_head(read_run):
    def change(payload):
        payload["issue"]["pull_request"] = {"merged_at": None}

    run = read_run("issue_comment created", ref="refs/heads/main", change=change)

    assert (run.pull_request, run.lookup) == (1, Lookup.HEAD)
    assert run.references == (
        Reference(commits=(RUN_SHA,), branches=("main",)),
        Reference(pull_request=1),
    )


def test_comment_on_an_issue_has_no_pull_request(read_run):
    run = read_run("issue_comment created")

    assert (run.pull_request, run.lookup) == (None, Lookup.NONE)


def test_schedule_pins_the_runs_commit(read_run):
    run = read_run("", event="schedule")

    assert (list_commits(run), run.pull_request, run.head_commit) == ((RUN_SHA,), None, "")


def test_commit_url_is_on_the_server_of_the_run(read_run):
    run = read_run("push refs/heads/master")

    assert run.commit_url == "https://ghes.test/Codertocat/Hello-World/commit/"


@pytest.mark.parametrize(
    "changes",
    [
        {"GITHUB_SERVER_URL": ""},
        {"GITHUB_REPOSITORY": ""},
        {"GITHUB_REPOSITORY": "a/b) [x](https://evil.test"},
        {"GITHUB_SERVER_URL": "javascript:alert(1)"},
    ],
)
def test_invalid_address_gives_no_commit_url(changes):
    environ = {"GITHUB_SERVER_URL": "https://ghes.test", "GITHUB_REPOSITORY": "a/b"} | changes

    assert read_workflow_run(environ).commit_url == ""


MAIN_COMMIT: Final = Reference(commits=(RUN_SHA,), branches=("main",))


NAMES: Final = (
    PULL_REQUEST_HEAD, "2", "pr-2", "preview-2", f"pr-2-{PULL_REQUEST_HEAD}",
    "pr-2-a1b2c3d", "pr-3", f"pr-3-{PULL_REQUEST_HEAD}",
)  # fmt: skip


def set_merged(payload):
    payload["pull_request"]["merged"] = True


@pytest.mark.parametrize(
    ("event", "ref", "change", "expected"),
    [
        pytest.param("", "refs/pull/2/merge", lambda _: None, set(), id="not merged"),
        pytest.param("", "refs/heads/main", set_merged, {MAIN_COMMIT}, id="merged"),
        pytest.param("", "refs/pull/2/merge", set_merged, {Reference(commits=(RUN_SHA,))},
                     id="merged, with the ref of the pull request"),
        pytest.param("pull_request_target", "refs/heads/main", lambda _: None, {MAIN_COMMIT},
                     id="target"),
    ],
)  # fmt: skip
def test_closed_pull_request_keeps_everything_except_its_previews(
    read_run, event, ref, change, expected
):
    run = read_run("pull_request closed", event=event, ref=ref, change=change)

    assert {item for item in run.references_after_close if not item.is_closed} == expected
    assert any(reference.pull_request == 2 for reference in run.references)
    assert PULL_REQUEST_HEAD in list_commits(run)
    pins = pin_run(run.references_after_close)
    pinned = {name for name in NAMES if any(pin.matches(name) for pin in pins)}
    assert pinned == {PULL_REQUEST_HEAD, "2", f"pr-3-{PULL_REQUEST_HEAD}"}


@pytest.mark.parametrize(
    ("example", "event"),
    [
        *((example, "") for example in EXAMPLES["events"] if example != "pull_request closed"),
        ("pull_request closed", "pull_request_review"),
    ],
)
def test_other_events_keep_all_references_after_close(read_run, example, event):
    run = read_run(example, event=event, ref="refs/heads/main")
    assert run.references_after_close == run.references
