"""Resolve the name of a deployment that a user typed: any unique beginning of it will do."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from ci3.aws.bucket import BucketReader
from ci3.constants import JOURNAL_FOLDER
from ci3.core.formatting import escape_control_chars, join_names
from ci3.core.inventory.name_search import find_candidates, list_spellings
from ci3.core.model.user_pattern import UserPattern
from ci3.engine.inventory.folders import find_folders
from ci3.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class NameScope:
    """The folders of one target; those that `match` admits are preferred."""

    bucket: BucketReader
    prefix: str
    match: UserPattern | None = None

    @property
    def url(self) -> str:
        """The `s3://` URL of the prefix."""
        return f"s3://{self.bucket.bucket}/{self.prefix}"


def resolve_name(text: str, scopes: Sequence[NameScope]) -> str:
    """Return the name of the folder that the text names or begins, or the text if there is none.

    Sends one listing request for each scope and 1,000 folders that begin with the text. The folders
    of all scopes count together: the same name in two of them is one name. Raises SettingsError if
    several names begin with the text or it is not UTF-8, and AccessError if a listing fails.
    """
    return _resolve(text, scopes, _list_current_names)


def resolve_deleted_name(text: str, scope: NameScope) -> str:
    """Return the name of the folder, in which there is or was an object, like `resolve_name`.

    Raises SettingsError as well if there is none.
    """
    name = _resolve(text, (scope,), _list_names_of_versions)
    # A store may not list the folders of versions.
    with closing(scope.bucket.list_versions(f"{scope.prefix}{name}/")) as pages:
        if not any(pages):
            raise SettingsError(
                f"deployment {text!r} not found in {scope.url}: it has no objects and no delete "
                "markers",
                "Check the name and the prefix. Without versioning, nothing can be restored.",
            )
    return name


def _resolve(
    text: str, scopes: Sequence[NameScope], list_names: Callable[[NameScope, str], set[str]]
) -> str:
    if not text or "/" in text:
        return text
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise SettingsError(
            f"{text!r} is not UTF-8, so it cannot be a name in S3",
            "Check the name. Nothing was changed.",
        ) from exc
    for spelling in list_spellings(text):
        names: set[str] = set()
        preferred: set[str] = set()
        for scope in scopes:
            listed = list_names(scope, spelling)
            names |= listed
            preferred |= {
                name for name in listed if scope.match is None or scope.match.fullmatch(name)
            }
        candidates = find_candidates(spelling, names, preferred)
        if len(candidates) > 1:
            raise _make_ambiguous_error(text, candidates, scopes)
        if candidates:
            return candidates[0]
    return text


def _list_current_names(scope: NameScope, beginning: str) -> set[str]:
    return {*find_folders(scope.bucket, scope.prefix, beginning=beginning).names}


def _list_names_of_versions(scope: NameScope, beginning: str) -> set[str]:
    names: set[str] = set()
    with closing(scope.bucket.list_version_folders(f"{scope.prefix}{beginning}")) as pages:
        for folders in pages:
            names.update(folder.removeprefix(scope.prefix).removesuffix("/") for folder in folders)
    return names - {"", JOURNAL_FOLDER}


def _make_ambiguous_error(
    text: str, candidates: Sequence[str], scopes: Sequence[NameScope]
) -> SettingsError:
    urls = join_names(list(dict.fromkeys(escape_control_chars(scope.url) for scope in scopes)))
    shown = join_names([escape_control_chars(name) for name in candidates])
    return SettingsError(
        f"{text!r} is not unique: {len(candidates):,} names begin with it in {urls}: {shown}",
        "Enter more characters of the name. Nothing was changed.",
    )
