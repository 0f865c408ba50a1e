"""Live sources: what says which deployment is live, and what came of reading each."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ci3.errors import nearest


class LiveKind(StrEnum):
    """Where "live" can be read."""

    GITHUB_DEPLOYMENTS = "github-deployments"
    OPEN_PULL_REQUESTS = "open-pull-requests"
    BRANCHES = "branches"
    CLOUDFRONT = "cloudfront"
    SSM = "ssm"
    OBJECT = "object"
    URL = "url"

    @property
    def is_on_github(self) -> bool:
        """Whether GitHub is asked, about the repository of the run."""
        return self in (self.GITHUB_DEPLOYMENTS, self.OPEN_PULL_REQUESTS, self.BRANCHES)

    @property
    def must_be_found(self) -> bool:
        """Whether it must name a folder that is there; a branch may never have been deployed."""
        return self not in (self.OPEN_PULL_REQUESTS, self.BRANCHES)


_WITH_ARGUMENT = (LiveKind.SSM, LiveKind.OBJECT, LiveKind.URL)
_WITHOUT_ARGUMENT = (LiveKind.OPEN_PULL_REQUESTS, LiveKind.BRANCHES, LiveKind.CLOUDFRONT)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """One live source as a setting names it.

    `argument` is an environment, a parameter, a key or an address; `field` names where in a JSON
    text the deployment stands, with dots between the levels, or is empty for a text that is only
    that.
    """

    kind: LiveKind
    argument: str = ""
    field: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `cloudfront`, `ssm:/parameter`, `object:version.json#commit` and so on.

        Raises ValueError with words that follow the text.
        """
        name, colon, rest = text.partition(":")
        try:
            kind = LiveKind(name)
        except ValueError as exc:
            known = ", ".join(LiveKind)
            raise ValueError(
                f"is no live source; there are {known}.{nearest(name, LiveKind)}"
            ) from exc
        if kind in _WITHOUT_ARGUMENT and colon:
            raise ValueError(f"has something after {name}, which takes nothing")
        if kind in _WITH_ARGUMENT and not rest:
            raise ValueError(f"lacks what to read: {_example(kind)}")
        if colon and not rest:
            raise ValueError("ends with a colon")
        argument, sharp, field = rest, "", ""
        if kind in _WITH_ARGUMENT:
            argument, sharp, field = rest.partition("#")
        if not argument and rest:
            raise ValueError(f"lacks what to read: {_example(kind)}")
        if sharp and not field:
            raise ValueError("ends with #; name a key of the JSON text after it, such as #commit")
        if kind is LiveKind.URL and not argument.startswith(("https://", "http://")):
            raise ValueError(f"is no address to read from: {_example(kind)}")
        return cls(kind=kind, argument=argument, field=field)

    def __str__(self) -> str:
        """Write it as a setting does, but for an address's query: that may hold a secret."""
        shown = self.argument
        if self.kind is LiveKind.URL and "?" in shown:
            shown = f"{shown.partition('?')[0]}?…"
        argument = f":{shown}" if shown else ""
        return f"{self.kind}{argument}{f'#{self.field}' if self.field else ''}"


def _example(kind: LiveKind) -> str:
    return {
        LiveKind.SSM: "ssm:/my-site/live",
        LiveKind.OBJECT: "object:version.json#commit",
        LiveKind.URL: "url:https://www.example.org/version.json#commit",
    }[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that a source says is live: a folder's name or a commit, and where that is said.

    `evidence` is a sentence's end, such as `CloudFront E2ABC serves /ab12cd3 for www.example.org`.
    Where it quotes a text that anybody may have written, `place` names that text's place, to be
    told alone where nothing of that name is there. What is only on its way need not be found.
    """

    name: str
    evidence: str
    place: str = ""
    must_be_found: bool = True

    @property
    def told_when_missing(self) -> str:
        """Say what named it; of a text that may be a secret only where it stands."""
        return f"{self.place} names something that is not there" if self.place else self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading one source: sightings, or a problem in words."""

    source: LiveSource
    sightings: tuple[Sighting, ...] = ()
    problem: str = ""


def folder_under(path: str, prefix: str) -> str:
    """Name the folder directly under a prefix that a path leads into, or nothing.

    `path` is a key or the beginning of one, with or without a slash before it; `prefix` is empty
    or ends with a slash.
    """
    relative = path.lstrip("/")
    if not relative.startswith(prefix):
        return ""
    return relative.removeprefix(prefix).partition("/")[0]


def pointed_name(text: str, bucket: str, prefix: str) -> str:
    """Name the deployment that a pointer's text means, or nothing.

    The text is a folder's name, a commit, a path in the bucket or an `s3://` address of it.
    """
    path = text.strip()
    if path.startswith("s3://"):
        if not path.startswith(f"s3://{bucket}/"):
            return ""
        path = path.removeprefix(f"s3://{bucket}")
        return folder_under(path, prefix)
    bare = path.strip("/")
    return folder_under(bare, prefix) if "/" in bare else bare
