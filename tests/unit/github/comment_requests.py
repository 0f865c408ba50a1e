"""Requests for comments, and the errors that they raise."""

import pytest

from ci3.errors import GitHubError

NUMBER = 7


def list_comments(api):
    return list(api.list_comments(NUMBER))


def write_comment(api, method):
    return (
        api.create_comment(NUMBER, "new") if method == "POST" else api.update_comment(1001, "new")
    )


def catch_error(action, *arguments):
    with pytest.raises(GitHubError) as caught:
        action(*arguments)
    return caught.value
