"""Deployments that an unfinished run has partly deleted: they do not count as complete.

A run that ends within a deployment leaves a remainder. Its listing looks like a deployment, so that
it would take a place, and a complete deployment would be deleted instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from ci3.core.formatting import format_age
from ci3.core.model.deployment import Deployment
from ci3.core.retention.in_progress import MAX_CLOCK_DIFFERENCE

MAX_REQUEST_AGE = MAX_CLOCK_DIFFERENCE
"""S3 rejects a request that was signed longer ago: what a run sent last arrives by then or never.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRun:
    """A run whose stored journal does not record that all that it began is deleted.

    `first_written_at` and `last_written_at` are the times of the first and last part of the
    journal, by S3's clock, as those of objects. `approved` maps the names of deployments to their
    fingerprints at approval; None if the header is not known. `started` are the names of those
    whose deletion began; None if that is not known.
    """

    run_id: str
    first_written_at: datetime
    last_written_at: datetime
    approved: Mapping[str, str] | None = None
    started: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialDeletion:
    """Why a deployment does not count as complete, and whether it must be kept."""

    message: str
    must_keep: bool


NO_PARTIAL_DELETIONS: Mapping[str, PartialDeletion] = MappingProxyType({})
"""No deployment is known to be partly deleted."""


def may_have_changed(deployment: Deployment, approved: Mapping[str, str] | None) -> bool:
    """Return True unless a run did not approve the deployment, or approved it as it is now.

    `approved` is that of `UnfinishedRun`.
    """
    if approved is None:
        return True
    return approved.get(deployment.name, deployment.fingerprint) != deployment.fingerprint


def find_partial_deletions(
    deployments: Iterable[Deployment], runs: Sequence[UnfinishedRun], now: datetime
) -> dict[str, PartialDeletion]:
    """Return the deployments, by name, that unfinished runs have or may have partly deleted.

    The deployments must be listed in full. If several runs apply, one that requires keeping wins.
    """
    partial_deletions: dict[str, PartialDeletion] = {}
    for deployment in deployments:
        causes = [cause for run in runs if (cause := _find_partial_deletion(deployment, run, now))]
        if causes:
            partial_deletions[deployment.name] = max(causes, key=lambda cause: cause.must_keep)
    return partial_deletions


def _find_partial_deletion(
    deployment: Deployment, run: UnfinishedRun, now: datetime
) -> PartialDeletion | None:
    """Return what a run did to a deployment; the first row that applies decides.

    | deployment                                             | result                  |
    |--------------------------------------------------------|-------------------------|
    | without objects                                        | None                    |
    | not in the header, or with the approved fingerprint    | None                    |
    | not begun, according to the journal                    | None                    |
    | each object newer than the last part, by 15 minutes    | None: deployed again    |
    | header or begun deployments not known                  | not complete, kept      |
    | begun, each object older than the first part           | not complete: remainder |
    | begun, with newer objects                              | not complete, kept      |
    """
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None or not may_have_changed(deployment, run.approved):
        return None
    if run.started is not None and deployment.name not in run.started:
        return None
    if oldest_at > run.last_written_at + MAX_REQUEST_AGE:
        return None
    source = f"by an unfinished run {format_age(now - run.last_written_at)} ({run.run_id})"
    if run.approved is None or run.started is None:
        return PartialDeletion(message=f"possibly partly deleted {source}", must_keep=True)
    message = f"partly deleted {source}"
    if newest_at < run.first_written_at:
        return PartialDeletion(message=message, must_keep=False)
    return PartialDeletion(message=f"{message}, with newer uploads", must_keep=True)
