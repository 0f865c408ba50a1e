"""Commits that deployments are named after."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ci3.constants import COMMIT_PREFIX_LENGTH

_SEPARATOR = re.compile(r"[^0-9a-z]+")
_COMMIT_DIGITS = re.compile(rf"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}")


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

        web-f1c0ffee        f1c0ffee
        20261123-f1c0ffe    f1c0ffe
        20261123-1234567    20261123
        release-2.4         (none)
    """
    parts = [part for part in _SEPARATOR.split(name.lower()) if _COMMIT_DIGITS.fullmatch(part)]
    return max(parts, key=lambda part: (not part.isdecimal(), len(part)), default="")


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
