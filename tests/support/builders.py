"""Builders for deployments, decisions and plans."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ci3.core.inventory.summary import summarize_folder
from ci3.core.live.pins import Pin, pin_run
from ci3.core.live.references import Reference
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment, IgnoredEntry, Inventory, Target, Versioning
from ci3.core.model.objects import StoredObject
from ci3.core.plan.plan import Plan

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def make_object(key: str, *, at: datetime = NOW, size_bytes: int = 1000, etag: str = '"e"'):
    return StoredObject(key=key, etag=etag, size_bytes=size_bytes, modified_at=at)


def deployment(
    name: str,
    oldest_days: float,
    newest_days: float | None = None,
    *,
    prefix: str = "",
    size_bytes: int = 1000,
) -> Deployment:
    """Return a deployment of two objects, uploaded between two ages in days."""
    newest_days = oldest_days if newest_days is None else newest_days
    folder = f"{prefix}{name}/"
    first = make_object(f"{folder}app.js", at=days_ago(oldest_days), size_bytes=size_bytes)
    last = make_object(f"{folder}index.html", at=days_ago(newest_days), size_bytes=size_bytes)
    return summarize_folder(name, folder, (first, last))


def marker_only_deployment(name: str, days: float) -> Deployment:
    """Return an incomplete deployment: only the empty folder object that the S3 console creates."""
    return summarize_folder(
        name, f"{name}/", (make_object(f"{name}/", at=days_ago(days), size_bytes=0),)
    )


def empty_deployment(name: str) -> Deployment:
    """Return a deployment that had no objects when it was listed."""
    return summarize_folder(name, f"{name}/", ())


def inventory(*deployments: Deployment, ignored: tuple[IgnoredEntry, ...] = ()) -> Inventory:
    return Inventory(deployments=deployments, ignored=ignored)


def pin_commits(commits: Iterable[str]) -> tuple[Pin, ...]:
    """Return a pin for each commit, like the pin of the run's own commit."""
    return pin_run(Reference(commits=(commit.lower(),)) for commit in commits)


def live_pin(text: str, evidence: str = "") -> Pin:
    """Return the pin of a source that names a text as live."""
    return Pin(
        code=ReasonCode.LIVE,
        reference=Reference.from_text(text),
        evidence=evidence or f"current says {text}",
    )


def target(versioning: Versioning = Versioning.DISABLED, prefix: str = "") -> Target:
    return Target(
        bucket="my-site",
        region="eu-central-1",
        prefix=prefix,
        endpoint_url="",
        versioning=versioning,
    )


def kept(
    deployment: Deployment, code: ReasonCode = ReasonCode.KEEP_COUNT, message: str = "the newest"
):
    """Return a decision to keep, with one reason."""
    reason = Reason(code=code, message=message)
    return Decision(deployment=deployment, group="", action=Action.KEEP, reasons=(reason,))


def to_delete(deployment: Deployment, message: str = "5 newer ones"):
    """Return a decision to delete."""
    reason = Reason(code=ReasonCode.SUPERSEDED, message=message)
    return Decision(deployment=deployment, group="", action=Action.DELETE, reasons=(reason,))


def plan(*decisions: Decision, **changes) -> Plan:
    """Return a plan of the decisions; `changes` override the other fields."""
    fields = {
        "ci3_version": "0.1.0",
        "created_at": NOW,
        "target": target(),
        "policy": {},
        "decisions": decisions,
        "ignored": (),
        "refusals": (),
        "warnings": (),
    }
    return Plan(**(fields | changes))
