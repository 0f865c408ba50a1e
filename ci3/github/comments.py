"""The one comment that ci3 keeps up to date on a pull request, and how it is found again."""

import hashlib
from typing import Final

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.api import Comment, GitHubApi

COMMENT_LIMIT_BYTES: Final = 65_000
"""A comment's text with its marker: under the 65,536 characters that GitHub takes."""

MARKER_BYTES: Final = 100
"""What the hidden first line takes at most."""


def marker(comment_id: str) -> str:
    """Make the hidden first line that tells one comment of ours from another.

    The id is hashed: it may hold a bucket's name or any text at all, and a `-->` in it would
    end the HTML comment.
    """
    digest = hashlib.sha256(comment_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<!-- ci3:{digest[:16]} -->"


def post_comment(
    api: GitHubApi, *, number: int, comment_id: str, body: str, is_worth_creating: bool
) -> Comment | None:
    """Edit our comment with this id, or create it where it is worth that.

    Returns the comment as it now stands, or None where there is none. Raises ValueError when the
    body is over COMMENT_LIMIT_BYTES, and what `GitHubApi` raises.
    """
    first_line = marker(comment_id)
    text = f"{first_line}\n{body}"
    size_bytes = len(text.encode())
    if size_bytes > COMMENT_LIMIT_BYTES:
        raise ValueError(f"A comment of {size_bytes} bytes is over {COMMENT_LIMIT_BYTES}.")
    comment = api.find_own_comment(number, first_line)
    if comment is None:
        return _create(api, number, first_line, text) if is_worth_creating else None
    if comment.body == text:
        return comment
    return api.update_comment(comment.comment_id, text)


def _create(api: GitHubApi, number: int, first_line: str, text: str) -> Comment:
    """Create a comment; where the answer is lost, look whether it was, and never ask twice."""
    try:
        return api.create_comment(number, text)
    except GitHubReadOnlyError:
        raise
    except GitHubError:
        comment = api.find_own_comment(number, first_line)
        if comment is None:
            raise
        return comment
