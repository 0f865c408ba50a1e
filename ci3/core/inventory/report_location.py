"""The location of an S3 Inventory report: its manifest, checksum and folder.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

ADDRESS_PATTERN: Final = r"s3://[^/]+/((.*/)?manifest\.json|.*/)"
_DATED_FOLDER = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}Z/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLocation:
    """The location of a report's manifest, or of the folder that contains dated reports.

    `key` of a folder ends with a slash. The newest report of the folder is used.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the URL of a manifest or of a folder.

        Raises ValueError with a message that continues a sentence which begins with the text.
        """
        if not re.fullmatch(ADDRESS_PATTERN, text):
            raise ValueError(
                "is not the URL of a manifest, such as "
                "s3://reports/my-site/daily/2026-11-24T01-00Z/manifest.json, "
                "or of a folder of reports, such as s3://reports/my-site/daily/"
            )
        bucket, _, key = text.removeprefix("s3://").partition("/")
        return cls(bucket=bucket, key=key)

    @property
    def is_folder(self) -> bool:
        """True if this is the location of a folder of dated reports."""
        return self.key.endswith("/")

    @property
    def url(self) -> str:
        """The `s3://` URL."""
        return f"s3://{self.bucket}/{self.key}"

    def __str__(self) -> str:
        return self.url

    @property
    def checksum_key(self) -> str:
        """The key of the file with the manifest's MD5, in the manifest's folder."""
        return f"{self.key.removesuffix('.json')}.checksum"

    @property
    def folder(self) -> str:
        """The key prefix of all reports, data and manifests, of the inventory configuration."""
        return (
            self.key if self.is_folder else "".join(f"{part}/" for part in self.key.split("/")[:-2])
        )

    def find_manifests(self, folders: Iterable[str]) -> tuple[Self, ...]:
        """Return the manifests of those `folders` that have the name of a report, newest first."""
        names = (folder.removeprefix(self.key) for folder in folders)
        return tuple(
            type(self)(bucket=self.bucket, key=f"{self.key}{name}manifest.json")
            for name in sorted(names, reverse=True)
            if _DATED_FOLDER.fullmatch(name)
        )
