"""Commits that deployments are named after."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ci3.constants import COMMIT_PREFIX_LENGTH

_SEPARATOR = re.compile(r"[^0-9a-z]+")
_COMMIT = re.compile(rf"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}")
_COMMIT_PART = re.compile(rf"g?([0-9a-f]{{{COMMIT_PREFIX_LENGTH}}}.*)")
"""A part of a name that begins like a commit; `git describe` writes `g` in front of it."""
_DESCRIBED = re.compile(
    rf"([^\s,;|]+-[0-9]+-)?g([0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}})(-dirty|-broken)?"
)
"""What `git describe` writes: a tag, the number of commits since then, and the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit of the repository; only its hash is trusted, anybody may have chosen the rest."""

    sha: str
    subject: str
    author: str
    authored_at: datetime | None

    def has_sha_prefix(self, digits: str) -> bool:
        """Return True if the commit's hash starts with these digits; False for no digits."""
        return bool(digits) and self.sha.startswith(digits)


def find_commit_digits(name: str) -> str:
    """Return the part of a deployment's name that may be a full or abbreviated commit hash, or "".

    Parts with a letter are preferred, then longer ones: a date consists of hex digits too.

        web-f1c0ffee         f1c0ffee
        20261123-f1c0ffe     f1c0ffe
        20261123-1234567     20261123
        v1.2.3-2-g2222222    2222222
        release-2.4          (none)
    """
    if commit := extract_commit(name):
        return commit
    parts = [part for part in find_commit_parts(name) if _COMMIT.fullmatch(part)]
    return max(parts, key=lambda part: (not part.isdecimal(), len(part)), default="")


def find_commit_parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name that begin like a commit, in lower case, without a `g` before it.

    Every character except a-z and 0-9 separates parts. Something else may follow the first 7 hex
    digits: `web-F1C0FFEE-g1234567-f1c0ffe.zip` returns `f1c0ffee`, `1234567`, `f1c0ffe`.
    """
    matches = (_COMMIT_PART.fullmatch(part) for part in _SEPARATOR.split(name.lower()))
    return tuple(match[1] for match in matches if match)


def extract_commit(text: str) -> str:
    """Return the commit that a text is, in lower case, or "".

    A text is a commit if all of it is 7 to 64 hex digits, or is what `git describe` writes.
    """
    lowered = text.lower()
    if _COMMIT.fullmatch(lowered):
        return lowered
    described = _DESCRIBED.fullmatch(lowered)
    return described[2] if described else ""


def matches_commit(commit_parts: Iterable[str], commit: str) -> bool:
    """Return True if one of the parts that `find_commit_parts` returns is the commit.

    It is if the part and the commit are prefixes of each other. `commit` has at least 7 hex digits,
    in lower case.
    """
    return any(part.startswith(commit) or commit.startswith(part) for part in commit_parts)


def interleave_names(kept: Iterable[str], to_delete: Iterable[str]) -> tuple[str, ...]:
    """Return the names in turn: one that is kept, one to delete, and so on, without duplicates.

    Commits are looked up in this order up to a limit, so that both kinds get some.
    """
    iterators = [iter(kept), iter(to_delete)]
    names: dict[str, None] = {}
    while iterators:
        for iterator in tuple(iterators):
            if (name := next(iterator, None)) is None:
                iterators.remove(iterator)
            else:
                names[name] = None
    return tuple(names)
