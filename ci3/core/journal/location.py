"""Where a run's journal is stored in the bucket that it cleans: in a folder that no one deletes."""

import re
from dataclasses import dataclass
from typing import Self

from ci3.constants import JOURNAL_FOLDER
from ci3.errors import SettingsError

_ADDRESS = re.compile(
    rf"s3://(?P<bucket>[^/]+)/(?P<prefix>(?:.*/)?){re.escape(JOURNAL_FOLDER)}/journals/"
    r"(?P<run_id>[A-Za-z0-9][A-Za-z0-9._-]*)/?"
)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PART = re.compile(r"(\d{8})\.jsonl")


def is_address(text: str) -> bool:
    """Whether a journal's name is meant as a place in S3 rather than as a file's path."""
    return text.lower().startswith("s3:")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlace:
    """A folder of one run's journal, below the prefix of the target that the run cleaned."""

    bucket: str
    prefix: str
    run_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a stored journal's address; raises SettingsError for what is none."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise SettingsError(
                f"{text!r} is no address of a stored journal",
                f"Write it as the run told it: s3://BUCKET/PREFIX{JOURNAL_FOLDER}/journals/RUN/",
            )
        return cls(**found.groupdict())

    @classmethod
    def of_run(cls, bucket: str, prefix: str, run_id: str) -> Self:
        """Name the place of a run's journal; raises SettingsError for what is no run's id."""
        if not _RUN_ID.fullmatch(run_id):
            raise SettingsError(f"{run_id!r} is no run's id", "It stands in the run's summary.")
        return cls(bucket=bucket, prefix=prefix, run_id=run_id)

    @property
    def key(self) -> str:
        """What every key of the journal begins with."""
        return f"{self.prefix}{JOURNAL_FOLDER}/journals/{self.run_id}/"

    @property
    def url(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"


def refuse_other_place(text: str, bucket: str, prefix: str) -> None:
    """Raise SettingsError where journals were to be stored anywhere but in the target's folder.

    Elsewhere one could lie in a deployment, or be taken for one.
    """
    own = f"s3://{bucket}/{prefix}{JOURNAL_FOLDER}/journals"
    if is_address(text) and text != "s3://" and text.rstrip("/") != own:
        raise SettingsError(
            f"journal-file is {text!r}, and a journal is stored in the target's own bucket, below "
            f"{own}/",
            "Write `s3://` for that, or name a file. Nothing was deleted.",
        )


def part_name(number: int) -> str:
    """Name a part of a stored journal; the names sort as the numbers do."""
    return f"{number:08}.jsonl"


def part_number(name: str) -> int | None:
    """Read a part's number, or None for what is no part."""
    found = _PART.fullmatch(name)
    return int(found[1]) if found else None
