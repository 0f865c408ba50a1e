"""Read the pull requests of previews, for a plan and again right before the deletion."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ci3.core.live.pins import Pin
from ci3.core.live.sources import LiveReading
from ci3.core.model.deployment import Inventory
from ci3.core.retention.closed_previews import (
    NO_PULL_REQUESTS,
    ClosedPreviews,
    PullRequestReading,
    pin_unexpired,
    select_numbers,
    select_open_numbers,
)
from ci3.core.units import Duration
from ci3.errors import SettingsError
from ci3.live.reader import Share

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewExpiry:
    """The setting `expire-closed` of a target, and how to read pull requests.

    The targets of a pattern share what was read in one phase of a run.
    """

    period: Duration | None
    github: "GitHubApi | None"
    share: Share
    clock: Callable[[], datetime]

    @property
    def repository(self) -> str:
        """The repository whose pull requests are read; empty without the setting."""
        if self.period is None or self.github is None:
            return ""
        return self.github.transport.repository

    def refuse_without_github(self) -> None:
        """Raise SettingsError if the setting is set, and there is no token or repository."""
        if self.period is not None and self.github is None:
            raise SettingsError(
                "expire-closed needs a GitHub token and a repository",
                "In a workflow, set the input github-token; on a terminal, set GITHUB_REPOSITORY "
                "and GITHUB_TOKEN.",
            )

    def read(
        self,
        inventory: Inventory,
        pins: Sequence[Pin],
        readings: Iterable[LiveReading],
        now: datetime,
    ) -> PullRequestReading:
        """Return the pull requests that a plan needs, without those of pinned previews.

        Pull requests that a live source lists as open are pinned.
        """
        if self.period is None:
            return NO_PULL_REQUESTS
        open_numbers = select_open_numbers(readings)
        numbers = select_numbers(inventory.deployments, pins, self.period, now) - open_numbers
        return replace(self._read(numbers), wanted=numbers, open_numbers=open_numbers)

    def read_pins(self, sources: Iterable[ClosedPreviews], shortage: str = "") -> tuple[Pin, ...]:
        """Return a pin for each preview that may not be deleted now.

        With a shortage, nothing is read: that is the reason for each of them.
        """
        pins: list[Pin] = []
        for previews in sources:
            reading = (
                PullRequestReading(repository=self.repository, problem=shortage)
                if shortage
                else self._read(previews.numbers)
            )
            pins += pin_unexpired(previews, reading, self.period, self.clock())
        return tuple(pins)

    def _read(self, numbers: frozenset[int]) -> PullRequestReading:
        if not numbers or self.github is None:
            return PullRequestReading(repository=self.repository)
        from ci3.live.pull_requests import PullRequestReader  # noqa: PLC0415 - requests: few runs ask GitHub

        transport = self.github.transport
        reader: PullRequestReader = self.share(
            "pull requests", lambda: PullRequestReader(transport)
        )
        return reader.read(numbers)
