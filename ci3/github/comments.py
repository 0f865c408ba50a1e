"""The comment that ci3 keeps up to date on a pull request, and the marker by which it is found."""

import hashlib
from typing import Final

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.api import Comment, GitHubApi

COMMENT_LIMIT_BYTES: Final = 65_000
"""A comment's text with its marker: under the 65,536 characters that GitHub takes."""

MARKER_BYTES: Final = 100
"""Maximum size of the hidden first line."""


def make_marker(comment_id: str) -> str:
    """Return the hidden first line that identifies a comment of ci3.

    The ID is hashed: it may contain a bucket's name or any text, and a `-->` in it would end the
    HTML comment.
    """
    digest = hashlib.sha256(comment_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<!-- ci3:{digest[:16]} -->"


def post_comment(
    api: GitHubApi, *, number: int, comment_id: str, body: str, should_create: bool
) -> Comment | None:
    """Update the comment with this ID, or create it if `should_create`.

    Returns the comment as it is now, or None where there is none. Raises ValueError when the body
    is over COMMENT_LIMIT_BYTES, and the errors of `GitHubApi`.
    """
    first_line = make_marker(comment_id)
    text = f"{first_line}\n{body}"
    size_bytes = len(text.encode())
    if size_bytes > COMMENT_LIMIT_BYTES:
        raise ValueError(f"A comment of {size_bytes} bytes exceeds {COMMENT_LIMIT_BYTES}.")
    comment = api.find_own_comment(number, first_line)
    if comment is None:
        return _create(api, number, first_line, text) if should_create else None
    if comment.body == text:
        return comment
    return api.update_comment(comment.comment_id, text)


def _create(api: GitHubApi, number: int, first_line: str, text: str) -> Comment:
    """Create a comment; after a lost response, search for it instead of sending it again."""
    try:
        return api.create_comment(number, text)
    except GitHubReadOnlyError:
        raise
    except GitHubError:
        comment = api.find_own_comment(number, first_line)
        if comment is None:
            raise
        return comment
