import pytest

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.comments import post_comment
from ci3.github.markers import POST_LIMIT_BYTES, make_marker
from tests.support.github.fake_github import WORKFLOW_LOGIN, FakeGitHub

NUMBER = 7


def post_plan(api, body="plan", comment_id="bucket/sites", should_create=True):
    return post_comment(
        api,
        number=NUMBER,
        comment_id=comment_id,
        body=body,
        should_create=should_create,
    )


def list_requested_paths(fake, method):
    return [request.path for request in fake.requests if request.method == method]


def test_comment_is_created_with_its_marker_as_the_first_line(fake, api):
    created = post_plan(api)

    assert [comment.body for comment in fake.comments(NUMBER)] == [
        f"{make_marker('bucket/sites')}\nplan"
    ]
    assert created is not None
    assert created.url.endswith(f"/pull/7#issuecomment-{created.comment_id}")


def test_existing_comment_is_edited(fake, api):
    first = post_plan(api, body="one")
    second = post_plan(api, body="two")

    assert [comment.body for comment in fake.comments(NUMBER)] == [
        f"{make_marker('bucket/sites')}\ntwo"
    ]
    assert second is not None
    assert second.comment_id == first.comment_id
    assert second.body.endswith("two")


def test_comment_after_250_foreign_comments_is_edited(fake, api):
    for number in range(250):
        fake.add_comment(NUMBER, f"comment {number}", "octocat")
    post_plan(api, body="one")
    post_plan(api, body="two")

    own_bodies = [
        comment.body for comment in fake.comments(NUMBER) if comment.author == WORKFLOW_LOGIN
    ]
    assert own_bodies == [f"{make_marker('bucket/sites')}\ntwo"]


def test_comment_of_a_personal_token_is_found_by_its_login(connect):
    with FakeGitHub(login="octocat") as fake:
        post_plan(connect(fake), body="one")
        post_plan(connect(fake), body="two")

        assert [comment.body for comment in fake.comments(NUMBER)] == [
            f"{make_marker('bucket/sites')}\ntwo"
        ]


def test_foreign_comment_with_the_marker_is_not_edited(fake, api):
    copied_body = f"{make_marker('bucket/sites')}\nnot ours"
    fake.add_comment(NUMBER, copied_body, "mallory")
    fake.add_comment(NUMBER, copied_body, "")
    post_plan(api)

    assert [(comment.author, comment.body) for comment in fake.comments(NUMBER)] == [
        ("mallory", copied_body),
        ("", copied_body),
        (WORKFLOW_LOGIN, f"{make_marker('bucket/sites')}\nplan"),
    ]


def test_own_comment_that_only_quotes_the_marker_is_not_edited(fake, api):
    bodies = (f"see {make_marker('bucket/sites')}", f"first\n{make_marker('bucket/sites')}\nlast")
    for body in bodies:
        fake.add_comment(NUMBER, body, WORKFLOW_LOGIN)
    post_plan(api)

    assert tuple(comment.body for comment in fake.comments(NUMBER))[:-1] == bodies
    assert len(fake.comments(NUMBER)) == 3


def test_oldest_of_several_own_comments_is_edited(fake, api):
    for _ in range(2):
        fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\nold", WORKFLOW_LOGIN)
    post_plan(api, body="new")

    bodies = [comment.body.partition("\n")[2] for comment in fake.comments(NUMBER)]
    assert bodies == ["new", "old"]


def test_new_comment_is_created_if_the_old_one_is_hidden(fake, api):
    text = f"{make_marker('bucket/sites')}\nold"
    fake.add_comment(NUMBER, text, WORKFLOW_LOGIN, is_minimized=True)
    post_plan(api, body="new")

    assert [comment.body.partition("\n")[2] for comment in fake.comments(NUMBER)] == ["old", "new"]


def test_comment_with_windows_line_ends_is_recognized(fake, api):
    fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\r\nold", WORKFLOW_LOGIN)
    post_plan(api, body="new")

    assert len(fake.comments(NUMBER)) == 1


def test_comment_is_not_created_twice_after_a_lost_response(fake, api):
    fake.lose_next_answer("POST", "comments")

    created = post_plan(api)

    assert [comment.comment_id for comment in fake.comments(NUMBER)] == [created.comment_id]
    assert len(list_requested_paths(fake, "POST")) == 1


def test_failed_creation_of_a_comment_is_an_error_without_a_retry(fake, api):
    fake.fail_next("POST", "comments", 502)

    with pytest.raises(GitHubError, match="502"):
        post_plan(api)
    assert fake.comments(NUMBER) == ()
    assert len(list_requested_paths(fake, "POST")) == 1


def test_two_ids_make_two_comments(fake, api):
    for body in ("one", "two"):
        post_plan(api, body=body, comment_id="bucket/a")
        post_plan(api, body=body, comment_id="bucket/b")

    assert [comment.body for comment in fake.comments(NUMBER)] == [
        f"{make_marker('bucket/a')}\ntwo",
        f"{make_marker('bucket/b')}\ntwo",
    ]


def test_unchanged_comment_is_not_edited(fake, api):
    first = post_plan(api)
    second = post_plan(api)

    assert second == first
    assert list_requested_paths(fake, "PATCH") == []
    assert len(list_requested_paths(fake, "POST")) == 1


def test_no_comment_is_created_if_it_should_not_be(fake, api):
    assert post_plan(api, should_create=False) is None
    assert fake.comments(NUMBER) == ()


def test_existing_comment_is_edited_even_if_none_should_be_created(fake, api):
    post_plan(api, body="20")
    post_plan(api, body="nothing", should_create=False)

    assert [comment.body for comment in fake.comments(NUMBER)] == [
        f"{make_marker('bucket/sites')}\nnothing"
    ]


def test_comment_may_have_the_maximum_size_and_no_more(fake, api):
    body_bytes = POST_LIMIT_BYTES - len(make_marker("bucket/sites")) - 1
    post_plan(api, body="é" * (body_bytes // 2) + "x" * (body_bytes % 2))

    with pytest.raises(ValueError, match="65001 bytes"):
        post_plan(api, body="é" * (body_bytes // 2) + "x" * (body_bytes % 2 + 1))
    assert len(fake.comments(NUMBER)) == 1


def test_token_of_a_fork_raises_read_only_and_writes_nothing(connect):
    with FakeGitHub(may_write=False) as fake:
        with pytest.raises(GitHubReadOnlyError):
            post_plan(connect(fake))
        fake.add_comment(NUMBER, f"{make_marker('bucket/sites')}\nold", WORKFLOW_LOGIN)
        with pytest.raises(GitHubReadOnlyError):
            post_plan(connect(fake))

        assert [comment.body for comment in fake.comments(NUMBER)] == [
            f"{make_marker('bucket/sites')}\nold"
        ]


@pytest.mark.parametrize("hostile", ["--> <b>", "\n::error::x", "\udc80", "", "x" * 10_000])
def test_marker_is_a_short_hidden_line_for_any_id(hostile):
    line = make_marker(hostile)

    assert line.startswith("<!-- ci3:")
    assert line.endswith(" -->")
    assert len(line) == len("<!-- ci3: -->") + 16
    assert line.isprintable()


def test_marker_of_an_id_never_changes():
    assert make_marker("bucket/sites") == "<!-- ci3:ff43d156aba0d2ce -->"
