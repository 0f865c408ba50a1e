import pytest

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.comments import post_comment
from ci3.github.markers import POST_LIMIT_BYTES, make_marker
from tests.support.github.fake_github import WORKFLOW_LOGIN, FakeGitHub

NUMBER = 7


def post(api, body="plan", comment_id="bucket/sites", is_worth_creating=True):
    return post_comment(
        api,
        number=NUMBER,
        comment_id=comment_id,
        body=body,
        should_create=is_worth_creating,
    )


def requested(fake, method):
    return [received.path for received in fake.requests if received.method == method]


def test_comment_is_created_with_its_marker_as_the_first_line(fake, api):
    comment = post(api)

    assert [c.body for c in fake.comments(NUMBER)] == [f"{make_marker('bucket/sites')}\nplan"]
    assert comment is not None
    assert comment.url.endswith(f"/pull/7#issuecomment-{comment.comment_id}")


def test_comment_is_edited_when_it_is_there_already(fake, api):
    first = post(api, body="one")
    second = post(api, body="two")

    assert [c.body for c in fake.comments(NUMBER)] == [f"{make_marker('bucket/sites')}\ntwo"]
    assert second is not None
    assert second.comment_id == first.comment_id
    assert second.body.endswith("two")


def test_comment_is_found_and_edited_behind_250_foreign_ones(fake, api):
    for number in range(250):
        fake.add_comment(NUMBER, f"comment {number}", "octocat")
    post(api, body="one")
    post(api, body="two")

    own = [c.body for c in fake.comments(NUMBER) if c.author == WORKFLOW_LOGIN]
    assert own == [f"{make_marker('bucket/sites')}\ntwo"]


def test_comment_of_a_person_is_found_under_their_login(connect):
    with FakeGitHub(login="octocat") as fake:
        post(connect(fake), body="one")
        post(connect(fake), body="two")

        assert [c.body for c in fake.comments(NUMBER)] == [f"{make_marker('bucket/sites')}\ntwo"]


def test_somebody_elses_comment_with_our_marker_is_not_touched(fake, api):
    copied = f"{make_marker('bucket/sites')}\nnot ours"
    fake.add_comment(NUMBER, copied, "mallory")
    fake.add_comment(NUMBER, copied, "")
    post(api)

    assert [(c.author, c.body) for c in fake.comments(NUMBER)] == [
        ("mallory", copied),
        ("", copied),
        (WORKFLOW_LOGIN, f"{make_marker('bucket/sites')}\nplan"),
    ]


def test_own_comment_that_only_quotes_the_marker_is_not_touched(fake, api):
    quoting = (f"see {make_marker('bucket/sites')}", f"first\n{make_marker('bucket/sites')}\nlast")
    for body in quoting:
        fake.add_comment(NUMBER, body, WORKFLOW_LOGIN)
    post(api)

    assert tuple(c.body for c in fake.comments(NUMBER))[:-1] == quoting
    assert len(fake.comments(NUMBER)) == 3


def test_oldest_of_several_own_comments_is_the_one_edited(fake, api):
    for _ in range(2):
        fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\nold", WORKFLOW_LOGIN)
    post(api, body="new")

    bodies = [c.body.partition("\n")[2] for c in fake.comments(NUMBER)]
    assert bodies == ["new", "old"]


def test_hidden_comment_is_followed_by_a_new_one(fake, api):
    text = f"{make_marker('bucket/sites')}\nold"
    fake.add_comment(NUMBER, text, WORKFLOW_LOGIN, is_minimized=True)
    post(api, body="new")

    assert [c.body.partition("\n")[2] for c in fake.comments(NUMBER)] == ["old", "new"]


def test_comment_saved_with_windows_line_ends_is_still_ours(fake, api):
    fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\r\nold", WORKFLOW_LOGIN)
    post(api, body="new")

    assert len(fake.comments(NUMBER)) == 1


def test_comment_whose_answer_was_lost_is_found_and_not_made_twice(fake, api):
    fake.lose_next_answer("POST", "comments")

    comment = post(api)

    assert [c.comment_id for c in fake.comments(NUMBER)] == [comment.comment_id]
    assert len(requested(fake, "POST")) == 1


def test_comment_that_was_not_made_is_an_error_and_not_asked_for_twice(fake, api):
    fake.fail_next("POST", "comments", 502)

    with pytest.raises(GitHubError, match="502"):
        post(api)
    assert fake.comments(NUMBER) == ()
    assert len(requested(fake, "POST")) == 1


def test_two_ids_make_two_comments(fake, api):
    for body in ("one", "two"):
        post(api, body=body, comment_id="bucket/a")
        post(api, body=body, comment_id="bucket/b")

    assert [c.body for c in fake.comments(NUMBER)] == [
        f"{make_marker('bucket/a')}\ntwo",
        f"{make_marker('bucket/b')}\ntwo",
    ]


def test_same_body_is_not_sent_again(fake, api):
    first = post(api)
    second = post(api)

    assert second == first
    assert requested(fake, "PATCH") == []
    assert len(requested(fake, "POST")) == 1


def test_nothing_is_created_when_it_is_not_worth_it(fake, api):
    assert post(api, is_worth_creating=False) is None
    assert fake.comments(NUMBER) == ()


def test_comment_that_is_there_is_edited_even_when_not_worth_creating(fake, api):
    post(api, body="20")
    post(api, body="nothing", is_worth_creating=False)

    assert [c.body for c in fake.comments(NUMBER)] == [f"{make_marker('bucket/sites')}\nnothing"]


def test_comment_of_exactly_the_limit_is_posted_and_one_byte_more_is_a_bug(fake, api):
    room = POST_LIMIT_BYTES - len(make_marker("bucket/sites")) - 1
    post(api, body="é" * (room // 2) + "x" * (room % 2))

    with pytest.raises(ValueError, match="65001 bytes"):
        post(api, body="é" * (room // 2) + "x" * (room % 2 + 1))
    assert len(fake.comments(NUMBER)) == 1


def test_token_of_a_fork_raises_read_only_and_writes_nothing(connect):
    with FakeGitHub(may_write=False) as fake:
        with pytest.raises(GitHubReadOnlyError):
            post(connect(fake))
        fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\nold", WORKFLOW_LOGIN)
        with pytest.raises(GitHubReadOnlyError):
            post(connect(fake))

        assert [c.body for c in fake.comments(NUMBER)] == [f"{make_marker('bucket/sites')}\nold"]


@pytest.mark.parametrize("hostile", ["--> <b>", "\n::error::x", "\udc80", "", "x" * 10_000])
def test_marker_is_one_short_hidden_line_whatever_the_id_holds(hostile):
    line = make_marker(hostile)

    assert line.startswith("<!-- ci3:")
    assert line.endswith(" -->")
    assert len(line) == len("<!-- ci3: -->") + 16
    assert line.isprintable()


def test_marker_of_an_id_never_changes():
    assert make_marker("bucket/sites") == "<!-- ci3:ff43d156aba0d2ce -->"
