"""Pins: protected names, current commits and live references, which forbid deletion."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ci3.constants import COMMIT_PREFIX_LENGTH
from ci3.core.live.sources import LiveKind, LiveReading, LiveSource, extract_folder
from ci3.core.model.decision import Reason, ReasonCode

_GLOB_CHARACTER = re.compile(r"[*?\[]")
_GLOB_SET = re.compile(r"\[!?\]?[^\]]*\]")
_SEVERAL = re.compile(r"[\s,;|]")
_HEX_DIGITS = re.compile(r"[0-9a-f]+")
_SEPARATOR = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A pattern that forbids deleting each deployment whose name it matches.

    code              matches by
    protected         glob or exact name
    current-commit    commit
    live              exact name or commit; `evidence` is where it was read
    """

    code: ReasonCode
    pattern: str
    evidence: str = ""

    @property
    def is_glob(self) -> bool:
        """True if the pattern can match several names."""
        return self.code is ReasonCode.PROTECTED and bool(_GLOB_CHARACTER.search(self.pattern))

    @property
    def may_match_nothing(self) -> bool:
        """True for a glob, unless it may be several in one line, such as `stable-*, v*`."""
        return self.is_glob and not _SEVERAL.search(_GLOB_SET.sub("", self.pattern))

    def matches(self, name: str) -> bool:
        """Return True if the pin forbids deleting the deployment with that name."""
        if self.code is ReasonCode.CURRENT_COMMIT:
            return matches_commit(name, self.pattern)
        if self.code is ReasonCode.LIVE:
            return name == self.pattern or matches_commit(name, self.pattern)
        return name == self.pattern or fnmatchcase(name, self.pattern)

    @property
    def mismatch_message(self) -> str:
        """The message for a deployment that the pin does not match."""
        match self.code:
            case ReasonCode.CURRENT_COMMIT:
                return f"not commit {self.pattern[:12]} of this run"
            case ReasonCode.LIVE:
                return f"not what is live: {self.evidence}"
            case _:
                return f"does not match {self.pattern}"

    def build_reason(self) -> Reason:
        """Return the reason that the pin adds to a decision."""
        if self.code is ReasonCode.CURRENT_COMMIT:
            return Reason(code=self.code, message=f"commit {self.pattern[:12]} of this run")
        if self.code is ReasonCode.LIVE:
            return Reason(code=self.code, message=f"live: {self.evidence}")
        return Reason(code=self.code, message=f"protected by {self.pattern}")


def pin_protected(patterns: Iterable[str]) -> tuple[Pin, ...]:
    """Return a pin for each name or glob of the `protect` setting."""
    return tuple(Pin(code=ReasonCode.PROTECTED, pattern=pattern) for pattern in patterns)


def is_protected(name: str, pins: Iterable[Pin]) -> bool:
    """Return True if the `protect` setting matches a name, whatever else pins it."""
    return any(pin.code is ReasonCode.PROTECTED and pin.matches(name) for pin in pins)


def pin_commits(commits: Iterable[str]) -> tuple[Pin, ...]:
    """Return a pin for each commit that the run is about."""
    return tuple(Pin(code=ReasonCode.CURRENT_COMMIT, pattern=commit) for commit in commits)


def pin_live(readings: Iterable[LiveReading]) -> tuple[Pin, ...]:
    """Return a pin for each live reference of the readings."""
    return tuple(
        Pin(code=ReasonCode.LIVE, pattern=reference.name, evidence=reference.evidence)
        for reading in readings
        for reference in reading.references
    )


def pin_pointers(sources: Iterable[LiveSource], prefix: str) -> tuple[Pin, ...]:
    """Return a pin for each folder under the prefix that holds a pointer object (`object:`)."""
    return tuple(
        Pin(
            code=ReasonCode.LIVE,
            pattern=extract_folder(source.argument, prefix),
            evidence=f"it holds the pointer {source.argument}",
        )
        for source in sources
        if source.kind is LiveKind.OBJECT
        and "/" in source.argument.removeprefix(prefix)
        and extract_folder(source.argument, prefix)
    )


def matches_commit(name: str, commit: str) -> bool:
    """Return True if a deployment's name refers to a commit, in any case.

    It does if the name or one of its parts, and the commit, are prefixes of each other, and the
    shorter one has at least 7 hex digits. Every character except a-z and 0-9 separates parts.
    """
    lowered = name.lower()
    candidates = {lowered, *_SEPARATOR.split(lowered)}
    return any(_shares_hex_prefix(candidate, commit.lower()) for candidate in candidates)


def _shares_hex_prefix(left: str, right: str) -> bool:
    shorter, longer = sorted((left, right), key=len)
    return (
        len(shorter) >= COMMIT_PREFIX_LENGTH
        and _HEX_DIGITS.fullmatch(shorter) is not None
        and longer.startswith(shorter)
    )
