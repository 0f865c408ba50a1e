"""A bucket, as a reader that opens all other clients, each made for one purpose."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Self

from ci3.aws.bucket_access import BucketAccess
from ci3.aws.bucket_config import read_bucket_region, read_object_lock, read_versioning_state
from ci3.aws.client import (
    JOURNAL_OPERATIONS,
    LIFECYCLE_OPERATIONS,
    READ_OPERATIONS,
    RESTORE_PROBE_OPERATIONS,
    VERSION_OPERATIONS,
    WRITE_OPERATIONS,
    Credentials,
    make_service_client,
    open_session,
)
from ci3.aws.client_errors import translate_errors
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.aws.deletion.writer import BucketWriter
from ci3.aws.journal_store import JournalStore
from ci3.aws.lifecycle.document import (
    LifecycleDocument,
    LifecycleWriter,
    find_expiration_rule,
    keep_raw_xml,
    read_lifecycle,
)
from ci3.aws.lifecycle.rules import read_lifecycle_rules
from ci3.aws.listing.fast_parser import register_fast_parser
from ci3.aws.listing.pages import Page, list_pages
from ci3.aws.listing.uploads import list_uploads
from ci3.aws.listing.validation import register_document_checks
from ci3.aws.listing.versions import (
    list_version_folders,
    list_versions,
    register_order_recorder,
)
from ci3.aws.object_stream import stream_object
from ci3.aws.partitions import is_default_endpoint
from ci3.aws.request_limit import RequestLimit
from ci3.aws.restore_probe import RestoreProber
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.model.deployment import Target, Versioning, VersioningState
from ci3.core.model.objects import StoredVersion, UnfinishedUpload
from ci3.core.model.service_url import AddressingStyle
from ci3.errors import AccessError, GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from ci3.core.doctor.facts import LifecycleRule, ObjectLock


class BucketReader:
    """Reads a bucket; its client refuses every operation that changes something.

    `request_limit` is shared by all clients that are opened from here.
    """

    def __init__(  # noqa: PLR0913 - every setting of a bucket's clients
        self,
        *,
        bucket: str,
        region: str,
        endpoint_url: str,
        addressing_style: AddressingStyle | None = None,
        credentials: Credentials | None = None,
        request_limit: RequestLimit | None = None,
    ) -> None:
        self.bucket = bucket
        self.credentials = credentials
        self._configured_region = region
        self._configured_endpoint_url = endpoint_url
        self._addressing_style = addressing_style
        self.request_limit = request_limit or RequestLimit(MAXIMUM_CONCURRENCY)
        self._session = open_session(credentials)
        self._client = self._make_client(READ_OPERATIONS)
        register_fast_parser(self._client)
        register_document_checks(self._client)
        register_order_recorder(self._client)
        keep_raw_xml(self._client)
        effective_url = self._client.meta.endpoint_url
        # An endpoint from the AWS configuration is treated as a setting, so that a plan records it.
        is_default = not endpoint_url and is_default_endpoint(effective_url, "s3")
        self.endpoint_url = "" if is_default else effective_url

    def list_pages(
        self, prefix: str, *, delimiter: str = "", start_after: str = ""
    ) -> Generator[Page, None, None]:
        """List all objects under a prefix, or its first level; see `ci3.aws.listing.pages`."""
        return list_pages(
            self._client, self.bucket, prefix, delimiter=delimiter, start_after=start_after
        )

    def list_keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys under a prefix."""
        return tuple(stored.key for page in self.list_pages(prefix) for stored in page.objects)

    def list_versions(self, prefix: str) -> Generator[tuple[StoredVersion, ...], None, None]:
        """List every version and delete marker under a prefix; see `ci3.aws.listing.versions`."""
        return list_versions(self._client, self.bucket, prefix)

    def list_version_folders(self, prefix: str) -> Generator[frozenset[str], None, None]:
        """List the folders with versions or delete markers; see `ci3.aws.listing.versions`."""
        return list_version_folders(self._client, self.bucket, prefix)

    def list_uploads(self, prefix: str) -> Generator[tuple[UnfinishedUpload, ...], None, None]:
        """List every unfinished multipart upload under a prefix; see `ci3.aws.listing.uploads`."""
        return list_uploads(self._client, self.bucket, prefix)

    def read_lifecycle_rules(self) -> "tuple[LifecycleRule, ...]":
        """Return the enabled lifecycle rules; raises AccessError."""
        return read_lifecycle_rules(self._client, self.bucket)

    def read_lifecycle(self) -> LifecycleDocument:
        """Return the lifecycle configuration as text; raises AccessError."""
        return read_lifecycle(self._client, self.bucket)

    def find_expiration_rule(self, key: str) -> str:
        """Return the ID of the rule by which S3 will delete an object, or "".

        See `ci3.aws.lifecycle.document.find_expiration_rule`.
        """
        return find_expiration_rule(self._client, self.bucket, key)

    def read_versioning_state(self) -> VersioningState:
        """Return whether the bucket keeps versions; raises AccessError."""
        return read_versioning_state(self._client, self.bucket)

    def read_object_lock(self) -> "ObjectLock":
        """Return whether versions are locked; raises AccessError."""
        return read_object_lock(self._client, self.bucket)

    def read_bucket_region(self, prefix: str) -> str:
        """Return the region that S3 reports for the bucket, or ""; raises AccessError."""
        return read_bucket_region(self._client, self.bucket, prefix)

    def read_object(self, key: str, limit_bytes: int) -> bytes:
        """Return an object's content; raises AccessError if it is unreadable or over the limit."""
        content = self.read_first_bytes(key, limit_bytes + 1)
        if len(content) > limit_bytes:
            raise AccessError(
                f"reading s3://{self.bucket}/{key}: larger than {limit_bytes:,} bytes",
                "Check the key.",
            )
        return content

    def read_first_bytes(self, key: str, limit_bytes: int) -> bytes:
        """Return an object's first bytes, at most the limit; the rest is not read.

        Raises AccessError when it can't be read.
        """
        # No Range header: S3 answers it with an error for an empty object.
        with translate_errors(f"reading s3://{self.bucket}/{key}"), self.request_limit.hold():
            response = self._client.get_object(Bucket=self.bucket, Key=key)
            with closing(response["Body"]) as body:
                content = body.read(limit_bytes)
            if len(content) < min(limit_bytes, response["ContentLength"]):
                raise AccessError("the response is incomplete", "Run again.")
            return content

    def stream_object(self, key: str, size_bytes: int) -> Generator[bytes, None, None]:
        """Read a large object of a known size in chunks; see `ci3.aws.object_stream`."""
        with self.request_limit.hold():
            yield from stream_object(self._client, self.bucket, key, size_bytes)

    def export_access(self) -> BucketAccess | None:
        """Return what a worker process needs to open this bucket as the same identity.

        None where there are no credentials; raises AccessError where they can't be loaded.
        """
        with translate_errors("the AWS configuration"):
            credentials = self._session.get_credentials()
            keys = credentials.get_frozen_credentials() if credentials else None
        if keys is None or not (keys.access_key and keys.secret_key):
            return None
        return BucketAccess(
            bucket=self.bucket,
            region=self._configured_region,
            endpoint_url=self._configured_endpoint_url,
            addressing_style=self._addressing_style,
            resolved_endpoint_url=self._client.meta.endpoint_url,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            token=keys.token or "",
        )

    @classmethod
    def from_access(cls, access: BucketAccess) -> Self:
        """Open the bucket that `export_access` described.

        Raises GateError where the endpoint URL resolves to another one in this process.
        """
        reader = cls(
            bucket=access.bucket,
            region=access.region,
            endpoint_url=access.endpoint_url,
            addressing_style=access.addressing_style,
            credentials=access.make_credentials(),
        )
        reader._check_endpoint_url(access.resolved_endpoint_url)
        return reader

    def reader_for(self, bucket: str) -> "BucketReader":
        """Open another bucket of the same S3 for reading, as the same identity."""
        return BucketReader(
            bucket=bucket,
            region=self._configured_region,
            endpoint_url=self._configured_endpoint_url,
            addressing_style=self._addressing_style,
            credentials=self.credentials,
            request_limit=self.request_limit,
        )

    @property
    def region(self) -> str:
        """The client's region."""
        return self._client.meta.region_name

    def describe_target(self, prefix: str, versioning: Versioning | None = None) -> Target:
        """Return the target as a plan records it; reads the versioning if it is not given."""
        return Target(
            bucket=self.bucket,
            region=self.region,
            prefix=prefix,
            endpoint_url=self.endpoint_url,
            versioning=versioning or self.read_versioning_or_unknown().versioning,
        )

    def read_versioning_or_unknown(self) -> VersioningState:
        """Return whether the bucket keeps versions, or `unknown` where it can't be read."""
        try:
            return self.read_versioning_state()
        except AccessError:
            return VersioningState(versioning=Versioning.UNKNOWN)

    def open_writer(self) -> "BucketWriter":
        """Open a client that deletes objects; only an apply calls this."""
        return BucketWriter(bucket=self.bucket, client=self._open_client(WRITE_OPERATIONS))

    def open_version_remover(self) -> "VersionRemover":
        """Open a client that deletes versions by ID, for restore and for permanent deletion."""
        return VersionRemover(bucket=self.bucket, client=self._open_client(VERSION_OPERATIONS))

    def open_lifecycle_writer(self) -> LifecycleWriter:
        """Open a client that writes the lifecycle configuration and can do nothing else."""
        return LifecycleWriter(bucket=self.bucket, client=self._open_client(LIFECYCLE_OPERATIONS))

    def open_restore_prober(self, prefix: str) -> RestoreProber:
        """Open a client that writes, deletes and restores one object under the prefix's `.ci3/`."""
        client = self._open_client(RESTORE_PROBE_OPERATIONS)
        return RestoreProber(reader=self, client=client, prefix=prefix)

    def open_journal_store(self, key: str) -> "JournalStore":
        """Open a client that stores a journal under one key of this bucket."""
        return JournalStore(
            bucket=self.bucket,
            client=self._open_client(JOURNAL_OPERATIONS),
            key=key,
            request_limit=self.request_limit,
        )

    def _open_client(self, operations: frozenset[str]) -> "S3Client":
        client = self._make_client(operations)
        self._check_endpoint_url(client.meta.endpoint_url)
        return client

    def _check_endpoint_url(self, endpoint_url: str) -> None:
        if endpoint_url != self._client.meta.endpoint_url:
            raise GateError(f"the bucket was read at another endpoint than {endpoint_url}")

    def _make_client(self, operations: frozenset[str]) -> "S3Client":
        client: S3Client = make_service_client(
            "s3",
            region=self._configured_region,
            endpoint_url=self._configured_endpoint_url,
            addressing_style=self._addressing_style,
            operations=operations,
            connections=self.request_limit.maximum,
            session=self._session,
        )
        self.request_limit.apply_to(client)
        return client
