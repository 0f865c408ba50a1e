"""A finding: one thing that was looked at, how it stands, and what to do next."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ci3.errors import ExitCode


class Level(StrEnum):
    """How a finding stands: the worse, the later."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of what was found; `advice` says what to do next, or is empty.

    A problem keeps ci3 from its work; `is_of_access` says that it is one of permissions or network.
    """

    level: Level
    topic: str
    message: str
    advice: str = ""
    is_of_access: bool = False

    @property
    def told(self) -> str:
        """Topic, message and advice, as one line."""
        stop = "" if self.message.endswith((".", "?")) else "."
        return f"{self.topic}: {self.message}{stop} {self.advice}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found at one place: the address of the folder that holds the deployments."""

    url: str
    findings: tuple[Finding, ...]


def ok(topic: str, message: str) -> Finding:
    """Find that all is well."""
    return Finding(level=Level.OK, topic=topic, message=message)


def note(topic: str, message: str, advice: str = "") -> Finding:
    """Find something to know."""
    return Finding(level=Level.NOTE, topic=topic, message=message, advice=advice)


def warning(topic: str, message: str, advice: str) -> Finding:
    """Find something that may do harm, or that ci3 works worse with."""
    return Finding(level=Level.WARNING, topic=topic, message=message, advice=advice)


def problem(topic: str, message: str, advice: str, *, is_of_access: bool = False) -> Finding:
    """Find what keeps ci3 from its work."""
    return Finding(
        level=Level.PROBLEM,
        topic=topic,
        message=message,
        advice=advice,
        is_of_access=is_of_access,
    )


def count_levels(findings: Iterable[Finding]) -> dict[Level, int]:
    """Count the findings of each level, the worst first."""
    levels = [one.level for one in findings]
    return {level: levels.count(level) for level in reversed(Level)}


def exit_code(checkups: Iterable[Checkup]) -> ExitCode:
    """Give the exit code: access goes before what would be refused."""
    findings = [finding for checkup in checkups for finding in checkup.findings]
    problems = [one for one in findings if one.level is Level.PROBLEM]
    if any(one.is_of_access for one in problems):
        return ExitCode.ACCESS
    return ExitCode.REFUSED if problems else ExitCode.DONE
