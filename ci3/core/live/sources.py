"""Live sources (`live-from` settings), and the live references read from them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from ci3.core.live.references import Reference
from ci3.core.model.prefix_pattern import FOLDER_PLACEHOLDER, PrefixPattern, is_pattern
from ci3.core.model.service_url import fill_url
from ci3.errors import format_suggestion


class LiveKind(StrEnum):
    """Kind of a live source."""

    GITHUB_DEPLOYMENTS = "github-deployments"
    OPEN_PULL_REQUESTS = "open-pull-requests"
    BRANCHES = "branches"
    CLOUDFRONT = "cloudfront"
    SSM = "ssm"
    OBJECT = "object"
    URL = "url"

    @property
    def is_on_github(self) -> bool:
        """True if the source is GitHub's API, for the repository of the run."""
        return self in (self.GITHUB_DEPLOYMENTS, self.OPEN_PULL_REQUESTS, self.BRANCHES)

    @property
    def has_rate_limit(self) -> bool:
        """True if what is read limits the rate of requests so that it is read less often."""
        return self.is_on_github or self is LiveKind.CLOUDFRONT

    @property
    def is_required(self) -> bool:
        """True if a folder must exist for it; a branch may never have been deployed."""
        return self not in (self.OPEN_PULL_REQUESTS, self.BRANCHES)


_NO_REFERENCE: Final = Reference()
_WITH_ARGUMENT = (LiveKind.SSM, LiveKind.OBJECT, LiveKind.URL)
_WITHOUT_ARGUMENT = (LiveKind.OPEN_PULL_REQUESTS, LiveKind.BRANCHES, LiveKind.CLOUDFRONT)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """One live source of a `live-from` setting.

    `argument` is an environment, parameter, object key or URL. `field` is the path of the names in
    a JSON document, such as `releases[].commit`; it is empty if the text is only names.
    """

    kind: LiveKind
    argument: str = ""
    field: str = ""
    is_of_folder: bool = False
    """True if the source had `{folder}` in it: what it names is in one target of the pattern."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `cloudfront`, `ssm:/parameter`, `object:version.json#commit` and so on.

        Raises ValueError. Its message is a predicate that follows the text.
        """
        kind_name, colon, rest = text.partition(":")
        try:
            kind = LiveKind(kind_name)
        except ValueError as exc:
            known = ", ".join(LiveKind)
            raise ValueError(
                f"is not a live source; use {known}.{format_suggestion(kind_name, LiveKind)}"
            ) from exc
        if kind in _WITHOUT_ARGUMENT and colon:
            raise ValueError(f"has text after {kind_name}, which takes no argument")
        if kind in _WITH_ARGUMENT and not rest:
            raise ValueError(f"needs an argument, such as {_example_setting(kind)}")
        if colon and not rest:
            raise ValueError("ends with a colon")
        argument, sharp, field = rest, "", ""
        if kind in _WITH_ARGUMENT:
            argument, sharp, field = rest.partition("#")
        if not argument and rest:
            raise ValueError(f"needs an argument, such as {_example_setting(kind)}")
        if sharp and not field:
            raise ValueError("ends with #; add a JSON key after it, such as #commit")
        if kind is LiveKind.URL and not argument.startswith(("https://", "http://")):
            raise ValueError(f"needs an HTTP URL, such as {_example_setting(kind)}")
        return cls(kind=kind, argument=argument, field=field)

    @property
    def is_on_github(self) -> bool:
        """True if the source is GitHub's API."""
        return self.kind.is_on_github

    @property
    def has_rate_limit(self) -> bool:
        """True if the source is read less often; see `LiveKind.has_rate_limit`."""
        return self.kind.has_rate_limit

    @property
    def has_placeholder(self) -> bool:
        """True if the source has `{folder}` in it."""
        return FOLDER_PLACEHOLDER in self.argument or FOLDER_PLACEHOLDER in self.field

    def for_folder(self, folder: str) -> Self:
        """Return the source with a folder in place of `{folder}`, escaped in a URL.

        Raises ValueError if the folder makes the source invalid. Its message is a predicate.
        """
        if not self.has_placeholder:
            return self
        if "[]" in folder and FOLDER_PLACEHOLDER in self.field:
            raise ValueError(f"cannot use the folder {folder!r} in a JSON path")
        match self.kind:
            case LiveKind.URL:
                argument = fill_url(self.argument, folder)
            case LiveKind.SSM if not re.fullmatch(r"[\w./-]+", folder, re.ASCII):
                raise ValueError(
                    f"cannot use the folder {folder!r}: parameter names allow only A-Z, a-z, 0-9, "
                    "_, ., - and /"
                )
            case _:
                argument = self.argument.replace(FOLDER_PLACEHOLDER, folder)
        field = self.field.replace(FOLDER_PLACEHOLDER, folder)
        return replace(self, argument=argument, field=field, is_of_folder=True)

    def __str__(self) -> str:
        """Return the setting's text, without a URL's query, which may hold a secret."""
        argument = self.argument
        if self.kind is LiveKind.URL and "?" in argument:
            argument = f"{argument.partition('?')[0]}?…"
        suffix = f"#{self.field}" if self.field else ""
        return f"{self.kind}:{argument}{suffix}" if argument else f"{self.kind}{suffix}"


def _example_setting(kind: LiveKind) -> str:
    return {
        LiveKind.SSM: "ssm:/my-site/live",
        LiveKind.OBJECT: "object:version.json#commit",
        LiveKind.URL: "url:https://www.example.org/version.json#commit",
    }[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReference:
    """One thing that a source names as live, with its evidence.

    `name` is a folder's name or a commit. `reference` is all that the source has about it; without
    one it is that of the name.
    `evidence` is a sentence without its full stop, such as `CloudFront E2ABC serves /ab12cd3 for
    www.example.org`. If it quotes untrusted text, which may be a secret, `location` is where that
    text was read: only the location is reported if no such deployment exists. `is_required` is
    False for a deployment that is still in progress. `is_precaution` is True if it is kept in case
    the other references are not what is live: it need not exist, and does not replace them.
    `prefix` is that of a target if the source names it too; empty if any target of a pattern may
    have the deployment.
    """

    name: str
    evidence: str
    location: str = ""
    is_required: bool = True
    is_precaution: bool = False
    reference: Reference = _NO_REFERENCE
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.reference == _NO_REFERENCE:
            object.__setattr__(self, "reference", Reference.from_text(self.name))

    @classmethod
    def from_path(cls, path: str, pattern: str, evidence: str, location: str = "") -> Self:
        """Return the reference to a name, or to a path as `extract_folder` returns it.

        `pattern` is the prefix with which the path was extracted, a pattern or not.
        """
        prefix = PrefixPattern(pattern).find_prefix(path) if is_pattern(pattern) else ""
        name = path.removeprefix(prefix)
        if not name or "/" in name:
            prefix, name = "", path
        return cls(name=name, evidence=evidence, location=location, prefix=prefix)

    @property
    def missing_message(self) -> str:
        """The message if no such deployment exists; never quotes text that may be a secret."""
        return f"a name in {self.location}" if self.location else self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReading:
    """Result of reading one source: its references, or a message about the problem."""

    source: LiveSource
    references: tuple[LiveReference, ...] = ()
    problem: str = ""
    request_count: int = field(default=0, compare=False)
    """How many requests to GitHub it took."""

    @classmethod
    def from_names(
        cls, source: LiveSource, names: Iterable[str], location: str, prefix: str = ""
    ) -> Self:
        """Return the reading of a text at `location` that has these names, read with a prefix."""
        return cls(
            source=source,
            references=tuple(
                LiveReference.from_path(name, prefix, f"{location} names {name}", location)
                for name in dict.fromkeys(names)
            ),
        )


def extract_folder(path: str, prefix: str) -> str:
    """Return the folder directly under a prefix that a path is in, or "" if it is elsewhere.

    `path` is a key or its beginning, with or without a leading slash. `prefix` is empty or ends
    with a slash. `/site/v1/index.html` with `site/` returns `v1`. With a pattern, the prefix that
    it matches is returned too: `/site/v1/index.html` with `*/` returns `site/v1`.
    """
    relative = path.lstrip("/")
    if is_pattern(prefix):
        target_prefix = PrefixPattern(prefix).find_prefix(relative)
        name = extract_folder(relative, target_prefix) if target_prefix else ""
        return f"{target_prefix}{name}" if name else ""
    if not relative.startswith(prefix):
        return ""
    return relative.removeprefix(prefix).partition("/")[0]


def extract_name(text: str, bucket: str, prefix: str) -> str:
    """Return the deployment that a pointer's text names, or "" if it is elsewhere.

    The text is a folder's name, a commit, a path in the bucket or its `s3://` URL.
    """
    path = text.strip()
    if path.startswith("s3://"):
        if not path.startswith(f"s3://{bucket}/"):
            return ""
        path = path.removeprefix(f"s3://{bucket}")
        return extract_folder(path, prefix)
    stripped = path.strip("/")
    return extract_folder(stripped, prefix) if "/" in stripped else stripped
