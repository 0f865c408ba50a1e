"""What forbids a deletion: protected names and commits that are in use."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ci3.constants import COMMIT_PREFIX_LENGTH
from ci3.core.live.sources import LiveKind, LiveSource, Reading, folder_under
from ci3.core.model.decision import Reason, ReasonCode

_GLOB_CHARACTERS = re.compile(r"[*?\[]")
_HEX = re.compile(r"[0-9a-f]+")
_PART_BORDER = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One thing that keeps every deployment whose name it matches.

    A `protected` pin matches by glob or by exact name, a `current-commit` pin by commit, a `live`
    pin by exact name or by commit; its `evidence` says where that was read.
    """

    code: ReasonCode
    pattern: str
    evidence: str = ""

    @property
    def is_glob(self) -> bool:
        """Whether the pattern may stand for several names."""
        return self.code is ReasonCode.PROTECTED and bool(_GLOB_CHARACTERS.search(self.pattern))

    def holds(self, name: str) -> bool:
        """Say whether this pin forbids deleting the deployment of that name."""
        if self.code is ReasonCode.CURRENT_COMMIT:
            return is_commit(name, self.pattern)
        if self.code is ReasonCode.LIVE:
            return name == self.pattern or is_commit(name, self.pattern)
        return name == self.pattern or fnmatchcase(name, self.pattern)

    @property
    def miss(self) -> str:
        """Say of a deployment that this pin does not hold it."""
        match self.code:
            case ReasonCode.CURRENT_COMMIT:
                return f"not commit {self.pattern[:12]} of this run"
            case ReasonCode.LIVE:
                return f"not what is live: {self.evidence}"
            case _:
                return f"does not match {self.pattern}"

    def reason(self) -> Reason:
        """Give the reason that it adds to a decision."""
        if self.code is ReasonCode.CURRENT_COMMIT:
            return Reason(code=self.code, message=f"commit {self.pattern[:12]} of this run")
        if self.code is ReasonCode.LIVE:
            return Reason(code=self.code, message=f"live: {self.evidence}")
        return Reason(code=self.code, message=f"protected by {self.pattern}")


def protect(patterns: Iterable[str]) -> tuple[Pin, ...]:
    """Make pins of the names and globs that a user protects."""
    return tuple(Pin(code=ReasonCode.PROTECTED, pattern=pattern) for pattern in patterns)


def pin_commits(commits: Iterable[str]) -> tuple[Pin, ...]:
    """Make pins of commits that are in use."""
    return tuple(Pin(code=ReasonCode.CURRENT_COMMIT, pattern=commit) for commit in commits)


def pin_live(readings: Iterable[Reading]) -> tuple[Pin, ...]:
    """Make pins of everything that a live source names."""
    return tuple(
        Pin(code=ReasonCode.LIVE, pattern=one.name, evidence=one.evidence)
        for reading in readings
        for one in reading.sightings
    )


def pin_pointers(sources: Iterable[LiveSource], prefix: str) -> tuple[Pin, ...]:
    """Make pins of the folders that hold the pointer objects themselves."""
    return tuple(
        Pin(
            code=ReasonCode.LIVE,
            pattern=folder_under(source.argument, prefix),
            evidence=f"it holds the pointer {source.argument}",
        )
        for source in sources
        if source.kind is LiveKind.OBJECT
        and "/" in source.argument.removeprefix(prefix)
        and folder_under(source.argument, prefix)
    )


def is_commit(name: str, commit: str) -> bool:
    """Say whether a deployment's name stands for a commit.

    It does when the name, or one of its parts (split at what is neither letter nor digit), and the
    commit begin alike: one is a prefix of the other, with at least 7 hex digits.
    """
    lowered = name.lower()
    candidates = {lowered, *_PART_BORDER.split(lowered)}
    return any(_begin_alike(candidate, commit.lower()) for candidate in candidates)


def _begin_alike(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return (
        len(shorter) >= COMMIT_PREFIX_LENGTH
        and _HEX.fullmatch(shorter) is not None
        and longer.startswith(shorter)
    )
