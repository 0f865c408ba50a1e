import re

import pytest

from ci3.errors import GitHubError

FILE = {"type": "file", "encoding": "base64", "content": "eA==\n", "size": 1}


@pytest.mark.parametrize("path", ["ci3.yml", ".github/a b/ci3+é%20#?.yml"])
def test_file_is_read_at_the_given_ref(fake, api, path):
    fake.content.files[("feature/x", path)] = "keep-count: 3 # é\n".encode() * 20
    fake.content.files[("main", path)] = b"else"

    assert api.read_file(path, "feature/x") == "keep-count: 3 # é\n" * 20
    assert api.read_file(path, "main") == "else"


def test_empty_file_is_read_as_empty_text(fake, api):
    fake.content.files[("main", "ci3.yml")] = b""

    assert api.read_file("ci3.yml", "main") == ""


def test_missing_file_is_none(fake, api):
    fake.content.files[("main", "ci3.yml")] = b"x"

    assert api.read_file("ci3.yaml", "main") is None
    assert api.read_file("ci3.yml", "gone") is None


@pytest.mark.parametrize("path", ["", "/ci3.yml", "../ci3.yml", "a/../../x", "a//b", "."])
def test_invalid_path_is_refused_without_a_request(fake, api, path):
    with pytest.raises(GitHubError, match=re.escape(repr(path))):
        api.read_file(path, "main")
    assert fake.requests == ()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, []),
        (200, "keep-count: 3"),
        (200, FILE | {"type": "symlink"}),
        (200, FILE | {"type": "submodule"}),
        (200, FILE | {"encoding": "none", "content": ""}),
        (200, FILE | {"content": "not base64!"}),
        (200, FILE | {"size": 2}),
        (200, FILE | {"content": "/w=="}),
        (403, {"message": "Resource not accessible by integration"}),
        (500, {"message": "Server Error"}),
    ],
)
def test_response_that_is_not_a_text_file_is_an_error(fake, api, status, body):
    fake.fail_next("GET", "contents", 200, FILE)
    assert api.read_file("ci3.yml", "main") == "x"
    for _ in range(3):
        fake.fail_next("GET", "contents", status, body)

    with pytest.raises(GitHubError):
        api.read_file("ci3.yml", "main")
