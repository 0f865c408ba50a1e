"""The comment that ci3 keeps up to date on a pull request."""

from ci3.github.api import Comment, GitHubApi
from ci3.github.markers import create_once, find_own, join_lines, make_marker


def post_comment(
    api: GitHubApi, *, number: int, comment_id: str, body: str, should_create: bool
) -> Comment | None:
    """Update the comment with this ID, or create it if `should_create`.

    Returns the comment as it is now, or None where there is none. Raises ValueError when the text
    is over POST_LIMIT_BYTES, and the errors of `GitHubApi`.
    """
    marker = make_marker(comment_id)
    text = join_lines(marker, body)
    comment = _find_comment(api, number, marker)
    if comment is None:
        if not should_create:
            return None
        return create_once(
            lambda: api.create_comment(number, text), lambda: _find_comment(api, number, marker)
        )
    if comment.body == text:
        return comment
    return api.update_comment(comment.comment_id, text)


def _find_comment(api: GitHubApi, number: int, marker: str) -> Comment | None:
    """Return the oldest visible comment of this author with the marker."""
    visible = (comment for comment in api.list_comments(number) if not comment.is_minimized)
    return find_own(visible, marker, api.read_author)
