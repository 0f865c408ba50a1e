"""Comments asked for, one way each, for whatever GitHub is to answer to that."""

import pytest

from ci3.errors import GitHubError

NUMBER = 7


def read(api):
    return list(api.list_comments(NUMBER))


def write(api, method):
    return (
        api.create_comment(NUMBER, "new") if method == "POST" else api.update_comment(1001, "new")
    )


def failed(action, *arguments):
    with pytest.raises(GitHubError) as caught:
        action(*arguments)
    return caught.value
