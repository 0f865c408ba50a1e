"""The location of a journal that a run stores in its target's bucket.

The folder is never a deployment, so that no run deletes it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from ci3.constants import JOURNAL_FOLDER
from ci3.errors import SettingsError

_ADDRESS = re.compile(
    rf"s3://(?P<bucket>[^/]+)/(?P<prefix>(?:[\s\S]*/)?){re.escape(JOURNAL_FOLDER)}/journals/"
    r"(?P<run_id>[A-Za-z0-9][A-Za-z0-9._-]*)/?"
)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PART_NAME = re.compile(r"(\d{8})\.jsonl")
_STATE_NAME = re.compile(r"(.+)\.(\d{8})\.(finished|resumed)")


def is_s3_url(text: str) -> bool:
    """Return True if a `journal-file` value is an S3 URL rather than a file path."""
    return text.lower().startswith("s3:")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLocation:
    """The folder of one run's journal, under the prefix of the run's target."""

    bucket: str
    prefix: str
    run_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a stored journal's URL; raises SettingsError if it is invalid."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise SettingsError(
                f"{text!r} is not the URL of a stored journal",
                f"Use the URL that the run reported: s3://BUCKET/PREFIX{JOURNAL_FOLDER}/journals/RUN/",
            )
        return cls(**match.groupdict())

    @classmethod
    def for_run(cls, bucket: str, prefix: str, run_id: str) -> Self:
        """Return the location of a run's journal; raises SettingsError if the run ID is invalid."""
        if not _RUN_ID.fullmatch(run_id):
            raise SettingsError(f"{run_id!r} is not a run ID", "The summary of the run shows it.")
        return cls(bucket=bucket, prefix=prefix, run_id=run_id)

    @property
    def run_prefix(self) -> str:
        """The prefix of all keys of the run: the parts of its journal and its state objects."""
        return f"{get_journals_prefix(self.prefix)}{self.run_id}"

    @property
    def key_prefix(self) -> str:
        """The prefix of all keys of the journal."""
        return f"{self.run_prefix}/"

    @property
    def url(self) -> str:
        """The `s3://` URL of the journal."""
        return f"s3://{self.bucket}/{self.key_prefix}"


def get_journals_prefix(prefix: str) -> str:
    """Return the prefix of all journals that are stored for a target's prefix."""
    return f"{prefix}{JOURNAL_FOLDER}/journals/"


def require_own_journal_folder(text: str, bucket: str, prefix: str, pattern: str = "") -> None:
    """Raise SettingsError if `text` is an S3 URL outside the target's journal folder.

    Elsewhere a journal could be part of a deployment, or be mistaken for one. The folder may also
    be written with the pattern of the target.
    """
    own_url = f"s3://{bucket}/{prefix}{JOURNAL_FOLDER}/journals"
    urls = {own_url, f"s3://{bucket}/{pattern or prefix}{JOURNAL_FOLDER}/journals"}
    if is_s3_url(text) and text != "s3://" and text.rstrip("/") not in urls:
        raise SettingsError(
            f"journal-file is {text!r}, but the only folder for stored journals of this target is "
            f"{own_url}/",
            "Set journal-file to `s3://` for that folder, or to a file. Nothing was deleted.",
        )


def format_part_name(number: int) -> str:
    """Return the name of a part of a stored journal; names sort like their numbers."""
    return f"{number:08}.jsonl"


def parse_part_number(name: str) -> int | None:
    """Return the number of a part, or None if the name is not that of a part."""
    match = _PART_NAME.fullmatch(name)
    return int(match[1]) if match else None


class RunState(StrEnum):
    """State of a run with a stored journal, recorded by an empty object next to the journal."""

    FINISHED = "finished"
    """Nothing that the run has begun to delete is left."""
    RESUMED = "resumed"
    """The run continues."""


def format_state_suffix(state: RunState, part_number: int) -> str:
    """Return the suffix of a state object that follows a part of the journal."""
    return f".{part_number:08}.{state}"


def select_unfinished_runs(
    folder_names: Iterable[str], state_objects: Mapping[str, datetime], finished_before: datetime
) -> list[str]:
    """Return the IDs of the runs that may have left a part of a deployment, newest first.

    The folders and the state objects, with their times, are those directly under the prefix of the
    journals. A run that finished later counts as unfinished: it may have been deleting while
    deployments were listed. The last state of a run counts:

    | folder | objects                                             | unfinished |
    |--------|-----------------------------------------------------|------------|
    | `r1`   | none: the run was killed, stopped, or is going on   | yes        |
    | `r2`   | `r2.00000004.finished`                              | no         |
    | `r3`   | `r3.00000004.finished`, `r3.00000005.resumed`       | yes        |
    """
    states: dict[str, tuple[int, bool]] = {}
    for name, written_at in state_objects.items():
        if match := _STATE_NAME.fullmatch(name):
            run_id, part_number, state = match.groups()
            is_finished = state == RunState.FINISHED and written_at < finished_before
            states[run_id] = max(states.get(run_id, (0, False)), (int(part_number), is_finished))
    finished = {run_id for run_id, (_, is_finished) in states.items() if is_finished}
    return sorted({*folder_names} - finished, reverse=True)
