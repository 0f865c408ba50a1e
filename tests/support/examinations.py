"""Bucket facts for the doctor's tests: a healthy bucket, which each test modifies."""

from dataclasses import replace

from ci3.core.doctor.facts import (
    BucketFacts,
    DoctorTarget,
    FolderSummary,
    ObjectLock,
    UnfinishedUploads,
    VersioningState,
)
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.result import DeleteGuard, GuardProbe
from tests.support.builders import NOW

COMMITS = tuple(f"{number:x}" * 40 for number in range(1, 9))
LIVE_REFERENCE = LiveReference(name=COMMITS[0], evidence="it says so")
LIVE = LiveSource.parse("object:live.txt")


def aim(*, prefix: str = "", endpoint_url: str = "", **settings) -> DoctorTarget:
    target = Target(bucket="my-site", region="eu-central-1", prefix=prefix,
                    endpoint_url=endpoint_url, versioning=Versioning.UNKNOWN)  # fmt: skip
    return DoctorTarget(
        target=target, **{"match": "[0-9a-f]{40}", "required_file": "index.html", **settings}
    )


def healthy_facts(**changes) -> BucketFacts:
    """Return the facts of a bucket without findings, with the given changes."""
    examination = BucketFacts(
        doctor_target=aim(),
        read_at=NOW,
        identity="arn:aws:sts::123456789012:assumed-role/clean/ci3",
        bucket_region="eu-central-1",
        folders=FolderSummary(names=COMMITS),
        first_files={COMMITS[0]: frozenset({"index.html", "app.js"})},
        lists_versions=True,
        uploads=UnfinishedUploads(count=0),
        versioning=VersioningState(versioning=Versioning.ENABLED),
        lock=ObjectLock(is_enabled=False),
        rules=(),
        probe=GuardProbe(guard=DeleteGuard.ETAG, reason="this S3 honours conditions"),
        readings=(LiveReading(source=LIVE, references=(LIVE_REFERENCE,)),),
    )
    return replace(examination, **changes)
