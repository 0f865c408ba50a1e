"""The issue that ci3 keeps: found among all others, opened and closed, and a user's closing."""

import pytest

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.issues import MAX_CLOSED_PAGES, IssueAction, IssueReport, post_issue
from ci3.github.markers import POST_LIMIT_BYTES, make_marker
from tests.support.github.fake_github import WORKFLOW_LOGIN, FakeGitHub
from tests.support.golden import assert_messages
from tests.unit.github.comment_requests import failed

ISSUE_ID = "s3://my-site/"
MARKER = make_marker(ISSUE_ID)
OPEN, CLOSE, UPDATE = IssueAction.OPEN, IssueAction.CLOSE, IssueAction.UPDATE


def post(api, action=OPEN, body="plan", news="a", issue_id=ISSUE_ID):
    report = IssueReport(issue_id=issue_id, title="Plan", body=body, action=action, news=news)
    return post_issue(api, report)


def contents(fake):
    """Return the state and the visible text of each issue."""
    return [
        (issue.state, issue.body.rpartition("-->\n")[2]) for issue in fake.issues.by_number.values()
    ]


def count_requests(fake, method):
    return len([received for received in fake.requests if received.method == method])


def test_issue_is_created_with_its_marker_as_the_first_line(fake, api):
    issue = post(api)

    (created,) = fake.issues.by_number.values()
    assert (created.title, created.state) == ("Plan", "open")
    assert created.body.startswith(f"{MARKER}\n<!-- ci3:")
    assert issue.url.endswith(f"/issues/{created.number}")


@pytest.mark.parametrize("action", [CLOSE, UPDATE])
def test_no_issue_is_created_when_there_is_nothing_to_do(fake, api, action):
    assert post(api, action) is None
    assert contents(fake) == []


def test_issue_is_edited_and_keeps_the_title_of_a_user(fake, api):
    first = post(api)
    fake.issues.update_title(first.number, "Ours")
    post(api, body="new")

    (issue,) = fake.issues.by_number.values()
    assert (issue.title, contents(fake)) == ("Ours", [("open", "new")])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(OPEN, "a"), (CLOSE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (CLOSE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (UPDATE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (OPEN, "a")], ("open", "3")),
        ([(OPEN, "a"), (UPDATE, "-")], ("open", "2")),
        ([(OPEN, "a"), (UPDATE, "-"), (CLOSE, "-")], ("closed", "3")),
        ([(OPEN, "a"), "user closes", (OPEN, "a")], ("closed", "1")),
        ([(OPEN, "a"), "user closes", (OPEN, "b")], ("open", "3")),
        ([(OPEN, "a"), "user closes", (UPDATE, "-")], ("closed", "1")),
        ([(OPEN, "a"), "user closes", (CLOSE, "-")], ("closed", "3")),
        ([(OPEN, "a"), "user closes", (CLOSE, "-"), (OPEN, "a")], ("open", "4")),
        ([(OPEN, "a"), (UPDATE, "-"), "user closes", (OPEN, "a")], ("closed", "2")),
    ],
    ids=str,
)
def test_what_happens_to_an_issue(fake, api, steps, expected):
    for number, step in enumerate(steps, start=1):
        if step == "user closes":
            fake.issues.close(501)
        else:
            action, news = step
            post(api, action, body=str(number), news=news)

    assert contents(fake) == [expected]


def test_issue_that_a_user_has_emptied_below_its_marker_is_edited(fake, api):
    fake.issues.add(MARKER, WORKFLOW_LOGIN)
    post(api)

    assert contents(fake) == [("open", "plan")]


def test_issue_saved_with_windows_line_ends_is_found_and_its_closing_respected(fake, api):
    issue = post(api)
    fake.issues.by_number.clear()
    fake.issues.add(issue.body.replace("\n", "\r\n"), WORKFLOW_LOGIN)
    fake.issues.close(501)
    post(api)

    assert [state for state, _ in contents(fake)] == ["closed"]


@pytest.mark.parametrize("state", ["open", "closed"])
def test_issue_is_found_behind_250_others_of_the_same_author(fake, api, state):
    for number in range(250):
        fake.issues.add(f"issue {number}", WORKFLOW_LOGIN)
    issue = post(api)
    if state == "closed":
        post(api, CLOSE)
        for number in range(501, 751):
            fake.issues.close(number)
    post(api, body="new", news="b")

    assert len(fake.issues.by_number) == 251
    assert contents(fake)[-1] == ("open", "new")
    assert issue.number == 751


def test_closed_issue_that_was_not_updated_for_long_is_not_searched_for_without_end(fake, api):
    post(api)
    post(api, CLOSE)
    for _ in range(100 * MAX_CLOSED_PAGES):
        fake.issues.close(fake.issues.add("other", WORKFLOW_LOGIN).number)
    before = count_requests(fake, "GET")
    post(api)

    assert len(fake.issues.by_number) == 2 + 100 * MAX_CLOSED_PAGES
    assert count_requests(fake, "GET") - before == 1 + MAX_CLOSED_PAGES


def test_pull_request_and_issues_of_others_with_our_marker_are_not_touched(fake, api):
    copied = f"{MARKER}\nnot ours"
    fake.issues.add(copied, WORKFLOW_LOGIN, is_pull_request=True)
    for author in ("mallory", ""):
        fake.issues.add(copied, author)
    post(api, CLOSE)
    post(api)

    assert [issue.body for issue in fake.issues.by_number.values()][:-1] == [copied] * 3
    assert contents(fake)[-1] == ("open", "plan")


def test_github_that_ignores_the_author_hands_over_no_issue_of_another(fake, api):
    copied = fake.issues.add(f"{MARKER}\nnot ours", "mallory")
    url = f"{fake.url}/repos/{fake.repository}/issues/{copied.number}"
    user = {"login": "mallory"}
    entry = {"number": 501, "body": copied.body, "html_url": url, "user": user, "state": "open"}
    fake.fail_next("GET", "/issues$", 200, [entry])
    post(api)

    assert fake.issues.by_number[501] == copied
    assert len(fake.issues.by_number) == 2


def test_oldest_of_several_open_issues_is_the_one_edited(fake, api):
    for _ in range(2):
        fake.issues.add(f"{MARKER}\n-->\nold", WORKFLOW_LOGIN)
    post(api, body="new")

    assert contents(fake) == [("open", "new"), ("open", "old")]


def test_two_ids_make_two_issues(fake, api):
    for body in ("one", "two"):
        post(api, body=body, issue_id="a")
        post(api, body=body, issue_id="b")

    assert contents(fake) == [("open", "two"), ("open", "two")]


def test_issue_of_a_person_is_found_under_their_login(connect):
    with FakeGitHub(login="octocat") as fake:
        post(connect(fake), body="one")
        post(connect(fake), body="two")

        assert contents(fake) == [("open", "two")]


def test_issue_whose_answer_was_lost_is_found_and_not_made_twice(fake, api):
    fake.lose_next_answer("POST", "/issues$")

    assert post(api).number == 501
    assert len(fake.issues.by_number) == count_requests(fake, "POST") == 1


def test_issue_that_was_not_made_is_an_error_and_not_requested_twice(fake, api):
    fake.fail_next("POST", "/issues$", 502)

    with pytest.raises(GitHubError, match="502"):
        post(api)
    assert count_requests(fake, "POST") == 1


def test_issue_of_exactly_the_limit_is_posted_and_one_byte_more_is_a_bug(fake, api):
    hidden_bytes = len(post(api, body="").body.encode())
    post(api, body="x" * (POST_LIMIT_BYTES - hidden_bytes))

    with pytest.raises(ValueError, match="65001 bytes"):
        post(api, body="x" * (POST_LIMIT_BYTES - hidden_bytes + 1))


@pytest.mark.parametrize(
    "entry",
    [
        {"number": 1},
        {"number": "1", "body": "x", "html_url": "x", "user": None, "state": "open"},
        {"number": 1, "body": "x", "html_url": "x", "user": None, "state": None},
        {"number": 1, "body": 5, "html_url": "x", "user": None, "state": "open"},
        {"number": 1, "body": "x", "html_url": "x", "user": {}, "state": "open"},
        {"number": 1, "pull_request": 5},
    ],
)
def test_list_in_an_unexpected_shape_is_an_error(fake, api, entry):
    fake.fail_next("GET", "/issues$", 200, [entry])

    assert "/issues" in failed(post, api).message


def test_token_that_may_not_write_issues_is_read_only(fake, api):
    fake.issues.can_write = False

    assert isinstance(failed(post, api), GitHubReadOnlyError)
    assert contents(fake) == []


def test_messages_are_the_golden_ones(fake, api):
    fake.issues.can_write = False
    cases = {"read-only": failed(post, api)}
    fake.issues.can_write, fake.issues.is_enabled = True, False
    cases["disabled"] = failed(post, api)
    fake.fail_next("GET", "/issues$", 403, {"message": "Resource not accessible by integration"})
    cases["unreadable"] = failed(post, api)
    assert_messages(__file__, cases.items())
