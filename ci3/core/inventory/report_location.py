"""Where the manifest of an S3 Inventory report is, and what lies around it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

ADDRESS_PATTERN: Final = r"s3://[^/]+/((.*/)?manifest\.json|.*/)"
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}Z/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlace:
    """Where a report's manifest is, or the folder of a configuration's reports, with its slash."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a manifest's address; raises ValueError with words that follow the text."""
        if not re.fullmatch(ADDRESS_PATTERN, text):
            raise ValueError(
                "is no address of a manifest, such as "
                "s3://reports/my-site/daily/2026-11-24T01-00Z/manifest.json, "
                "nor of the folder s3://reports/my-site/daily/"
            )
        bucket, _, key = text.removeprefix("s3://").partition("/")
        return cls(bucket=bucket, key=key)

    @property
    def is_folder(self) -> bool:
        """Whether the newest report of a folder is meant."""
        return self.key.endswith("/")

    @property
    def url(self) -> str:
        """The address, as it was written."""
        return f"s3://{self.bucket}/{self.key}"

    def __str__(self) -> str:
        return self.url

    @property
    def checksum_key(self) -> str:
        """The key of the file beside the manifest that holds its MD5."""
        return f"{self.key.removesuffix('.json')}.checksum"

    @property
    def folder(self) -> str:
        """The folder of all reports of one configuration, with its slash: data and manifests."""
        return (
            self.key if self.is_folder else "".join(f"{part}/" for part in self.key.split("/")[:-2])
        )

    def dated(self, folders: Iterable[str]) -> tuple[Self, ...]:
        """Give the manifests of those folders that are named as reports are, newest first."""
        names = (one.removeprefix(self.key) for one in folders)
        return tuple(
            type(self)(bucket=self.bucket, key=f"{self.key}{name}manifest.json")
            for name in sorted(names, reverse=True)
            if _DATED.fullmatch(name)
        )
