"""A bucket as ci3 sees it: one face that reads, and opens the others, each made for one purpose."""

import re
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Self

from ci3.aws.bucket_access import Opening
from ci3.aws.bucket_config import object_lock, stated_region, versioning_state
from ci3.aws.client import (
    JOURNAL_OPERATIONS,
    LIFECYCLE_OPERATIONS,
    READ_OPERATIONS,
    VERSION_OPERATIONS,
    WRITE_OPERATIONS,
    Credentials,
    make_client,
    open_session,
    translated,
)
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.aws.deletion.writer import BucketWriter
from ci3.aws.journal_store import JournalStore
from ci3.aws.lifecycle.document import (
    LifecycleReading,
    LifecycleWriter,
    expiring_rule,
    keep_text,
    read_lifecycle,
)
from ci3.aws.lifecycle.rules import lifecycle_rules
from ci3.aws.listing.fast_parser import read_entries
from ci3.aws.listing.pages import Page, list_pages
from ci3.aws.listing.uploads import list_uploads
from ci3.aws.listing.validation import check_listings
from ci3.aws.listing.versions import list_versions, note_order
from ci3.aws.object_stream import read_parts
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.model.deployment import Target, Versioning, VersioningState
from ci3.core.model.objects import StoredUpload, StoredVersion
from ci3.errors import AccessError, GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from ci3.core.doctor.facts import LifecycleRule, ObjectLock

# What the AWS configuration names counts as if it were a setting, so that a plan records it.
_AWS_ENDPOINT = re.compile(r"https://s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?")


class BucketReader:
    """Reads a bucket; its client refuses every operation that changes something."""

    def __init__(
        self,
        *,
        bucket: str,
        region: str,
        endpoint_url: str,
        credentials: Credentials | None = None,
        connections: int = MAXIMUM_CONCURRENCY,
    ) -> None:
        self.bucket = bucket
        self.credentials = credentials
        self._asked_region = region
        self._asked_endpoint_url = endpoint_url
        self._connections = connections
        self._session = open_session(credentials)
        self._client = self._make_client(READ_OPERATIONS)
        read_entries(self._client)
        check_listings(self._client)
        note_order(self._client)
        keep_text(self._client)
        in_force = self._client.meta.endpoint_url
        is_default = not endpoint_url and _AWS_ENDPOINT.fullmatch(in_force)
        self.endpoint_url = "" if is_default else in_force

    def list_pages(
        self, prefix: str, *, delimiter: str = "", start_after: str = ""
    ) -> Generator[Page, None, None]:
        """List everything under a prefix, or its first level; see `ci3.aws.listing.pages`."""
        return list_pages(
            self._client, self.bucket, prefix, delimiter=delimiter, start_after=start_after
        )

    def list_keys(self, prefix: str) -> tuple[str, ...]:
        """List the keys under a prefix."""
        return tuple(stored.key for page in self.list_pages(prefix) for stored in page.objects)

    def list_versions(self, prefix: str) -> Generator[tuple[StoredVersion, ...], None, None]:
        """List every version and delete marker under a prefix; see `ci3.aws.listing.versions`."""
        return list_versions(self._client, self.bucket, prefix)

    def list_uploads(self, prefix: str) -> Generator[tuple[StoredUpload, ...], None, None]:
        """List every unfinished multipart upload under a prefix; see `ci3.aws.listing.uploads`."""
        return list_uploads(self._client, self.bucket, prefix)

    def lifecycle_rules(self) -> "tuple[LifecycleRule, ...]":
        """Read the lifecycle rules that are in force; raises AccessError."""
        return lifecycle_rules(self._client, self.bucket)

    def read_lifecycle(self) -> LifecycleReading:
        """Read the lifecycle configuration as text; raises AccessError."""
        return read_lifecycle(self._client, self.bucket)

    def expiring_rule(self, key: str) -> str:
        """Give the ID of the rule by which S3 says it will delete an object; see there."""
        return expiring_rule(self._client, self.bucket, key)

    def versioning_state(self) -> VersioningState:
        """Read whether the bucket keeps versions; raises AccessError."""
        return versioning_state(self._client, self.bucket)

    def object_lock(self) -> "ObjectLock":
        """Read whether versions are locked; raises AccessError."""
        return object_lock(self._client, self.bucket)

    def stated_region(self, prefix: str) -> str:
        """Read in which region the bucket says it is, or nothing; raises AccessError."""
        return stated_region(self._client, self.bucket, prefix)

    def read_whole(self, key: str, limit_bytes: int) -> bytes:
        """Read an object; raises AccessError when it can't be read or is larger than the limit."""
        content = self.read_start(key, limit_bytes + 1)
        if len(content) > limit_bytes:
            raise AccessError(
                f"reading s3://{self.bucket}/{key}: it is larger than {limit_bytes} bytes",
                "Check the key.",
            )
        return content

    def read_start(self, key: str, limit_bytes: int) -> bytes:
        """Read an object's first bytes, at most the limit; the rest stays unread.

        Raises AccessError when it can't be read.
        """
        # No Range: S3 answers an empty object's with an error.
        with translated(f"reading s3://{self.bucket}/{key}"):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            with closing(answer["Body"]) as body:
                content = body.read(limit_bytes)
            if len(content) < min(limit_bytes, answer["ContentLength"]):
                raise AccessError("the object breaks off", "Run again; if it stays, ask this S3.")
            return content

    def read_parts(self, key: str, size_bytes: int) -> Generator[bytes, None, None]:
        """Read a large object of a known size, part after part; see `ci3.aws.object_stream`."""
        return read_parts(self._client, self.bucket, key, size_bytes)

    def opening(self) -> Opening | None:
        """Give what it takes to open the same bucket as the same identity in another Python.

        None where there are no credentials; raises AccessError where they can't be had.
        """
        with translated("the AWS configuration"):
            found = self._session.get_credentials()
            keys = found.get_frozen_credentials() if found else None
        if keys is None or not (keys.access_key and keys.secret_key):
            return None
        return Opening(
            bucket=self.bucket,
            region=self._asked_region,
            endpoint_url=self._asked_endpoint_url,
            address=self._client.meta.endpoint_url,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            token=keys.token or "",
        )

    @classmethod
    def reopen(cls, opening: Opening) -> Self:
        """Open a bucket by what `opening` gave; raises GateError where that would be another S3."""
        reader = cls(
            bucket=opening.bucket,
            region=opening.region,
            endpoint_url=opening.endpoint_url,
            credentials=opening.credentials(),
        )
        reader._check_address(opening.address)
        return reader

    def beside(self, bucket: str) -> "BucketReader":
        """Open another bucket of this S3 for reading, as the same identity."""
        return BucketReader(
            bucket=bucket,
            region=self._asked_region,
            endpoint_url=self._asked_endpoint_url,
            credentials=self.credentials,
            connections=self._connections,
        )

    @property
    def region(self) -> str:
        """The region in which the bucket is asked for."""
        return self._client.meta.region_name

    def target(self, prefix: str, versioning: Versioning | None = None) -> Target:
        """Describe where a plan applies, as the plan records it; asks for what is not given."""
        return Target(
            bucket=self.bucket,
            region=self.region,
            prefix=prefix,
            endpoint_url=self.endpoint_url,
            versioning=versioning or self.known_versioning().versioning,
        )

    def known_versioning(self) -> VersioningState:
        """Read whether deleted objects can come back; not being told is `unknown`."""
        try:
            return self.versioning_state()
        except AccessError:
            return VersioningState(versioning=Versioning.UNKNOWN)

    def open_writer(self) -> "BucketWriter":
        """Make the face that deletes, with a client of its own; only an apply calls this."""
        return BucketWriter(bucket=self.bucket, client=self._open(WRITE_OPERATIONS))

    def open_version_remover(self) -> "VersionRemover":
        """Make the face that removes versions by id, for a restore or where versions go too."""
        return VersionRemover(bucket=self.bucket, client=self._open(VERSION_OPERATIONS))

    def open_lifecycle_writer(self) -> LifecycleWriter:
        """Make the face that writes the lifecycle configuration, and nothing else."""
        return LifecycleWriter(bucket=self.bucket, client=self._open(LIFECYCLE_OPERATIONS))

    def open_journal_store(self, key: str) -> "JournalStore":
        """Make the face that keeps a journal under one key of this bucket."""
        return JournalStore(bucket=self.bucket, client=self._open(JOURNAL_OPERATIONS), key=key)

    def _open(self, operations: frozenset[str]) -> "S3Client":
        client = self._make_client(operations)
        self._check_address(client.meta.endpoint_url)
        return client

    def _check_address(self, address: str) -> None:
        if address != self._client.meta.endpoint_url:
            raise GateError(f"the bucket was read at one S3, and {address} is another")

    def _make_client(self, operations: frozenset[str]) -> "S3Client":
        return make_client(
            region=self._asked_region,
            endpoint_url=self._asked_endpoint_url,
            operations=operations,
            connections=self._connections,
            session=self._session,
        )
