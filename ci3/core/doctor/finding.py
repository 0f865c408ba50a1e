"""Findings of `ci3 doctor`: the result of each check, and what to do next."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ci3.errors import ExitCode, end_sentence


class Level(StrEnum):
    """The severity of a finding, in ascending order."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    `advice` is what to do next, or empty, and `recipe_url` a recipe of the docs for it. A problem
    prevents ci3 from working; `is_of_access` is True if its cause is a missing permission or the
    network.
    """

    level: Level
    topic: str
    message: str
    advice: str = ""
    recipe_url: str = ""
    is_access_problem: bool = False

    @property
    def text(self) -> str:
        """Topic, message, advice and recipe in one line."""
        text = f"{self.topic}: {end_sentence(self.message)} {self.advice}".rstrip()
        return f"{text} How to fix this: {self.recipe_url}" if self.recipe_url else text


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFindings:
    """The findings for one target; `url` is the address of the folder with the deployments.

    `match` is the pattern of the deployments' names; empty without one.
    """

    url: str
    match: str = ""
    findings: tuple[Finding, ...]


def ok(topic: str, message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(level=Level.OK, topic=topic, message=message)


def note(topic: str, message: str, advice: str = "") -> Finding:
    """Return a finding for information."""
    return Finding(level=Level.NOTE, topic=topic, message=message, advice=advice)


def warning(topic: str, message: str, advice: str, *, recipe_url: str = "") -> Finding:
    """Return a finding that may do harm or that limits ci3."""
    return Finding(
        level=Level.WARNING, topic=topic, message=message, advice=advice, recipe_url=recipe_url
    )


def problem(
    topic: str, message: str, advice: str, *, recipe_url: str = "", is_of_access: bool = False
) -> Finding:
    """Return a finding that prevents ci3 from working."""
    return Finding(
        level=Level.PROBLEM,
        topic=topic,
        message=message,
        advice=advice,
        recipe_url=recipe_url,
        is_access_problem=is_of_access,
    )


def count_levels(findings: Iterable[Finding]) -> dict[Level, int]:
    """Return the number of findings of each level, the worst level first."""
    levels = [finding.level for finding in findings]
    return {level: levels.count(level) for level in reversed(Level)}


def exit_code_of_findings(checkups: Iterable[TargetFindings]) -> ExitCode:
    """Return the exit code: `ACCESS` if any problem is of access, else `REFUSED` or `DONE`."""
    findings = [finding for checkup in checkups for finding in checkup.findings]
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    if any(finding.is_access_problem for finding in problems):
        return ExitCode.ACCESS
    return ExitCode.REFUSED if problems else ExitCode.DONE
