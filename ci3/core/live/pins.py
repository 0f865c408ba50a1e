"""Pins: protected names, this run's references and live references, which forbid deletion."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveKind, LiveReading, LiveSource, extract_folder
from ci3.core.model.decision import Reason, ReasonCode

_GLOB_CHARACTER = re.compile(r"[*?\[]")
_GLOB_SET = re.compile(r"\[!?\]?[^\]]*\]")
_SEVERAL = re.compile(r"[\s,;|]")
_NO_REFERENCE: Final = Reference()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What forbids deleting each deployment whose name it matches.

    code              matches by
    protected         glob or exact name: `pattern`
    current-commit    `reference`, of this run
    live              `reference`; `evidence` is where it was read
    expire-closed     `reference`; `evidence` is why its preview may not be deleted
    """

    code: ReasonCode
    pattern: str = ""
    evidence: str = ""
    reference: Reference = _NO_REFERENCE
    newest_names: frozenset[str] | None = None
    """The folders that have the reference's pull request or branch before a commit, and are kept.

    None if they were not determined yet (`ci3.core.retention.newest_pins.resolve_pins`): then all
    such folders are kept.
    """
    allows_completion: bool = False
    """True if a deletion that was begun may be completed: the evidence could not be read again."""

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
        if self.code is ReasonCode.PROTECTED:
            return name == self.pattern or fnmatchcase(name, self.pattern)
        if self.reference.excludes(name):
            return False
        return self.reference.matches(name) or bool(self._describe_newest(name))

    @property
    def mismatch_message(self) -> str:
        """The message for a deployment that the pin does not match."""
        match self.code:
            case ReasonCode.CURRENT_COMMIT:
                return f"does not match {self.reference} of this run"
            case ReasonCode.LIVE:
                return f"does not match what is live: {self.evidence}"
            case _:
                return f"does not match {self.pattern}"

    def build_reason(self, name: str) -> Reason:
        """Return the reason to keep a deployment that the pin matches."""
        if self.code is ReasonCode.PROTECTED:
            return Reason(code=self.code, message=f"protected by {self.pattern}")
        if self.code is ReasonCode.EXPIRE_CLOSED:
            return Reason(code=self.code, message=self.evidence)
        match = self.reference.describe_match(name)
        newest = "" if match else f"the newest of {self._describe_newest(name)}"
        if self.code is ReasonCode.CURRENT_COMMIT:
            return Reason(code=self.code, message=f"{match or newest} of this run")
        suffix = f"; no complete deployment has that commit, and this is {newest}" if newest else ""
        return Reason(code=self.code, message=f"live: {self.evidence}{suffix}")

    def _describe_newest(self, name: str) -> str:
        if self.newest_names is not None and name not in self.newest_names:
            return ""
        return self.reference.describe_before_commit(name)


def pin_protected(patterns: Iterable[str]) -> tuple[Pin, ...]:
    """Return a pin for each name or glob of the `protect` setting."""
    return tuple(Pin(code=ReasonCode.PROTECTED, pattern=pattern) for pattern in patterns)


def is_protected(name: str, pins: Iterable[Pin]) -> bool:
    """Return True if the `protect` setting matches a name, whatever else pins it."""
    return any(pin.code is ReasonCode.PROTECTED and pin.matches(name) for pin in pins)


def pin_run(references: Iterable[Reference]) -> tuple[Pin, ...]:
    """Return a pin for each reference of what the workflow run is about."""
    return tuple(
        Pin(code=ReasonCode.CURRENT_COMMIT, reference=reference) for reference in references
    )


def pin_live(readings: Iterable[LiveReading], prefix: str = "") -> tuple[Pin, ...]:
    """Return a pin for each live reference of the readings, except those to other prefixes."""
    return tuple(
        Pin(code=ReasonCode.LIVE, reference=live.reference, evidence=live.evidence)
        for reading in readings
        for live in reading.references
        if live.prefix in ("", prefix)
    )


def pin_pointers(sources: Iterable[LiveSource], prefix: str) -> tuple[Pin, ...]:
    """Return a pin for each folder under the prefix that holds a pointer object (`object:`)."""
    return tuple(
        Pin(
            code=ReasonCode.LIVE,
            reference=Reference.from_text(extract_folder(source.argument, prefix)),
            evidence=f"it contains the pointer {source.argument}",
        )
        for source in sources
        if source.kind is LiveKind.OBJECT
        and "/" in source.argument.removeprefix(prefix)
        and extract_folder(source.argument, prefix)
    )
