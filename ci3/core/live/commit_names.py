"""Commits that deployments are named after: what of a name may be one, and what is told of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ci3.constants import COMMIT_PREFIX_LENGTH

_PART_BORDER = re.compile(r"[^0-9a-z]+")
_DIGITS = re.compile(rf"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of the repository; all but its whole hash may be written by anybody."""

    sha: str
    subject: str
    author: str
    authored_at: datetime | None

    def is_meant_by(self, digits: str) -> bool:
        """Say whether it is the commit whose hash begins with these digits."""
        return bool(digits) and self.sha.startswith(digits)


def commit_digits(name: str) -> str:
    """Find the part of a deployment's name that may be a commit's hash, or its beginning.

    Of several parts that with a letter comes first, then the longest: a date is of digits too.
    """
    parts = [part for part in _PART_BORDER.split(name.lower()) if _DIGITS.fullmatch(part)]
    return max(parts, key=lambda part: (not part.isdecimal(), len(part)), default="")


def most_telling(kept: Iterable[str], doomed: Iterable[str]) -> tuple[str, ...]:
    """Order names by how much a reader wants to know of them: one that stays, one that goes."""
    left = [iter(kept), iter(doomed)]
    names: dict[str, None] = {}
    while left:
        for one in tuple(left):
            if (name := next(one, None)) is None:
                left.remove(one)
            else:
                names[name] = None
    return tuple(names)
