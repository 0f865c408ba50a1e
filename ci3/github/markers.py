"""The hidden marker by which ci3 finds the comment or issue that it keeps up to date."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from ci3.errors import GitHubError, GitHubReadOnlyError

POST_LIMIT_BYTES: Final = 65_000
"""A post's text with its hidden lines: under the 65,536 characters that GitHub takes."""

MARKER_BYTES: Final = 100
"""Maximum size of the hidden lines."""


class Post(Protocol):
    """A comment or an issue."""

    @property
    def body(self) -> str:
        """The text; its first line is the marker if ci3 wrote it."""

    @property
    def author(self) -> str:
        """The login, or an empty text where the account was deleted."""


_AnyPost = TypeVar("_AnyPost", bound=Post)


def make_marker(post_id: str) -> str:
    """Return the hidden first line that identifies a comment or issue of ci3.

    The ID is hashed: it may contain a bucket's name or any text, and a `-->` in it would end the
    HTML comment.
    """
    return f"<!-- ci3:{hash_text(post_id)} -->"


def hash_text(text: str) -> str:
    """Return 16 hex digits of a text's SHA-256, for a hidden line."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def split_lines(post: Post) -> list[str]:
    """Return the lines of a post; GitHub's editor ends them with CR and LF."""
    return [line.rstrip("\r") for line in post.body.split("\n")]


def join_lines(*lines: str) -> str:
    """Return the text of a post; raises ValueError if it is over POST_LIMIT_BYTES."""
    text = "\n".join(lines)
    size_bytes = len(text.encode())
    if size_bytes > POST_LIMIT_BYTES:
        raise ValueError(f"A post of {size_bytes} bytes exceeds {POST_LIMIT_BYTES}.")
    return text


def find_own(
    posts: Iterable[_AnyPost], marker: str, read_author: Callable[[], str]
) -> _AnyPost | None:
    """Return the first post of this author whose first line is the marker.

    Anybody can copy a marker. `read_author` is called only when a marker is found.
    """
    for post in posts:
        if split_lines(post)[0] == marker and post.author == read_author():
            return post
    return None


def create_once(create: Callable[[], _AnyPost], find: Callable[[], _AnyPost | None]) -> _AnyPost:
    """Create a post; after a lost response, search for it instead of sending it again."""
    try:
        return create()
    except GitHubReadOnlyError:
        raise
    except GitHubError:
        post = find()
        if post is None:
            raise
        return post
